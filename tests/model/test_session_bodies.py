"""The bodies of sessions: what they take, what they refuse, and what an append asks of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from ledger import Ledger, model
from ledger.errors import LogError, RecordError
from ledger.formats import cbor
from ledger.formats.content import ContentRef, refer
from ledger.formats.payload import PRODUCER_TYPES, SESSION_TYPES
from ledger.model import BODIES, from_body, to_body
from ledger.writer.bodies import encode_model
from tests.helpers.places import Place
from tests.strategies import session_bodies

REF = refer(b"{}", "application/json")[0]
URL = "https://api.example.org/v1/chat/completions"
CALL = {"digest": bytes(32), "replicate": 1}
STATUSES = ("answered", "failed", "unknown")
REASONS = (None, "http_status", "not_sent", "timeout", "disconnected", "stream", "abandoned",
           "killed")  # fmt: skip
CODES = (None, 199, 200, 299, 300)
STREAMINGS = (None, "complete", "closed", "interrupted", "error")


def refused(body: dict[str, Any], kind: str = "outcome") -> RecordError:
    with pytest.raises(RecordError) as caught:
        from_body(kind, body)
    assert caught.value.code == "body_invalid"
    return caught.value


def allowed(status: str, reason: str | None, code: int | None, streaming: str | None) -> bool:
    """The table of specs/10 section 4, row by row."""
    success = code is not None and 200 <= code <= 299
    rows = {
        ("answered", None): success and streaming in (None, "complete", "closed"),
        ("failed", "http_status"): code is not None and not success and streaming is None,
        ("failed", "not_sent"): code is None and streaming is None,
        ("unknown", "timeout"): streaming is None,
        ("unknown", "disconnected"): streaming is None,
        ("unknown", "stream"): streaming in ("interrupted", "error"),
        ("unknown", "abandoned"): streaming is None,
        ("unknown", "killed"): code is None and streaming is None,
    }
    return rows.get((status, reason), False)


@pytest.mark.parametrize("status", STATUSES)
def test_outcomes_are_those_of_the_table_and_no_other(status: str) -> None:
    """Each combination of status, reason, code and streaming is in the table or refused."""
    taken = 0
    for reason, code, streaming in product(REASONS, CODES, STREAMINGS):
        given = {"reason": reason, "http_status": code, "streaming": streaming}
        body = {"status": status} | {key: v for key, v in given.items() if v is not None}
        if allowed(status, reason, code, streaming):
            assert to_body(from_body("outcome", body)) == body
            taken += 1
        else:
            refused(body)
    assert taken >= 3


def test_types_of_sessions_are_producer_types_with_a_model() -> None:
    """The registry, the models and the list of session types name the same six."""
    assert SESSION_TYPES < PRODUCER_TYPES
    assert SESSION_TYPES.issubset(BODIES)
    assert len(SESSION_TYPES) == 6


@settings(deadline=None, max_examples=150)
@given(session_bodies)
def test_the_fast_way_to_bytes_writes_the_same(drawn: tuple[str, model.Body]) -> None:
    """What an append encodes is what the encoder of plain values makes of the body."""
    assert encode_model(drawn[1]) == cbor.encode(to_body(drawn[1]))


def test_maps_with_free_keys_are_written_in_order() -> None:
    """Units, prices and headers come in the order of the profile, however they were given."""
    usage = {"output_tokens": 1, "b": 2, "input_tokens": 3, "aa": 4}
    cost = model.Cost(
        cost_usd=0.0, price_table="p", usage=usage, prices=dict.fromkeys(reversed(usage), 0)
    )
    headers = {"x-request-id": "1", "date": "2", "content-type": "3"}
    outcome = model.Outcome(status="answered", http_status=200, response_headers=headers)
    for made in (cost, outcome):
        data = encode_model(made)
        assert data == cbor.encode(to_body(made))
        assert cbor.encode(cbor.decode(data)) == data


def test_a_message_about_a_url_holds_nothing_of_it() -> None:
    """A URL with credentials is refused, and the error does not repeat them."""
    for url in (
        "https://me:sk-secret@api.example.org/",
        "https://api.example.org/?key=sk-secret",
        "https://api.example.org/sk secret",
    ):
        body = {"call": CALL, "attempt": 1, "method": "POST", "url": url}
        error = refused(body, "intent")
        assert "url" in error.message
        assert "secret" not in error.message


def test_models_keep_no_map_of_the_caller() -> None:
    """A later change of what was handed over changes no record."""
    headers, usage = {"date": "x"}, {"input_tokens": 1}
    intent = model.Intent(call=CALL, attempt=1, method="GET", url=URL, request_headers=headers)
    cost = model.Cost(usage=usage)
    headers["date"], usage["input_tokens"] = "y", 2
    assert intent.request_headers == {"date": "x"}
    assert cost.usage == {"input_tokens": 1}


def test_a_body_without_bytes_is_no_request() -> None:
    """`request` refers to at least one byte; in a salted ledger the salt does not count."""
    for salt in (None, bytes(16)):
        empty = refer(b"", "application/json", salt)[0].to_cbor()
        body = {"call": CALL, "attempt": 1, "method": "GET", "url": URL, "request": empty}
        assert "request" in refused(body, "intent").message


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    return Place(tmp_path / "runs.vif", tmp_path / "keys")


@pytest.fixture
def log(place: Place) -> Iterator[Ledger]:
    place.init()
    with place.open(session="mva/one", stream="mva/one") as opened:
        yield opened


def opening(run: int = 1, **more: Any) -> dict[str, Any]:
    body = {"run": run, "writer": "w", "on_unknown": "ask", "environment": REF, "frozen": []}
    return body | ({"previous": "killed"} if run > 1 else {}) | more


def plain(body: dict[str, Any]) -> dict[str, Any]:
    return {k: v.to_cbor() if isinstance(v, ContentRef) else v for k, v in body.items()}


def intent(attempt: int = 1) -> dict[str, Any]:
    after = {"after": "failed"} if attempt > 1 else {}
    return {"call": CALL, "attempt": attempt, "method": "POST", "url": URL} | after


CLOSE = {
    "run": 1,
    "status": "complete",
    "answered": 0,
    "failed": 0,
    "unknown": 0,
    "reused": 0,
    "unpriced": 0,
}
PARENTS: list[tuple[str, dict[str, Any], int]] = [
    ("session_open", plain(opening()), 0),
    ("session_open", plain(opening(2)), 1),
    ("intent", intent(), 0),
    ("intent", intent(2), 1),
    ("outcome", {"status": "failed", "reason": "not_sent"}, 1),
    ("reuse", {"calls": 3}, 3),
    ("session_close", CLOSE, 1),
]


@pytest.mark.parametrize(("kind", "body", "wanted"), PARENTS)
def test_the_number_of_parents_is_fixed(
    log: Ledger, kind: str, body: dict[str, Any], wanted: int
) -> None:
    """One parent more or less is refused before anything is written; the right number is not."""
    parents = [log.append("annotation", {"kind": "note"}, parents=[log[0]])]
    for _ in range(4):
        parents.append(log.append("annotation", {"kind": "note"}, parents=parents[:1]))
    size = len(log)
    for number in range(5):
        if number != wanted:
            with pytest.raises(RecordError) as caught:
                log.append(kind, body, parents=parents[:number])
            assert caught.value.code == "body_invalid"
    assert len(log) == size
    receipt = log.append(kind, body, parents=parents[:wanted])
    assert log[receipt.index].payload.session == "mva/one"


def test_a_savepoint_has_as_many_parents_as_it_likes(log: Ledger) -> None:
    """None, or up to as many as a statement may have."""
    body = plain({"stage": "s", "complete": False, "state": REF})
    first = log.append("savepoint", body)
    log.append("savepoint", body, parents=[first])
    with pytest.raises(RecordError, match="body_invalid"):
        log.append("savepoint", body | {"stage": ""})


@pytest.mark.parametrize(("kind", "body", "wanted"), PARENTS)
def test_a_stream_without_a_session_takes_none_of_them(
    place: Place, kind: str, body: dict[str, Any], wanted: int
) -> None:
    """The six types need a session; other types do not."""
    place.init()
    with place.open() as log:
        with pytest.raises(RecordError) as caught:
            log.append(kind, body, parents=[log[0]] * min(wanted, 1))
        assert caught.value.code == "body_invalid"
        assert "session" in caught.value.message
        log.append("annotation", {"kind": "note"}, parents=[log[0]])


def test_another_stream_of_the_handle_has_a_session_of_its_own(place: Place) -> None:
    """What counts is the session of the stream that is written, not of the ledger's handle."""
    place.init()
    with place.open() as log:
        with log.open_stream("mva/one", session="mva/one") as session:
            session.append("intent", intent())
        with pytest.raises(RecordError, match="session"):
            log.append("intent", intent())


@pytest.mark.parametrize("salted", [False, True])
def test_a_key_for_calls_is_there_in_salted_ledgers_only(place: Place, salted: bool) -> None:
    """`call_key` and `decoded` have to fit the ledger's choice of salt."""
    place.init(salted=salted)
    salt = bytes(16) if salted else None
    key = refer(bytes(32), "application/octet-stream", salt)[0]
    body = plain(opening(environment=refer(b"{}", "application/json", salt)[0]))
    with place.open(session="s") as log:
        wrong = body if salted else body | {"call_key": key.to_cbor()}
        with pytest.raises(RecordError, match="call_key"):
            log.append("session_open", wrong)
        log.append("session_open", body | {"call_key": key.to_cbor()} if salted else body)
        first = log.append("intent", intent())
        response = refer(b"x", "text/plain", salt)[0].to_cbor()
        answer = {
            "status": "answered",
            "http_status": 200,
            "response": response,
            "decoded": {"sha256": bytes(32), "size_bytes": 1},
        }
        if salted:
            with pytest.raises(RecordError, match="decoded"):
                log.append("outcome", answer, parents=[first])
        else:
            log.append("outcome", answer, parents=[first])


def test_an_unknown_parent_is_still_an_error_of_the_log(log: Ledger) -> None:
    """The number of parents may be right and the parent not there."""
    nowhere = "01a1f88b-9660-7400-8000-000000000000"
    with pytest.raises(LogError, match="parent_missing"):
        log.append("outcome", {"status": "failed", "reason": "not_sent"}, parents=[nowhere])
