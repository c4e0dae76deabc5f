"""Parents: they exist, came earlier, and are the statements named (specs/04 section 7)."""

from __future__ import annotations

from collections.abc import Callable

from .errors import Refused
from .table import CHUNK_ROWS, Rows, Table

PARENT_BYTES = 48


class Lineage:
    """Looks parents up among all leaf hashes of a package."""

    def __init__(self, leaves: Rows, ids: Rows, index_of: Callable[[int], int], part: bool) -> None:
        """Take leaf hashes and ids by position; `index_of` turns a position into an index."""
        self._leaves = leaves
        self._ids = ids
        self._index_of = index_of
        self._part = part
        self._table: Table | None = None
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

    def check(self, index: int, parents: bytes) -> list[Refused]:
        """Return what is wrong with parents, each 32 bytes leaf hash and 16 bytes id."""
        found: list[Refused] = []
        for at in range(0, len(parents), PARENT_BYTES):
            self.links += 1
            leaf = parents[at : at + 32]
            position = self.position(leaf)
            if position < 0:
                code = "parent_outside" if self._part else "parent_missing"
                found.append(Refused(code, f"no record in the package has leaf hash {leaf.hex()}"))
                continue
            place = self._index_of(position)
            if place >= index:
                found.append(Refused("parent_later", f"the parent is at index {place}"))
                continue
            ident = self._ids.get(position)
            # A record that could not be read has no id to compare with; it has its own finding.
            if ident != parents[at + 32 : at + PARENT_BYTES] and any(ident):
                found.append(
                    Refused(
                        "parent_mismatch",
                        f"the statement at index {place} has another id",
                        parents[at + 32 : at + PARENT_BYTES].hex(),
                        ident.hex(),
                    )
                )
        return found
