"""Which stream a handle writes (specs/04 section 6, specs/09 section 1).

A stream has one writer at a time: whoever holds its lock file. Without an explicit id the writer
takes the first of `main`, `main.2`, `main.3` … (or `<session>`, `<session>.2` …) that nobody holds
and that it may continue: not closed, same session, same issuer. After a restart that is the stream
of before, which goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ledger.errors import FormatError, LogError
from ledger.formats.payload import KEY_STREAM
from ledger.formats.values import is_label
from ledger.store import FileLock, Snapshot, Store, StreamTail, stream_lock

__all__ = ["ClaimedStream", "claim", "default_streams"]


class ClaimedStream:
    """A stream whose only writer is this handle."""

    def __init__(self, stream: str, lock: FileLock, tail: StreamTail | None) -> None:
        self.id = stream
        self.tail = tail
        self._lock = lock

    def release(self) -> None:
        """Let another writer continue the stream."""
        self._lock.release()


def default_streams(session: str | None) -> Iterator[str]:
    """The ids to try, in order."""
    base = session if session is not None else "main"
    if base != KEY_STREAM:
        yield base
    for number in count(2):
        yield f"{base}.{number}"


def claim(
    store: Store, folder: Path, *, stream: str | None, session: str | None, issuers: list[str]
) -> tuple[ClaimedStream, str]:
    """Take a stream for one of the issuers; returns it with the issuer it is for.

    Raises `LogError`: `stream_busy`, `stream_closed`, `stream_issuer`, `stream_session`;
    `FormatError("header_invalid")` for an id that is not a label.
    """
    if stream is not None:
        if not is_label(stream):
            raise FormatError("header_invalid", "a stream id is a label of specs/00")
        if stream == KEY_STREAM:
            raise LogError("key_event_invalid", f"stream {KEY_STREAM} holds key events only")
        claimed = _take(store, folder, stream)
        if claimed is None:
            raise LogError("stream_busy", f"stream {stream} has a writer", hint="choose another")
        try:
            return claimed, _issuer(claimed.tail, stream, session, issuers)
        except LogError:
            claimed.release()
            raise
    for candidate in default_streams(session):
        if not is_label(candidate):
            raise FormatError("header_invalid", f"no stream id can be made of session {session}")
        # Looked at before the lock is taken, so that searching does not disturb other writers.
        with store.reading() as snapshot:
            tail = snapshot.stream(candidate)
        if not _may_continue(tail, candidate, session, issuers):
            continue
        claimed = _take(store, folder, candidate)
        if claimed is not None:
            if _may_continue(claimed.tail, candidate, session, issuers):
                return claimed, _issuer(claimed.tail, candidate, session, issuers)
            claimed.release()
    raise AssertionError("default ids never end")


def _take(store: Store, folder: Path, stream: str) -> ClaimedStream | None:
    lock = stream_lock(folder, stream)
    if not lock.acquire(wait=False):
        return None
    # Only now is the tail ours: until the lock was taken another writer could have moved it.
    try:
        with store.reading() as snapshot:
            return ClaimedStream(stream, lock, _tail(snapshot, stream))
    except BaseException:
        lock.release()
        raise


def _tail(snapshot: Snapshot, stream: str) -> StreamTail | None:
    return snapshot.stream(stream)


def _may_continue(
    tail: StreamTail | None, stream: str, session: str | None, issuers: list[str]
) -> bool:
    try:
        _issuer(tail, stream, session, issuers)
    except LogError:
        return False
    return True


def _issuer(tail: StreamTail | None, stream: str, session: str | None, issuers: list[str]) -> str:
    if tail is None:
        return issuers[0]
    if tail.closed:
        raise LogError("stream_closed", f"stream {stream} was closed")
    if tail.session != session:
        raise LogError("stream_session", f"stream {stream} is of session {tail.session}")
    if tail.iss not in issuers:
        raise LogError("stream_issuer", f"stream {stream} is written by {tail.iss}")
    return tail.iss
