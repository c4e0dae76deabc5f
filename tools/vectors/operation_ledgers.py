"""Cases of parents in other ledgers, with and without a package beside (specs/12 section 9)."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import lab
from tools.vectors.bagged import PAGES, Files, bag
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, TEXT, THOUGHT, Operating, Outside
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, alone, rated

_OUTSIDE = ("parent_outside",)


def cases() -> Iterator[Case]:
    """Yield the cases of other ledgers."""
    yield from _without()
    yield from _beside()
    yield from _wrong()
    yield from _packages()


class Far:
    """A ledger far away in which the insight of an operation was found out."""

    def __init__(self, change: Body | None = None) -> None:
        """Tell its statements."""
        self.t = Operating(far=True)
        self.call = self.t.work(b"Read the paper.", THOUGHT, cost=0.25)
        self.insight = self.t.insight(self.call, change=rated(0.9, 0.8) | (change or {}))
        self.note = self.t.tell("annotation", {"kind": "note"}, self.insight)
        self.there = self.t.outside(self.insight)

    def package(self) -> Files:
        """Return its package."""
        return self.t.package()


def near(there: Outside, *, ask: bytes = ASK, handed: bytes = THOUGHT, insight: Body | None = None,
         transfer: Body | None = None, execution: Body | None = None, lies: Body | None = None,
         claims: Body | None = None) -> Operating:  # fmt: skip
    """Tell the operation whose insight is in another ledger.

    `insight` is what the combination says of it, the others are changes of statements.
    """
    t = Operating()
    given = t.transfer(there, change={"content": t.ref(handed, TEXT)} | (transfer or {}))
    done = t.execution(given, t.work(ask, b"42", SMALL, cost=0.5), change=execution)
    chain = t.provenance(there, given, done, labels={"0": "found/elsewhere"},
                         change=None if claims is None else {"claims": claims})  # fmt: skip
    said = {f"insights.0.{key}": value for key, value in (insight or {}).items()}
    t.combination(there, given, done, chain, lies=lies, change=said)
    return t


def _without() -> Iterator[Case]:
    far = Far()
    yield _case("outside", "an insight in another ledger, of which there is no package",
                near(far.there), notes=_OUTSIDE)  # fmt: skip
    t = Operating()
    stages = alone(t)
    t.finish(*stages)
    t.tell("annotation", {"kind": "note"}, far.there, stages[0])
    t.work(ASK, b"42", SMALL, far.there.link | {"leaf_hash": bytes(32)})
    yield _case("outside_others", "an annotation and a witness have parents in other ledgers", t,
                notes=_OUTSIDE)  # fmt: skip
    t = near(far.there, insight={"model_id": "other", "confidence": 0.1},
             lies={"components": {"insight": 0.1}, "confidence": 0.1, "operations": 9})  # fmt: skip
    yield _case("outside_unjudged", "what the combination repeats of it is not judged", t,
                notes=_OUTSIDE)  # fmt: skip
    t = Operating()
    insight = t.insight()
    handed = t.transfer(far.there, change={"usage": {"operations": 0, "priced": 0}})
    also = t.transfer(insight, change={"label": "2"})
    done = t.execution(also, handed, t.work(ASK, b"42", SMALL),
                       change={"model_id": "other"})  # fmt: skip
    t.finish(insight, handed, also, done)
    yield _case("outside_partly", "what does not need the part outside is judged", t,
                "stage_mismatch")  # fmt: skip
    for kind in ("transfer", "witness", "cross_model"):
        t = Operating()
        stages = alone(t)
        t.finish(*stages)
        t.operation = {"name": "review", "number": 2}
        at = {"transfer": stages[1], "witness": t.work(ASK, b"42"), "cross_model": 5}[kind]
        own = t.outside(at)
        if kind == "transfer":
            t.execution(own, change={"context": t.ref(ASK, TEXT)})
        else:
            t.insight(own)
        told = f"a {kind} of the ledger itself is named as one of another"
        yield _case(f"own_genesis_{kind}", told, t, "parent_mismatch")


def _beside() -> Iterator[Case]:
    far = Far()
    packages, pins = [far.package()], [far.t.genesis]
    yield _case("beside", "an insight in another ledger, with its package", near(far.there),
                beside=packages, also=pins)  # fmt: skip
    kids = [far.t.by.kid, lab.PRODUCER.kid]
    claims = {"status": "verified", "trust_chain": kids, "chain_verified": True}
    yield _case("beside_claims", "claims about it that are so", near(far.there, claims=claims),
                beside=packages, also=pins)  # fmt: skip
    yield _case("beside_no_trust", "the other ledger is not pinned", near(far.there),
                beside=packages, codes=("outside_unpinned",))  # fmt: skip
    t = near(far.there)
    t.tell("annotation", {"kind": "note"}, far.there, far.t.outside(far.note))
    yield _case("beside_no_trust_twice", "two statements have parents in a ledger without a pin", t,
                beside=packages, codes=("outside_unpinned",))  # fmt: skip
    yield _case("beside_unrelated", "a package of another ledger than the parent's",
                near(Outside(far.there.link | {"ledger": bytes(32)}, *far.there[1:])),
                beside=packages, also=pins, notes=_OUTSIDE)  # fmt: skip

    t = Operating(far=True)
    there = t.outside(t.transfer(t.insight()))
    here = Operating()
    first = here.insight()
    own = here.transfer(first)
    done = here.execution(there, own, change={"context": here.ref(ASK, TEXT)})
    stages = (first, there, own, done)
    here.combination(*stages, here.provenance(*stages, labels={"1": "theirs"}))
    yield _case("beside_transfer", "a transfer in another ledger was used here", here,
                beside=[t.package()], also=[t.genesis])  # fmt: skip
    change: Body
    for name, told, change, code in (
        ("context", "what it handed over is not in the context", {}, "context_mismatch"),
        ("target", "it was for another model", {"model_id": "other"}, "stage_mismatch"),
    ):
        t = Operating(far=True)
        there = t.outside(t.transfer(t.insight(output=b"Seven sixes.")))
        here = Operating()
        asked = {"context": here.ref(ASK if name == "context" else b"Seven sixes. So?", TEXT)}
        here.execution(there, change=asked | change)
        yield _case(f"beside_{name}", told, here, code, beside=[t.package()], also=[t.genesis])


def _wrong() -> Iterator[Case]:
    """What the package beside shows."""
    far = Far()
    packages, pins = [far.package()], [far.t.genesis]

    def case(name: str, told: str, t: Operating, code: str) -> Case:
        return _case(f"beside_{name}", told, t, code, beside=packages, also=pins)

    link = far.there.link
    nowhere = Outside(link | {"leaf_hash": b"\x2a" * 32}, *far.there[1:])
    yield case("leaf", "no statement of the other ledger has that leaf hash", near(nowhere),
               "parent_missing")  # fmt: skip
    strange = Outside(link | {"id": lab.moment(1900)[0]}, *far.there[1:])
    yield case("id", "the statement has another id", near(strange), "parent_mismatch")
    yield case("value", "the combination repeats another confidence",
               near(far.there, insight={"confidence": 0.95}), "part_mismatch")  # fmt: skip
    call = far.t.outside(far.call)
    posed = Outside(call.link, "insight", far.there.body)
    yield case("type", "the part is a witness there", near(posed), "part_mismatch")
    yield case("source", "the transfer is of a witness there", near(posed), "stage_mismatch")
    yield case("content", "the content is not what the insight says there",
               near(far.there, ask=b"forty-two", handed=b"forty-two"),
               "stage_mismatch")  # fmt: skip
    yield case("number", "the quality of the insight there is another",
               near(far.there, lies={"components": {"insight": 0.7}}),
               "derivation_mismatch")  # fmt: skip
    yield case("claim", "a part is said to be outside, and its package is there",
               near(far.there, claims={"status": "outside"}), "claim_mismatch")  # fmt: skip
    yield case("keys", "the key of the other ledger is left out",
               near(far.there, claims={"trust_chain": [lab.PRODUCER.kid]}),
               "claim_mismatch")  # fmt: skip


def _packages() -> Iterator[Case]:
    """The package beside is a part, is broken, or is unsigned."""
    far = Far()
    whole = far.package()
    broken = dict(whole)
    path = next(path for path in broken if path.startswith("data/content/"))
    broken[path] = bytes([broken[path][0] ^ 1]) + broken[path][1:]
    yield _case("beside_failed", "the package of the other ledger fails", near(far.there),
                "outside_failed", beside=[broken], also=[far.t.genesis])  # fmt: skip
    yield _case("beside_wrong_pin", "another ledger than the one pinned is not pinned",
                near(far.there), beside=[whole], also=["00" * 32],
                codes=("outside_unpinned",))  # fmt: skip

    t = Operating(far=True)
    said = t.insight(session="found")
    t.work(THOUGHT, b"42", session="other")
    part = t.part("found", {said})
    yield _case("beside_part", "a session of the other ledger, with the part",
                near(t.outside(said)), beside=[part], also=[t.genesis])  # fmt: skip
    t = Operating(far=True)
    said = t.insight(session="found")
    call = t.work(THOUGHT, b"42", session="other")
    part = t.part("other", {call})
    yield _case("beside_part_without", "a session of the other ledger, without the part",
                near(t.outside(said)), beside=[part], also=[t.genesis], notes=_OUTSIDE)  # fmt: skip
    far = Far()
    unsigned = bag(PAGES | far.t.archived() | far.t.log.tiles(), far.t.log.origin)
    yield _case("beside_unsigned", "an unsigned package of the other ledger", near(far.there),
                beside=[unsigned], also=[far.t.genesis])  # fmt: skip

    one, two = Far(), Operating(salted=True)
    second = two.insight()
    text, given = two.outside(second), two.outside(two.transfer(second, change={"label": "2"}))
    packages = [one.package(), two.package()]
    t = Operating()
    handed = t.transfer(one.there)
    done = t.execution(handed, given, t.work(ASK, b"42", SMALL))
    stages = (one.there, text, given, handed, done)
    t.combination(*stages, t.provenance(*stages, labels={"0": "one", "1": "two"}))
    yield _case("beside_two", "parts in two other ledgers, one of them salted", t, beside=packages,
                also=[one.t.genesis, two.genesis])  # fmt: skip
