"""Tables that are derived, and brought up to date before they answer (specs/09 section 4).

A view lives in the table `views` under `name | 00 | its own key`; under `name | 00` stands how far
it has read. It is written in transactions of its own, after the append and by readers, because a
table whose keys come in random order halves the speed of appending to a large log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from ledger.store.rows import from_u64, u64
from ledger.store.snapshot import Snapshot

if TYPE_CHECKING:
    from ledger.store.environment import Environment

__all__ = ["View"]

STEP = 1000
"""Rows taken over in one transaction: short enough not to hold up appends."""

Rows: TypeAlias = Callable[[Snapshot, int, int], list[bytes]]
"""(snapshot, start, stop) -> the view's own keys for source rows start … stop - 1."""


class View:
    """A set of keys derived from numbered rows of another table."""

    def __init__(self, name: str, rows: Rows, source_size: Callable[[Snapshot], int]) -> None:
        self.name = name
        self._prefix = name.encode() + b"\0"
        self._rows = rows
        self._source_size = source_size

    def size(self, snapshot: Snapshot) -> int:
        """How many source rows the view has read."""
        found = snapshot.txn.get(self._prefix, db=snapshot.tables["views"])
        return 0 if found is None else from_u64(found)

    def lag(self, snapshot: Snapshot) -> int:
        """How many source rows it has yet to read."""
        return self._source_size(snapshot) - self.size(snapshot)

    def keys(self, snapshot: Snapshot, prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
        """What follows `prefix` in the view's own keys, in order, from `start` on."""
        whole = self._prefix + prefix
        with snapshot.txn.cursor(snapshot.tables["views"]) as cursor:
            if cursor.set_range(whole + start):
                for key in cursor.iternext(values=False):
                    if not key.startswith(whole):
                        return
                    yield key[len(whole) :]

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
                start = self.size(snapshot)
                stop = min(start + STEP, self._source_size(snapshot))
                keys = sorted(self._rows(snapshot, start, stop)) if start < stop else []
                del txn, snapshot
            if start >= stop:
                return
            with environment.write() as write:
                snapshot = Snapshot(environment, write)
                if self.size(snapshot) == start:  # otherwise another reader was faster
                    with write.cursor(snapshot.tables["views"]) as cursor:
                        cursor.putmulti([(self._prefix + key, b"") for key in keys])
                    write.put(self._prefix, u64(stop), db=snapshot.tables["views"])
            if progress is not None:
                progress(stop)

    def drop(self, environment: Environment) -> None:
        """Forget everything the view holds, a step a transaction.

        How far it has read goes first, so that a view that is cut off in the middle starts over.
        """
        while True:
            with environment.write() as txn:
                table = txn.cursor(environment.tables["views"])
                for _ in range(STEP):
                    if not table.set_range(self._prefix) or not table.key().startswith(
                        self._prefix
                    ):
                        return
                    table.delete()
