"""Sorted lines that do not fit into memory.

A package may hold a million files, and its lists stand in bytewise order of path (specs/07 §2).
Lines are collected in memory up to `BUFFER_BYTES`, written as sorted runs into one unnamed
temporary file, and merged while they are read. The file has no name, so a process that is killed
leaves nothing behind.

A line is a key, a zero byte and a value. Keys have no byte below 0x21, so the zero byte ends the
shorter of two keys before any character of the longer one and the order of lines is the order of
keys.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

BUFFER_BYTES = 8 << 20
_READ_BYTES = 1 << 16
_OBJECT_BYTES = 72  # what a bytes object and its place in a list cost besides its characters


class SortedSpool:
    """Collects key/value lines and gives them back in bytewise order, as often as asked.

    A context manager that gives its temporary file back.
    """

    def __init__(self, folder: Path, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._folder = folder
        self._limit = buffer_bytes
        self._lines: list[bytes] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        self._runs: list[tuple[int, int]] = []
        self.count = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Keep one line; neither part may hold a newline, and the key no byte below 0x21."""
        line = key + b"\0" + value
        self._lines.append(line)
        self._held += len(line) + _OBJECT_BYTES
        self.count += 1
        if self._held >= self._limit:
            self._spill()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through all lines so far in order of key, equal keys in order of value."""
        self._lines.sort()
        sources: list[Iterator[bytes]] = [self._read(start, end) for start, end in self._runs]
        sources.append(iter(self._lines))
        for line in heapq.merge(*sources):
            key, _, value = line.partition(b"\0")
            yield key, value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give the temporary file back to the system."""
        self._lines.clear()
        self._runs.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed in __exit__
        self._lines.sort()
        start = self._end
        for line in self._lines:
            self._end += self._file.write(line) + self._file.write(b"\n")
        self._file.flush()
        self._runs.append((start, self._end))
        self._lines.clear()
        self._held = 0

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        if self._file is None:
            raise RuntimeError("the spool is closed")
        # pread, because all runs of a merge are read at once from one descriptor
        descriptor = self._file.fileno()
        rest = b""
        while start < end:
            block = os.pread(descriptor, min(_READ_BYTES, end - start), start)
            if not block:
                raise OSError("a temporary file lost its end")
            start += len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from lines
