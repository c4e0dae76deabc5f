"""The Merkle tree, exhaustively for small sizes and against a plain recursion (RFC 9162)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats import merkle

LEAVES = [merkle.hash_leaf(number.to_bytes(4)) for number in range(70_000)]
SMALL = 130


class Tiles:
    """Stored tiles that grow by appends, and a count of how often they were read."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0
        self.reads = 0

    def read(self, level: int, number: int) -> bytes:
        """Return the hashes of a tile so far; asking for one that is not there is an error."""
        self.reads += 1
        return self.tiles[level, number]

    def append(self, leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
        """Append leaf hashes; return what changed."""
        changed = merkle.tiles_after_append(self.size, leaves, self.read)
        self.tiles |= changed
        self.size += len(leaves)
        return changed


def stored(size: int) -> Tiles:
    """Return the tiles of the tree of the first leaves."""
    tiles = Tiles()
    tiles.append(LEAVES[:size])
    return tiles


WHOLE = stored(SMALL)


def mth(leaves: Sequence[bytes]) -> bytes:
    """Return MTH of RFC 9162 section 2.1.1 over leaf hashes, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """Return SUBPROOF of RFC 9162 section 2.1.4.1."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*subproof(old, leaves[:split], whole), mth(leaves[split:])]
    return [*subproof(old - split, leaves[split:], False), mth(leaves[:split])]


ROOTS = [mth(LEAVES[: size or 1]) for size in range(SMALL + 1)]


def test_every_root_up_to_130() -> None:
    """Three ways to a root agree with the recursion: all leaves, grown tiles, larger tiles."""
    grown = Tiles()
    for size in range(1, SMALL + 1):
        grown.append(LEAVES[size - 1 : size])
        assert merkle.root_of(LEAVES[:size]) == ROOTS[size]
        assert merkle.root_at(size, grown.read) == ROOTS[size]
        assert merkle.root_at(size, WHOLE.read) == ROOTS[size]


def test_every_inclusion_proof_up_to_130() -> None:
    """Each is the one of the RFC and verifies; also from tiles of a larger tree."""
    for size in range(1, SMALL + 1):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, WHOLE.read)
            assert proof == path(index, LEAVES[:size])
            merkle.verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])


def test_every_consistency_proof_up_to_130() -> None:
    """Each is the one of the RFC and verifies."""
    for new in range(1, SMALL + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, WHOLE.read)
            assert proof == subproof(old, LEAVES[:new])
            merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


def test_no_inclusion_proof_serves_another_place_up_to_20() -> None:
    """A proof verifies for its own index, size, leaf and root, and for nothing else."""
    for size in range(1, 21):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, WHOLE.read)
            for other in range(size + 2):
                for leaf in (LEAVES[index], LEAVES[other]):
                    if other != index:
                        with pytest.raises(FormatError, match="inclusion_invalid"):
                            merkle.verify_inclusion(other, size, leaf, proof, ROOTS[size])
            for other in range(1, SMALL + 1, 7):
                if other != size:
                    with pytest.raises(FormatError, match="inclusion_invalid"):
                        merkle.verify_inclusion(index, size, LEAVES[index], proof, ROOTS[other])


def test_no_consistency_proof_serves_other_sizes_up_to_16() -> None:
    """A proof verifies for its own sizes and roots, and for no others."""
    for new in range(1, 17):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, WHOLE.read)
            for a in range(17):
                for b in range(17):
                    if (a, b) != (old, new) and not (a == b and old == new and a):
                        with pytest.raises(FormatError, match="consistency_invalid"):
                            merkle.verify_consistency(a, b, ROOTS[a], ROOTS[b], proof)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.data())
def test_batches_of_any_sizes_make_the_same_tiles(batches: list[int], data: st.DataObject) -> None:
    """However leaves are grouped into appends, tiles, roots and proofs are the same."""
    tiles = Tiles()
    for count in batches:
        tiles.append(LEAVES[tiles.size : tiles.size + count])
    size = tiles.size
    assert tiles.tiles == stored(size).tiles
    assert set(tiles.tiles) == {
        (level, number) for level in range(3) for number in range(-(-(size >> 8 * level) // 256))
    }
    root = merkle.root_of(LEAVES[:size])
    assert merkle.root_at(size, tiles.read) == root
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, tiles.read)
    merkle.verify_inclusion(index, size, LEAVES[index], proof, root)
    old = data.draw(st.integers(1, size))
    before = merkle.root_at(old, tiles.read)
    assert before == merkle.root_of(LEAVES[:old])
    update = merkle.consistency_proof(old, size, tiles.read)
    merkle.verify_consistency(old, size, before, root, update)


def test_a_tree_of_three_levels() -> None:
    """Beyond 65,536 leaves a third level of tiles begins; roots and proofs cross it."""
    tiles = stored(len(LEAVES))
    assert {level for level, _ in tiles.tiles} == {0, 1, 2}
    root = merkle.root_of(LEAVES)
    assert merkle.root_at(len(LEAVES), tiles.read) == root
    for index in (0, 65_535, 65_536, 69_999):
        proof = merkle.inclusion_proof(index, len(LEAVES), tiles.read)
        merkle.verify_inclusion(index, len(LEAVES), LEAVES[index], proof, root)
    for old in (1, 255, 256, 65_535, 65_536, 65_537, 69_999):
        before = merkle.root_of(LEAVES[:old])
        proof = merkle.consistency_proof(old, len(LEAVES), tiles.read)
        merkle.verify_consistency(old, len(LEAVES), before, root, proof)


def test_an_append_touches_only_the_right_edge() -> None:
    """Appending one leaf to 69,999 reads and returns one tile a level at most."""
    tiles = stored(69_999)
    tiles.reads = 0
    changed = tiles.append(LEAVES[69_999:70_000])
    assert set(changed) == {(0, 273)}
    assert tiles.reads == 1
    assert len(changed[0, 273]) == 32 * (70_000 - 273 * 256)


@given(st.integers(1, SMALL), st.data(), st.integers(0, 255), st.integers(1, 255))
def test_a_changed_byte_breaks_a_proof(size: int, data: st.DataObject, at: int, mask: int) -> None:
    """Flipping bits anywhere in a proof is found."""
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, WHOLE.read)
    if proof:
        number = at % len(proof)
        value = bytearray(proof[number])
        value[at % 32] ^= mask
        proof[number] = bytes(value)
        with pytest.raises(FormatError, match="another root"):
            merkle.verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])


def test_a_tile_that_is_too_short_is_found() -> None:
    """Tiles that lost hashes give an error, never a wrong root."""

    def short(level: int, number: int) -> bytes:
        return WHOLE.read(level, number)[:-32]

    for work in (
        lambda: merkle.root_at(SMALL, short),
        lambda: merkle.inclusion_proof(0, SMALL, short),
        lambda: merkle.consistency_proof(1, SMALL, short),
        lambda: merkle.tiles_after_append(SMALL, LEAVES[:1], short),
    ):
        with pytest.raises(FormatError, match="tile_mismatch"):
            work()


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067"),
     (256 * 1000, "x256/000"), (10**9, "x001/x000/x000/000")],
)  # fmt: skip
def test_numbers_are_written_in_groups_of_three(number: int, text: str) -> None:
    """specs/04 section 2, with the example of the page."""
    assert merkle.number_path(number) == text


def test_partial_tiles_say_their_width() -> None:
    """A full tile has no suffix; a tile has 1 to 256 hashes."""
    assert merkle.tile_path(0, 1, 256) == "tile/0/001"
    assert merkle.tile_path(1, 0, 255) == "tile/1/000.p/255"
    assert merkle.entries_path(1000, 1) == "tile/entries/x001/000.p/1"
    for width in (0, 257):
        with pytest.raises(ValueError, match="width"):
            merkle.tile_path(0, 0, width)


def test_questions_that_make_no_sense_are_the_callers_mistake() -> None:
    """No proof is made outside of the tree."""
    for work in (
        lambda: merkle.root_of([]),
        lambda: merkle.root_at(0, WHOLE.read),
        lambda: merkle.inclusion_proof(5, 5, WHOLE.read),
        lambda: merkle.inclusion_proof(-1, 5, WHOLE.read),
        lambda: merkle.consistency_proof(0, 5, WHOLE.read),
        lambda: merkle.consistency_proof(6, 5, WHOLE.read),
    ):
        with pytest.raises(ValueError, match=r"tree|index|consistency"):
            work()
