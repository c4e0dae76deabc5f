"""One request on its way to the upstream and back, in a task that does not depend on its client.

The task begins the call, sends it, and records its outcome; whoever waits for the answer looks at
`head` and `chunks` as they come. A client that goes away does not end it: an answer that is paid
for is recorded whole, unless the stream is closed on its behalf (`leave`).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from ledger.capture.exchange import Response, content_encodings
from ledger.capture.sse import EndOfStream
from ledger.capture.transports.core import Exchange, Recorder, is_event_stream
from ledger.capture.transports.flow import Flow
from ledger.proxy.headers import RawHeaders, acceptable, passed_back, text

__all__ = ["Fetch", "Head", "in_thread"]

T = TypeVar("T")
_log = logging.getLogger("ledger.proxy")


class Head:
    """Status and headers of an answer, for the client."""

    def __init__(self, status: int, headers: RawHeaders, *, reused: bool = False) -> None:
        self.status = status
        self.headers = [*headers, (b"vif-reused", b"true")] if reused else headers

    @classmethod
    def of_whole(
        cls, response: Response, headers: RawHeaders, method: str, *, reused: bool = False
    ) -> Head:
        """The head of an answer whose body is there, and so its length."""
        if method != "HEAD" and response.http_status not in (204, 304):
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            headers.append((b"content-length", str(len(response.body)).encode()))
        return cls(response.http_status, headers, reused=reused)


class Fetch:
    """One request; `run` is its task."""

    def __init__(
        self, session: Recorder, client: Any, request: Any, body: bytes, executor: Executor
    ) -> None:
        """Raises `LedgerError` for a request that cannot be recorded."""
        self.head: Head | None = None
        self.chunks: list[bytes] = []
        """The body so far; each client counts for itself how much of it it was given."""
        self.enough: int | None = None
        """So many chunks are the answer: with the end event of a stream, or the whole body."""
        self.over = False
        """Nothing more comes."""
        self.failure: BaseException | None = None
        """What ended it in place of an answer; then the chunks are not one."""
        self.streams = False
        self.task: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()
        self._changed = asyncio.Event()
        self._exchange = Exchange(session, request, body)
        self._client = client
        self._request = request
        self._executor = executor

    async def run(self) -> None:
        """Get the answer; never raises but when it is cancelled."""
        try:
            await self._run()
        except BaseException as error:
            self.failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self.over = True
            self.poke()

    async def changed(self) -> None:
        """Wait until there is something new to see."""
        await self._changed.wait()
        self._changed.clear()

    def poke(self) -> None:
        """Let who waits look again."""
        self._changed.set()

    def start(self) -> asyncio.Task[None]:
        """Begin, in the context of the caller."""
        self.task = asyncio.get_running_loop().create_task(self.run())
        return self.task

    def leave(self) -> None:
        """Close the stream: its client does not want more."""
        if self.streams and not self.over and self.task is not None:
            self._leaving.set()
            self.task.cancel()

    @property
    def usable(self) -> bool:
        """Whether this has, or may yet get, a whole answer to give."""
        if not self.over:
            return not self._leaving.is_set()
        head = self.head
        if self.failure is not None or head is None or not 200 <= head.status <= 299:
            return False
        body = b"".join(self.chunks)
        return not _is_cut_off(Response(head.status, tuple(text(head.headers)), body))

    @property
    def size_bytes(self) -> int:
        """How much of the answer is in memory."""
        return sum(map(len, self.chunks))

    async def _run(self) -> None:
        try:
            recorded = await in_thread(self._executor, self._exchange.begin)
        except asyncio.CancelledError as error:
            await in_thread(self._executor, partial(self._exchange.give_up, error))
            raise
        if recorded is not None:
            await self._give_again(recorded)
            return
        try:
            request = self._exchange.outgoing(self._request)
            response = await self._client.send(request, stream=True, follow_redirects=False)
        except BaseException as error:
            await self._broke(error)
            raise
        try:
            if self._exchange.answer(response):
                await self._stream(response)
            else:
                await self._whole(response)
        finally:
            await response.aclose()

    async def _give_again(self, recorded: Response) -> None:
        asked = text(self._request.headers.raw)
        given = await in_thread(self._executor, partial(acceptable, recorded, asked))
        headers = passed_back((key.encode(), value.encode()) for key, value in given.headers)
        cut_off = _is_cut_off(given)
        if cut_off:
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            self.head = Head(given.http_status, headers, reused=True)
        else:
            self.head = Head.of_whole(given, headers, self._request.method, reused=True)
        self.chunks.append(given.body)
        if cut_off:
            # A client that once closed the stream does so again before it gets here; another one
            # must not take the beginning of an answer for the answer.
            raise ConnectionAbortedError("the recorded stream has no end")
        self._is_whole()

    async def _whole(self, response: Any) -> None:
        try:
            async for chunk in response.aiter_raw():
                self._exchange.add(chunk)
        except BaseException as error:
            await self._broke(error)
            raise
        await in_thread(self._executor, partial(self._exchange.settle, self._exchange.responded()))
        whole = Response(response.status_code, (), self._exchange.body)
        self.head = Head.of_whole(whole, passed_back(response.headers.raw), self._request.method)
        self.chunks.append(whole.body)
        self._is_whole()

    async def _stream(self, response: Any) -> None:
        flow = Flow(self._exchange)
        self.streams = True
        self.head = Head(response.status_code, passed_back(response.headers.raw))
        self.poke()
        chunks = response.aiter_raw().__aiter__()
        while flow.over is None and not self._leaving.is_set():
            outcome = None
            try:
                outcome = flow.took(await anext(chunks))
            except BaseException as error:
                if not self._leaving.is_set():
                    outcome = flow.ended(error)
            if self._leaving.is_set() and outcome is None:
                outcome = flow.closed()
            if outcome is not None:
                await in_thread(self._executor, partial(flow.write, outcome))
            self.chunks.extend(flow.ready)
            flow.ready.clear()
            if outcome is not None and self.enough is None:
                self.enough = len(self.chunks)
            self.poke()
        if flow.over is not None and not isinstance(flow.over, StopAsyncIteration):
            raise flow.over

    def _is_whole(self) -> None:
        self.enough, self.over = len(self.chunks), True
        self.poke()

    async def _broke(self, error: BaseException) -> None:
        outcome = self._exchange.broke(error)
        await in_thread(self._executor, partial(self._exchange.settle_after, error, outcome))


def _is_cut_off(recorded: Response) -> bool:
    """Tell whether a recorded stream stops before its protocol's end event."""
    kind = next((v for k, v in recorded.headers if k.lower() == "content-type"), "")
    if kind.partition(";")[0].strip().lower() != "text/event-stream":
        return False
    end = EndOfStream(content_encodings(recorded.headers), framed=is_event_stream(recorded.headers))
    end.feed(recorded.body)
    return end.finish() == "interrupted"


async def in_thread(executor: Executor, work: Callable[[], T]) -> T:
    """Do what blocks in a thread, to its end: a cancellation waits until it is done.

    A failure of what was cancelled meanwhile is logged, for nobody else sees it.
    """
    context = contextvars.copy_context()
    future = asyncio.get_running_loop().run_in_executor(executor, context.run, work)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return future.result()
    failure = future.exception()
    if failure is not None:
        _log.error("a call was cancelled, and could not be recorded: %s", failure)
    raise cancelled
