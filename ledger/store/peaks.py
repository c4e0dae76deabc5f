"""The root of a growing tree from its peaks (RFC 9162 section 2.1.1, specs/04 section 1).

A tree of n leaves is a row of complete subtrees, one for each bit of n, the largest first. Their
roots, the peaks, give the root of the tree; a new leaf is one more peak, and two neighbours of the
same height become one.

    n = 11    peaks of heights 3, 1, 0

An append starts from the peaks that lead to the root of the head before, whether it remembers them
or takes them from the tiles. So a damaged tile can keep a head from being signed, but no wrong
head can be signed because of it.

>>> from ledger.formats.merkle import root_of
>>> leaves = [bytes([n]) * 32 for n in range(11)]
>>> peaks = extend([], leaves)
>>> [height for height, _ in peaks]
[3, 1, 0]
>>> root(peaks) == root_of(leaves)
True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ledger.formats.merkle import TILE_HEIGHT, TileReader, hash_node, root_of

__all__ = ["Peaks", "extend", "from_tiles", "root"]

Peaks: TypeAlias = "list[tuple[int, bytes]]"
"""(height, hash) of each complete subtree, from left to right."""


def extend(peaks: Peaks, leaves: Iterable[bytes]) -> Peaks:
    """The peaks after leaf hashes were appended."""
    grown = list(peaks)
    for leaf in leaves:
        height, node = 0, leaf
        while grown and grown[-1][0] == height:
            node = hash_node(grown.pop()[1], node)
            height += 1
        grown.append((height, node))
    return grown


def root(peaks: Peaks) -> bytes:
    """The root of the tree with these peaks."""
    nodes = [node for _, node in peaks]
    node = nodes.pop()
    while nodes:
        node = hash_node(nodes.pop(), node)
    return node


def from_tiles(size: int, read_tile: TileReader) -> Peaks:
    """The peaks of the first `size` leaves, whose hashes the tiles hold."""
    peaks: Peaks = []
    start = 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            level, inner = divmod(height, TILE_HEIGHT)
            number, at = divmod(start >> TILE_HEIGHT * level, 1 << TILE_HEIGHT)
            tile = read_tile(level, number)
            hashes = [tile[32 * i : 32 * i + 32] for i in range(at, at + (1 << inner))]
            peaks.append((height, root_of(hashes)))
            start += 1 << height
    return peaks
