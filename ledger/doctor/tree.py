"""Tiles computed again from leaf hashes, one tile a level in memory (specs/04 section 2)."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.doctor.problem import Problem
from ledger.formats.merkle import TILE_WIDTH, hash_node, root_of, tiles_after_append
from ledger.store import Snapshot
from ledger.store.rows import tile_key

__all__ = ["Tree"]


class Tree:
    """Grows by one tile of leaf hashes at a time and compares each tile that results."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._edge: dict[int, tuple[int, bytes]] = {}
        self._leaves: list[bytes] = []
        self.size = 0
        self.tiles = 0
        self.sound = True
        """Whether all tiles so far were as computed."""

    def stored_leaf(self, index: int) -> bytes:
        """What the tiles say the leaf hash of an index is; empty where they say nothing."""
        number, at = divmod(index, TILE_WIDTH)
        tile = self._stored(0, number) or b""
        return tile[32 * at : 32 * at + 32]

    def _stored(self, level: int, number: int) -> bytes | None:
        return self._snapshot.txn.get(tile_key(level, number), db=self._snapshot.tables["tiles"])

    def add(self, leaf: bytes) -> Iterator[Problem]:
        """Take the next leaf hash."""
        self._leaves.append(leaf)
        if len(self._leaves) == TILE_WIDTH:
            yield from self._grow()

    def finish(self) -> Iterator[Problem]:
        """Compare the partial tiles, and count all."""
        yield from self._grow()
        for level, (number, tile) in self._edge.items():
            yield from self._compare(level, number, tile)
        expected = self.tiles
        found = int(self._snapshot.txn.stat(self._snapshot.tables["tiles"])["entries"])
        if found != expected:
            yield Problem(
                "tile_mismatch", "tiles", "", "number of tiles", str(expected), str(found)
            )

    def root(self) -> bytes:
        """The root over all leaf hashes."""
        # Complete subtrees are the hashes on the right edge of each level, the largest at the top.
        peaks = [
            root_of(run)
            for level in sorted(self._edge, reverse=True)
            for run in _complete(self._edge[level][1])
        ]
        root = peaks.pop()
        while peaks:
            root = hash_node(peaks.pop(), root)
        return root

    def _grow(self) -> Iterator[Problem]:
        if not self._leaves:
            return
        changed = tiles_after_append(self.size, self._leaves, self._read)
        self.size += len(self._leaves)
        self._leaves = []
        for (level, number), tile in changed.items():
            if len(tile) == 32 * TILE_WIDTH:
                yield from self._compare(level, number, tile)
                self._edge.pop(level, None)
            else:
                self._edge[level] = (number, tile)

    def _read(self, level: int, number: int) -> bytes:
        return self._edge[level][1]

    def _compare(self, level: int, number: int, tile: bytes) -> Iterator[Problem]:
        self.tiles += 1
        found = self._stored(level, number)
        self.sound = self.sound and found == tile
        key = f"{level}/{number}"
        if found is None:
            yield Problem("tile_mismatch", "tiles", key, "the tile is missing")
        elif found != tile:
            at = next(
                (i for i in range(0, len(tile), 32) if found[i : i + 32] != tile[i : i + 32]),
                len(tile),
            )
            yield Problem(
                "tile_mismatch",
                "tiles",
                key,
                f"hash {at // 32} of the tile",
                tile[at : at + 32].hex(),
                found[at : at + 32].hex(),
            )


def _complete(tile: bytes) -> Iterator[list[bytes]]:
    """The hashes of a tile as runs of a power of two, the longest first."""
    hashes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
    start = 0
    while start < len(hashes):
        width = 1 << (len(hashes) - start).bit_length() - 1
        yield hashes[start : start + width]
        start += width
