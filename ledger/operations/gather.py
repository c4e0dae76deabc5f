"""Which statements belong to which operation: all of a log in one pass, or one by its session.

What does not fit into memory goes to an unnamed temporary file. Operations come in the order of
their first statements.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ledger.formats.payload import CROSS_MODEL_TYPES
from ledger.operations.report import OperationName
from ledger.operations.statements import operation_name
from ledger.reader import Entry, Reader

if TYPE_CHECKING:
    from ledger.export.spool import SortedSpool

__all__ = ["Gathered", "indices_of"]

_BUFFER_BYTES = 2 << 20


class Gathered:
    """The operations of a log, as its statements come by; a context manager."""

    def __init__(self) -> None:
        self._statements = _spool()
        self._operations: SortedSpool | None = None
        self.strays: list[int] = []
        """Indices of statements that do not say which operation they are of."""

    def add(self, entry: Entry) -> None:
        """Take note of a statement, of whatever type."""
        if entry.payload.type not in CROSS_MODEL_TYPES:
            return
        name = operation_name(entry.payload)
        if name is None:
            self.strays.append(entry.index)
            return
        # No label has this character, and none is empty.
        key = "!".join((name.session or "", name.name, str(name.number)))
        self._statements.add(key.encode(), _digits(entry.index))

    def __bool__(self) -> bool:
        return bool(self.strays) or self._statements.count > 0

    def __iter__(self) -> Iterator[tuple[OperationName, list[int]]]:
        """Each operation with the indices of its statements in order."""
        if self._operations is None:
            self._operations = _spool()
            for key, lines in groupby(self._statements, key=lambda line: line[0]):
                found = b",".join(value for _, value in lines)
                self._operations.add(found[:16], key + b"," + found)
        for _, value in self._operations:
            key, *digits = value.split(b",")
            session, name, number = key.decode().split("!")
            yield (
                OperationName(session or None, name, int(number)),
                [int(one, 16) for one in digits],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._statements.__exit__()
        if self._operations is not None:
            self._operations.__exit__()


def indices_of(log: Reader, name: OperationName) -> list[int]:
    """The indices of the statements of one operation, found through its session."""
    found = []
    for kind in sorted(CROSS_MODEL_TYPES):
        for entry in log.find(type=kind, session=name.session):
            if operation_name(entry.payload) == name:
                found.append(entry.index)
    return sorted(found)


def _spool() -> SortedSpool:
    from ledger.export.spool import SortedSpool  # packages list operations, and so come after them

    return SortedSpool(Path(tempfile.gettempdir()), buffer_bytes=_BUFFER_BYTES)


def _digits(index: int) -> bytes:
    return f"{index:016x}".encode()
