"""The Merkle tree of RFC 9162 section 2.1 kept in tlog-tiles (specs/04 sections 1, 2 and 4).

    leaf hash   SHA-256(00 || statement)
    node hash   SHA-256(01 || left || right)
    tile L, N   32-byte hashes of the complete subtrees of 256^L leaves, from 256 N to 256 N + 255

Tiles come through a reader, `read_tile(level, number)`, which gives the hashes of that tile so far.
It may give more than the size asked about implies: earlier trees are prefixes of the same tiles.

>>> leaves = [hash_leaf(bytes([n])) for n in range(5)]
>>> tiles = tiles_after_append(0, leaves, lambda level, number: b"")
>>> read = lambda level, number: tiles[level, number]
>>> root_at(5, read) == root_of(leaves)
True
>>> verify_inclusion(3, 5, leaves[3], inclusion_proof(3, 5, read), root_of(leaves))
>>> tile_path(0, 1234067, 256), tile_path(1, 0, 12)
('tile/0/x001/x234/067', 'tile/1/000.p/12')
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from ledger.errors import FormatError

LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256

_TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES

TileReader: TypeAlias = Callable[[int, int], bytes]


def hash_leaf(statement: bytes) -> bytes:
    """Return the leaf hash: a statement's identity, chain link and Merkle leaf in one."""
    return sha256(LEAF_PREFIX + statement).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(NODE_PREFIX + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Recompute the root of a whole tree from its leaf hashes; needs no tiles."""
    if not leaf_hashes:
        raise ValueError("the tree is never empty")
    return _fold(_joined(leaf_hashes))


def tiles_after_append(
    size: int, leaves: Sequence[bytes], read_tile: TileReader
) -> dict[tuple[int, int], bytes]:
    """Return the tiles that change when leaf hashes are appended to a tree of `size` leaves.

    Each is returned whole. Raises FormatError `tile_mismatch` when a stored tile is too short.
    """
    changed: dict[tuple[int, int], bytes] = {}
    level, fresh = 0, _joined(leaves) if leaves else b""
    while fresh:
        number, width = divmod(size, TILE_WIDTH)
        size >>= TILE_HEIGHT
        tile = b""
        if width:
            tile = read_tile(level, number)[: width * HASH_BYTES]
            if len(tile) != width * HASH_BYTES:
                raise _short_tile(level, number)
        above = []
        start = 0
        while start < len(fresh):
            stop = start + _TILE_BYTES - len(tile)
            tile += fresh[start:stop]
            changed[level, number] = tile
            if len(tile) == _TILE_BYTES:
                above.append(_fold(tile))
            start, tile, number = stop, b"", number + 1
        level, fresh = level + 1, b"".join(above)
    return changed


def root_at(size: int, read_tile: TileReader) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    if size < 1:
        raise ValueError("the tree is never empty")
    return _Tiles(read_tile).root(0, size)


def inclusion_proof(index: int, size: int, read_tile: TileReader) -> list[bytes]:
    """Return the proof of RFC 9162 section 2.1.3.1 for leaf `index` in the tree of `size`."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not below size {size}")
    tiles = _Tiles(read_tile)
    proof = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split_point(stop - start)
        if index < middle:
            proof.append(tiles.root(middle, stop))
            stop = middle
        else:
            proof.append(tiles.root(start, middle))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, read_tile: TileReader) -> list[bytes]:
    """Return the proof of RFC 9162 section 2.1.4.1 between two sizes; empty if they are equal."""
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from size {old} to {new}")
    tiles = _Tiles(read_tile)
    proof = []
    start, stop = 0, new
    while stop != old:
        middle = start + _split_point(stop - start)
        if old <= middle:
            proof.append(tiles.root(middle, stop))
            stop = middle
        else:
            proof.append(tiles.root(start, middle))
            start = middle
    if start:  # otherwise the last subtree is the old tree itself, whose root the verifier has
        proof.append(tiles.root(start, stop))
    proof.reverse()
    return proof


def verify_inclusion(
    index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2); FormatError `inclusion_invalid`."""
    code = "inclusion_invalid"
    if not 0 <= index < size:
        raise FormatError(code, f"index {index} is not below size {size}")
    _check_hashes((leaf_hash, root, *proof), code)
    number, last = index, size - 1
    computed = leaf_hash
    for sibling in proof:
        if last == 0:
            raise FormatError(code, "the proof is too long")
        if number & 1 or number == last:
            computed = hash_node(sibling, computed)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            computed = hash_node(computed, sibling)
        number >>= 1
        last >>= 1
    if last:
        raise FormatError(code, "the proof is too short")
    if computed != root:
        raise FormatError(code, "the proof leads to another root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2); FormatError `consistency_invalid`."""
    code = "consistency_invalid"
    if not 0 < old <= new:
        raise FormatError(code, f"no consistency from size {old} to {new}")
    _check_hashes((old_root, new_root, *proof), code)
    if old == new:
        if proof:
            raise FormatError(code, "the sizes are equal, the proof is not empty")
        if old_root != new_root:
            raise FormatError(code, "the sizes are equal, the roots are not")
        return
    if not proof:
        raise FormatError(code, "the proof is empty")
    # A complete old tree is a subtree of the new one, and its root is not repeated in the proof.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise FormatError(code, "the proof is too long")
        if number & 1 or number == last:
            before = hash_node(sibling, before)
            after = hash_node(sibling, after)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            after = hash_node(after, sibling)
        number >>= 1
        last >>= 1
    if last:
        raise FormatError(code, "the proof is too short")
    if before != old_root:
        raise FormatError(code, "the proof leads to another root of the smaller tree")
    if after != new_root:
        raise FormatError(code, "the proof leads to another root of the larger tree")


def number_path(number: int) -> str:
    """Write a tile or bundle number in groups of three digits: 1234067 is `x001/x234/067`."""
    text = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        text = f"x{number % 1000:03}/{text}"
    return text


def tile_path(level: int, number: int, width: int) -> str:
    """Return the path of a tile below the log's folder; `width` hashes, 256 for a full one."""
    return f"tile/{level}/{_partial(number, width)}"


def entries_path(number: int, width: int) -> str:
    """Return the path of an entry bundle below the log's folder; `width` statements."""
    return f"tile/entries/{_partial(number, width)}"


def _partial(number: int, width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"no tile has width {width}")
    return number_path(number) if width == TILE_WIDTH else f"{number_path(number)}.p/{width}"


def _split_point(size: int) -> int:
    """Return the largest power of two smaller than size."""
    return 1 << (size - 1).bit_length() - 1


def _fold(hashes: bytes) -> bytes:
    """Pair neighbours until one is left; an odd last one moves up, as in the tree of RFC 9162."""
    while len(hashes) > HASH_BYTES:
        paired = [
            sha256(NODE_PREFIX + hashes[at : at + 2 * HASH_BYTES]).digest()
            for at in range(0, len(hashes) - HASH_BYTES, 2 * HASH_BYTES)
        ]
        if len(hashes) % (2 * HASH_BYTES):
            paired.append(hashes[-HASH_BYTES:])
        hashes = b"".join(paired)
    return hashes


def _joined(hashes: Sequence[bytes]) -> bytes:
    if set(map(len, hashes)) != {HASH_BYTES}:
        raise ValueError("a leaf hash has 32 bytes")
    return b"".join(hashes)


def _check_hashes(hashes: Sequence[bytes], code: str) -> None:
    if any(type(value) is not bytes or len(value) != HASH_BYTES for value in hashes):
        raise FormatError(code, "a hash is not 32 bytes")


def _short_tile(level: int, number: int) -> FormatError:
    return FormatError("tile_mismatch", f"tile {level}/{number} is shorter than its tree implies")


class _Tiles:
    """Subtree roots out of tiles, each tile read once a call."""

    def __init__(self, read_tile: TileReader) -> None:
        self._read_tile = read_tile
        self._seen: dict[tuple[int, int], bytes] = {}

    def root(self, start: int, stop: int) -> bytes:
        """Return the root over leaves start .. stop - 1 of a subtree of RFC 9162."""
        peaks = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            peaks.append(self._complete(start >> height, height))
            start += 1 << height
        root = peaks.pop()
        while peaks:
            root = hash_node(peaks.pop(), root)
        return root

    def _complete(self, number: int, height: int) -> bytes:
        """Return the root of the complete subtree of 2^height leaves with that number."""
        level, inner = divmod(height, TILE_HEIGHT)
        first = number << inner
        tile, at = divmod(first, TILE_WIDTH)
        hashes = self._seen.get((level, tile))
        if hashes is None:
            hashes = self._seen[level, tile] = self._read_tile(level, tile)
        part = hashes[at * HASH_BYTES : (at + (1 << inner)) * HASH_BYTES]
        if len(part) != HASH_BYTES << inner:
            raise _short_tile(level, tile)
        return _fold(part)
