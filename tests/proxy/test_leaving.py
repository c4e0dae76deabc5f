"""Clients that go away, and the end of the proxy."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ledger.proxy.serve import Proxy
from ledger.proxy.target import Rules, parse_upstream
from tests.helpers.provider import Provider
from tests.proxy.world import Running, chat, message

Proxied = Callable[..., Running]

STREAM = message(chat(stream=True))


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        piece = connection.recv(1 << 16)
        assert piece, got
        got += piece
    return got


def reset(connection: socket.socket) -> None:
    """Close a connection as the death of its process does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until_outcomes(running: Running, count: int) -> list[dict[str, Any]]:
    Provider.until(lambda: len(running.outcomes()) == count, f"{count} outcomes")
    return running.outcomes()


def test_a_stream_is_closed_with_its_client(proxied: Proxied, provider: Provider) -> None:
    """What came is recorded as the answer, and the upstream is let go."""
    provider.control(gate=True)
    running = proxied()
    with running.raw(STREAM) as connection:
        read_until(connection, b"chat.completion.chunk")
    (outcome,) = until_outcomes(running, 1)
    assert (outcome["status"], outcome["streaming"]) == ("answered", "closed")


def test_a_closed_stream_is_given_again_without_an_end(
    proxied: Proxied, provider: Provider
) -> None:
    """Who reads on, past where the first client stopped, must not take it for a whole answer."""
    provider.control(gate=True)
    first = proxied()
    with first.raw(STREAM) as connection:
        read_until(connection, b"chat.completion.chunk")
    until_outcomes(first, 1)
    first.end()
    provider.control(gate=False)
    again = proxied().send(STREAM)
    assert b"vif-reused: true" in again
    assert b"chat.completion.chunk" in again
    assert not again.endswith(b"\r\n0\r\n\r\n")
    assert provider.paid() == 1


def test_a_stream_may_be_finished_without_its_client(proxied: Proxied, provider: Provider) -> None:
    """With `finish` the whole answer is recorded, and given to the next that asks the same."""
    provider.control(gate=True)
    running = proxied(rules=Rules(finish=True))
    with running.raw(STREAM) as connection:
        read_until(connection, b"chat.completion.chunk")
        reset(connection)
    provider.until_waiting()
    provider.control(gate=False)
    (outcome,) = until_outcomes(running, 1)
    assert (outcome["status"], outcome["streaming"]) == ("answered", "complete")
    again = message(chat(stream=True), "Connection: close")
    answer = running.send(again)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"[DONE]" in answer
    assert b"vif-reused" not in answer
    assert provider.paid() == 1
    assert b"[DONE]" in running.send(again)
    assert provider.paid() == 2


@pytest.mark.parametrize("in_time", [True, False])
def test_an_answer_outlives_its_client(proxied: Proxied, provider: Provider, in_time: bool) -> None:
    """A client that asks again, before or after the answer came, gets the one that is paid for."""
    provider.faults("stall")
    running = proxied()
    with running.raw(message(chat())) as connection:
        provider.until_paid(1)
        reset(connection)
    answers: list[bytes] = []
    again = message(chat(), "Connection: close")
    asking = threading.Thread(target=lambda: answers.append(running.send(again)))
    if in_time:
        provider.advance()
        until_outcomes(running, 1)
        asking.start()
    else:
        asking.start()
        provider.until_waiting()
        provider.advance()
    asking.join()
    assert answers[0].startswith(b"HTTP/1.1 200 OK")
    assert provider.paid() == 1
    assert [one["status"] for one in running.outcomes()] == ["answered"]


def test_a_failed_answer_is_not_kept_for_others(proxied: Proxied, provider: Provider) -> None:
    """Who asks after a failure asks anew."""
    provider.faults("stall", "ok")
    running = proxied()
    with running.raw(message(chat())) as connection:
        provider.until_paid(1)
        reset(connection)
    provider.stop()
    until_outcomes(running, 1)
    provider.start()
    status, _, body = running.ask()
    assert (status, body["error"]["code"]) == (409, "outcome_unknown")


def test_the_end_waits_for_answers(proxied: Proxied, provider: Provider) -> None:
    """A proxy that is stopped takes no new connection and hands out what is under way."""
    provider.faults("stall")
    running = proxied()
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(running.ask()))
    asking.start()
    provider.until_paid(1)
    running.server.stop()
    Provider.until(lambda: not accepts(running.port), "a closed port")
    provider.advance()
    asking.join()
    running.server.wait()
    running.session.close()
    assert answers[0][0] == 200
    assert running.bodies("session_close")[0]["answered"] == 1


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("hard", [True, False])
def test_what_does_not_end_in_time_is_abandoned(
    proxied: Proxied, provider: Provider, stream: bool, hard: bool
) -> None:
    """It becomes an unknown outcome before the run is closed; the client gets no clean end."""
    provider.faults("stall_midway" if stream else "stall")
    running = proxied()
    with running.raw(message(chat(stream=stream))) as connection:
        provider.until_waiting()
        if stream:
            read_until(connection, b"chat.completion.chunk")
        if hard:
            running.server.abort()
        else:
            running.server.stop(0.0)
        running.server.wait()
        rest = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b"[DONE]" not in rest
    assert not rest.endswith(b"\r\n0\r\n\r\n")
    running.session.close("interrupted", "stopped")
    (outcome,) = running.outcomes()
    assert (outcome["status"], outcome["reason"]) == ("unknown", "abandoned")
    assert running.bodies("session_close")[0]["unknown"] == 1


def test_a_proxy_that_was_not_started_gives_its_port_back() -> None:
    """As when the session cannot be opened."""
    with Proxy([parse_upstream("http://127.0.0.1:1/v1")], Rules()) as server:
        port = int(server.address.rpartition(":")[2])
    assert not accepts(port)


def test_many_clients_at_once(proxied: Proxied, provider: Provider) -> None:
    """Each gets its own answer, and each call is paid once."""
    running = proxied()
    answers: list[Any] = []

    def work(number: int) -> None:
        for at in range(5):
            answers.append(running.ask(f"question {number} {at}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in answers] == [200] * 40
    assert len({body["id"] for _, _, body in answers}) == 40
    assert set(provider.paid_by_digest().values()) == {1}


def test_who_had_the_end_of_a_stream_had_all_of_it(proxied: Proxied, provider: Provider) -> None:
    """SDKs close the connection at the end event: that answer is not given to another."""
    running = proxied(rules=Rules(finish=True))
    for _ in range(5):
        with running.raw(STREAM) as connection:
            read_until(connection, b"[DONE]")
            reset(connection)
    assert provider.paid() == 5
    assert [one["streaming"] for one in running.outcomes()] == ["complete"] * 5


def test_who_had_a_whole_answer_had_all_of_it(proxied: Proxied, provider: Provider) -> None:
    """Also when it closes the connection with the last byte."""
    running = proxied()
    for _ in range(5):
        with running.raw(message(chat())) as connection:
            read_until(connection, b'"usage"')
            reset(connection)
    assert provider.paid() == 5


def test_a_client_that_asks_again_and_again(proxied: Proxied, provider: Provider) -> None:
    """As long as the answer is under way, each time limit of the client leads back to it."""
    provider.faults("stall")
    running = proxied()
    for _ in range(4):
        with running.raw(message(chat())) as connection:
            provider.until_paid(1)
            Provider.until(lambda: not waits(running), "a client that has the answer")
            reset(connection)
        Provider.until(lambda: waits(running), "an answer without client")
    provider.advance()
    assert running.send(message(chat(), "Connection: close")).startswith(b"HTTP/1.1 200 OK")
    assert provider.paid() == 1


def waits(running: Running) -> bool:
    app = running.server._app
    return app is not None and bool(app._waiting._fetches)
