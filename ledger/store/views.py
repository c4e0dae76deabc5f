"""Tables that are derived, and brought up to date before they answer (specs/09 section 4).

A view lives in the table `views` under `name | 00 | its own key`; under `name | 00` stands how far
it has read and the number of its shape, `u64 size | u16 shape`. A view of another shape is as good
as none: nothing is read from it, and it is dropped before it is filled again. Views are written in
transactions of their own, after the append and by readers, because a table whose keys come in
random order halves the speed of appending to a large log.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ledger.errors import FormatError
from ledger.store.snapshot import Snapshot

if TYPE_CHECKING:
    import lmdb

    from ledger.store.environment import Environment

__all__ = ["View", "ViewCursor"]

STEP = 1000
"""Rows taken over in one transaction: short enough not to hold up appends."""

_STATE = struct.Struct(">QH")
_LEAVING = 0
"""The shape of a view that is being dropped; no view has it."""

Rows: TypeAlias = Callable[[Snapshot, int, int], list[bytes]]
"""(snapshot, start, stop) -> the view's own keys for source rows start … stop - 1."""


class View:
    """A set of keys derived from numbered rows of another table."""

    def __init__(
        self, name: str, rows: Rows, source_size: Callable[[Snapshot], int], *, shape: int = 1
    ) -> None:
        self.name = name
        self.shape = shape
        self._prefix = name.encode() + b"\0"
        self._rows = rows
        self._source_size = source_size

    def size(self, snapshot: Snapshot) -> int:
        """How many source rows the view has read; 0 for a view of another shape.

        Raises `FormatError("cbor_invalid")` where what stands there is neither.
        """
        size, shape = self._state(snapshot)
        return size if shape == self.shape else 0

    def is_foreign(self, snapshot: Snapshot) -> bool:
        """Whether what is there has another shape, and will be made again."""
        return self._state(snapshot)[1] != self.shape

    def _state(self, snapshot: Snapshot) -> tuple[int, int]:
        found = snapshot.txn.get(self._prefix, db=snapshot.tables["views"])
        if found is None:
            return 0, self.shape
        if len(found) == 8:  # before shapes had numbers
            return 0, _LEAVING
        if len(found) != _STATE.size:
            raise FormatError("cbor_invalid", f"the state of a view has {len(found)} bytes")
        size, shape = _STATE.unpack(found)
        return size, shape

    def lag(self, snapshot: Snapshot) -> int:
        """How many source rows it has yet to read."""
        return self._source_size(snapshot) - self.size(snapshot)

    def keys(self, snapshot: Snapshot, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """What follows `prefix` in the view's own keys, in order, from `start` on."""
        if self.is_foreign(snapshot):
            return
        whole = self._prefix + prefix
        with snapshot.txn.cursor(snapshot.tables["views"]) as cursor:
            if cursor.set_range(whole + start):
                for key in cursor.iternext(values=False):
                    if not key.startswith(whole):
                        return
                    yield key[len(whole) :]

    @contextmanager
    def cursor(self, snapshot: Snapshot) -> Iterator[ViewCursor]:
        """A cursor for many look-ups, each cheaper than `keys`; not for a view of another shape."""
        with snapshot.txn.cursor(snapshot.tables["views"]) as cursor:
            yield ViewCursor(cursor, self._prefix)

    def derive(self, snapshot: Snapshot, start: int, stop: int) -> list[bytes]:
        """The view's own keys for source rows `start` … `stop` - 1, as they ought to be."""
        return self._rows(snapshot, start, stop)

    def holds(self, snapshot: Snapshot, key: bytes) -> bool:
        """Whether the view has one of its own keys."""
        return snapshot.txn.get(self._prefix + key, db=snapshot.tables["views"]) is not None

    def update(
        self, environment: Environment, progress: Callable[[int], None] | None = None
    ) -> None:
        """Read on to the end of the source, a step a transaction."""
        while True:
            # The slow part, taking statements apart, happens outside of the write lock.
            with environment.read() as txn:
                snapshot = Snapshot(environment, txn)
                foreign = self.is_foreign(snapshot)
                start = self.size(snapshot)
                stop = min(start + STEP, self._source_size(snapshot))
                keys = sorted(self._rows(snapshot, start, stop)) if start < stop else []
                del txn, snapshot
            if foreign:
                self.drop(environment)
                continue
            if start >= stop:
                return
            with environment.write() as write:
                snapshot = Snapshot(environment, write)
                # Otherwise another reader was faster, or is dropping the view.
                if self._state(snapshot) == (start, self.shape):
                    with write.cursor(snapshot.tables["views"]) as cursor:
                        cursor.putmulti([(self._prefix + key, b"") for key in keys])
                    write.put(
                        self._prefix, _STATE.pack(stop, self.shape), db=snapshot.tables["views"]
                    )
            if progress is not None:
                progress(stop)

    def drop(self, environment: Environment) -> None:
        """Forget everything the view holds, a step a transaction.

        It is marked as leaving first and the mark goes last, so that a view that is cut off in the
        middle is not read, and is dropped to the end before it is filled again.
        """
        first = True
        while True:
            with environment.write() as txn:
                snapshot = Snapshot(environment, txn)
                table = environment.tables["views"]
                if first:
                    txn.put(self._prefix, _STATE.pack(0, _LEAVING), db=table)
                elif self._state(snapshot) != (0, _LEAVING):
                    return  # another process has come to the end, and may be filling it again
                first = False
                with txn.cursor(table) as cursor:
                    for _ in range(STEP):
                        if not cursor.set_range(
                            self._prefix + b"\0"
                        ) or not cursor.key().startswith(self._prefix):
                            txn.delete(self._prefix, db=table)
                            return
                        cursor.delete()


class ViewCursor:
    """Look-ups in one view by one cursor, for the length of a snapshot."""

    def __init__(self, cursor: lmdb.Cursor[bytes], prefix: bytes) -> None:
        self._cursor = cursor
        self._prefix = prefix

    def first(self, prefix: bytes, start: bytes = b"") -> bytes | None:
        """What follows `prefix` in the first of the view's keys from `start` on, or None."""
        whole = self._prefix + prefix
        if not self._cursor.set_range(whole + start):
            return None
        return self._rest(whole)

    def next(self, prefix: bytes) -> bytes | None:
        """The same of the key after the one at hand."""
        if not self._cursor.next():
            return None
        return self._rest(self._prefix + prefix)

    def _rest(self, whole: bytes) -> bytes | None:
        key = self._cursor.key()
        return key[len(whole) :] if key.startswith(whole) else None
