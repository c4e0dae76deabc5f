"""Tells cross-model operations statement by statement, wrong where a case wants it (specs/12)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from ledger.formats import cbor, cose
from ledger.keys.events import genesis_body, key_entry
from ledger.keys.signer import Ed25519Signer
from tools.vectors import lab, summing
from tools.vectors.bagged import PAGES, Files, Log, bag, package_case, sealed, whole
from tools.vectors.body import DROP, Body, altered
from tools.vectors.case import Case
from tools.vectors.telling import LABEL, Telling, chronologs

TEXT = "text/plain"
LARGE, SMALL = "large-model", "small-model"
THOUGHT = b"Six sevens are forty-two."
ANSWER = b"42"


class Outside(NamedTuple):
    """A statement of another ledger: the link to it, its type and body."""

    link: Body
    kind: str
    body: Body
    output: bytes = b""


Told = int | Outside | Body
"""A parent: an index, a statement of another ledger, or a link as it is written."""


def change_of(body: Body, changes: Body) -> Body:
    """Return a body with places replaced, added or, by DROP, taken out; a dot leads inwards."""
    for path, value in changes.items():
        if value is not DROP or path in body or "." in path:
            body = altered(body, path, value)
    return body


class Operating(Telling):
    """A log with statements of operations; fields are changed by their paths."""

    def __init__(self, *, salted: bool = False, far: bool = False) -> None:
        """Begin with a genesis: of the test ledger, or of the ledger far away."""
        super().__init__(salted=salted)
        if far:
            origin, moment = "example.org/far", lab.moment(1000)
            signers = [lab.signer(seed, name, role) for seed, name, role in (
                (21, "far-authority", "authority"), (22, origin, "log"),
                (23, "far-producer", "producer"))]  # fmt: skip
            entries = [key_entry(one, origin, one.role) for one in signers]
            body = genesis_body(origin, entries[0], entries[1], [entries[2]], salted=False)
            payload: Body = {"vif": 1, "type": "genesis", "id": moment[0], "created_at": moment[1],
                       "stream": {"id": "keys", "seq": 0}, "body": body}  # fmt: skip
            genesis = lab.sign(cbor.encode(payload), signers[0], "keys")
            self.log = Log(genesis, signers[1], 1000)
            self.by: Ed25519Signer = signers[2]
        else:
            self.by = lab.PRODUCER
        self.told: dict[int, tuple[str, Body]] = {}
        self.operation: Body = {"name": "review", "number": 1}

    def tell(
        self,
        kind: str,
        body: Body,
        *parents: Told,
        session: str | None = LABEL,
        stream: str | None = None,
        by: Ed25519Signer | None = None,
        genesis: bytes | None = None,
    ) -> int:
        """Append a statement; return its index."""
        links = [self._link(parent) for parent in parents]
        index = self.log.say(kind, body, stream or session or "other", session=session,
                             parents=links, by=by or self.by, genesis=genesis)  # fmt: skip
        self.told[index] = kind, body
        return index

    def _link(self, parent: Told) -> Body:
        if isinstance(parent, int):
            return self.log.parent(parent)
        return parent.link if isinstance(parent, Outside) else parent

    def outside(self, index: int) -> Outside:
        """Return a statement as another ledger names it."""
        link = self.log.parent(index) | {"ledger": bytes.fromhex(self.genesis)}
        kind, body = self.told[index]
        output = self.text_of(body["output"]) if "usage" in body and "output" in body else b""
        return Outside(link, kind, body, output)

    def _known(self, parent: Told) -> tuple[str, Body] | None:
        if isinstance(parent, Outside):
            return parent.kind, parent.body
        return self.told[parent] if isinstance(parent, int) else None

    def work(self, prompt: bytes, output: bytes, model: str = LARGE, *parents: Told,
             media: str = TEXT, cost: float | None = None, tokens: int | None = None,
             stream: str | None = None, session: str | None = LABEL,
             **change: Any) -> int:  # fmt: skip
        """Append a witness."""
        body = lab.witness_body() | {
            "model": {"model_id": model},
            "data": {"prompt_hash": self.ref(prompt, media)},
            "output": {"output_hash": self.ref(output, TEXT)},
        }
        paid: Body = {} if tokens is None else {"tokens_used": tokens}
        if cost is not None:
            paid |= {"cost_usd": cost, "price_table": "lab 1"}
        if paid:
            body["cost"] = paid
        body = change_of(body, change.pop("change", {}))
        return self.tell("witness", body, *parents, stream=stream, session=session)

    def _stage(self, kind: str, body: Body, parents: Sequence[Told], change: Body,
               where: Body) -> int:  # fmt: skip
        """Append a stage that ends when it is told and began with the statement before.

        What it was made with are `made` of its parents, the last ones: if that is not said, the
        calls and combinations at the end.
        """
        index = len(self.log.statements)
        made = where.pop("made", None)
        if made is None:
            made = self._made_with(parents[1:] if kind == "transfer" else parents)
        inside = parents[max(0, len(parents) - made) :]
        counted = [self._known(one) if isinstance(one, int) else None for one in inside]
        body = {
            "operation": dict(self.operation),
            "label": "1",
            "made_with": made,
            "usage": summing.usage(counted),
            "started_at": lab.moment(self.log.offset + index - 1)[1],
            "ended_at": lab.moment(self.log.offset + index)[1],
        } | body
        return self.tell(kind, change_of(body, change), *parents, **where)

    def _made_with(self, parents: Sequence[Told]) -> int:
        """Return how many parents at the end are calls and combinations."""
        kinds = [(self._known(one) or ("", {}))[0] for one in parents]
        inside = takewhile(lambda kind: kind in ("witness", "cross_model"), reversed(kinds))
        return len(list(inside))

    def insight(self, *parents: Told, model: str = LARGE, output: bytes = THOUGHT,
                change: Body | None = None, **where: Any) -> int:  # fmt: skip
        """Append an insight; `where` says session, stream, key, and how many made it."""
        body = {"model_id": model, "output": self.ref(output, TEXT)}
        return self._stage("insight", body, parents, change or {}, where)

    def execution(self, *parents: Told, model: str = SMALL, output: bytes = ANSWER,
                  change: Body | None = None, **where: Any) -> int:  # fmt: skip
        """Append an execution."""
        body = {"model_id": model, "output": self.ref(output, TEXT)}
        return self._stage("execution", body, parents, change or {}, where)

    def transfer(self, source: Told, *others: Told, model: str = SMALL,
                 delivered: bytes | None = None, atoms: list[str] | None = None,
                 change: Body | None = None, **where: Any) -> int:  # fmt: skip
        """Append a transfer of a source's output."""
        known = self._known(source)
        assert known is not None
        made = known[1]
        party = {key: made[key] for key in ("model_id", "model_version") if key in made}
        if isinstance(source, Outside):
            content = self.ref(source.output, TEXT)
        else:
            stated = "usage" in made and "output" in made
            content = made["output"] if stated else self.ref(THOUGHT, TEXT)
        body: Body = {"source": party, "target": {"model_id": model}, "content": content}
        if delivered is None:
            body["completeness"] = 1.0
        else:
            body["delivered"] = self.ref(delivered, TEXT)
            if delivered:
                sizes = [float(body[key]["size_bytes"]) for key in ("content", "delivered")]
                body["compression_ratio"] = sizes[0] / sizes[1]
        if atoms is not None:
            body["atoms"] = atoms
            if "atoms" in made:
                body["completeness"] = float(len(atoms)) / float(len(made["atoms"]))
        return self._stage("transfer", body, (source, *others), change or {}, where)

    def provenance(self, *stages: Told, change: Body | None = None, labels: Body | None = None,
                   **where: Any) -> int:  # fmt: skip
        """Append a provenance; `labels` are names of joined stages, by position."""
        steps = []
        for at, stage in enumerate(stages):
            known = self._known(stage)
            kind, body = known or ("insight", {})
            label = (labels or {}).get(str(at), body.get("label", "1"))
            steps.append({"stage": kind, "label": label})
        body = {"operation": dict(self.operation), "steps": steps}
        return self.tell("provenance", change_of(body, change or {}), *stages, **where)

    def combination(self, *parts: Told, lies: Body | None = None, change: Body | None = None,
                    parents: Sequence[Told] | None = None, **where: Any) -> int:  # fmt: skip
        """Append a cross_model of the stages of a provenance and, last, this.

        `lies` are numbers that do not follow, `parents` the statements named in place of the right
        ones.
        """
        *stages, chain = parts
        known = [one for one in map(self._known, stages) if one is not None]
        body = summing.combination(dict(self.operation), known, lies or {})
        if parents is None:
            parents = [one for kind in summing.KINDS for one in stages
                       if (self._known(one) or ("", {}))[0] == kind]  # fmt: skip
            parents = [*parents, chain]
        return self.tell("cross_model", change_of(body, change or {}), *parents, **where)

    def finish(self, *stages: Told, **where: Any) -> int:
        """Append provenance and combination."""
        return self.combination(*stages, self.provenance(*stages, **where), **where)

    def package(self, content: Files | None = None, **change: Any) -> Files:
        """Return the signed package of the whole ledger, which ends with this."""
        content = self.archived() if content is None else content
        return whole(self.log, content | chronologs(self.log), by=self.by, **change)

    def part(self, session: str, indices: Collection[int]) -> Files:
        """Return the signed package of a session whose statements are those."""
        streams: dict[str, int] = {"keys": 1}
        copies: Files = {}
        for index in sorted(indices):
            value = cbor.decode(cose.parse(self.log.statements[index]).payload)
            if value["stream"]["id"] != "keys":
                name = value["stream"]["id"]
                streams[name] = streams.get(name, 0) + 1
            if value["type"] == "witness":
                text = self.text_of(value["body"]["output"]["output_hash"])
                copies[f"data/session/analysis_results/{index:08}.txt"] = text
        covered = sealed(PAGES | self.archived(indices) | copies)
        self.log.export_session(covered, session, streams, by=self.by)
        last = len(self.log.statements) - 1
        return bag(covered | self.log.proved({0, *indices, last}), self.log.origin)


def operation_case(
    name: str,
    told: str,
    t: Operating,
    expect: str = "ok",
    *,
    codes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    beside: Sequence[Files] = (),
    also: Sequence[str] = (),
    files: Files | None = None,
) -> Case:
    """Make the case of a whole ledger, or of other files; one that is good says its notes."""
    made = t.package() if files is None else files
    code = 1 if expect != "ok" else 3 if codes else 0
    return package_case(f"operation_{name}", told, made, t.log.known_head(), expect,
                        exit_code=code, genesis=t.genesis, codes=codes,
                        notes=notes if expect == "ok" else None, beside=beside,
                        also=also)  # fmt: skip
