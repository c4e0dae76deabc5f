"""What a statement builds on, and what was built on it (specs/04 section 7).

A parent always has a smaller index than its child. Ancestors are therefore met by going through
the log from the largest index down and descendants from the smallest up, setting a mark on every
parent or child of what is visited; the marks (`ledger.views.marks`) are all that is remembered. No
depth and no width of the graph costs more, nothing recurs, and the order is that of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from ledger.errors import StoreError
from ledger.store import Snapshot, Store, ViewCursor
from ledger.store.rows import from_u64, u64
from ledger.views.edges import MISSING, parent_indices, unpack
from ledger.views.index import INDEX, bring_up_to_date, source_size, take_apart
from ledger.views.marks import Marks, Numbers

__all__ = [
    "Graph", "ancestors", "children", "descendants", "filed_children", "looking",
    "parents", "walk_down", "walk_up",
]  # fmt: skip

CHUNK = 1024
"""Statements visited in one snapshot: short enough not to keep old pages alive."""


class Graph:
    """Parents and children as one snapshot has them; what is not filed yet is taken apart."""

    def __init__(self, snapshot: Snapshot, cursor: ViewCursor) -> None:
        self._snapshot = snapshot
        self._cursor = cursor
        self.filed = INDEX.size(snapshot)
        """How many statements the view has read."""

    def parents(self, index: int) -> list[int]:
        """The parents of a statement in this log, in its order; `StoreError("tree_damaged")`."""
        found: list[int] = []
        if index >= self.filed:
            statement = self._snapshot.entry(index)
            if statement is None:
                raise StoreError("tree_damaged", f"entries {index}: missing")
            found = parent_indices(self._snapshot, index, take_apart(index, statement))
        else:
            prefix = b"a" + u64(index)
            row = self._cursor.first(prefix)
            while row is not None:
                found += unpack(index, row)
                row = self._cursor.next(prefix)
        for parent in found:
            if parent >= index:
                what = "missing" if parent == MISSING else f"#{parent}"
                raise StoreError(
                    "tree_damaged",
                    f"entries {index}: a parent is not earlier ({what})",
                    hint="`vif doctor` says where the fault is",
                )
        return found

    def children(self, index: int) -> Iterator[int]:
        """The children of a statement as far as they are filed, in log order."""
        prefix = b"p" + u64(index)
        row = self._cursor.first(prefix)
        while row is not None:
            child = from_u64(row)
            if child <= index:
                raise StoreError("tree_damaged", f"views: index p {index}: #{child} is not later")
            yield child
            row = self._cursor.next(prefix)


@contextmanager
def looking(store: Store) -> Iterator[Graph]:
    """The graph in a snapshot of its own, for the length of the block; keep it short."""
    with store.reading() as snapshot, INDEX.cursor(snapshot) as cursor:
        yield Graph(snapshot, cursor)


def parents(store: Store, index: int) -> list[int]:
    """Indices of the parents of a statement, in the order in which it names them."""
    with looking(store) as graph:
        return graph.parents(index)


def children(store: Store, index: int) -> Iterator[int]:
    """Indices of the statements that name a statement as their parent, in log order."""
    return islice(walk_down(store, [index], depth=1), 1, None)


def filed_children(store: Store, index: int) -> list[int]:
    """The same at once, as far as the view has read."""
    with looking(store) as graph:
        return list(graph.children(index))


def ancestors(store: Store, index: int) -> Iterator[int]:
    """Indices of all statements that a statement builds on, newest first."""
    return islice(walk_up(store, [index]), 1, None)


def descendants(store: Store, index: int) -> Iterator[int]:
    """Indices of all statements that build on a statement, directly or not, oldest first."""
    return islice(walk_down(store, [index]), 1, None)


def walk_up(
    store: Store,
    starts: Iterable[int],
    *,
    depth: int | None = None,
    floor: int = 0,
    marks: Marks | None = None,
) -> Iterator[int]:
    """The starts and what they build on, newest first, each once.

    At most `depth` links from a start, and not below the index `floor`. Marks that are handed over
    are kept: at the end, all that was visited.
    """
    bring_up_to_date(store)
    keep = marks is not None
    marks = Marks() if marks is None else marks
    distances = _starts(marks, starts, depth)
    waiting = marks.downwards(keep=keep)
    while True:
        visited = []
        with looking(store) as graph:
            for index in islice(waiting, CHUNK):
                visited.append(index)
                further = _further(distances, index, depth)
                if further is None:
                    continue
                for parent in graph.parents(index):
                    if parent >= floor:
                        marks.add(parent)
                        _lower(distances, parent, further)
        if not visited:
            return
        yield from visited


def walk_down(
    store: Store, starts: Iterable[int], *, depth: int | None = None, marks: Marks | None = None
) -> Iterator[int]:
    """The starts and what builds on them, oldest first, each once; as `walk_up`."""
    bring_up_to_date(store)
    with store.reading() as snapshot:
        size, filed = source_size(snapshot), INDEX.size(snapshot)
    keep = marks is not None or filed < size
    marks = Marks() if marks is None else marks
    distances = _starts(marks, starts, depth)
    waiting = marks.upwards(filed, keep=keep)
    while True:
        visited = []
        with looking(store) as graph:
            for index in islice(waiting, CHUNK):
                visited.append(index)
                further = _further(distances, index, depth)
                if further is None:
                    continue
                for child in graph.children(index):
                    if child >= filed:
                        break  # looked through below, or appended meanwhile
                    marks.add(child)
                    _lower(distances, child, further)
        if not visited:
            break
        yield from visited
    yield from _unfiled(store, marks, distances, depth, range(filed, size))


def _unfiled(
    store: Store, marks: Marks, distances: Numbers | None, depth: int | None, rest: range
) -> Iterator[int]:
    """Statements that the view has not read, and that are marked or build on what is."""
    for index, statement in store.entries(rest.start, rest.stop):
        payload = take_apart(index, statement)
        if payload.parents:
            with looking(store) as graph:
                named = [parent for parent in graph.parents(index) if parent in marks]
            for parent in named:
                further = _further(distances, parent, depth)
                if further is not None:
                    marks.add(index)
                    _lower(distances, index, further)
        if index in marks:
            yield index


def _starts(marks: Marks, starts: Iterable[int], depth: int | None) -> Numbers | None:
    distances = None if depth is None else Numbers("I")
    for index in starts:
        marks.add(index)
        _lower(distances, index, 0)
    return distances


def _further(distances: Numbers | None, index: int, depth: int | None) -> int | None:
    """How far the next ones are from a start; None where the walk ends."""
    if distances is None or depth is None:
        return 0
    distance = (distances.get(index) or 0) + 1
    return distance if distance <= depth else None


def _lower(distances: Numbers | None, index: int, distance: int) -> None:
    if distances is None:
        return
    known = distances.get(index)
    if known is None or distance < known:
        distances.put(index, distance)
