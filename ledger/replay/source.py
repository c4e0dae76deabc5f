"""Where witnesses come from that are replayed: a ledger, or a package (specs/13 section 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ledger.errors import ContentError, LogError, ReplayError
from ledger.formats.content import ContentRef
from ledger.formats.payload import Payload
from ledger.reader import Entry, Reader

__all__ = ["LedgerSource", "Source", "intent_of", "needed", "outcome_of"]


class Source(Protocol):
    """Statements and contents, checked before they are handed out."""

    @property
    def genesis(self) -> bytes:
        """Identity of the ledger that they are of."""

    def witness(self, name: str) -> Entry:
        """A witness by id, or by index in decimal; raises `LogError("not_found")`."""

    def witnesses(self, session: str | None = None) -> Iterator[Entry]:
        """All witnesses in order, of one session or of all."""

    def by_id(self, identifier: str) -> Entry | None:
        """A statement, None if it is not at hand."""

    def content(self, ref: ContentRef) -> bytes:
        """A content without salt; raises `ContentError`."""

    def archived(self, ref: ContentRef) -> bytes:
        """A content as it is archived; raises `ContentError`."""


class LedgerSource:
    """A ledger; `start` and `end` bound what is at hand, as in a package of a range."""

    def __init__(self, log: Reader, start: int = 0, end: int | None = None) -> None:
        self.log = log
        self._start, self._end = start, end

    @property
    def genesis(self) -> bytes:
        """Identity of the ledger."""
        return self.log.genesis

    def witness(self, name: str) -> Entry:
        """A witness by id or index."""
        entry = self.log.get(int(name)) if name.isascii() and name.isdigit() else None
        entry = entry or self.log.by_id(name)
        if entry.payload.type != "witness":
            raise LogError("not_found", f"#{entry.index} is no witness: {entry.payload.type}")
        return entry

    def witnesses(self, session: str | None = None) -> Iterator[Entry]:
        """All witnesses in order."""
        return self.log.find(type="witness", session=session)

    def by_id(self, identifier: str) -> Entry | None:
        """A statement in the bounds."""
        try:
            entry = self.log.by_id(identifier)
        except LogError:
            return None
        inside = entry.index >= self._start and (self._end is None or entry.index < self._end)
        return entry if inside else None

    def content(self, ref: ContentRef) -> bytes:
        """A content without salt."""
        return self.log.content(ref)

    def archived(self, ref: ContentRef) -> bytes:
        """A content as it is archived."""
        return self.log.archived(ref)


def needed(source: Source, ref: ContentRef) -> bytes:
    """A content without which nothing can be run; raises `ReplayError("content_missing")`."""
    try:
        return source.content(ref)
    except ContentError as error:
        raise ReplayError("content_missing", error.message, hint=error.hint) from None


def outcome_of(source: Source, witness: Payload) -> Payload | None:
    """The outcome that a witness is of; None without one at hand (specs/10 §4)."""
    return _first_parent(source, witness, "outcome")


def intent_of(source: Source, witness: Payload) -> Payload | None:
    """The intent of the call that a witness is of; None without one at hand (specs/10 §4)."""
    outcome = outcome_of(source, witness)
    return None if outcome is None else _first_parent(source, outcome, "intent")


def _first_parent(source: Source, child: Payload, kind: str) -> Payload | None:
    if not child.parents or child.parents[0].ledger is not None:
        return None
    found = source.by_id(child.parents[0].id)
    return found.payload if found is not None and found.payload.type == kind else None
