"""How one statement comes to rest on another: a shortest path, and all that lies between.

Both go through the log once or twice between the two, with a few bytes a statement of that range.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ledger.store import Store
from ledger.views.index import bring_up_to_date
from ledger.views.lineage import CHUNK, looking, walk_up
from ledger.views.marks import Marks, Numbers

__all__ = ["between", "path"]


def path(store: Store, older: int, newer: int) -> Iterator[int]:
    """Indices of a shortest way of links from one statement to a later one, oldest first.

    Both ends are in it; nothing is yielded where there is no way.
    """
    bring_up_to_date(store)
    distances, onward = Numbers("Q"), Numbers("Q")
    marks = Marks([newer])
    distances.put(newer, 0)
    waiting = marks.downwards()
    visited = True
    while visited:
        visited = False
        with looking(store) as graph:
            for index in islice(waiting, CHUNK):
                visited = True
                # All children of a statement come before it, so its distance is final here.
                distance = (distances.get(index) or 0) + 1
                for parent in graph.parents(index):
                    known = distances.get(parent)
                    if parent >= older and (known is None or distance < known):
                        marks.add(parent)
                        distances.put(parent, distance)
                        onward.put(parent, index)
    at: int | None = older if distances.get(older) is not None else None
    while at is not None:
        yield at
        at = onward.get(at)


def between(store: Store, older: int, newer: int, *, marks: Marks | None = None) -> Iterator[int]:
    """Indices of all statements on any path between two, both included, oldest first.

    Marks that are handed over are kept: at the end, all that was yielded.
    """
    above = Marks()
    for _ in walk_up(store, [newer], floor=older, marks=above):
        pass
    if older not in above:
        return
    on = Marks() if marks is None else marks
    waiting = above.upwards()
    while True:
        found, visited = [], False
        with looking(store) as graph:
            for index in islice(waiting, CHUNK):
                visited = True
                if index == older or any(parent in on for parent in graph.parents(index)):
                    on.add(index)
                    found.append(index)
        if not visited:
            return
        yield from found
