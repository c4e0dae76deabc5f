"""Bodies other than witnesses refuse what specs/03 §5 and §6, 04 to 07, 10 and 12 do not allow."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import RecordError
from ledger.formats.content import refer
from ledger.model import BODIES, from_body, to_body
from tools.vectors import replay_lab

REF = refer(b"hello", "text/plain")[0].to_cbor()
KEY = {"name": "k", "public_key": bytes(32), "proof": bytes(64)}
EXPORT = {
    "package_version": 1,
    "seal": {"sha256": bytes(32), "size_bytes": 1},
    "selection": {"kind": "session", "start": 0, "end": 9, "session": "s"},
    "contents": "included",
    "statements": 3,
    "streams": [{"id": "B", "statements": 1}, {"id": "a", "statements": 2}],
}
GOOD: dict[str, dict[str, Any]] = {
    "annotation": {"kind": "score"},
    "import": {"format": "jsonl", "source": REF, "witnesses": 1, "annotations": 0},
    "erasure": {"content": REF, "reason": ""},
    "stream_close": {"statements": 1},
    "export": EXPORT,
    "genesis": {
        "origin": "example.org/lab",
        "salted": False,
        "authority": KEY,
        "log": KEY,
        "producers": [KEY],
    },
    "enrol": {"role": "log", "key": KEY},
    "rotate": {"old_kid": bytes(32), "key": KEY},
    "revoke": {"kid": bytes(32), "last_good_index": 0, "reason": "lost"},
    "session_open": {
        "run": 1,
        "writer": "w",
        "on_unknown": "ask",
        "environment": REF,
        "frozen": [],
    },
    "intent": {
        "call": {"digest": bytes(32), "replicate": 1},
        "attempt": 1,
        "method": "POST",
        "url": "https://api.example.org/v1",
    },
    "outcome": {"status": "failed", "reason": "not_sent"},
    "reuse": {"calls": 1},
    "savepoint": {"stage": "s", "complete": True, "state": REF},
    "session_close": {
        "run": 1,
        "status": "complete",
        "answered": 0,
        "failed": 0,
        "unknown": 0,
        "reused": 0,
        "unpriced": 0,
    },
}
STAGE: dict[str, Any] = {
    "operation": {"name": "review", "number": 1},
    "label": "1",
    "made_with": 0,
    "usage": {"operations": 0, "priced": 0},
    "started_at": "2026-11-20T09:00:00.000000Z",
    "ended_at": "2026-11-20T09:00:00.000000Z",
}
PART = {"model_id": "m"}
COMBINED = {key: STAGE[key] for key in ("operation", "started_at", "ended_at")}
GOOD |= {
    "insight": STAGE | {"model_id": "m", "output": REF},
    "transfer": STAGE | {"source": PART, "target": PART, "content": REF, "completeness": 1.0},
    "execution": STAGE | {"model_id": "m", "output": REF},
    "provenance": {"operation": STAGE["operation"], "steps": [{"stage": "insight", "label": "1"}]},
    "cross_model": COMBINED
    | {
        "version": 2,
        "insights": [PART],
        "transfers": [{"passed": 0, "failed": 0}],
        "executions": [PART],
        "cost": {"operations": 0, "priced": 0},
        "duration_ms": 0.0,
    },
}
GOOD |= {"replay": replay_lab.archived(), "replay_operation": replay_lab.operation()}


def test_there_is_a_model_for_every_type_of_the_registry() -> None:
    """The types of specs/02 §4, all of them and no other."""
    assert BODIES.keys() == {*GOOD, "witness"}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_body_is_accepted_and_needs_every_key(kind: str) -> None:
    """The smallest body of each type comes back as it is; without any one key it is refused."""
    body = GOOD[kind]
    assert to_body(from_body(kind, body)) == body
    for key in body:
        with pytest.raises(RecordError) as caught:
            from_body(kind, {name: value for name, value in body.items() if name != key})
        derived = (kind, key) == ("transfer", "completeness")
        assert caught.value.code == ("derivation_mismatch" if derived else "body_invalid")


BAD: list[tuple[str, dict[str, Any]]] = [
    ("annotation", {"kind": "a b"}),
    ("annotation", {"value": "x" * 4097}),
    ("annotation", {"value": "a\0"}),
    ("annotation", {"value": ["C"]}),
    ("annotation", {"value": 2**64}),
    ("annotation", {"value": float("inf")}),
    ("annotation", {"value": None}),
    ("annotation", {"name": ""}),
    ("annotation", {"explanation": "why"}),
    ("annotation", {"source": {"event_id": "e"}}),
    ("import", {"format": ""}),
    ("import", {"witnesses": 1.0}),
    ("import", {"source_name": "a\tb"}),
    ("erasure", {"reason": "x" * 4097}),
    ("erasure", {"content": {**REF, "extra": 1}}),
    ("stream_close", {"statements": True}),
    ("export", {"package_version": 2}),
    ("export", {"package_version": True}),
    ("export", {"seal": {"sha256": bytes(31), "size_bytes": 1}}),
    ("export", {"contents": "some"}),
    ("export", {"selection": {"kind": "session", "start": 0, "end": 9}}),
    ("export", {"selection": {"kind": "range", "start": 0, "end": 9, "session": "s"}}),
    ("export", {"selection": {"kind": "all", "start": 0, "end": 9}}),
    ("export", {"streams": [{"id": str(n), "statements": 1} for n in range(513)]}),
    ("genesis", {"origin": "/lab"}),
    ("genesis", {"salted": 0}),
    ("genesis", {"producers": []}),
    ("genesis", {"producers": [KEY] * 17}),
    ("genesis", {"log": {**KEY, "proof": bytes(63)}}),
    ("enrol", {"role": "authority"}),
    ("enrol", {"key": {**KEY, "public_key": bytes(33)}}),
    ("rotate", {"old_kid": "00" * 32}),
    ("revoke", {"last_good_index": -1}),
]


@pytest.mark.parametrize(("kind", "change"), BAD, ids=lambda value: ascii(value)[:50])
def test_a_bad_field_is_body_invalid(kind: str, change: dict[str, Any]) -> None:
    """One field at a time."""
    with pytest.raises(RecordError) as caught:
        from_body(kind, {**GOOD[kind], **change})
    assert caught.value.code == "body_invalid"
    assert next(iter(change)) in caught.value.message


SELECTIONS: list[dict[str, Any]] = [
    {"selection": {"kind": "range", "start": 5, "end": 4}},
    {"selection": {"kind": "ledger", "start": 1, "end": 4}, "streams": []},
    {"selection": {"kind": "ledger", "start": 0, "end": 4}},
    {"streams": [{"id": "a", "statements": 1}, {"id": "B", "statements": 1}]},
    {"streams": [{"id": "a", "statements": 1}, {"id": "a", "statements": 1}]},
]


@pytest.mark.parametrize("change", SELECTIONS, ids=lambda value: ascii(value)[:50])
def test_a_selection_that_contradicts_itself_is_body_invalid(change: dict[str, Any]) -> None:
    """The rules of specs/07 §5 that need no package to check."""
    with pytest.raises(RecordError) as caught:
        from_body("export", {**EXPORT, **change})
    assert caught.value.code == "body_invalid"


@pytest.mark.parametrize("value", ["C", "", 1, 1.0, True, False, 0, -1, 0.5])
def test_an_annotation_keeps_the_type_of_its_value(value: Any) -> None:
    """1, 1.0 and true are three values."""
    kept = to_body(from_body("annotation", {"kind": "score", "value": value}))["value"]
    assert (type(kept), kept) == (type(value), value)


def test_a_type_without_a_model_is_record_invalid() -> None:
    """A statement of an unknown type has a body that is not looked at here."""
    with pytest.raises(RecordError, match="record_invalid"):
        from_body("unheard_of", {})
