"""Requests as bytes: forms that a client must not choose, and limits."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ledger.proxy.target import Rules
from tests.helpers.provider import Provider
from tests.proxy.world import Running, chat, error_of, message, upstream

Proxied = Callable[..., Running]


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (b"GET http://example.org/v1/models HTTP/1.1", 400, "target_invalid"),
        (b"GET http://127.0.0.1/v1/models HTTP/1.1", 400, "target_invalid"),
        (b"CONNECT example.org:443 HTTP/1.1", 405, "method_refused"),
        (b"TRACE /v1/models HTTP/1.1", 405, "method_refused"),
        (b"M-SEARCH /v1/models HTTP/1.1", 405, "method_refused"),
        (b"OPTIONS * HTTP/1.1", 400, "target_invalid"),
        (b"GET //example.org/v1/models HTTP/1.1", 400, "target_invalid"),
        (b"GET /v1/../control HTTP/1.1", 400, "target_invalid"),
        (b"GET /v1/%2e%2e/control HTTP/1.1", 400, "target_invalid"),
        (b"GET /control HTTP/1.1", 404, "target_unknown"),
        (b"GET /v1x HTTP/1.1", 404, "target_unknown"),
        (b"GET /v1/models HTTP/1.0", 505, "http_version"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_a_client_cannot_choose_where_it_goes(
    proxied: Proxied, provider: Provider, line: bytes, status: int, code: str
) -> None:
    """Nothing of it reaches the upstream, and nothing is recorded."""
    running = proxied()
    answer = running.send(line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert (status_of(answer), error_of(answer)["code"]) == (status, code)
    assert provider.journal() == []
    assert running.bodies("intent") == []


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Origin: https://evil.example.org", 403),
        ("Upgrade: websocket\r\nConnection: upgrade", 501),
        ("vif-replicate: many", 400),
    ],
)
def test_other_requests_that_are_refused(proxied: Proxied, header: str, status: int) -> None:
    """Web pages, websockets, and own headers that cannot be understood."""
    running = proxied()
    answer = running.send(message(chat(), header, "Connection: close"))
    assert status_of(answer) == status
    assert running.bodies("intent") == []


def test_a_host_of_another_name_is_refused(proxied: Proxied) -> None:
    """A page whose name resolves to this machine does not get at recorded answers."""
    answer = proxied().send(
        b"GET /v1/models HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n"
    )
    assert (status_of(answer), error_of(answer)["code"]) == (421, "host_refused")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["two lengths", "no length", "space in a name", "no host", "tls"],
)
def test_what_is_not_http_is_refused(proxied: Proxied, request_: bytes) -> None:
    """Ambiguous or broken requests are answered with 400 by the server itself."""
    running = proxied()
    assert status_of(running.send(request_)) == 400
    assert running.bodies("intent") == []


def test_a_body_of_unknown_length_is_forwarded_whole(proxied: Proxied) -> None:
    """Chunks are put together: the upstream gets a length, and the record the body."""
    with upstream() as server:
        running = proxied(server.url)
        request = (
            b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
            b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
        )
        answer = running.send(request)
        ((_, headers, body),) = server.got
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 OK" in answer
    assert body == b'{"a":1}'
    assert ("content-length", "7") in [(name.lower(), value) for name, value in headers]
    assert "expect" not in {name.lower() for name, _ in headers}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(proxied: Proxied, chunked: bool) -> None:
    """By its stated length, or as soon as it has become too long."""
    running = proxied(rules=Rules(body_max_bytes=100))
    if chunked:
        head = b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        request = head + b"Connection: close\r\n\r\n65\r\n" + b"a" * 0x65 + b"\r\n0\r\n\r\n"
    else:
        request = message(b"a" * 101, "Connection: close")
    answer = running.send(request)
    assert (status_of(answer), error_of(answer)["code"]) == (413, "body_too_large")
    assert running.bodies("intent") == []
    assert running.ask()[0] == 200


def test_an_offer_of_http_2_is_declined(proxied: Proxied) -> None:
    """Clients of Java make one with every first request; the answer comes in HTTP/1.1."""
    running = proxied()
    offer = (
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"
    )
    with running.raw(message(chat(), offer)) as connection:
        answer = b""
        while b'"usage"' not in answer:
            piece = connection.recv(1 << 16)
            assert piece
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_requests_on_one_connection(proxied: Proxied, provider: Provider) -> None:
    """Sent in one piece, they are answered one after the other."""
    running = proxied()
    answer = running.send(message(chat("a")) + message(chat("b"), "Connection: close"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert provider.paid() == 2


def test_a_head_request_has_no_body(proxied: Proxied) -> None:
    """Its answer states a length that is not that of what follows, now and again."""
    with upstream() as server:
        server.body = b"x" * 10
        answers = []
        for _ in range(2):
            running = proxied(server.url)
            answers.append(
                running.send(b"HEAD /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            )
            running.end()
    for answer in answers:
        assert answer.endswith(b"\r\n\r\n")
        assert b"content-length: 10\r\n" in answer
    assert b"vif-reused: true" in answers[1]


def test_errors_are_json(proxied: Proxied) -> None:
    """In the shape that SDKs take a message and a code from."""
    status, headers, body = proxied().post("/elsewhere", b"{}")
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body)["error"] == {
        "message": "only paths below /v1/ are forwarded",
        "type": "vif_ledger",
        "code": "target_unknown",
        "hint": None,
    }
