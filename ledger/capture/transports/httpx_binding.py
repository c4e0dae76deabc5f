"""Recording transports for httpx; `httpx2_binding` is the same for httpx2."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx as library

from ledger.capture.transports.asynchronous import AsyncRecording, AsyncRelay
from ledger.capture.transports.sync import Beginning, Recording, Relay

__all__ = ["AsyncRecordingTransport", "RecordingTransport", "library"]


class _Stream(Relay, library.SyncByteStream):
    """A relay that the client takes for a body."""


class _AsyncStream(AsyncRelay, library.AsyncByteStream):
    """A relay that the client takes for a body."""


class _Beginning(Beginning, library.SyncByteStream, library.AsyncByteStream):
    """A beginning that the client takes for a body."""


class RecordingTransport(Recording, library.BaseTransport):
    """A `Recording` that a `Client` takes."""

    library: ClassVar[Any] = library
    relay = _Stream
    beginning = _Beginning


class AsyncRecordingTransport(AsyncRecording, library.AsyncBaseTransport):
    """An `AsyncRecording` that an `AsyncClient` takes."""

    library: ClassVar[Any] = library
    relay = _AsyncStream
    beginning = _Beginning
