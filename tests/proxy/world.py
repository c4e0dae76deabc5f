"""What the tests of the proxy share: a proxy that runs, and a client that speaks bytes."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import openai

from ledger import Ledger
from ledger.proxy.serve import Proxy
from ledger.session import Session

WAIT_SECONDS = 20.0


@dataclass
class Running:
    """A proxy of one run."""

    log: Ledger
    session: Session
    server: Proxy

    @property
    def url(self) -> str:
        return self.server.urls[""]

    @property
    def port(self) -> int:
        return urlsplit(self.server.address).port or 0

    def openai(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key="sk-test-key", **options)

    def end(self, grace_seconds: float = WAIT_SECONDS) -> None:
        """Stop the proxy, then close the run."""
        self.server.stop(grace_seconds)
        self.server.wait()
        self.session.close()

    def outcomes(self) -> list[dict[str, Any]]:
        """What became of the requests of all runs."""
        found = self.log.find(type="outcome", session=self.session.name)
        return [dict(entry.payload.body) for entry in found]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        found = self.log.find(type=kind, session=self.session.name)
        return [dict(entry.payload.body) for entry in found]

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request of JSON; returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("POST", path, body, sent)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, named, answer.read()
        finally:
            connection.close()

    def ask(self, text: str = "hi", **headers: str) -> tuple[int, dict[str, str], Any]:
        """Ask for a chat completion; returns status, headers and the JSON that came."""
        status, named, body = self.post("/v1/chat/completions", chat(text), **headers)
        return status, named, json.loads(body)

    @contextmanager
    def raw(self, request: bytes) -> Iterator[socket.socket]:
        """Send bytes, and leave the connection open."""
        with socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS) as connection:
            connection.sendall(request)
            yield connection

    def send(self, request: bytes) -> bytes:
        """Send bytes and return everything that comes until the proxy closes the connection."""
        with self.raw(request) as connection:
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def chat(text: str = "hi", **members: Any) -> bytes:
    """A request for a chat completion."""
    asked = {"model": "demo", "messages": [{"role": "user", "content": text}], **members}
    return json.dumps(asked).encode()


def message(body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    """A request as bytes, to a connection that is closed after it."""
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def error_of(answer: bytes) -> dict[str, Any]:
    """The error in an answer as bytes."""
    error: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    return error


@dataclass
class Upstream:
    """A server that says what it got, and answers as it is told."""

    url: str = ""
    got: list[tuple[str, list[tuple[str, str]], bytes]] = field(default_factory=list)
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b'{"ok": true}'


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Run such a server."""
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", "0"))
            state.got.append((self.path, self.headers.items(), self.rfile.read(size)))
            self.send_response(state.status)
            for name, value in state.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(state.body)

        do_GET = do_HEAD = do_POST  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
