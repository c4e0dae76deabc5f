"""The HTTP side of the provider: requests in, answers and faults out.

What is paid stands in the journal before anything of the answer is sent. An answer is sent in
pieces with a way out after each, so that every fault is a place between two pieces.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, ClassVar

from tools.provider import anthropic_messages, openai_chat, openai_responses
from tools.provider.answers import Asked, Json
from tools.provider.journal import Journal
from tools.provider.settings import REFUSALS, Settings

KEEPING = "/v1/responses"
SLOW_SECONDS = 0.02
_WBITS = {"gzip": 31, "deflate": 15}
_BEFORE = {"drop_before": "drop", "die": "die", "stall": "stall"}
_MIDWAY = {"drop_midway": "drop", "die_midway": "die", "stall_midway": "stall"}

Whole = Callable[[Asked], Json]
Events = Callable[[Asked], Iterator[bytes]]
ROUTES: dict[str, tuple[Whole, Events | None]] = {
    "/v1/chat/completions": (openai_chat.chat, openai_chat.chat_events),
    "/v1/completions": (openai_chat.completion, openai_chat.completion_events),
    "/v1/embeddings": (openai_chat.embeddings, None),
    "/v1/responses": (openai_responses.response, openai_responses.response_events),
    "/v1/messages": (anthropic_messages.message, anthropic_messages.message_events),
}


class Gone(Exception):  # noqa: N818 - not an error: the connection is over
    """Nothing more is sent on this connection."""


class Server(ThreadingHTTPServer):
    """The provider, on the loopback address."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, journal: Journal, port: int) -> None:
        self.journal = journal
        self.settings = Settings()
        self.kept: dict[str, Asked] = {}
        """What responses answer, by their id."""
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """Bind without asking for the name of the host."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "loopback"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    _options: ClassVar[dict[str, object]] = {}

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        """Answer what costs nothing: models, responses that are kept, the provider's state."""
        path, _, query = self.path.partition("?")
        if self.path == "/control":
            state = self.server.settings.state() | {"paid": self.server.journal.paid}
            self._whole(200, state | {"pid": os.getpid()})
        elif path == "/v1/models":
            self._enter(b"", "", stream=False, paid=False, fault=None, status=200)
            self._whole(200, openai_chat.models(), self._headers(0))
        elif path.startswith(f"{KEEPING}/"):
            stream = "stream=true" in query.split("&")
            try:
                self._kept(path.removeprefix(f"{KEEPING}/"), stream=stream)
            except Gone:
                self.close_connection = True
        else:
            self._whole(404, _error("not_found", f"no {self.path} here"))

    def do_POST(self) -> None:
        """Answer a paid request, or a word of the test."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            if self.path.startswith("/control"):
                self._control(json.loads(body or b"{}"))
            else:
                self._paid(self.path.partition("?")[0], body)
        except Gone:
            self.close_connection = True

    def _control(self, given: dict[str, Any]) -> None:
        settings = self.server.settings
        try:
            if self.path == "/control/advance":
                settings.advance(given.get("chunks", 1))
            else:
                settings.control(given)
        except (ValueError, TypeError) as error:
            self._whole(400, _error("control", str(error)))
        else:
            self._whole(200, settings.state())

    def _kept(self, ident: str, *, stream: bool) -> None:
        asked = self.server.kept.get(ident)
        status = 404 if asked is None else 200
        self._enter(b"", "", stream=stream, paid=False, fault=None, status=status)
        if asked is None:
            return self._whole(404, _error("not_found", f"no {ident} is kept"))
        if stream:
            events = list(openai_responses.response_events(asked))
            return self._stream(events, KEEPING, asked.serial, None, None)
        return self._whole(200, openai_responses.response(asked), self._headers(asked.serial))

    def _paid(self, path: str, raw: bytes) -> None:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if path not in ROUTES or not isinstance(body, dict):
            return self._whole(404 if path not in ROUTES else 400, _error("invalid", path))
        settings = self.server.settings
        model = str(body.get("model", ""))
        fault = settings.next_fault(model, hashlib.sha256(raw).hexdigest())
        whole, events = ROUTES[path]
        stream = bool(body.get("stream")) and events is not None
        status = REFUSALS.get(fault or "", 200)
        paid = status == 200 and fault != "hang_up"
        shown = status if fault not in ("hang_up", "drop_before", "die") else 0
        serial = self._enter(raw, model, stream=stream, paid=paid, fault=fault, status=shown)
        if fault == "hang_up":
            raise Gone
        if status != 200:
            return self._whole(status, _error(f"fault_{status}", "as ordered"), self._headers(0))
        asked = Asked(body, serial, settings.options)
        if path == KEEPING and body.get("store", True):
            self.server.kept[asked.ident("resp_")] = asked
        self._fault(_BEFORE.get(fault or ""))
        if asked.options.pause_ms:
            time.sleep(asked.options.pause_ms / 1000)
        midway = _MIDWAY.get(fault or "")
        if stream:
            assert events is not None
            return self._stream(list(events(asked)), path, serial, fault, midway)
        return self._whole(200, whole(asked), self._headers(serial), midway)

    def _enter(
        self, raw: bytes, model: str, *, stream: bool, paid: bool, fault: str | None, status: int
    ) -> int:
        digest = hashlib.sha256(raw).hexdigest()
        return self.server.journal.enter(
            self.command,
            self.path,
            digest,
            model,
            stream=stream,
            paid=paid,
            fault=fault,
            status=status,
        )

    def _fault(self, what: str | None) -> None:
        """Do what is ordered for this place in an answer."""
        match what:
            case "drop":
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                raise Gone
            case "die":
                self.wfile.flush()
                os._exit(1)
            case "stall":
                self.wfile.flush()
                self._wait(always=True)

    def _wait(self, *, always: bool = False) -> None:
        if not self.server.settings.wait(self._left, always=always):
            raise Gone

    def _left(self) -> bool:
        """Tell whether the client has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _headers(self, serial: int) -> dict[str, str]:
        options, name = self.server.settings.options, f"req_loopback_{serial:06d}"
        left = str(max(0, 100_000 - self.server.journal.paid))
        headers = {"set-cookie": "__loopback=cookie-of-the-provider; path=/; HttpOnly"}
        if options.region:
            headers["x-ms-region"] = options.region
        if self.path.startswith("/v1/messages"):
            return headers | {
                "request-id": name,
                "anthropic-organization-id": "org-loopback",
                "anthropic-ratelimit-requests-limit": "100000",
                "anthropic-ratelimit-requests-remaining": left,
            }
        return headers | {
            "x-request-id": name,
            "openai-organization": "org-loopback",
            "openai-processing-ms": "5",
            "openai-version": "2020-10-01",
            "x-ratelimit-limit-requests": "100000",
            "x-ratelimit-remaining-requests": left,
        }

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status in (429, 529, 500):
            self.send_header("retry-after-ms", "1")
        self.end_headers()

    def _whole(
        self,
        status: int,
        value: Json,
        headers: dict[str, str] | None = None,
        midway: str | None = None,
    ) -> None:
        body = json.dumps(value).encode()
        given = {"content-type": "application/json", **(headers or {})}
        encoding = self.server.settings.options.encoding
        if encoding in _WBITS and headers is not None:
            packer = zlib.compressobj(wbits=_WBITS[encoding])
            body = packer.compress(body) + packer.flush()
            given["content-encoding"] = encoding
        self._begin(status, given | {"content-length": str(len(body))})
        half = len(body) // 2
        self.wfile.write(body[:half])
        self._fault(midway)
        self.wfile.write(body[half:])

    def _stream(
        self, events: list[bytes], path: str, serial: int, fault: str | None, midway: str | None
    ) -> None:
        given = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        encoding = self.server.settings.options.encoding
        packer = zlib.compressobj(wbits=_WBITS[encoding]) if encoding in _WBITS else None
        if packer is not None and encoding:
            given["content-encoding"] = encoding
        half = len(events) // 2
        if fault == "end_early":
            events = events[:-1]
        elif fault == "error_event":
            events = [*events[:half], _error_event(path)]
        self._begin(200, given | self._headers(serial) | {"transfer-encoding": "chunked"})
        for number, event in enumerate(events):
            if number:
                self._wait()
            if number == half:
                self._fault(midway)
            piece = event
            if packer is not None:
                piece = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
            self._chunk(piece)
            if fault == "slow_stream":
                time.sleep(SLOW_SECONDS)
        if packer is not None:
            self._chunk(packer.flush())
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: bytes) -> None:
        if piece:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()


def serve(journal: Path, port: int) -> Server:
    """Return a server that listens; `serve_forever` answers."""
    return Server(Journal(journal), port)


def _error(code: str, message: str) -> Json:
    kind = "rate_limit_error" if code == "fault_429" else "api_error"
    error = {"message": message, "type": kind, "code": code, "param": None}
    return {"type": "error", "error": error}


def _error_event(path: str) -> bytes:
    if path == "/v1/messages":
        return anthropic_messages.frame("error", error=_error("overloaded", "ordered")["error"])
    if path == "/v1/responses":
        event = {"type": "error", "code": "server_error", "message": "ordered", "param": None}
        return f"event: error\ndata: {json.dumps(event | {'sequence_number': 99})}\n\n".encode()
    return openai_chat.frame({"error": _error("server_error", "ordered")["error"]})
