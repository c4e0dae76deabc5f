"""One call under way, without I/O: what was sent, what came back, and how that ended (specs/10 §4).

A binding to an HTTP library does the sending and tells this what happens; the methods that change
the record (`begin`, `settle`, `settle_after`, `give_up`) block until it is durable.

| what happened | outcome |
|---|---|
| the whole body of an answer that is no stream | responded |
| of a stream: its end event, or its end where it has none | responded, `complete` or `error` |
| … closed by the caller before it | responded, `closed` |
| … the connection dropped, or it ended without its end event | responded, `interrupted` |
| `ConnectError` and the others of `NOT_SENT` | broke, `not_sent` |
| a time limit of the client | broke, `timeout` |
| another error of the connection | broke, `disconnected` |
| cancelled or interrupted, or an exception of the caller closed it | broke, `abandoned` |
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Literal, NoReturn, Protocol

from ledger.capture.exchange import Headers, Request, Response, header
from ledger.capture.transports.surfacing import surfacing
from ledger.errors import LedgerError, SessionError

__all__ = [
    "BODY_MAX_BYTES",
    "Call",
    "Exchange",
    "Recorder",
    "Settle",
    "is_event_stream",
]

BODY_MAX_BYTES = 1 << 30
"""A request or an answer larger than this is not recorded, so the call is an error."""

STREAMS = frozenset(
    {
        "application/jsonl",
        "application/vnd.amazon.eventstream",
        "application/x-ndjson",
        "text/event-stream",
    }
)
NOT_SENT = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "LocalProtocolError",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
    }
)

Streaming = Literal["complete", "closed", "interrupted", "error"]
Reason = Literal["not_sent", "timeout", "disconnected", "abandoned"]
Settle = Callable[[], None]

_log = logging.getLogger("ledger.capture")


class Call(Protocol):
    """A begun call, as `Session.begin` returns it."""

    @property
    def recorded(self) -> Response | None:
        """The recorded answer: then the call is over."""

    @property
    def instead(self) -> Request | None:
        """What is to be sent in place of the request, if anything."""

    def responded(
        self,
        response: Response,
        *,
        streaming: Streaming | None,
        first_byte_ms: float | None = None,
        duration_ms: float | None = None,
    ) -> None:
        """Record an answer; durable on return."""

    def broke(self, reason: Reason, partial: Response | None = None) -> None:
        """Record that there is none; durable on return."""


class Recorder(Protocol):
    """What a transport needs of a session."""

    def begin(self, request: Request) -> Call:
        """Record that a request is about to be sent; durable on return."""


class Exchange:
    """One request, from the durable intent to the durable outcome; raises `LedgerError`.

    An outcome is written once: what comes second does nothing.
    """

    def __init__(self, session: Recorder, request: Any, body: bytes) -> None:
        """Take a request of an HTTP library; `capture_failed` or `call_too_large` refuse it."""
        headers = tuple(request.headers.multi_items())
        url = str(request.url)
        self.request = Request(request.method, url, headers, body)
        self.status = 0
        self.headers: Headers = ()
        self._session = session
        self._body: list[bytes] = []
        self._size = 0
        self._call: Call | None = None
        self._settled = False
        self._given_up: BaseException | None = None
        self._lock = threading.Lock()
        self._start = perf_counter()
        self._first: float | None = None
        self._last: float | None = None
        if len(body) > BODY_MAX_BYTES:
            raise self._surfacing(_too_large("request"))
        if header(headers, "upgrade") is not None or url.startswith(("ws:", "wss:")):
            raise self._surfacing(
                SessionError(
                    "capture_failed",
                    "a websocket is not a request with an answer, and is not recorded",
                    hint="open it with a client that the session does not record",
                )
            )

    def begin(self) -> Response | None:
        """Write the intent, or return the recorded answer: then nothing is to be sent."""
        try:
            call = self._session.begin(self.request)
        except LedgerError as error:
            self._raise(error)
        with self._lock:
            self._call = call
            given_up = self._given_up
        if given_up is not None and call.recorded is None:
            self.settle_after(given_up, lambda: call.broke("not_sent"))
        self._start = perf_counter()
        return call.recorded

    def outgoing(self, request: Any) -> Any:
        """Return what is to be sent for a request of an HTTP library: it, or one in its place."""
        instead = self._call.instead if self._call is not None else None
        if instead is None:
            return request
        return type(request)(
            instead.method,
            instead.url,
            headers=list(instead.headers),
            extensions=request.extensions,
        )

    def cut_off(self) -> LedgerError:
        """Return the error that ends a recorded stream of which only the beginning was taken."""
        return self._surfacing(
            SessionError(
                "capture_failed",
                "the recorded answer ends here, where the caller closed the stream at the time",
                hint="ask with another replicate number to have a whole answer",
            )
        )

    def give_up(self, error: BaseException) -> None:
        """End a call that is not going to be sent, whether `begin` has returned or not yet."""
        with self._lock:
            self._given_up = error
            call = self._call
        if call is not None and call.recorded is None:
            self.settle_after(error, lambda: call.broke("not_sent"))

    def answer(self, response: Any) -> bool:
        """Take the head of the answer; return whether its body is to be passed on as it arrives."""
        self.status = response.status_code
        self.headers = tuple(response.headers.multi_items())
        return self.streams(self.status, self.headers)

    def streams(self, status: int, headers: Headers) -> bool:
        """Tell whether an answer with this head to this request is a stream."""
        if not 200 <= status <= 299:
            return False
        kind = _media_type(headers)
        if kind in STREAMS:
            return True
        if header(headers, "content-length") is not None or kind.endswith(("/json", "+json")):
            return False
        return _asked_stream(self.request.body)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes of the body; raises `SessionError` `call_too_large`."""
        self._last = perf_counter()
        if self._first is None and chunk:
            self._first = self._last
        self._size += len(chunk)
        if self._size > BODY_MAX_BYTES:
            raise self._surfacing(_too_large("answer"))
        self._body.append(chunk)

    @property
    def body(self) -> bytes:
        """What came so far."""
        return b"".join(self._body)

    def responded(self, streaming: Streaming | None = None) -> Settle:
        """Return what writes the outcome of an answer as it is now."""
        response = Response(self.status, self.headers, self.body)
        last = self._last if self._last is not None else perf_counter()
        first = self._first if self._first is not None else last

        def settle() -> None:
            assert self._call is not None
            self._call.responded(
                response,
                streaming=streaming,
                first_byte_ms=(first - self._start) * 1000,
                duration_ms=(last - self._start) * 1000,
            )

        return settle

    def broke(self, error: BaseException) -> Settle:
        """Return what writes the outcome of a request that ended with an exception."""
        reason = _reason(error)
        partial = Response(self.status, self.headers, self.body) if self.status else None

        def settle() -> None:
            assert self._call is not None
            self._call.broke(reason, None if reason == "not_sent" else partial)

        return settle

    def settle(self, outcome: Settle) -> bool:
        """Write the outcome; a `LedgerError` is for the caller, in place of the answer.

        Returns False when another call of this has written one, or is about to.
        """
        with self._lock:
            if self._settled:
                return False
            self._settled = True
        try:
            outcome()
        except LedgerError as error:
            self._raise(error)
        return True

    def settle_after(self, error: BaseException, outcome: Settle) -> bool:
        """Write the outcome of a failed request, which is then raised by the one who calls this.

        If it cannot be written, that is raised instead of an error of the connection; what asks the
        program to stop (a cancellation, Ctrl-C) goes first, and the failure is logged.
        """
        try:
            return self.settle(outcome)
        except LedgerError as failure:
            if isinstance(error, Exception):
                raise failure from error
            _log.error("the outcome of a call was not recorded: %s", failure)
            return True

    def _raise(self, error: LedgerError) -> NoReturn:
        surfaced = self._surfacing(error)
        if surfaced is error:
            raise error
        raise surfaced from error.__cause__

    def _surfacing(self, error: LedgerError) -> LedgerError:
        return surfacing(error, self.request.headers)


def is_event_stream(headers: Headers) -> bool:
    """Tell whether a stream may consist of events; lines of JSON and binary frames do not."""
    kind = _media_type(headers)
    return kind == "text/event-stream" or kind not in STREAMS


def _media_type(headers: Iterable[tuple[str, str]]) -> str:
    return (header(headers, "content-type") or "").partition(";")[0].strip().lower()


def _asked_stream(body: bytes) -> bool:
    if b'"stream"' not in body:
        return False
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(asked, dict) and asked.get("stream") is True


def _reason(error: BaseException) -> Reason:
    # By name: the same classes exist in each library, and only the one in use is imported.
    names = {one.__name__ for one in type(error).__mro__}
    if names & NOT_SENT:
        return "not_sent"
    if "TimeoutException" in names:
        return "timeout"
    return "disconnected" if isinstance(error, Exception) else "abandoned"


def _too_large(what: str) -> SessionError:
    return SessionError(
        "call_too_large",
        f"the {what} has more than {BODY_MAX_BYTES} bytes, which is not recorded",
        hint="transfer large files with a client that the session does not record",
    )
