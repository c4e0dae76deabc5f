"""Which statements a graph shows, and its nodes and links in log order.

What is selected is remembered as marks, one byte a statement of the log at most; nodes are read
when they are asked for, as often as a format needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ledger.errors import StoreError
from ledger.graph.node import Node, node_at
from ledger.store import Store
from ledger.views import lineage, paths
from ledger.views.basis import Basis, basis
from ledger.views.marks import Marks

__all__ = ["Selection", "between", "downstream", "upstream"]

CHUNK = 256

Progress = Callable[[int], None]
"""Called with how many statements were found so far."""


@dataclass(slots=True)
class Selection:
    """A part of the graph of a ledger."""

    store: Store
    genesis: bytes
    direction: str
    """`up`, `down` or `between`."""
    depth: int | None = None
    starts: Marks = field(default_factory=Marks)
    marks: Marks = field(default_factory=Marks)
    count: int = 0
    progress: Progress | None = None
    """Called while nodes are read, with how many have been."""

    def indices(self, *, reverse: bool = False) -> Iterator[int]:
        """The indices of all statements, in log order or against it."""
        return self.marks.downwards(keep=True) if reverse else self.marks.upwards(keep=True)

    def nodes(self) -> Iterator[Node]:
        """All statements in log order."""
        for number, node in enumerate(nodes(self.store, self.indices())):
            if self.progress is not None and number % CHUNK == 0:
                self.progress(number)
            yield node

    def basis(self) -> Basis:
        """The sums over all statements."""
        return basis(self.store, self.indices())


def upstream(
    store: Store,
    genesis: bytes,
    starts: Iterable[int],
    depth: int | None = None,
    progress: Progress | None = None,
) -> Selection:
    """The starts and what they build on, at most `depth` links away."""
    chosen = Selection(store, genesis, "up", depth, Marks(starts))
    origin = chosen.starts.upwards(keep=True)
    return _fill(chosen, lineage.walk_up(store, origin, depth=depth, marks=chosen.marks), progress)


def downstream(
    store: Store,
    genesis: bytes,
    starts: Iterable[int],
    depth: int | None = None,
    progress: Progress | None = None,
) -> Selection:
    """The starts and what builds on them, at most `depth` links away."""
    chosen = Selection(store, genesis, "down", depth, Marks(starts))
    origin = chosen.starts.upwards(keep=True)
    walk = lineage.walk_down(store, origin, depth=depth, marks=chosen.marks)
    return _fill(chosen, walk, progress)


def between(
    store: Store, genesis: bytes, older: int, newer: int, progress: Progress | None = None
) -> Selection:
    """Everything on any path between two statements; empty where there is none."""
    chosen = Selection(store, genesis, "between", starts=Marks([newer]))
    return _fill(chosen, paths.between(store, older, newer, marks=chosen.marks), progress)


def nodes(store: Store, indices: Iterable[int]) -> Iterator[Node]:
    """The nodes of some statements, read a few at a time."""
    waiting = iter(indices)
    while chunk := list(islice(waiting, CHUNK)):
        read = []
        with store.reading() as snapshot:
            for index in chunk:
                statement = snapshot.entry(index)
                if statement is None:
                    raise StoreError("tree_damaged", f"entries {index}: missing")
                read.append(node_at(snapshot, index, statement))
        yield from read


def _fill(chosen: Selection, walk: Iterator[int], progress: Progress | None) -> Selection:
    for _ in walk:
        chosen.count += 1
        if progress is not None and chosen.count % 1000 == 0:
            progress(chosen.count)
    return chosen
