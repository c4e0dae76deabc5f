"""A server on the loopback that does what a test says, byte by byte and step by step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

WAIT_SECONDS = 60
"""Only how long a test that is broken hangs."""


class Exchange(BaseHTTPRequestHandler):
    """One request, as the test's function sees it; steps in order of the protocol."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        self.body = b""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        served = self.server.served
        headers = {name.lower(): value for name, value in self.headers.items()}
        with served.lock:
            served.requests.append(Asked(self.path, headers, self.body))
            play = served.script[min(len(served.requests), len(served.script)) - 1]
        play(self)

    do_GET = do_POST = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass

    def whole(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with a body of known length."""
        self._head(status, {"content_type": "application/json", **headers})
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def head(self, status: int = 200, **headers: str) -> None:
        """Begin a chunked answer."""
        self._head(status, {"content_type": "text/event-stream", **headers})
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def drop(self) -> None:
        """Close the connection here and now."""
        self.close_connection = True

    def wait(self) -> None:
        """Wait until the test has called `proceed` once more."""
        assert self.server.served.steps.acquire(timeout=WAIT_SECONDS)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)


class Asked(NamedTuple):
    """A request as it arrived; the names of headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    """The server: its address, what was asked, and the test's hand on it."""

    url: str
    script: list[Callable[[Exchange], None]]
    requests: list[Asked] = field(default_factory=list)
    steps: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def proceed(self, steps: int = 1) -> None:
        """Let the script go on past so many of its waits."""
        for _ in range(steps):
            self.steps.release()


class _Server(ThreadingHTTPServer):
    served: Served
    daemon_threads = True


@contextmanager
def serving(*script: Callable[[Exchange], None]) -> Iterator[Served]:
    """Serve each request with the next function; the last one serves all that follow."""
    server = _Server(("127.0.0.1", 0), Exchange)
    server.served = Served(f"http://127.0.0.1:{server.server_address[1]}", list(script))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.served
    finally:
        server.served.proceed(1000)
        server.shutdown()
        thread.join()
        server.server_close()
