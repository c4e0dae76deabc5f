"""Answers that a provider keeps are fetched, and not paid for again (specs/10 §3, `fetches`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger import Ledger
from ledger.capture.exchange import Request, Response
from ledger.errors import SessionError
from ledger.session import Call, Session
from tests.session.lab import NAME, Prices, ask, bodies, kill

URL = "https://api.example.org/v1/responses"
ID = "resp_7"
STREAM = (("content-type", "text/event-stream"),)


def wanted(*, stream: bool = True, query: str = "", **headers: str) -> Request:
    """A request for a response."""
    body = {"model": "demo-1", "input": "2+2", "stream": stream}
    sent = (("Content-Type", "application/json"), ("Content-Length", "50"), ("X-Kind", "x"))
    return Request("POST", URL + query, (*sent, *headers.items()), json.dumps(body).encode())


def kept(status: str = "completed", ident: str = ID) -> dict[str, Any]:
    part = {"type": "output_text", "text": "4"}
    return {
        "id": ident,
        "object": "response",
        "status": status,
        "model": "demo-1",
        "output": [{"type": "message", "role": "assistant", "content": [part]}],
        "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    }


def whole(status: str = "completed", http_status: int = 200) -> Response:
    headers = (("content-type", "application/json"),)
    return Response(http_status, headers, json.dumps(kept(status)).encode())


def events(*kinds: str, ident: str = ID) -> Response:
    lines = [{"type": f"response.{kind}", "response": kept(kind, ident)} for kind in kinds]
    return Response(200, STREAM, b"".join(f"data: {json.dumps(x)}\n\n".encode() for x in lines))


def break_off(log: Ledger, prices: Prices, request: Request, **options: Any) -> None:
    """Lose the answer of a stream midway, in a run of its own."""
    with log.session(NAME, prices=prices, **options) as session:
        session.begin(request).responded(events("created"), streaming="interrupted")


def fetch(session: Session, request: Request) -> Call:
    """Begin a call that fetches its answer."""
    call = session.begin(request)
    assert call.recorded is None
    assert call.instead is not None
    return call


def test_the_answer_is_fetched_in_place_of_being_asked_for(log: Ledger, prices: Prices) -> None:
    """What leaves is a GET with the caller's headers; what comes is the answer of the call."""
    request = wanted(query="?api-version=1")
    break_off(log, prices, request)
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        call = fetch(session, request)
        assert call.instead is not None
        assert (call.instead.method, call.instead.body) == ("GET", b"")
        assert call.instead.url == f"{URL}/{ID}?api-version=1&stream=true"
        assert call.instead.headers == (("X-Kind", "x"),)
        answer = events("created", "completed")
        call.responded(answer, streaming="complete")
        again = session.begin(request)
        assert again.recorded is None  # the second time in one run is the next replicate
        assert again.instead is None
        again.broke("not_sent")
    with log.session(NAME, prices=prices) as session:
        recorded = session.begin(request).recorded
    assert recorded is not None
    assert recorded.body == answer.body
    first, second = bodies(log, "intent")[:2]
    fetches = {"attempt": 2, "after": "unknown", "fetches": ID}
    assert second == first | fetches
    lost, came = bodies(log, "outcome")[:2]
    assert (lost["status"], lost["reason"], lost["response_id"]) == ("unknown", "stream", ID)
    assert (came["status"], came["response_id"]) == ("answered", ID)
    (witness,) = bodies(log, "witness")
    assert witness["capture"]["attempts"] == 2
    assert witness["raw"]["request"] == first["request"]


@pytest.mark.parametrize("how", ["timeout", "disconnected", "abandoned"])
def test_whatever_broke_the_stream_off_its_id_is_kept(
    log: Ledger, prices: Prices, how: str
) -> None:
    with log.session(NAME, prices=prices) as session:
        session.begin(wanted()).broke(how, events("created"))  # type: ignore[arg-type]
    assert bodies(log, "outcome")[0]["response_id"] == ID
    with log.session(NAME, prices=prices) as session:
        with pytest.raises(SessionError, match="outcome_unknown") as caught:
            session.begin(wanted())
        assert 'on_unknown="fetch"' in (caught.value.hint or "")


def test_what_is_no_stream_is_fetched_whole(log: Ledger, prices: Prices) -> None:
    """A request without `stream` gets JSON; an answer that reached its limit is one, too."""
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        request = wanted(stream=False)
        session.begin(request).broke("timeout", events("created"))
        call = fetch(session, request)
        assert call.instead is not None
        assert call.instead.url == f"{URL}/{ID}"
        call.responded(whole("incomplete"))
    assert [one["status"] for one in bodies(log, "outcome")] == ["unknown", "answered"]


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed", "cancelled"])
def test_what_is_no_answer_yet_is_an_error_of_the_caller(
    log: Ledger, prices: Prices, status: str
) -> None:
    """The call stays unknown, and can be fetched again later."""
    request = wanted(stream=False)
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        session.begin(request).broke("timeout", events("created"))
        with pytest.raises(SessionError, match=status) as caught:
            fetch(session, request).responded(whole(status))
        assert caught.value.code == "outcome_unknown"
        assert ("ask again" in (caught.value.hint or "")) == (status in ("queued", "in_progress"))
        fetch(session, request).responded(whole())
    none_yet = bodies(log, "outcome")[1]
    assert (none_yet["status"], none_yet["reason"]) == ("unknown", "disconnected")
    assert none_yet["response_id"] == ID
    assert [one.get("fetches") for one in bodies(log, "intent")] == [None, ID, ID]
    assert len(bodies(log, "witness")) == 1


@pytest.mark.parametrize("how", [400, 429, 500, "not_sent", "timeout", "close"])
def test_a_fetch_that_fails_pays_nothing_again(log: Ledger, prices: Prices, how: int | str) -> None:
    """It says nothing about the call, also to an SDK that tries again by itself."""
    break_off(log, prices, wanted())
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        call = fetch(session, wanted())
        if isinstance(how, int):
            call.responded(whole(http_status=how))
        elif how != "close":
            call.broke(how)  # type: ignore[arg-type]
        if how != "close":
            fetch(session, wanted(**{"x-stainless-retry-count": "1"})).broke("timeout")
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        fetch(session, wanted()).responded(events("created", "completed"), streaming="complete")
    outcomes = bodies(log, "outcome")
    assert {one["status"] for one in outcomes[:-1]} == {"unknown"}
    assert {one["response_id"] for one in outcomes} == {ID}
    assert outcomes[-1]["status"] == "answered"


def test_what_is_not_kept_any_more_is_not_fetched_again(log: Ledger, prices: Prices) -> None:
    """It may have been paid all the same, so that it is asked for anew only when told to."""
    break_off(log, prices, wanted())
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        fetch(session, wanted()).responded(whole(http_status=404))
        with pytest.raises(SessionError, match="nothing to fetch"):
            session.begin(wanted())
    gone = bodies(log, "outcome")[1]
    assert (gone["status"], gone["reason"], gone["http_status"]) == ("unknown", "disconnected", 404)
    assert "response_id" not in gone
    with log.session(NAME, prices=prices, on_unknown="retry") as session:
        call = session.begin(wanted())
        assert (call.recorded, call.instead) == (None, None)
        call.responded(events("created", "completed"), streaming="complete")
    assert [one.get("after") for one in bodies(log, "intent")] == [None, "unknown", "unknown"]


def test_without_something_to_fetch_it_asks(log: Ledger, prices: Prices) -> None:
    """Other endpoints, streams without a beginning, killed runs, ids that are a path."""
    chat = ask("q")
    with log.session(NAME, prices=prices) as session:
        session.begin(chat).broke("timeout", events("created"))
        session.begin(wanted()).broke("timeout")
        session.begin(wanted(query="?1")).broke("timeout", events("created", ident="../models"))
    session = log.session(NAME, prices=prices)
    session.begin(wanted(query="?2"))
    kill(session)
    with log.session(NAME, prices=prices, on_unknown="fetch") as session:
        for request in (chat, wanted(), wanted(query="?1"), wanted(query="?2")):
            with pytest.raises(SessionError, match="nothing to fetch") as caught:
                session.begin(request)
            assert caught.value.code == "outcome_unknown"
            assert "fetch" not in (caught.value.hint or "")
    assert len(bodies(log, "intent")) == 4


def test_a_fetch_costs_nothing_anew(log: Ledger) -> None:
    """The budget counts the call once: as a risk until its answer is there, then its cost."""
    prices = Prices(most_usd=1.0, input_usd=0.01)
    break_off(log, prices, wanted(), budget_usd=1.0)
    options: dict[str, Any] = {"prices": prices, "budget_usd": 1.0, "on_unknown": "fetch"}
    with log.session(NAME, **options) as session:
        fetch(session, wanted()).broke("timeout")
        with pytest.raises(SessionError, match="budget_exceeded"):
            session.begin(ask("another"))
    with log.session(NAME, **options) as session:
        with pytest.raises(SessionError, match="budget_exceeded"):
            session.begin(ask("another"))
        fetch(session, wanted()).responded(events("created", "completed"), streaming="complete")
        spent = session.spent_usd
        assert 0 < spent < 0.5
    with log.session(NAME, prices=prices, budget_usd=1.0 + spent) as session:
        assert session.begin(ask("another")).recorded is None
