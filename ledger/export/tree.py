"""`data/log/` of a whole ledger: static tiles and entry bundles of a tree of one size (specs/04
§2).

For a tree of size n, level L has ⌊n / 256^L⌋ hashes, so exactly the rightmost tile of a level may
be partial. The store's tiles may have grown past n meanwhile; a tile only ever grows at its end,
so its first hashes are those of the tree of size n.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeAlias

from ledger.errors import StoreError
from ledger.export.bag import LOG_PREFIX
from ledger.formats.merkle import HASH_BYTES, TILE_WIDTH, TileReader, entries_path, tile_path

Files: TypeAlias = Iterator[tuple[str, Iterable[bytes]]]
"""Paths in the package with their contents in pieces; each to be used up before the next."""


def tile_files(size: int, read_tile: TileReader) -> Files:
    """Yield all tiles of a tree of `size` leaves; `StoreError` tree_damaged if one is too short."""
    level, hashes = 0, size
    while hashes:
        for number in range((hashes + TILE_WIDTH - 1) // TILE_WIDTH):
            width = min(TILE_WIDTH, hashes - number * TILE_WIDTH)
            tile = read_tile(level, number)[: width * HASH_BYTES]
            if len(tile) != width * HASH_BYTES:
                raise StoreError("tree_damaged", f"tile {level}/{number} lacks hashes")
            yield LOG_PREFIX + tile_path(level, number, width), (tile,)
        level, hashes = level + 1, hashes // TILE_WIDTH


def bundle_files(size: int, statements: Iterable[tuple[int, bytes]]) -> Files:
    """Yield all entry bundles; `statements` are (index, statement) from 0 up to `size`."""
    for number, group in groupby(statements, key=lambda item: item[0] // TILE_WIDTH):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        path = LOG_PREFIX + entries_path(number, width)
        yield path, (len(statement).to_bytes(2, "big") + statement for _, statement in group)
