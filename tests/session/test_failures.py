"""When something fails: no answer without its record, no record of what did not happen."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

import ledger.session.asking
from ledger import Ledger, StoreError
from ledger.capture.exchange import Request, Response
from ledger.capture.readers import Reading
from ledger.errors import SessionError
from ledger.session import Session
from tests.helpers.places import Place
from tests.session.lab import NAME, URL, Prices, answer, ask, bodies, do, kill, types


def failing(
    monkeypatch: pytest.MonkeyPatch, session: Session, error: BaseException, *, after: bool = False
) -> Callable[[], None]:
    """Let every append of a session fail, before or after it happened; returns what ends that."""
    stream = session.log
    real = type(stream).append_many

    def append_many(drafts: Any) -> Any:
        if after:
            real(stream, drafts)
        raise error

    monkeypatch.setattr(stream, "append_many", append_many, raising=False)
    return lambda: monkeypatch.delattr(stream, "append_many")


def test_without_a_durable_intent_nothing_may_be_sent(
    log: Ledger, monkeypatch: pytest.MonkeyPatch, prices: Prices
) -> None:
    """`begin` raises; when the disk is back, the same call goes on as if nothing had been."""
    with log.session(NAME, prices=prices, budget_usd=1.2) as session:
        works = failing(monkeypatch, session, StoreError("store_full", "no space"))
        for _ in range(3):
            with pytest.raises(StoreError):
                session.begin(ask("a"))
        works()
        do(session, ask("a"))
    assert types(log) == ["session_open", "intent", "outcome", "witness", "session_close"]
    assert bodies(log, "intent")[0]["call"]["replicate"] == 1


def test_an_answer_that_is_not_recorded_is_not_given(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`responded` raises; the call stays open, is unknown at the end, and asked about later."""
    with log.session(NAME) as session:
        call = session.begin(ask("a"))
        works = failing(monkeypatch, session, StoreError("store_full", "no space"))
        with pytest.raises(StoreError):
            call.responded(answer())
        works()
        call.broke("abandoned")
        with session.replicate(1), pytest.raises(SessionError, match="session_busy"):
            session.begin(ask("a"))
    assert bodies(log, "outcome") == [{"status": "unknown", "reason": "abandoned"}]
    with log.session(NAME) as session, pytest.raises(SessionError, match="outcome_unknown"):
        session.begin(ask("a"))


def test_reused_answers_wait_for_an_append_that_works(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with log.session(NAME) as session:
        do(session, ask("a"))
    with log.session(NAME) as session:
        session.begin(ask("a"))
        works = failing(monkeypatch, session, StoreError("store_full", "no space"))
        with pytest.raises(StoreError):
            session.savepoint("s", 1)
        works()
        session.savepoint("s", 1)
    assert types(log)[-4:] == ["session_open", "reuse", "savepoint", "session_close"]


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("what", ["intent", "outcome"])
def test_an_interruption_leaves_no_doubt(
    log: Ledger, monkeypatch: pytest.MonkeyPatch, prices: Prices, what: str, happened: bool
) -> None:
    """Ctrl-C in the middle of an append: the end of the run tells what is really there."""

    def interrupted() -> None:
        with log.session(NAME, prices=prices) as session:
            do(session, ask("a"))
            call = session.begin(ask("b")) if what == "outcome" else None
            works = failing(monkeypatch, session, KeyboardInterrupt(), after=happened)
            try:
                if call is None:
                    session.begin(ask("b"))
                else:
                    call.responded(answer())
            finally:
                works()
                with pytest.raises(SessionError, match="capture_failed"):
                    session.begin(ask("c"))

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    close = bodies(log, "session_close")[0]
    answered = 1 + (what == "outcome" and happened)
    total = 0.0
    for body in bodies(log, "witness"):
        total += body["cost"]["cost_usd"]
    assert (close["status"], close["reason"]) == ("interrupted", "KeyboardInterrupt")
    assert close["answered"] == len(bodies(log, "witness")) == answered
    assert close["cost_usd"] == total
    assert len(bodies(log, "outcome")) == len(bodies(log, "intent"))
    assert close["unknown"] == len(bodies(log, "intent")) - answered


def test_a_poisoned_ledger_ends_the_run_as_killed(log: Ledger, place: Place) -> None:
    """Nothing more can be written, the close included; the user's own error stays in front."""

    def interrupted() -> None:
        with log.session(NAME) as session:
            do(session, ask("a"))
            log.store.environment.poison = "disk on fire"
            with pytest.raises(StoreError, match="store_poisoned"):
                session.begin(ask("b"))
            raise LookupError

    with pytest.raises(LookupError) as caught:
        interrupted()
    assert "could not be closed" in caught.value.__notes__[0]
    log.close()
    with place.open() as again, again.session(NAME) as session:
        assert session.previous == "killed"
        assert session.begin(ask("a")).recorded is not None


def test_a_close_that_fails_says_so_and_gives_the_session_back(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = log.session(NAME)
    works = failing(monkeypatch, session, StoreError("store_full", "no space"))
    with pytest.raises(StoreError):
        session.close()
    works()
    with log.session(NAME) as again:
        assert again.previous == "killed"


def test_a_full_database(place: Place) -> None:
    """For real: the call that does not fit raises, and what was answered before is kept."""
    place.init()
    answered: list[int] = []
    with place.open(map_size_bytes=1 << 20) as log:
        session = log.session(NAME)

        def fill() -> None:
            for number in range(100):
                do(session, ask(f"{number} " * 10_000))
                answered.append(number)

        with pytest.raises(StoreError, match="store_full"):
            fill()
        kill(session)
    assert answered
    with place.open() as log, log.session(NAME) as session:
        for number in answered:
            assert session.begin(ask(f"{number} " * 10_000)).recorded is not None


def read_as(monkeypatch: pytest.MonkeyPatch, found: Reading | Exception) -> None:
    """Let the readers give something else for answers."""
    real = ledger.session.asking.read

    def read(request: Any, body: Any, http_status: Any = None, headers: Any = None) -> Reading:
        if http_status is None:
            return real(request, body, http_status, headers)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("ledger.session.asking.read", read)


@pytest.mark.parametrize(
    "found",
    [
        ZeroDivisionError("defect"),
        Reading("NOT A NAME", True, {}),
        Reading("chat", True, {"model": "", "prompt": "p"}),
        Reading("chat", True, {"model": "m", "prompt": object()}),
        Reading("chat", True, {"model": "m", "prompt": "p", "no_such_keyword": 1}),
        Reading("chat", True, {"model": "m", "prompt": "p", "temperature": -1.0}),
        Reading("chat", True, {"model": "m", "prompt": "p", "parameters": {"x": "y" * 70_000}}),
        Reading("chat", True, {"model": "m", "prompt": "p", "prompt_tokens": -1}),
        Reading("chat", True, {"model": "m", "prompt": "p"}, usage={"NO UNIT": -1}),
        Reading("chat", True, {"model": "m", "prompt": "p"}, response_id="x" * 300),
    ],
)
def test_whatever_a_reader_says_the_answer_is_kept(
    log: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    found: Reading | Exception,
) -> None:
    """With fewer fields, at worst with none; and the recorded answer is given again."""
    caplog.set_level(logging.WARNING)
    read_as(monkeypatch, found)
    with log.session(NAME) as session:
        do(session, ask("a"))
    (outcome,), (witness,) = bodies(log, "outcome"), bodies(log, "witness")
    assert log.content(outcome["response"]) == answer().body
    assert witness["raw"]["response"] == outcome["response"]
    fields = {} if isinstance(found, Exception) else found.fields
    assert witness["model"]["model_id"] == (fields.get("model") or "unknown")
    if isinstance(fields.get("prompt"), str):
        expected = b"p" if fields["model"] else ask("a").body
        assert log.content(witness["data"]["prompt_hash"]) == expected
    with log.session(NAME) as session:
        assert session.begin(ask("a")).recorded is not None


def test_an_answer_with_absurd_values(log: Ledger) -> None:
    """What a provider may send: nothing of it keeps the answer from being recorded."""
    body = json.loads(answer().body)
    body["id"] = "x" * 1000
    body["model"] = "m\n" * 500
    body["system_fingerprint"] = {"a": [1e308]}
    body["usage"] = {"prompt_tokens": -5, "completion_tokens": 1e30, "total_tokens": "many"}
    for number, raw in enumerate((json.dumps(body).encode(), b"", b"\xff" * 100, b"[" * 100_000)):
        with log.session(NAME) as session:
            call = session.begin(ask(str(number)))
            call.responded(Response(200, (("content-type", "application/json"),), raw))
            with session.replicate(1):
                recorded = session.begin(ask(str(number))).recorded
            assert recorded is not None
            assert recorded.body == raw
    assert len(bodies(log, "witness")) == 4


def test_headers_fill_a_statement_at_most(log: Ledger) -> None:
    """Very long ones are left out, and the call is recorded."""
    many = [(f"x-{n}", "v" * 500) for n in range(100)]
    with log.session(NAME, allow_headers=[name for name, _ in many]) as session:
        call = session.begin(ask("a", headers=many))
        call.responded(Response(200, tuple(many), answer().body))
    assert len(bodies(log, "witness")) == 1


def test_a_prompt_that_is_not_text(log: Ledger) -> None:
    """Bytes that nobody can read are the prompt of an operation nobody knows."""
    with log.session(NAME) as session:
        request = Request("POST", URL + "/x", (), b"\x00\xff")
        session.begin(request).responded(Response(200, (), b"\x01"))
    (witness,) = bodies(log, "witness")
    assert log.content(witness["data"]["prompt_hash"]) == b"\x00\xff"
    assert witness["model"]["model_id"] == "unknown"
