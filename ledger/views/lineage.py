"""What a statement builds on, and what was built on it (specs/04 section 7).

A parent always has a smaller index than its child. Ancestors are therefore walked from the largest
index down and descendants from the smallest up, with a heap of what is yet to be visited: an index
that comes twice comes twice in a row, so no list of visited statements is needed. Memory is the
width of the graph at one place, never its depth, and the order is the order of the log.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from ledger.errors import StoreError
from ledger.formats.values import uuid7_bytes
from ledger.store import Snapshot, Store
from ledger.store.rows import from_u64, u64
from ledger.views.index import INDEX, bring_up_to_date, source_size, take_apart

__all__ = ["ancestors", "children", "descendants", "parents"]


def parents(store: Store, index: int) -> list[int]:
    """Indices of the parents of a statement, in the order in which it names them."""
    with store.reading() as snapshot:
        return _parents(snapshot, index)


def ancestors(store: Store, index: int) -> Iterator[int]:
    """Indices of all statements that a statement builds on, newest first."""
    heap = [-parent for parent in parents(store, index)]
    heapq.heapify(heap)
    last = None
    while heap:
        current = -heapq.heappop(heap)
        if current == last:
            continue
        last = current
        yield current
        for parent in parents(store, current):
            heapq.heappush(heap, -parent)


def children(store: Store, index: int) -> Iterator[int]:
    """Indices of the statements that name a statement as their parent, in log order."""
    bring_up_to_date(store)
    after = index
    while True:
        with store.reading() as snapshot:
            chunk, filed = _children(snapshot, index, after), INDEX.size(snapshot)
        if not chunk:
            break
        yield from chunk
        after = chunk[-1]
    yield from _unfiled(store, {index}, filed, transitive=False)


def descendants(store: Store, index: int) -> Iterator[int]:
    """Indices of all statements that build on a statement, directly or not, oldest first."""
    bring_up_to_date(store)
    with store.reading() as snapshot:
        filed = INDEX.size(snapshot)
        complete = filed >= source_size(snapshot)
    # Only where the view cannot be brought up to date are the results remembered.
    known = {index}
    heap: list[int] = []
    current = index
    while True:
        after = current
        while True:
            with store.reading() as snapshot:
                chunk = _children(snapshot, current, after)
            if not chunk:
                break
            for child in chunk:
                if child < filed:
                    heapq.heappush(heap, child)
            after = chunk[-1]
        while heap and heap[0] == current:
            heapq.heappop(heap)
        if not heap:
            break
        current = heapq.heappop(heap)
        if not complete:
            known.add(current)
        yield current
    if not complete:
        yield from _unfiled(store, known, filed, transitive=True)


def _parents(snapshot: Snapshot, index: int) -> list[int]:
    statement = snapshot.entry(index)
    if statement is None:
        raise StoreError("tree_damaged", f"entries {index}: missing")
    found = []
    for parent in take_apart(index, statement).parents:
        parent_index = snapshot.id_index(uuid7_bytes(parent.id))
        if parent_index is None or parent_index >= index:
            raise StoreError("tree_damaged", f"entries {index}: parent {parent.id} is not earlier")
        found.append(parent_index)
    return found


def _children(snapshot: Snapshot, index: int, after: int) -> list[int]:
    chunk = []
    for key in INDEX.keys(snapshot, b"p" + u64(index), u64(after + 1)):
        chunk.append(from_u64(key))
        if len(chunk) == 256:
            break
    return chunk


def _unfiled(store: Store, known: set[int], filed: int, *, transitive: bool) -> Iterator[int]:
    """Statements that the view has not read and that build on `known`."""
    with store.reading() as snapshot:
        size = source_size(snapshot)
    for index, statement in store.entries(filed, size):
        if not take_apart(index, statement).parents:
            continue
        with store.reading() as snapshot:
            found = known.intersection(_parents(snapshot, index))
        if found:
            yield index
            if transitive:
                known.add(index)
