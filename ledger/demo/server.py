"""A loopback HTTP server that speaks OpenAI's chat-completions protocol for the demo model.

POST /v1/chat/completions    one answer, as JSON or as server-sent events
GET  /v1/models              the one model that is served
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from ledger.demo.model import DemoModel
from ledger.demo.protocol import ApiError, Json, chunks, completion, parse_chat_request

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1 << 20
API_VERSION = "2020-10-01"
_IDLE_SECONDS = 30


class _Listener(ThreadingHTTPServer):
    """The listening socket, what its handlers share, and the connections that are open."""

    def __init__(self, model: DemoModel, port: int, clock: Callable[[], float]) -> None:
        self.model = model
        self.clock = clock
        self.started = int(clock())
        self.lock = threading.Lock()
        self.requests = 0
        self.calls = 0
        self.watch: Callable[[int], None] = lambda number: None
        self.open: set[Any] = set()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for a host name here, which may be slow and is not needed.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self.lock:
            self.open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: only a client that went away gets here, all else is answered with a 500."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True  # the parts of a stream are small and must not wait
    server: _Listener

    def version_string(self) -> str:
        return "vif-demo"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses (a malformed request line) in the same shape."""
        self.started = time.perf_counter()
        self.request_id = self._new_id("")
        self.close_connection = True
        self._send_json(int(code), ApiError(int(code), f"{message or 'Bad request'}.").body)

    def _new_id(self, content: str) -> str:
        # Unique without randomness: which server, when started, which request.
        with self.server.lock:
            self.server.requests += 1
            parts = [self.server.model.fingerprint, self.server.server_port]
            parts += [self.server.started, self.server.requests, content]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _answer(self) -> None:
        self.started = time.perf_counter()
        self.request_id = self._new_id(self.path)
        unread, self.close_connection, closing = 0, True, self.close_connection
        try:
            length = self._length()
            if length > MAX_BODY_BYTES:
                unread = length
                message = f"The request body is larger than {MAX_BODY_BYTES} bytes."
                raise ApiError(413, message, code="request_too_large")
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the client went away in the middle of its request
            # Only now is it known where the next request on this connection begins.
            self.close_connection = closing
            self._route(body)
        except ApiError as error:
            self._send_json(error.status, error.body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception as error:
            self.close_connection = True
            self._send_json(500, ApiError(500, f"The server failed: {type(error).__name__}.").body)
        if unread:
            self._discard(unread)

    def _length(self) -> int:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or (not lengths and self.command == "POST"):
            raise ApiError(411, "The request needs a Content-Length header.")
        digits = lengths[0] if lengths else "0"
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,15}", digits):
            raise ApiError(400, "The Content-Length header is not one number of bytes.")
        return int(digits)

    def _discard(self, unread: int) -> None:
        # Closing on unread bytes would reset the connection, and the client that is still sending
        # would lose the refusal that tells it why.
        self.connection.settimeout(2)
        unread = min(unread, 16 * MAX_BODY_BYTES)
        with contextlib.suppress(OSError):
            while unread > 0 and (block := self.rfile.read1(min(unread, 1 << 16))):
                unread -= len(block)

    def _route(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        methods = {"/v1/chat/completions": "POST", "/v1/models": "GET"}
        if path not in methods:
            raise ApiError(404, f"Invalid URL ({self.command} {path})", code="unknown_url")
        if self.command != methods[path]:
            raise ApiError(405, f"Not allowed to {self.command} on {path}.")
        if path == "/v1/chat/completions":
            self._chat(body)
            return
        entry = {"id": self.server.model.name, "object": "model", "created": self.server.started}
        self._send_json(200, {"object": "list", "data": [entry | {"owned_by": "vif-ledger"}]})

    def _chat(self, body: bytes) -> None:
        server = self.server
        try:
            decoded = json.loads(body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            message = "We could not parse the JSON body of your request."
            raise ApiError(400, message, code="invalid_json") from None
        request = parse_chat_request(decoded, server.model.name)
        answer = server.model.generate(
            request.prompt, request.parameters, background=request.background
        )
        frame = {
            "id": f"chatcmpl-{self.request_id}",
            "created": int(server.clock()),
            "model": server.model.name,
            "system_fingerprint": server.model.fingerprint,
            "service_tier": "default",
        }
        # Counted before it is sent, so that a client that has its answer finds it counted.
        with server.lock:
            server.calls += 1
            number = server.calls
        server.watch(number)
        if request.stream:
            self._send_stream(chunks(request, answer, frame))
        else:
            self._send_json(200, completion(request, answer, frame))

    def _send_head(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("x-request-id", f"req_{self.request_id}")
        elapsed_ms = round((time.perf_counter() - self.started) * 1000)
        self.send_header("openai-processing-ms", str(elapsed_ms))
        self.send_header("openai-version", API_VERSION)
        if self.close_connection:
            self.send_header("Connection", "close")

    def _send_json(self, status: int, value: Json) -> None:
        payload = json.dumps(value, allow_nan=False).encode()
        self._send_head(status, "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _send_stream(self, chunks: Iterator[Json]) -> None:
        # HTTP/1.0 has no chunked transfer: there the end of the connection ends the stream.
        chunked = self.request_version >= "HTTP/1.1"
        self.close_connection = self.close_connection or not chunked
        self._send_head(200, "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for data in (*(json.dumps(chunk, allow_nan=False) for chunk in chunks), "[DONE]"):
            event = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event) if chunked else event)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class ModelServer:
    """Serve a model on 127.0.0.1 while the `with` block runs.

    `port` 0 lets the system choose; `clock` returns seconds since the epoch and dates the answers.
    Raises OSError if the port is taken.
    """

    def __init__(
        self, model: DemoModel, *, port: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        """Bind the port; nothing is answered before the `with` block."""
        self._listener = _Listener(model, port, clock)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,))
        self._thread.daemon = True

    def __enter__(self) -> ModelServer:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop to answer and close every connection."""
        self.close()

    def close(self) -> None:
        """Stop to answer and close every connection; a second call does nothing."""
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        with self._listener.lock:
            for connection in self._listener.open:
                # A kept-alive connection would go on being answered after the end.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @property
    def base_url(self) -> str:
        """The address to give to a client, such as "http://127.0.0.1:40001/v1"."""
        return f"http://{HOST}:{self._listener.server_port}/v1"

    def watch(self, watcher: Callable[[int], None]) -> None:
        """Have the number of each call told after it was counted and before it is answered."""
        self._listener.watch = watcher

    @property
    def calls(self) -> int:
        """How many chat completions were answered with status 200."""
        with self._listener.lock:
            return self._listener.calls
