"""Parents: they exist, came earlier, and are the statements named (specs/04 section 7, 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .errors import Refused
from .report import EXIT_FAILED
from .table import CHUNK_ROWS, Rows, Table

if TYPE_CHECKING:
    from .ancestors import Edges
    from .audit import Audit

PARENT_BYTES = 48
OUTSIDE_BYTES = 80
NOWHERE = bytes(16)
"""The id in the place of a parent that is in another ledger."""


class Lineage:
    """Looks parents up among all leaf hashes of a package, and of those given beside it."""

    def __init__(
        self,
        leaves: Rows,
        ids: Rows,
        index_of: Callable[[int], int],
        part: bool,
        beside: Mapping[bytes, Audit],
        edges: Edges | None,
    ) -> None:
        """Take leaf hashes and ids by position; `index_of` turns a position into an index.

        `beside` has the audit of each other ledger; `edges`, if given, are told of all parents.
        """
        self._leaves = leaves
        self._ids = ids
        self._index_of = index_of
        self._part = part
        self._beside = beside
        self._edges = edges
        self._table: Table | None = None
        self._unpinned: set[bytes] = set()
        self.genesis: bytes | None = None
        self.links = 0

    def _built(self) -> Table:
        rows = self._leaves
        table = Table(rows.get, len(rows))
        for number, chunk in enumerate(rows.chunks):
            table.add_all(chunk, 32, number * CHUNK_ROWS)
        return table

    def position(self, leaf: bytes) -> int:
        """Return the position of the record with a leaf hash, or -1."""
        if self._table is None:
            self._table = self._built()
        return self._table.find(leaf)

    def named(self, position: int) -> bool:
        """Return whether there is a leaf hash at a position."""
        return len(self._leaves.get(position)) == 32

    def missing(self) -> str:
        """Return the code for a parent in this ledger that the package does not have."""
        return "parent_outside" if self._part else "parent_missing"

    def check(self, position: int, index: int, parents: bytes, foreign: bytes) -> list[Refused]:
        """Return what is wrong with parents, each 32 bytes leaf hash and 16 bytes id.

        `foreign` are those in other ledgers: 32 bytes genesis before the same.
        """
        found: list[Refused] = []
        other = 0
        if self._edges is not None:
            self._edges.begin(position)
        for at in range(0, len(parents), PARENT_BYTES):
            self.links += 1
            ident = parents[at + 32 : at + PARENT_BYTES]
            if ident == NOWHERE:
                self._outside(foreign[other : other + OUTSIDE_BYTES], found)
                other += OUTSIDE_BYTES
                continue
            leaf = parents[at : at + 32]
            place = self.position(leaf)
            if self._edges is not None:
                self._edges.add(place, leaf + ident)
            if place < 0:
                text = f"no record in the package has leaf hash {leaf.hex()}"
                found.append(Refused(self.missing(), text))
                continue
            parent = self._index_of(place)
            if parent >= index:
                found.append(Refused("parent_later", f"the parent is at index {parent}"))
                continue
            self._same_id(ident, self._ids.get(place), f"the statement at index {parent}", found)
        return found

    def _same_id(self, ident: bytes, actual: bytes, what: str, found: list[Refused]) -> None:
        # A record that could not be read has no id to compare with; it has its own finding.
        if ident != actual and any(actual):
            text = f"{what} has another id"
            found.append(Refused("parent_mismatch", text, ident.hex(), actual.hex()))

    def _outside(self, row: bytes, found: list[Refused]) -> None:
        """Check a parent in another ledger, in that ledger's package if it was given."""
        if self._edges is not None:
            self._edges.add_outside(row)
        genesis, leaf, ident = row[:32], row[32:64], row[64:]
        if genesis == self.genesis:
            text = "the ledger that the parent names as another one is this one"
            found.append(Refused("parent_mismatch", text, None, genesis.hex()))
            return
        other = self._beside.get(genesis)
        if other is None:
            text = f"{leaf.hex()} is in the ledger {genesis.hex()}, of which no package is at hand"
            found.append(Refused("parent_outside", text))
            return
        place = other.lineage.position(leaf)
        if place < 0:
            text = f"no record in the package of ledger {genesis.hex()} has leaf hash {leaf.hex()}"
            found.append(Refused(other.lineage.missing(), text))
            return
        where = f"index {other.log.index_of(place)} of ledger {genesis.hex()}"
        self._same_id(ident, other.ids.get(place), f"the statement at {where}", found)
        if other.report.exit_code == EXIT_FAILED:
            found.append(Refused("outside_failed", f"the package of {where} failed"))
        if not other.report.pinned and genesis not in self._unpinned:
            self._unpinned.add(genesis)
            text = f"the genesis of ledger {genesis.hex()} is not pinned"
            found.append(Refused("outside_unpinned", text))
