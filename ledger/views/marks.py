"""Marks on statements: what a walk over the log has yet to visit, or has visited.

One byte a statement in pages that are there only where something is marked, found in C. However a
graph is shaped, marks take at most one byte a statement of the log (numbers: four or eight), and a
page that a walk has passed is given back. A mark set during a walk, in the direction of the walk,
is met by it.

>>> marks = Marks([7, 90_000])
>>> marks.add(7), 7 in marks, 8 in marks
(None, True, False)
>>> list(marks.downwards())
[90000, 7]
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

__all__ = ["PAGE", "Marks", "Numbers"]

PAGE = 4096
"""Statements a page."""

_EMPTY = bytes(PAGE)


class Marks:
    """A set of indices that is walked in order."""

    def __init__(self, indices: Iterable[int] = ()) -> None:
        self._pages: dict[int, bytearray] = {}
        self._top = -1
        for index in indices:
            self.add(index)

    def add(self, index: int) -> None:
        """Mark an index, from 0."""
        number = index // PAGE
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(_EMPTY)
            self._top = max(self._top, number)
        page[index % PAGE] = 1

    def __contains__(self, index: int) -> bool:
        page = self._pages.get(index // PAGE)
        return page is not None and page[index % PAGE] == 1

    def __len__(self) -> int:
        """How many there are."""
        return sum(page.count(1) for page in self._pages.values())

    def downwards(self, *, keep: bool = False) -> Iterator[int]:
        """Marked indices, largest first; what is passed is forgotten unless it is to be kept."""
        for number in range(self._top, -1, -1):
            page = self._pages.get(number)
            if page is None:
                continue
            at = page.rfind(1)
            while at >= 0:
                yield number * PAGE + at
                at = page.rfind(1, 0, at)
            if not keep:
                del self._pages[number]

    def upwards(self, stop: int | None = None, *, keep: bool = False) -> Iterator[int]:
        """Marked indices below `stop`, smallest first; passed ones are forgotten as above."""
        number = 0
        while number <= self._top:
            page = self._pages.get(number)
            at = -1 if page is None else page.find(1)
            while page is not None and at >= 0:
                index = number * PAGE + at
                if stop is not None and index >= stop:
                    return
                yield index
                at = page.find(1, at + 1)
            if page is not None and not keep:
                del self._pages[number]
            number += 1


class Numbers:
    """A number for some indices, in pages as above; `code` is an array's, `I` or `Q`."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._pages: dict[int, array[int]] = {}

    def get(self, index: int) -> int | None:
        """The number of an index, or None."""
        page = self._pages.get(index // PAGE)
        return None if page is None or not page[index % PAGE] else page[index % PAGE] - 1

    def put(self, index: int, number: int) -> None:
        """Remember a number from 0 on."""
        page = self._pages.get(index // PAGE)
        if page is None:
            page = self._pages[index // PAGE] = array(self._code, [0]) * PAGE
        page[index % PAGE] = number + 1
