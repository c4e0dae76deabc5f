"""Sends a request and records it, for the synchronous transports of httpx and httpx2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from ledger.capture.exchange import Response
from ledger.capture.transports.core import Exchange, Recorder, Settle
from ledger.capture.transports.flow import Flow, is_cut
from ledger.errors import LedgerError

__all__ = ["Beginning", "Recording", "Relay", "respond", "reuse"]


class _Source(Iterable[bytes], Protocol):
    def close(self) -> None: ...


class Relay:
    """The body of a streamed answer, as bytes on the wire; can be read once."""

    def __init__(self, flow: Flow, inner: _Source) -> None:
        self._flow = flow
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        return _Chunks(self._flow, iter(self._inner))

    def close(self) -> None:
        """Give the connection back; a stream that has not ended is recorded as closed."""
        outcome = self._flow.closed()
        try:
            self._inner.close()
        finally:
            if outcome is not None:
                self._flow.write(outcome)


class _Chunks(Iterator[bytes]):
    def __init__(self, flow: Flow, chunks: Iterator[bytes]) -> None:
        self._flow = flow
        self._chunks = chunks

    def __next__(self) -> bytes:
        flow = self._flow
        while not flow.ready:
            if flow.over is not None:
                raise flow.over
            outcome: Settle | None
            try:
                outcome = flow.took(next(self._chunks))
            except BaseException as error:
                outcome = flow.ended(error)
            if outcome is not None:
                flow.write(outcome)
            flow.check_stopped()
        return flow.ready.popleft()


def respond(library: Any, response: Any, body: Any) -> Any:
    """Return a response as the one that came, with another body (a stream of the library)."""
    return library.Response(
        response.status_code,
        headers=response.headers,
        stream=body,
        extensions=response.extensions,
    )


class Beginning:
    """The body of a recorded stream that the caller closed: whoever reads on gets an error."""

    def __init__(self, body: bytes, error: LedgerError) -> None:
        self._body = body
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        raise self._error


def reuse(library: Any, beginning: type[Beginning], exchange: Exchange, recorded: Response) -> Any:
    """Return a response that is made from the record; the extension `vif_reused` says so."""
    body = recorded.body
    cut = is_cut(exchange, recorded)
    return library.Response(
        recorded.http_status,
        headers=list(recorded.headers),
        stream=beginning(body, exchange.cut_off()) if cut else library.ByteStream(body),
        extensions={"vif_reused": True, "http_version": b"HTTP/1.1"},
    )


class Recording:
    """A transport that sends with `inner` and records; closes `inner` unless that is an owner's."""

    library: ClassVar[Any]
    relay: ClassVar[type[Relay]]
    beginning: ClassVar[type[Beginning]]

    def __init__(self, session: Recorder, inner: Any, owner: object = None) -> None:
        self.inner = inner
        self._session = session
        self._owner = owner  # kept alive: a client that nobody refers to closes its connections

    def handle_request(self, request: Any) -> Any:
        """Send a request, or answer it from the record.

        Raises what `inner` raises, and `LedgerError` when the call may not be made or is not
        recorded.
        """
        exchange = Exchange(self._session, request, request.read())
        recorded = exchange.begin()
        if recorded is not None:
            return reuse(self.library, self.beginning, exchange, recorded)
        try:
            response = self.inner.handle_request(exchange.outgoing(request))
        except BaseException as error:
            exchange.settle_after(error, exchange.broke(error))
            raise
        if exchange.answer(response):
            body = self.relay(Flow(exchange), response.stream)
            return respond(self.library, response, body)
        try:
            try:
                for chunk in response.stream:
                    exchange.add(chunk)
            finally:
                response.close()
        except BaseException as error:
            exchange.settle_after(error, exchange.broke(error))
            raise
        exchange.settle(exchange.responded())
        return respond(self.library, response, self.library.ByteStream(exchange.body))

    def __enter__(self) -> Self:
        if self._owner is None:
            self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._owner is None:
            self.inner.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Close the connections."""
        if self._owner is None:
            self.inner.close()
