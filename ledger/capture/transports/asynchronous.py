"""Sends a request and records it, for the asynchronous transports of httpx and httpx2.

What blocks runs in a worker thread, under asyncio and trio. Recording is not cut short by a
cancellation: the outcome is written, then the cancellation goes on its way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from functools import partial
from types import AsyncGeneratorType, TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar

from anyio import CancelScope, CapacityLimiter, lowlevel, to_thread

from ledger.capture.transports.core import Exchange, Recorder, Settle
from ledger.capture.transports.flow import Flow
from ledger.capture.transports.sync import Beginning, respond, reuse
from ledger.errors import LedgerError

__all__ = ["AsyncRecording", "AsyncRelay"]

THREADS = 32
"""Of its own: threads of the program's that wait for an answer must not keep it from coming."""

T = TypeVar("T")
_log = logging.getLogger("ledger.capture")
_limiter: lowlevel.RunVar[CapacityLimiter] = lowlevel.RunVar("ledger_capture_threads")


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    with CancelScope(shield=True):
        result = await to_thread.run_sync(work, limiter=limiter)
    return result


async def _surely(work: Callable[[], object]) -> None:
    """Do what blocks and records, even if the task is cancelled once more before a thread has it.

    A scope does not shield from asyncio's own `Task.cancel`. What a thread has begun it finishes,
    and `work` does nothing the second time.
    """
    try:
        await _in_thread(work)
    except BaseException as error:
        if not isinstance(error, Exception):
            try:
                work()
            except LedgerError as failure:
                _log.error("the outcome of a call was not recorded: %s", failure)
        raise


class _Source(AsyncIterable[bytes], Protocol):
    async def aclose(self) -> None: ...


class AsyncRelay:
    """The body of a streamed answer, as bytes on the wire; can be read once."""

    def __init__(self, flow: Flow, inner: _Source) -> None:
        self._flow = flow
        self._inner = inner
        self._chunks: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._chunks = self._inner.__aiter__()
        return _Chunks(self._flow, self._chunks)

    async def aclose(self) -> None:
        """Give the connection back; a stream that has not ended is recorded as closed."""
        outcome = self._flow.closed()
        try:
            if isinstance(self._chunks, AsyncGeneratorType) and not self._chunks.ag_running:
                await self._chunks.aclose()  # left to the garbage collector, trio would warn of it
            await self._inner.aclose()
        finally:
            if outcome is not None:
                await _surely(partial(self._flow.write, outcome))


class _Chunks(AsyncIterator[bytes]):
    def __init__(self, flow: Flow, chunks: AsyncIterator[bytes]) -> None:
        self._flow = flow
        self._chunks = chunks

    async def __anext__(self) -> bytes:
        flow = self._flow
        while not flow.ready:
            if flow.over is not None:
                raise flow.over
            outcome: Settle | None
            try:
                outcome = flow.took(await anext(self._chunks))
            except BaseException as error:
                outcome = flow.ended(error)
            if outcome is not None:
                await _surely(partial(flow.write, outcome))
            flow.check_stopped()
        return flow.ready.popleft()


class AsyncRecording:
    """A transport that sends with `inner` and records; closes `inner` unless that is an owner's."""

    library: ClassVar[Any]
    relay: ClassVar[type[AsyncRelay]]
    beginning: ClassVar[type[Beginning]]

    def __init__(self, session: Recorder, inner: Any, owner: object = None) -> None:
        self.inner = inner
        self._session = session
        self._owner = owner  # kept alive: a client that nobody refers to closes its connections

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request, or answer it from the record; as `Recording.handle_request`."""
        exchange = Exchange(self._session, request, await request.aread())
        try:
            recorded = await _in_thread(exchange.begin)
            await lowlevel.checkpoint_if_cancelled()
        except BaseException as error:
            if not isinstance(error, Exception):
                await _surely(partial(exchange.give_up, error))
            raise
        if recorded is not None:
            return reuse(self.library, self.beginning, exchange, recorded)
        try:
            response = await self.inner.handle_async_request(exchange.outgoing(request))
        except BaseException as error:
            await _surely(partial(exchange.settle_after, error, exchange.broke(error)))
            raise
        if exchange.answer(response):
            body = self.relay(Flow(exchange), response.stream)
            return respond(self.library, response, body)
        try:
            try:
                async for chunk in response.stream:
                    exchange.add(chunk)
            finally:
                with CancelScope(shield=True):
                    await response.aclose()
        except BaseException as error:
            await _surely(partial(exchange.settle_after, error, exchange.broke(error)))
            raise
        await _surely(partial(exchange.settle, exchange.responded()))
        return respond(self.library, response, self.library.ByteStream(exchange.body))

    async def __aenter__(self) -> Self:
        if self._owner is None:
            await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._owner is None:
            await self.inner.__aexit__(kind, error, traceback)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owner is None:
            await self.inner.aclose()
