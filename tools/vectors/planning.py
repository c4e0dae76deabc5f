"""Tells operations with a plan for running them again, written down from specs/13 section 9."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ledger.formats import cbor, cose
from ledger.formats.call import canonical
from tools.vectors.bagged import PAGES, Files, bag, sealed, whole
from tools.vectors.body import Body
from tools.vectors.replaying import Replaying, Seen
from tools.vectors.telling import LABEL, chronologs

PLAN, WEIGHTS, ENVIRONMENT = (
    f"data/replay/{name}" for name in ("plan.jsonl", "weights.json", "environment.json")
)
PEOPLE = {
    "REPLAY.md": b"How to run it again.\n",
    "data/replay/requirements.txt": b"rfc8785==0.1.4\n",
}
LEVELS = ("text", "tokens", "logprobs", "bits")


class Planning(Replaying):
    """A log with operations, and the lines of their plan."""

    def __init__(self, *, salted: bool = False) -> None:
        """Begin with a genesis and no line."""
        super().__init__(salted=salted)
        self.lines: list[Body] = []

    def tell(self, kind: str, body: Body, *parents: Any, **more: Any) -> int:
        """Append a statement; fields that are None are left out."""
        kept = {name: value for name, value in body.items() if value is not None}
        return super().tell(kind, kept, *parents, **more)

    def planned(self, index: int, engine: str, needs: str, request: Body, seen: Seen,
                **more: Any) -> int:  # fmt: skip
        """Write the line of a witness that can be run again; returns its index.

        `request` is the reference to what is run, `more` are members that the line has, too.
        """
        expected: Body = {}
        if seen.output is not None:
            output = self._of(index)["output"]["output_hash"]
            expected["text"] = {
                "sha256": output["sha256"].hex(),
                "size_bytes": output["size_bytes"],
                "media_type": output["media_type"],
            }
        tokens = seen.texts if seen.ids is None else seen.ids
        if tokens is not None:
            kind = "texts" if seen.ids is None else "ids"
            expected["tokens"] = {"count": len(tokens), "kind": kind, "sha256": _sha256(tokens)}
        if seen.logprobs is not None:
            expected["logprobs"] = {"count": len(seen.logprobs), "sha256": _sha256(seen.logprobs)}
        if seen.raw is not None and seen.environment is not None:
            expected["bits"] = {
                "environment": sha256(canonical(seen.environment)).hexdigest(),
                "raw": sha256(seen.raw).hexdigest(),
            }
        named = {
            "blake3": request["blake3"].hex(),
            "sha256": request["sha256"].hex(),
            "size_bytes": request["size_bytes"],
            "media_type": request["media_type"],
        }
        levels = ["archive", *(level for level in LEVELS if level in expected)]
        line = {"engine": engine, "needs": needs, "request": named, "levels": levels}
        self.lines.append(self._head(index) | line | {"expected": expected} | more)
        return index

    def not_planned(self, index: int, reason: str) -> int:
        """Write the line of a witness that cannot be run again."""
        self.lines.append(self._head(index) | {"reason": reason})
        return index

    def plan(
        self, environment: bytes | None = b"{}", at: Mapping[str, list[str]] | None = None
    ) -> Files:
        """Return the files of the plan; `at` says where weights are, by the name of a model."""
        files = PEOPLE | {PLAN: b"".join(canonical(line) + b"\n" for line in self.lines)}
        found: dict[str, Body] = {}
        for line in self.lines:
            if "weights" in line:
                one = found.setdefault(
                    line["weights"], {"blake3": line["weights"], "models": [], "statements": 0}
                )
                one["models"] = sorted({*one["models"], line["model"]})
                one["statements"] += 1
                if at is not None and line["model"] in at:
                    one["at"] = at[line["model"]]
        if found:
            files[WEIGHTS] = canonical({"weights": [found[digest] for digest in sorted(found)]})
        return files if environment is None else files | {ENVIRONMENT: environment}

    def with_plan(self, files: Files, content: Files | None = None) -> Files:
        """Return the signed package of the whole ledger with these files of a plan."""
        content = self.archived() if content is None else content
        return whole(self.log, content | files | chronologs(self.log))

    def range_with_plan(self, files: Files, start: int) -> Files:
        """Return the signed package of the statements of the session from an index on."""
        end = len(self.log.statements)
        indices = range(start, end)
        covered = sealed(PAGES | self.archived(indices) | files)
        streams = [{"id": "keys", "statements": 1}, {"id": LABEL, "statements": end - 1}]
        selection = {"kind": "range", "start": start, "end": end}
        self.log.export(covered, selection=selection, statements=end - start, streams=streams)
        return bag(covered | self.log.proved({0, *indices, end}))

    def _of(self, index: int) -> Body:
        body: Body = cbor.decode(cose.parse(self.log.statements[index]).payload)["body"]
        return body

    def _head(self, index: int) -> Body:
        body, link = self._of(index), self.log.parent(index)
        return {
            "index": index,
            "id": link["id"],
            "leaf_hash": link["leaf_hash"].hex(),
            "model": body["model"]["model_id"],
            "operation": body["operation"],
        }


def _sha256(values: Any) -> str:
    return sha256(canonical(list(values))).hexdigest()


def relined(files: Mapping[str, bytes], lines: list[Body]) -> Files:
    """Return the files of a plan with other lines."""
    return dict(files) | {PLAN: b"".join(canonical(line) + b"\n" for line in lines)}
