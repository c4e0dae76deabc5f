"""Statements of a package: bundles of a whole ledger, or proved records of a part (specs/07).

Statements are handed out as they stand. That they are in the tree of a signed head is for the
verifier to say; leaf hashes are computed here and compared by whoever was told one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ledger.errors import FormatError, RecordError
from ledger.export.bag import LOG_PREFIX
from ledger.export.part import PROOF_MAX_HASHES, RECORDS_PER_FILE
from ledger.formats.merkle import HASH_BYTES, TILE_WIDTH, entries_path, number_path
from ledger.formats.note import NOTE_MAX_BYTES, parse_checkpoint
from ledger.formats.values import COUNT_MAX
from ledger.model import BODIES, from_body
from ledger.reader import Entry
from ledger.replay.package_files import PackageFiles, refuse

__all__ = ["PackageLog", "parse", "with_body"]

Records = list[tuple[int, bytes]]

_STATEMENT_BYTES: Final = 65535
_BUNDLE_MAX_BYTES: Final = TILE_WIDTH * (2 + _STATEMENT_BYTES)
_PROVED_MAX_BYTES: Final = RECORDS_PER_FILE * (
    8 + 2 + _STATEMENT_BYTES + 1 + PROOF_MAX_HASHES * HASH_BYTES
)
_FILES_KEPT: Final = 8


class PackageLog:
    """The statements of a package by index, a few files of them in memory."""

    def __init__(self, files: PackageFiles) -> None:
        self._files = files
        try:
            head = parse_checkpoint(files.read(f"{LOG_PREFIX}checkpoint", NOTE_MAX_BYTES))[0]
        except FormatError as error:
            refuse(f"the head of the package: {error.message}")
        self.size = head.size
        self.is_part = files.size(_proved_path(0)) is not None
        self._records = lru_cache(_FILES_KEPT)(self._read)
        self._firsts: list[int] | None = None

    def records(self) -> Iterator[tuple[int, bytes]]:
        """All statements with their indices, in order."""
        number, before = 0, -1
        while number < self._numbers():
            for index, statement in self._records(number):
                if not before < index < self.size:
                    refuse(f"record {index} stands at the wrong place")
                yield index, statement
                before = index
            number += 1

    def get(self, index: int) -> bytes | None:
        """The statement at an index, None if it is not in the package."""
        if not 0 <= index < self.size:
            return None
        number = index // TILE_WIDTH
        if self.is_part:
            number = bisect_right(self._first_indices(), index) - 1
            if number < 0:
                return None
        return next((found for at, found in self._records(number) if at == index), None)

    def entry(self, index: int) -> Entry | None:
        """The statement at an index, taken apart and with its body checked."""
        statement = self.get(index)
        return None if statement is None else with_body(parse(index, statement))

    def _numbers(self) -> int:
        if not self.is_part:
            return -(-self.size // TILE_WIDTH)
        return len(self._first_indices())

    def _first_indices(self) -> list[int]:
        """The first index of each file of proved records."""
        if self._firsts is None:
            self._firsts = []
            while self._files.size(_proved_path(len(self._firsts))) is not None:
                self._firsts.append(self._records(len(self._firsts))[0][0])
        return self._firsts

    def _read(self, number: int) -> Records:
        if self.is_part:
            path = _proved_path(number)
            data = self._files.read(path, _PROVED_MAX_BYTES)
            found = _proved(data)
            right = found is not None and 1 <= len(found) <= RECORDS_PER_FILE
        else:
            width = min(TILE_WIDTH, self.size - number * TILE_WIDTH)
            path = LOG_PREFIX + entries_path(number, width)
            found = _bundled(self._files.read(path, _BUNDLE_MAX_BYTES), number * TILE_WIDTH)
            right = found is not None and len(found) == width
        if found is None or not right:
            refuse(f"{path} cannot be split into its statements")
        return found


def parse(index: int, statement: bytes) -> Entry:
    """Take a statement apart; `ReplayError("package_invalid")`."""
    try:
        return Entry.parse(index, statement)
    except FormatError as error:
        refuse(f"the statement at index {index}: {error.message}")


def with_body(entry: Entry) -> Entry:
    """Return a statement whose body is what its type says; `ReplayError("package_invalid")`."""
    try:
        if entry.payload.type in BODIES:
            from_body(entry.payload.type, entry.payload.body)
    except RecordError as error:
        refuse(f"the statement at index {entry.index}: {error.message}")
    return entry


def _proved_path(number: int) -> str:
    return f"{LOG_PREFIX}proved/{number_path(number)}"


def _bundled(data: bytes, first: int) -> Records | None:
    found: Records = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            return None
        found.append((first + len(found), data[at + 2 : end]))
        at = end
    return found


def _proved(data: bytes) -> Records | None:
    found: Records = []
    at = 0
    while at < len(data):
        index = int.from_bytes(data[at : at + 8])
        end = at + 10 + int.from_bytes(data[at + 8 : at + 10])
        if end >= len(data) or index > COUNT_MAX:
            return None
        found.append((index, data[at + 10 : end]))
        at = end + 1 + data[end] * HASH_BYTES
        if at > len(data):
            return None
    return found
