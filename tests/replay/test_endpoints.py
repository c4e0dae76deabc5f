"""Requests sent again: real SDKs against the loopback provider, and endpoints that misbehave."""

from __future__ import annotations

import gzip
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest

from ledger import Ledger
from ledger.replay import Replay, Resources, replay
from ledger.replay.engines import http
from tests.helpers.provider import Provider
from tests.replay.lab import called, completion, one

KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"


@contextmanager
def asking(log: Ledger, provider: Provider) -> Iterator[openai.OpenAI]:
    """The SDK in a session."""
    with (
        log.session("lab/openai") as run,
        run.http_client() as http_client,
        openai.OpenAI(
            base_url=provider.base_url, api_key=KEY, http_client=http_client, max_retries=0
        ) as client,
    ):
        yield client


def ask(client: openai.OpenAI, question: str, **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": question}]
    return client.chat.completions.create(model="demo", messages=messages, **more)


def again(log: Ledger, endpoint: str, **options: Any) -> list[Replay]:
    options.setdefault("resources", Resources(endpoint=endpoint, timeout_s=20))
    return list(replay(log, **options))


# Real SDKs


def test_a_changed_fingerprint_is_told_apart_from_a_changed_answer(
    log: Ledger, provider: Provider
) -> None:
    """The service changes in the middle; what was asked before it reproduces no more."""
    provider.control(repeatable=True, fingerprint="fp_old")
    with asking(log, provider) as client:
        for number in range(4):
            if number == 2:
                provider.control(fingerprint="fp_new")
            ask(client, f"Question {number}?", seed=7, logprobs=True)
    runs = again(log, provider.base_url, wanted="bits")
    assert [ran.body.level for ran in runs] == ["archive", "archive", "bits", "bits"]
    assert [ran.body.reason for ran in runs] == ["environment_differs"] * 2 + [None, None]
    assert runs[0].body.environment_identical is False
    assert runs[0].body.first_difference is not None
    asked = [entry.digest for entry in provider.journal()]
    assert asked[:4] == asked[4:], "exactly the recorded requests were sent"


def test_streams_are_read_as_whole_answers_are(log: Ledger, provider: Provider) -> None:
    provider.control(repeatable=True)
    with asking(log, provider) as client:
        for _ in ask(client, "Why?", stream=True, logprobs=True):
            pass
    (ran,) = again(log, provider.base_url, wanted="logprobs")
    assert ran.body.success
    assert ran.body.levels.bits == "not_observable"


def test_every_protocol_is_replayed(log: Ledger, provider: Provider) -> None:
    provider.control(repeatable=True)
    with asking(log, provider) as client:
        ask(client, "Why?")
        client.completions.create(model="demo", prompt="Why")
        client.embeddings.create(model="demo", input="raven")
        client.responses.create(model="demo", input="Why?")
    with (
        log.session("lab/anthropic") as run,
        run.http_client() as http_client,
        anthropic.Anthropic(
            base_url=provider.root, api_key=KEY, http_client=http_client, max_retries=0
        ) as other,
    ):
        question: Any = [{"role": "user", "content": "Why?"}]
        other.messages.create(model="demo", max_tokens=20, messages=question)
    runs = again(log, provider.root)
    assert [ran.body.success for ran in runs] == [True] * 5
    assert [ran.body.engine for ran in runs] == ["openai"] * 4 + ["anthropic"]
    paths = [entry.path for entry in provider.journal()]
    assert paths[:5] == paths[5:]


def test_a_service_that_answers_otherwise_each_time_is_shown_as_it_is(
    log: Ledger, provider: Provider
) -> None:
    with asking(log, provider) as client:
        ask(client, "Why?")
    runs = again(log, provider.base_url, runs=3)
    assert [ran.body.reason for ran in runs] == ["output_differs"] * 3
    outputs = {ran.output.data for ran in runs if ran.output}
    assert len(outputs) == 3


def test_where_it_was_asked_is_asked_again_only_by_that_word(
    log: Ledger, provider: Provider
) -> None:
    provider.control(repeatable=True)
    with asking(log, provider) as client:
        ask(client, "Why?")
    (ran,) = replay(log, session="lab/openai")
    assert ran.body.reason == "model_unavailable"
    assert len(provider.journal()) == 1
    (ran,) = again(log, "recorded")
    assert ran.body.success
    assert len(provider.journal()) == 2


def test_keys_come_from_the_environment_and_are_recorded_nowhere(
    log: Ledger, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    identifier = called(log)
    seen: list[dict[str, str]] = []
    with answering(lambda handler, body: seen.append(dict(handler.headers))) as url:
        one(log, identifier, resources=Resources(endpoint=url))
    assert {name.lower(): value for name, value in seen[0].items()}["authorization"].endswith(KEY)
    assert all(KEY.encode() not in entry.statement for entry in log.entries())


def test_a_key_is_not_sent_in_the_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = http.OpenAI(Resources())
    assert engine._authorisation("http://192.0.2.1/v1") == {}
    assert engine._authorisation("http://127.0.0.1:8000/v1") != {}
    assert engine._authorisation("https://api.example.org/v1") != {}


# Endpoints that misbehave


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler, bytes], Any]) -> Iterator[str]:
    """Serve on loopback; the function writes an answer, or nothing for a plain one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.close_connection = True
            try:
                if not answer(self, body):
                    send(self, completion("Because."))
            except (ConnectionError, TimeoutError):
                pass

        def do_GET(self) -> None:
            pytest.fail("a redirect was followed")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def server_bind(self) -> None:
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = "localhost", self.server_address[1]

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> bool:
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


def hang(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    time.sleep(3)
    return True


def drip(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b"data: {}\n\n")
        handler.wfile.flush()
        time.sleep(0.05)
    return True


def drip_head(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    for byte in b"HTTP/1.1 200 OK\r\nX-Filling: " + b"x" * 60:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)
    return True


def flood(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    handler.send_response(200)
    handler.send_header("content-length", str(10 << 30))
    handler.end_headers()
    piece = b" " * (1 << 20)
    for _ in range(10 << 10):
        handler.wfile.write(piece)
    return True


def bomb(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    return send(handler, gzip.compress(b" " * (300 << 20), 1), content_encoding="gzip")


def redirect(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    return send(handler, b"", 307, location=f"http://{handler.headers['host']}/elsewhere")


def refuse(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    said = {"error": {"message": "no such model"}}
    return send(handler, json.dumps(said).encode(), 404)


def hang_up(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    handler.connection.close()
    return True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (hang, "did not answer in 1 s"),
        (drip, "did not answer in 1 s"),
        (drip_head, "did not answer in 1 s"),
        (flood, "more than 67108864 bytes"),
        (bomb, "more than 67108864 bytes"),
        (redirect, "answered 307"),
        (refuse, "answered 404: no such model"),
        (hang_up, "no answer from the endpoint"),
    ],
)
def test_an_endpoint_that_misbehaves_is_named(
    log: Ledger, answer: Callable[[BaseHTTPRequestHandler, bytes], bool], said: str
) -> None:
    identifier = called(log)
    timeout = 1.0 if answer in (hang, drip, drip_head) else 30.0
    with answering(answer) as url:
        ran = one(log, identifier, resources=Resources(endpoint=url, timeout_s=timeout))
    assert ran.body.reason == "engine_failed"
    assert said in ran.body.message
    assert ran.body.replayed is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://127.0.0.1/v1",
        "http://me:secret@127.0.0.1/v1",
        "http://127.0.0.1/v1?key=1",
        "http://127.0.0.1/v1#x",
        "http:///v1",
        "http://127.0.0.1:99999/v1",
        "127.0.0.1:80",
    ],
)
def test_what_is_no_endpoint_is_refused(log: Ledger, endpoint: str) -> None:
    ran = one(log, called(log), resources=Resources(endpoint=endpoint))
    assert ran.body.reason == "model_unavailable"
    assert "secret" not in ran.body.message


@pytest.mark.parametrize("media_type", ["", "ü" * 200, "a" * 300])
def test_an_odd_media_type_is_no_reason_to_fail(log: Ledger, media_type: str) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        said = completion("Because.")
        handler.send_response(200)
        handler.send_header("content-type", media_type)
        handler.send_header("content-length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said)
        return True

    with answering(answer) as url:
        ran = one(log, called(log), resources=Resources(endpoint=url))
    assert ran.body.success


def test_an_answer_that_is_not_understood_is_no_output(log: Ledger) -> None:
    with answering(lambda handler, body: send(handler, b"<html>")) as url:
        ran = one(log, called(log), resources=Resources(endpoint=url))
    assert ran.body.reason == "not_observable"
    assert ran.body.replayed is not None
    assert ran.body.replayed.output is None
