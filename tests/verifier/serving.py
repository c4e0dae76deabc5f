"""Small servers on this machine that answer well, badly, or never."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Behaviour = Callable[["Server", socket.socket], None]


class Server:
    """Takes one connection after the other; keeps what each sent."""

    def __init__(self, behave: Behaviour) -> None:
        self.requests: list[bytes] = []
        self.over = False
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.over:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(10)
                self._behave(self, connection)

    def stop(self) -> None:
        self.over = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@contextlib.contextmanager
def serving(behave: Behaviour) -> Iterator[Server]:
    server = Server(behave)
    try:
        yield server
    finally:
        server.stop()


def take(server: Server, connection: socket.socket) -> bytes:
    """Read a whole request and keep it; return its body."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            return b""
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )  # fmt: skip
    while len(body) < length:
        body += connection.recv(65536)
    server.requests.append(head + b"\r\n\r\n" + body)
    return body


def answering(
    body: bytes | Callable[[bytes], bytes], status: str = "200 OK", *headers: str
) -> Behaviour:
    """Answer each request with a body."""

    def behave(server: Server, connection: socket.socket) -> None:
        asked = take(server, connection)
        found = body(asked) if callable(body) else body
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(found)}", *headers]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + found)

    return behave


def sending(*pieces: bytes) -> Behaviour:
    """Answer each request with these bytes and close."""

    def behave(server: Server, connection: socket.socket) -> None:
        take(server, connection)
        for piece in pieces:
            connection.sendall(piece)

    return behave


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """Answer with a head and then with a piece again and again."""

    def behave(server: Server, connection: socket.socket) -> None:
        take(server, connection)
        connection.sendall(head)
        while not server.over:
            connection.sendall(piece)
            if pause:
                time.sleep(pause)

    return behave


def hanging(server: Server, connection: socket.socket) -> None:
    """Take a request and say nothing."""
    take(server, connection)
    while not server.over:
        time.sleep(0.02)


def deaf(server: Server, connection: socket.socket) -> None:
    """Take a connection and read nothing."""
    while not server.over:
        time.sleep(0.02)
