"""Rules on an operation's own statements together: twice, left out, not combined (specs/12 §8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.formats.payload import STAGE_TYPES
from ledger.operations.report import Finding
from ledger.operations.statements import Seen, Statements

__all__ = ["Members", "membership_findings"]


class Members:
    """The statements of one operation that have the shape of their page, in order of index."""

    def __init__(self, statements: Statements, indices: Iterable[int]) -> None:
        self._statements = statements
        self.stages: list[int] = []
        self.provenance: int | None = None
        self.combined: int | None = None
        self.others: list[int] = []
        """Those that break their page."""
        self.duplicates: list[tuple[int, str]] = []
        taken: set[tuple[str, str]] = set()
        for index in indices:
            seen = statements.at(index)
            if seen is None:
                continue
            kind = seen.payload.type
            if seen.fault:
                self.others.append(index)
                continue
            key = (kind, seen.body["label"] if kind in STAGE_TYPES else "")
            if key in taken:
                self.duplicates.append((index, f"{kind} {key[1]}".rstrip()))
            taken.add(key)
            if kind in STAGE_TYPES:
                self.stages.append(index)
            elif kind == "provenance":
                self.provenance = index if self.provenance is None else self.provenance
                self.others += [] if self.provenance == index else [index]
            else:
                self.combined = index if self.combined is None else self.combined
                self.others += [] if self.combined == index else [index]

    def chain(self) -> Seen | None:
        """The chain of its combination; before there is one, its first chain."""
        combined = self.whole()
        if combined is not None:
            last = self._statements.resolve(combined.payload.parents[-1])
            if last.kind == "provenance" and last.body is not None:
                return last.seen
            return None
        return None if self.provenance is None else self._statements.at(self.provenance)

    def whole(self) -> Seen | None:
        """Its combination."""
        return None if self.combined is None else self._statements.at(self.combined)

    def at(self, index: int) -> Seen:
        """One of its statements."""
        seen = self._statements.at(index)
        assert seen is not None  # it was there when it was taken in
        return seen


def membership_findings(members: Members) -> Iterator[Finding]:
    """What is there twice, left out of the combination, or not combined."""
    for index, what in members.duplicates:
        yield members.at(index).finding("operation_duplicate", f"{what} is there before")
    whole, chain = members.whole(), members.chain()
    if whole is None:
        first = members.stages[0] if members.stages else members.provenance
        if first is not None:
            yield members.at(first).finding("operation_open", "the operation was not combined")
        return
    named = {parent.leaf_hash for parent in whole.payload.parents}
    chained = None if chain is None else {parent.leaf_hash for parent in chain.payload.parents}
    for index in members.stages:
        seen = members.at(index)
        leaf = seen.entry.leaf_hash
        if leaf not in named:
            yield seen.finding("part_dropped", f"is no part of the combination at {whole.index}")
        elif chained is not None and chain is not None and leaf not in chained:
            yield seen.finding("part_dropped", f"is no part of the chain at {chain.index}")
