"""Bodies of all types: the ledger's models and the verifier's tables draw one line."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import model
from ledger.formats import cbor, payload
from tests.cross_strategies import cross_bodies
from tests.helpers.auditor import Auditor
from tests.helpers.damage import ODD_VALUES, damage_value, places, randomness
from tests.helpers.outcome import Outcome, outcome
from tests.helpers.quick import runs
from tests.replay_strategies import replay_bodies
from tests.strategies import bodies, witnesses
from tools.vectors import lab
from verifier import cbor as their_cbor
from verifier.bodies import BODIES, check_body
from verifier.errors import Refused

ENVELOPE = {"vif": 1, "id": lab.PAYLOADS[1].id, "created_at": lab.PAYLOADS[1].created_at}
LEDGER = {"origin": lab.LEDGER.origin, "genesis": lab.LEDGER.genesis}
AUDITOR = Auditor([lab.GENESIS_STATEMENT])
POLICY = {
    *("band_mismatch", "threshold_mismatch", "gate_mismatch", "total_mismatch", "cost_mismatch"),
    "derivation_mismatch",
}


def ledger_body(kind: str, data: bytes) -> Any:
    body = cbor.decode(data)
    made = model.from_body(kind, body)
    assert model.to_body(made) == body
    if kind in payload.CROSS_MODEL_TYPES | payload.REPLAY_TYPES:
        # no statement may be able to have so many parents
        model.check_parents(made, parents_of(kind, body))
    return True


def verifier_body(kind: str, data: bytes) -> Any:
    """Let the verifier judge a signed statement with this body; its first code counts."""
    if kind in payload.KEY_TYPES:  # judged with their keys and proofs; here the body alone counts
        body = their_cbor.decode(data)
        check_body({"type": kind, "body": body}, [], None)
        return True
    body = cbor.decode(data)
    close = body.get("statements") if kind == "stream_close" else None
    if close == 0 and type(close) is int:  # right by itself, and wrong in every place
        BODIES[kind](body)
        return True
    place: dict[str, Any] = {"id": lab.STREAM, "seq": 0, "ledger": LEDGER}
    if type(close) is int and 1 < close <= 2**63:
        place = {"id": lab.STREAM, "seq": close - 1, "prev": bytes(32)}
    envelope = ENVELOPE | {"type": kind, "body": body, "stream": place}
    if kind in payload.SESSION_TYPES:
        envelope["session"] = lab.SESSION
    count = parents_of(kind, body)
    if count:
        envelope["parents"] = [
            {"id": lab.PAYLOADS[0].id, "leaf_hash": number.to_bytes(32)} for number in range(count)
        ]
    statement = lab.sign(cbor.encode(envelope), lab.PRODUCER, lab.STREAM)
    for code in AUDITOR.codes(1, statement):
        if code != "session_invalid":  # is about the ledger's salts, not about the body
            raise Refused(code, "judged")
    return True


def parents_of(kind: str, body: dict[str, Any]) -> int:
    """How many parents a statement needs for its body to be all that is judged."""
    if kind in payload.CROSS_MODEL_TYPES:
        return parts_of(kind, body)
    if kind == "replay_operation":
        return replays_of(body)
    counted = {"session_open": "run", "intent": "attempt", "reuse": "calls"}.get(kind)
    if counted is None:
        return 1
    number = body.get(counted)
    if type(number) is not int:
        return 1
    return min(max(number, 0), 256) if kind == "reuse" else int(number > 1)


def parts_of(kind: str, body: dict[str, Any]) -> int:
    """The same of the five types of cross-model operations."""
    if kind in payload.STAGE_TYPES:
        number = body.get("made_with")
        inside = min(max(number, 0), 256) if type(number) is int else 0
        return min(256, inside + (kind == "transfer")) or int(kind == "execution")
    lists = ["steps"] if kind == "provenance" else ["insights", "transfers", "executions"]
    count = sum(len(one) for one in map(body.get, lists) if type(one) is list)
    return min(256, count + (kind == "cross_model"))


def replays_of(body: dict[str, Any]) -> int:
    """The same of a replay_operation: the combination, and its replays."""
    stages = body.get("stages")
    maps = [one for one in stages if type(one) is dict] if type(stages) is list else []
    counts = [one.get("replays") for one in maps]
    return min(256, 1 + sum(max(0, one) for one in counts if type(one) is int))


def both_bodies(kind: str, body: Any) -> Outcome | None:
    """Let both programs judge a body; fail where they differ."""
    data = outcome(cbor.encode, body)
    if not data.accepted or type(body) is not dict:
        return None
    mine, yours = outcome(ledger_body, kind, data.value), outcome(verifier_body, kind, data.value)
    assert (mine.accepted, mine.code) == (yours.accepted, yours.code), (mine, yours)
    return mine


@runs(100)
@given(bodies() | cross_bodies | replay_bodies)
def test_valid_bodies_are_accepted_by_both(made: tuple[str, model.Body]) -> None:
    """What the ledger lets a producer record, an auditor's program accepts."""
    kind, body = made
    read = both_bodies(kind, model.to_body(body))
    assert read is not None
    assert read.accepted


@runs(150)
@given(bodies() | cross_bodies | replay_bodies, randomness)
def test_damaged_bodies_are_judged_alike(made: tuple[str, model.Body], rng: Random) -> None:
    """A field dropped, added, retyped or out of range gets one code from both programs."""
    plain = model.to_body(made[1])
    for _ in range(25):
        both_bodies(made[0], damage_value(plain, rng))


FULL = lab.full_witness_body()


@pytest.mark.parametrize("path", places(FULL), ids=lambda path: ".".join(map(str, path)))
def test_every_field_of_a_witness_refuses_the_same_values(path: tuple[Any, ...]) -> None:
    """Each field of a full witness takes and refuses the same of many odd values, or absence."""
    refused = 0
    for odd in (*ODD_VALUES, ...):
        body = lab.full_witness_body()
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        if odd is ...:
            del holder[path[-1]]
        else:
            holder[path[-1]] = odd
        read = both_bodies("witness", body)
        refused += read is not None and not read.accepted
    assert refused > 10 or path[1:2] == ("other_params",)


near = st.sampled_from(
    [0.0, 5e-324, 0.6, 0.7, 0.8, 0.85, 0.95, 1.0, 0.5999999999999999, 0.6000000000000001,
     0.7000000000000001, 0.7999999999999999, 0.8000000000000002, 0.9499999999999998,
     0.9500000000000001]
)  # fmt: skip


@runs(400)
@given(
    near | st.floats(0, 1).map(abs),
    st.sampled_from("ABC"),
    st.sampled_from(["critical", "important", "routine", "low_stakes"]),
    near,
    st.booleans(),
    st.integers(-1, 1),
)
@example(0.95, "A", "critical", 0.95, True, 0)
def test_derived_values_are_judged_alike(
    score: float, band: str, criticality: str, threshold: float, gate: bool, off: int
) -> None:
    """Any combination of score, band, threshold, gate and total gets the same first code."""
    body = lab.full_witness_body()
    body["uncertainty"] |= {"confidence_score": score, "confidence_band": band}
    body["meta"] |= {
        "task_criticality": criticality, "kappa_threshold": threshold, "kappa_gate_passed": gate,
    }  # fmt: skip
    body["output"]["total_tokens"] += off
    read = both_bodies("witness", body)
    assert read is not None
    assert read.accepted or read.code in POLICY
    rule = {"critical": 0.95, "important": 0.85, "routine": 0.70, "low_stakes": 0.60}
    right = band == ("A" if score >= 0.95 else "B" if score >= 0.80 else "C")
    right = right and threshold == rule[criticality] and gate == (score >= threshold) and not off
    assert read.accepted == right


@runs(50)
@given(witnesses(salted=True))
def test_salted_references_are_accepted_by_both(record: model.Witness) -> None:
    """A witness of a salted ledger is a witness to both programs."""
    read = both_bodies("witness", model.to_body(record))
    assert read is not None
    assert read.accepted


def test_secret_headers_are_refused_by_both() -> None:
    """No header that carries a secret passes either program, in requests or in responses."""
    for name in (*model.SECRET_HEADERS, "Authorization", "x_y", "", "a" * 65):
        for side in ("request_headers", "response_headers"):
            body = lab.full_witness_body()
            body["raw"][side][name] = "Bearer s3cr3t"
            read = both_bodies("witness", body)
            assert read is not None
            assert read.code == "body_invalid"
