"""Answers through the proxy: what the client gets, what the upstream gets, what is recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import anthropic
import pytest

from tests.helpers.provider import Provider, serial_of
from tests.proxy.world import Running, chat, upstream

Proxied = Callable[..., Running]


def test_an_answer_passes_and_is_recorded(proxied: Proxied, provider: Provider) -> None:
    """The SDK of OpenAI gets what the provider said, when it is in the log."""
    running = proxied()
    with running.openai() as client:
        answer = client.chat.completions.create(
            model="demo", messages=[{"role": "user", "content": "hi"}]
        )
    assert serial_of(answer.choices[0].message.content) == 1
    (outcome,) = running.outcomes()
    assert (outcome["status"], outcome["http_status"]) == ("answered", 200)
    (intent,) = running.bodies("intent")
    assert intent["url"] == f"{provider.base_url}/chat/completions"
    (witness,) = running.bodies("witness")
    assert witness["model"]["requested_model"] == "demo"


def test_a_stream_passes_as_it_arrives(proxied: Proxied, provider: Provider) -> None:
    """Chunks are handed on while the upstream still holds the rest back."""
    provider.control(gate=True, chunks=3)
    running = proxied()
    with running.openai() as client:
        stream = client.chat.completions.create(
            model="demo", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        next(iter(stream))
        provider.until_waiting()
        assert running.outcomes() == []
        provider.control(gate=False)
        rest = list(stream)
    assert rest[-1].choices[0].finish_reason == "stop"
    assert [one["streaming"] for one in running.outcomes()] == ["complete"]


def test_the_sdk_of_anthropic_works_too(proxied: Proxied, provider: Provider) -> None:
    """Another protocol, its own end event, and headers that make another call."""
    running = proxied(provider.root)
    with anthropic.Anthropic(base_url=running.url, api_key="sk-ant-test") as client:
        for stream in (False, True):
            answer = client.messages.create(
                model="demo",
                max_tokens=9,
                messages=[{"role": "user", "content": "hi"}],
                stream=stream,
            )
            if stream:
                assert [event.type for event in answer][-1] == "message_stop"
    assert [one.get("streaming") for one in running.outcomes()] == [None, "complete"]


def test_after_a_restart_recorded_answers_are_given_again(
    proxied: Proxied, provider: Provider
) -> None:
    """The same calls in another run get the same answers, without a request, and say so."""
    first = proxied()
    asked = [first.ask("hi"), first.ask("hi")]
    streamed = first.post("/v1/chat/completions", chat(stream=True))
    first.end()
    second = proxied()
    again = [second.ask("hi"), second.ask("hi")]
    assert [body for _, _, body in again] == [body for _, _, body in asked]
    assert ["vif-reused" in headers for _, headers, _ in asked + again] == [False] * 2 + [True] * 2
    status, headers, body = second.post("/v1/chat/completions", chat(stream=True))
    assert (status, body) == (200, streamed[2])
    assert headers["vif-reused"] == "true"
    assert headers["content-type"] == streamed[1]["content-type"]
    assert provider.paid() == 3
    assert second.session.counts["reused"] == 3
    new = second.ask("hi")
    assert "vif-reused" not in new[1]
    assert provider.paid() == 4


def test_a_client_may_number_its_calls(proxied: Proxied, provider: Provider) -> None:
    """With `vif-replicate` the same number has the same answer, in the same run as well."""
    running = proxied()
    first = running.ask(vif_replicate="7")
    assert running.ask(vif_replicate="7")[2] == first[2]
    assert running.ask(vif_replicate="8")[2] != first[2]
    assert provider.paid() == 2
    assert [one["call"]["replicate"] for one in running.bodies("intent")] == [7, 8]


def test_a_stage_is_recorded(proxied: Proxied) -> None:
    """`vif-stage` labels the call and nothing else."""
    running = proxied()
    running.ask(vif_stage="extraction/first")
    running.ask()
    stages = [one.get("stage") for one in running.bodies("intent")]
    assert stages == ["extraction/first", None]


def test_the_upstream_gets_what_the_client_sent(proxied: Proxied) -> None:
    """Body and headers as they are, with its own Host; nothing of the proxy's own."""
    with upstream() as server:
        running = proxied(server.url + "/base")
        body = b'{ "b":1.0, "a" : "\\u00e9" }'
        running.post(
            "/base/x%2Fy?q=%20&z",
            body,
            authorization="Bearer sk-secret-of-the-client",
            cookie="session=secret",
            accept_encoding="gzip",
            vif_stage="s",
            connection="close, x-mine",
            x_mine="1",
        )
        ((path, headers, got),) = server.got
    assert (path, got) == ("/base/x%2Fy?q=%20&z", body)
    named = {name.lower(): value for name, value in headers}
    assert named == {
        "host": server.url.removeprefix("http://"),
        "authorization": "Bearer sk-secret-of-the-client",
        "cookie": "session=secret",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    recorded = json.dumps(
        [str(one) for kind in ("intent", "outcome", "witness") for one in running.bodies(kind)]
    )
    assert "secret" not in recorded
    (intent,) = running.bodies("intent")
    assert running.log.content(intent["request"]) == body


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (302, [("Location", "https://elsewhere.example.org/")]),
        (404, [("X-Odd", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
        (429, [("Retry-After", "7")]),
        (204, []),
    ],
)
def test_other_answers_pass_as_they_are(
    proxied: Proxied, status: int, headers: list[tuple[str, str]]
) -> None:
    """Redirects are not followed, errors are the provider's own."""
    with upstream() as server:
        server.status, server.headers = status, headers
        server.body = b"" if status == 204 else b"{}"
        running = proxied(server.url)
        answer = running.post("/x", b"{}")
        assert len(server.got) == 1
    assert (answer[0], answer[2]) == (status, server.body)
    for name, value in headers:
        assert answer[1][name.lower()] in {value, "b=2"}
    assert "x-should-retry" not in answer[1]


def test_content_encoding_passes_through(proxied: Proxied) -> None:
    """The bytes are those of the upstream, now and when they are given again to the same client."""
    with upstream() as server:
        server.body = gzip.compress(b'{"n": 1}')
        server.headers = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")]
        first = proxied(server.url)
        answer = first.post("/x", b"{}", accept_encoding="gzip")
        first.end()
        second = proxied(server.url)
        again = second.post("/x", b"{}", accept_encoding="gzip")
        assert len(server.got) == 1
    assert answer[2] == again[2] == server.body
    assert again[1]["content-encoding"] == "gzip"


def test_a_client_without_gzip_can_read_what_another_recorded(proxied: Proxied) -> None:
    """The recorded body is decoded for it."""
    with upstream() as server:
        server.body = gzip.compress(b'{"n": 1}')
        server.headers = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")]
        first = proxied(server.url)
        first.post("/x", b"{}", accept_encoding="gzip")
        first.end()
        status, headers, body = proxied(server.url).post("/x", b"{}", accept_encoding="identity")
    assert (status, body) == (200, b'{"n": 1}')
    assert "content-encoding" not in headers
    assert headers["content-length"] == "8"


def test_what_costs_nothing_passes_too(proxied: Proxied, provider: Provider) -> None:
    """GET requests are calls without a witness."""
    running = proxied()
    with running.openai() as client:
        assert client.models.list().data
    assert [one["status"] for one in running.outcomes()] == ["answered"]
    assert running.bodies("witness") == []
