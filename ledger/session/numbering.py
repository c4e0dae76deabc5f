"""Which of several equal requests one is (specs/10 section 7, "Replicates").

A run numbers the calls of a digest 1, 2, 3 … in the order in which it asks. A call that got no
answer gives its number back, and the next one that asks the same takes the lowest that is free.

>>> numbers = Numbers()
>>> [numbers.take(b"d")[0] for _ in range(3)]
[1, 2, 3]
>>> numbers.give_back(b"d", 2)
>>> numbers.take(b"d"), numbers.take(b"d"), numbers.take(b"d", 1)
((2, True), (4, True), (1, False))
"""

from __future__ import annotations

import heapq

__all__ = ["REPLICATE_MAX", "Numbers"]

REPLICATE_MAX = 1_000_000


class Numbers:
    """The numbers that one run has given out; not safe for threads by itself."""

    def __init__(self) -> None:
        # 1 … highest are taken, but for those that came back; beyond it a few chosen ones may be.
        self._highest: dict[bytes, int] = {}
        self._back: dict[bytes, list[int]] = {}
        self._beyond: dict[bytes, set[int]] = {}

    def take(self, digest: bytes, chosen: int | None = None) -> tuple[int, bool]:
        """Return a number, and whether it was free; a chosen one is returned in any case."""
        return self._next(digest) if chosen is None else (chosen, self._choose(digest, chosen))

    def give_back(self, digest: bytes, number: int) -> None:
        """Let the next call have a number that was free when it was taken."""
        if number <= self._highest.get(digest, 0):
            heapq.heappush(self._back.setdefault(digest, []), number)
        else:
            self._beyond[digest].discard(number)

    def _next(self, digest: bytes) -> tuple[int, bool]:
        back = self._back.get(digest)
        if back:
            number = heapq.heappop(back)
            if not back:
                del self._back[digest]
            return number, True
        number = self._highest.get(digest, 0) + 1
        beyond = self._beyond.get(digest)
        if beyond:
            while number in beyond:
                beyond.discard(number)
                number += 1
        self._highest[digest] = number
        return number, True

    def _choose(self, digest: bytes, number: int) -> bool:
        if number > self._highest.get(digest, 0):
            beyond = self._beyond.setdefault(digest, set())
            free = number not in beyond
            beyond.add(number)
            return free
        back = self._back.get(digest, [])
        if number not in back:
            return False
        back.remove(number)
        heapq.heapify(back)
        if not back:
            del self._back[digest]
        return True
