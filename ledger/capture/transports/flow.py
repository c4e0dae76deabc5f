"""A streamed answer on its way to the caller; no I/O.

Chunks are handed on as they arrive, except from the one on that holds the protocol's end event:
it waits until the outcome is durable, so that a caller who has seen the end of an answer knows
that it is recorded. What a provider sends after its end event is handed on and not recorded.
"""

from __future__ import annotations

import sys
from collections import deque

from ledger.capture.exchange import Headers, Response, content_encodings
from ledger.capture.sse import EndOfStream
from ledger.capture.transports.core import (
    Exchange,
    Settle,
    Streaming,
    is_event_stream,
)


class Flow:
    """What to do with each chunk: `took`, `ended` and `closed` return what `write` is to record.

    `write` blocks until it is durable. What is in `ready` is for the caller; when that is empty and
    `over` is set, it is raised.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.ready: deque[bytes] = deque()
        self.over: BaseException | None = None
        self._exchange = exchange
        self._held: list[bytes] = []
        self._done = False
        self._end = _watch(exchange.headers)
        self._handling = sys.exc_info()[1]

    def took(self, chunk: bytes) -> Settle | None:
        """Take a chunk; raises `SessionError` `call_too_large`."""
        if self._done:
            self.ready.append(chunk)
            return None
        self._exchange.add(chunk)
        if self._end.feed(chunk) is None:
            self.ready.append(chunk)
            return None
        self._held.append(chunk)
        return self._outcome(self._end.finish()) if self._end.whole else None

    def ended(self, error: BaseException) -> Settle | None:
        """Take the end of the body (StopIteration or StopAsyncIteration) or what broke it off."""
        self.over = error
        if isinstance(error, StopIteration | StopAsyncIteration) or self._held:
            return self._outcome(self._end.finish())
        return self._outcome("interrupted" if isinstance(error, Exception) else error)

    def closed(self) -> Settle | None:
        """Take the caller's word that no more is wanted.

        A stream that is closed because the program is asked to stop was not read to where the
        caller wanted it: such a call is abandoned.
        """
        if self._held:
            return self._outcome(self._end.finish())
        flying = sys.exc_info()[1]
        if isinstance(flying, Exception | GeneratorExit | None) or flying is self._handling:
            return self._outcome("closed")
        return self._outcome(flying)

    def write(self, outcome: Settle) -> None:
        """Record the outcome, then let go what was held back.

        When that fails nothing more is handed on: the error is raised in place of the answer's end.
        """
        broken = self.over
        if isinstance(broken, StopIteration | StopAsyncIteration):
            broken = None
        try:
            if broken is None:
                written = self._exchange.settle(outcome)
            else:
                written = self._exchange.settle_after(broken, outcome)
        except BaseException as error:
            self.over = error
            self._held.clear()
            raise
        if written:
            self.ready.extend(self._held)
            self._held.clear()

    def check_stopped(self) -> None:
        """Raise what asks the program to stop: that does not wait for what is ready."""
        if self.over is not None and not isinstance(self.over, Exception):
            raise self.over

    def _outcome(self, how: Streaming | BaseException) -> Settle | None:
        if self._done:
            return None
        self._done = True
        if isinstance(how, BaseException):
            return self._exchange.broke(how)
        return self._exchange.responded(how)


def is_cut(exchange: Exchange, recorded: Response) -> bool:
    """Tell whether a recorded answer is the beginning of a stream: what the caller took of it."""
    if not exchange.streams(recorded.http_status, recorded.headers):
        return False
    end = _watch(recorded.headers)
    end.feed(recorded.body)
    return end.finish() == "interrupted"


def _watch(headers: Headers) -> EndOfStream:
    return EndOfStream(content_encodings(headers), framed=is_event_stream(headers))
