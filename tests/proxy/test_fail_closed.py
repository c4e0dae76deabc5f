"""No answer is passed on that is not durable, and no call is made that must not be."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from ledger.capture.exchange import Request, Response
from ledger.errors import LedgerError, LogError, SessionError, StoreError
from ledger.session import Session
from tests.helpers.provider import Provider
from tests.proxy.world import Running, chat, upstream

Proxied = Callable[..., Running]


class Failing:
    """A session whose ledger fails when an answer is to be recorded, or before the call."""

    def __init__(self, session: Session, error: LedgerError, *, before: bool = False) -> None:
        self._session = session
        self._error = error
        self._before = before

    def begin(self, request: Request) -> Any:
        if self._before:
            raise self._error
        call = self._session.begin(request)

        def responded(response: Response, **_: Any) -> None:
            raise self._error

        call.responded = responded  # type: ignore[method-assign]
        return call


ERRORS = [
    (StoreError("store_full", "the map is full"), 507),
    (StoreError("store_failed", "disk"), 503),
    (LogError("no_signer", "no key"), 503),
    (SessionError("session_closed", "over"), 503),
    (SessionError("budget_exceeded", "too much"), 409),
    (SessionError("call_too_large", "large"), 502),
]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda value: getattr(value, "code", ""))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_what_is_not_recorded_is_an_error(
    proxied: Proxied, provider: Provider, error: LedgerError, status: int, before: bool
) -> None:
    """The client gets the ledger's code in place of the answer, and is told not to ask again."""
    running = proxied(wrap=lambda session: Failing(session, error, before=before))
    got, headers, body = running.ask()
    assert got == status
    assert headers["x-should-retry"] == "false"
    assert body["error"]["type"] == "vif_ledger"
    assert body["error"]["code"] == error.code
    assert set(body["error"]) == {"message", "type", "code", "hint"}
    assert provider.paid() == (0 if before else 1)


def test_an_sdk_does_not_ask_again(proxied: Proxied, provider: Provider) -> None:
    """The SDK of OpenAI raises at the first refusal, whatever its number of retries."""
    error = StoreError("store_full", "the map is full")
    running = proxied(wrap=lambda session: Failing(session, error))
    with running.openai(max_retries=5) as client, pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "x"}])
    assert raised.value.status_code == 507
    assert provider.paid() == 1


def test_a_stream_that_is_not_recorded_breaks_off(proxied: Proxied, provider: Provider) -> None:
    """What came before the end event was passed on; the end is a broken connection."""
    error = StoreError("store_full", "the map is full")
    running = proxied(wrap=lambda session: Failing(session, error))
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request(
        "POST",
        "/v1/chat/completions",
        chat(stream=True),
        {"content-type": "application/json"},
    )
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    connection.close()
    assert b"chat.completion.chunk" in broken.value.partial
    assert b"[DONE]" not in broken.value.partial
    assert provider.paid() == 1


@pytest.mark.parametrize("fault", ["drop_midway", "error_event"])
def test_a_stream_that_the_upstream_breaks_is_unknown(
    proxied: Proxied, provider: Provider, fault: str
) -> None:
    """A dropped connection is dropped for the client as well; an error event reaches it."""
    provider.faults(fault)
    running = proxied()
    if fault == "drop_midway":
        with pytest.raises(http.client.IncompleteRead):
            running.post("/v1/chat/completions", chat(stream=True))
    else:
        assert b'"error"' in running.post("/v1/chat/completions", chat(stream=True))[2]
    (outcome,) = running.outcomes()
    assert (outcome["status"], outcome["reason"]) == ("unknown", "stream")


def test_an_unknown_outcome_is_asked_about(proxied: Proxied, provider: Provider) -> None:
    """A call that may have been paid is refused in the next run, with the option that allows it."""
    provider.faults("drop_before")
    first = proxied()
    status, headers, body = first.ask()
    assert (status, body["error"]["code"]) == (502, "upstream_disconnected")
    assert "x-should-retry" not in headers
    first.end()
    second = proxied()
    status, headers, body = second.ask()
    assert (status, body["error"]["code"]) == (409, "outcome_unknown")
    assert headers["x-should-retry"] == "false"
    assert "--on-unknown retry" in body["error"]["hint"]
    assert provider.paid() == 1
    second.end()
    third = proxied(on_unknown="retry")
    assert third.ask()[0] == 200
    assert provider.paid() == 2
    assert third.bodies("intent")[-1]["after"] == "unknown"


def test_a_stream_that_broke_off_is_fetched(proxied: Proxied, provider: Provider) -> None:
    """Refused with the option that gets the answer; with it, the client has the whole stream."""
    asked = json.dumps({"model": "demo", "input": "hi", "stream": True}).encode()
    provider.faults("drop_midway")
    first = proxied()
    with pytest.raises(http.client.IncompleteRead):
        first.post("/v1/responses", asked)
    status, _, body = first.post("/v1/responses", asked)
    assert status == 409
    assert "--on-unknown fetch" in json.loads(body)["error"]["hint"]
    first.end()
    second = proxied(on_unknown="fetch")
    status, headers, body = second.post("/v1/responses", asked)
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert body.startswith(b"event: response.created")
    assert b"event: response.completed" in body
    assert second.bodies("intent")[-1]["fetches"] == second.outcomes()[-1]["response_id"]
    second.end()
    assert proxied().post("/v1/responses", asked)[2] == body
    assert provider.paid() == 1


def test_an_upstream_that_is_not_there(proxied: Proxied) -> None:
    """Nothing was sent: the call failed, and the client may ask again as it likes."""
    with upstream() as server:
        url = server.url
    running = proxied(url)
    status, headers, body = running.post("/x", b"{}")
    assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unreachable")
    assert "x-should-retry" not in headers
    assert [(one["status"], one["reason"]) for one in running.outcomes()] == [
        ("failed", "not_sent")
    ]


def test_a_budget_stops_the_client(proxied: Proxied, provider: Provider) -> None:
    """A call without a known price is not made when there is a budget."""
    running = proxied(budget_usd=1.0)
    status, _, body = running.ask()
    assert (status, body["error"]["code"]) == (409, "budget_unpriced")
    assert "--budget" in body["error"]["hint"]
    assert provider.paid() == 0
    assert running.bodies("intent") == []


def test_a_session_that_is_over_answers_nothing(proxied: Proxied, provider: Provider) -> None:
    """A proxy that outlives its session refuses."""
    running = proxied()
    running.session.close()
    status, _, body = running.ask()
    assert (status, body["error"]["code"]) == (503, "session_closed")
    assert provider.paid() == 0
