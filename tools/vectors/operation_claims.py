"""Cases of what somebody claims to have verified (specs/12 sections 5 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.keys.events import enrol_body, key_entry
from tools.vectors import lab
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, TEXT, THOUGHT, Operating, Outside
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, example

_CODE = "claim_mismatch"
_SECOND = lab.signer(31, "lab-second", "producer")


def cases() -> Iterator[Case]:
    """Yield the cases of claims."""
    kid = lab.PRODUCER.kid
    good: Body = {"chain_verified": True, "lineage_verified": True, "trust_chain": [kid],
                  "status": "verified"}  # fmt: skip
    for name, value in good.items():
        yield _case(f"claim_{name}", "a claim that is so", _claiming({name: value}))
    rows: list[tuple[str, str, Body]] = [
        ("chain", "the chain is said to be broken", {"chain_verified": False}),
        ("lineage", "the lineage is said to be broken", {"lineage_verified": False}),
        ("key", "another key is said to have signed", {"trust_chain": [lab.AUTHORITY.kid]}),
        ("keys", "a key more than signed", {"trust_chain": [kid, lab.AUTHORITY.kid]}),
        ("key_twice", "the key for each statement", {"trust_chain": [kid] * 4}),
        ("outside", "a part is said to be outside", {"status": "outside"}),
        ("failed", "it is said to have failed", {"status": "failed"}),
        ("one", "one of four claims is not so", good | {"lineage_verified": False}),
    ]
    for name, told, claims in rows:
        yield _case(f"claim_{name}", told, _claiming(claims), _CODE)
    yield from _keys()
    yield from _broken()
    yield from _outside()


def _claiming(claims: Body) -> Operating:
    return example({"provenance": {"claims": claims}})


def _keys() -> Iterator[Case]:
    """An operation whose insight was signed by a second producer."""

    def signed(*keys: bytes) -> Operating:
        t = Operating()
        entry = key_entry(_SECOND, lab.ORIGIN, "producer")
        t.tell("enrol", enrol_body("producer", entry), session=None, stream="keys",
               by=lab.AUTHORITY)  # fmt: skip
        insight = t.insight(by=_SECOND, stream="second")
        handed = t.transfer(insight)
        done = t.execution(handed, t.work(ASK, b"42", SMALL))
        stages = (insight, handed, done)
        claims = {"trust_chain": list(keys), "status": "verified"}
        t.combination(*stages, t.provenance(*stages, change={"claims": claims}))
        return t

    first, second = lab.PRODUCER.kid, _SECOND.kid
    yield _case("claim_two_keys", "the keys in the order in which they come first",
                signed(second, first))  # fmt: skip
    for name, told, keys in (
        ("swapped", "the keys in another order", (first, second)),
        ("short", "a key is left out", (first,)),
        ("own_short", "the key of the provenance itself is left out", (second,)),
    ):  # fmt: skip
        yield _case(f"claim_keys_{name}", told, signed(*keys), _CODE)


def _broken() -> Iterator[Case]:
    """Claims about operations with a stage that is not as it should be."""

    def moved(claims: Body) -> Operating:
        """Tell an operation whose insight stands in a stream that names another ledger."""
        t = Operating()
        insight = t.insight(genesis=bytes(32), stream="moved")
        handed = t.transfer(insight)
        done = t.execution(handed, t.work(ASK, b"42", SMALL))
        stages = (insight, handed, done)
        t.combination(*stages, t.provenance(*stages, change={"claims": claims}))
        return t

    def strange(claims: Body) -> Operating:
        """Tell an operation whose insight is of a model that none of its calls went to."""
        return example({"insight": {"model_id": "other"}, "provenance": {"claims": claims}})

    rows: list[tuple[str, str, Any, Body, str]] = [
        ("chain_broken", "the chain is said to hold, and a stage is of another ledger", moved,
         {"chain_verified": True}, _CODE),
        ("status_broken", "it is said to be verified, and a stage is of another ledger", moved,
         {"status": "verified"}, _CODE),
        ("lineage_broken", "lineage is said to hold, and a stage contradicts its calls", strange,
         {"lineage_verified": True}, _CODE),
        ("status_strange", "it is said to be verified, and a stage contradicts its calls", strange,
         {"status": "verified"}, _CODE),
        ("honest_chain", "who says that the chain is broken is right", moved,
         {"chain_verified": False, "lineage_verified": True, "status": "failed"}, "stream_ledger"),
        ("honest_lineage", "who says that the lineage is broken is right", strange,
         {"chain_verified": True, "lineage_verified": False, "status": "failed"},
         "stage_mismatch"),
    ]  # fmt: skip
    for name, told, story, claims, code in rows:
        yield _case(f"claim_{name}", told, story(claims), code)


def _outside() -> Iterator[Case]:
    """Claims about operations of which a part is in a ledger whose package is not there."""
    body = Operating(far=True)
    there = body.outside(body.insight())
    rows: list[tuple[str, str, Body, str]] = [
        ("outside_so", "a part is outside, as is said", {"status": "outside"}, "ok"),
        ("outside_keys", "keys are not compared when a part is outside",
         {"trust_chain": [bytes(32)], "chain_verified": True, "lineage_verified": True}, "ok"),
        ("outside_verified", "it is said to be verified, and a part is outside",
         {"status": "verified"}, _CODE),
        ("outside_chain", "the chain is said to be broken, and a part is outside",
         {"chain_verified": False}, _CODE),
    ]  # fmt: skip
    for name, told, claims, code in rows:
        t = _joining(there, claims)
        yield _case(f"claim_{name}", told, t, code, notes=("parent_outside",))


def _joining(there: Outside, claims: Body) -> Operating:
    t = Operating()
    handed = t.transfer(there)
    done = t.execution(handed, change={"context": t.ref(THOUGHT, TEXT)})
    chain = t.provenance(there, handed, done, change={"claims": claims})
    t.combination(there, handed, done, chain)
    return t
