"""Compact storage: rows of fixed width and a hash table over them.

A log of a million records must fit into memory, so nothing here keeps an object for each row.
Keys are placed by Python's keyed hash (SipHash), which whoever made the input cannot predict.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

CHUNK_ROWS = 256


class Rows:
    """Rows of one width in bytes, appended in chunks of up to 256 at multiples of 256."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.chunks: list[bytes] = []

    def __len__(self) -> int:
        if not self.chunks:
            return 0
        return (len(self.chunks) - 1) * CHUNK_ROWS + len(self.chunks[-1]) // self.width

    def get(self, number: int) -> bytes:
        """Return one row; empty if its chunk is shorter."""
        at = (number & 255) * self.width
        return self.chunks[number >> 8][at : at + self.width]


class Table:
    """Finds the number of a row by its bytes; numbers are below 2^32 - 1."""

    def __init__(self, row: Callable[[int], bytes], expected: int = 0) -> None:
        bits = max(8, (expected + expected // 2).bit_length())
        self._row = row
        self._mask = (1 << bits) - 1
        self._slots = array("I", bytes(4 << bits))
        self._used = 0

    def find(self, key: bytes) -> int:
        """Return the number of the row with these bytes, or -1."""
        slots, mask, row = self._slots, self._mask, self._row
        at = hash(key) & mask
        while True:
            number = slots[at]
            if not number:
                return -1
            if row(number - 1) == key:
                return number - 1
            at = (at + 1) & mask

    def add(self, key: bytes, number: int) -> int:
        """Enter a row under its bytes; return -1, or the earlier row that has them already."""
        for _, earlier in self.add_all(key, len(key), number):
            return earlier
        return -1

    def add_all(
        self, rows: bytes, width: int, first: int, but: bytes | None = None
    ) -> list[tuple[int, int]]:
        """Enter adjacent rows, numbered from `first`, but none that is `but`.

        Return number and earlier number of those whose bytes are there already.
        """
        slots, mask, row = self._slots, self._mask, self._row
        double: list[tuple[int, int]] = []
        for number, start in enumerate(range(0, len(rows), width), first):
            key = rows[start : start + width]
            if key == but:
                continue
            at = hash(key) & mask
            while slots[at] and row(slots[at] - 1) != key:
                at = (at + 1) & mask
            if slots[at]:
                double.append((number, slots[at] - 1))
                continue
            slots[at] = number + 1
            self._used += 1
            if self._used * 4 > mask * 3:
                self._grow()
                slots, mask = self._slots, self._mask
        return double

    def _grow(self) -> None:
        old = self._slots
        self._mask = self._mask * 2 + 1
        slots, mask, row = array("I", bytes(4 * (self._mask + 1))), self._mask, self._row
        for number in old:
            if number:
                at = hash(row(number - 1)) & mask
                while slots[at]:
                    at = (at + 1) & mask
                slots[at] = number
        self._slots = slots
