"""What earlier runs of a session recorded of its operations (specs/12 section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.formats.payload import STAGE_TYPES
from ledger.reader import Entry

__all__ = ["OperationKey", "PastOperation", "PastOperations"]


class OperationKey(NamedTuple):
    """Which operation of a session."""

    name: str
    number: int


@dataclass(slots=True)
class PastOperation:
    """Indices of what one operation has in the log."""

    stages: dict[tuple[str, str], int] = field(default_factory=dict)
    """By type and label."""
    combined: int | None = None
    """Of its `cross_model`; None when it is not complete."""


class PastOperations:
    """The operations of a session, statement by statement."""

    def __init__(self) -> None:
        self._found: dict[OperationKey, PastOperation] = {}

    def take(self, entry: Entry) -> None:
        """Take in a statement of one of the five types; the first of a kind counts."""
        body, kind = entry.payload.body, entry.payload.type
        operation = self._found.setdefault(OperationKey(**body["operation"]), PastOperation())
        if kind in STAGE_TYPES:
            operation.stages.setdefault((kind, body["label"]), entry.index)
        elif kind == "cross_model" and operation.combined is None:
            operation.combined = entry.index

    def open(self, key: OperationKey) -> PastOperation:
        """What there is of an operation, to be added to; empty for a new one."""
        return self._found.setdefault(key, PastOperation())
