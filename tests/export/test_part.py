"""Proofs for many records at once (specs/07 §4)."""

from __future__ import annotations

import pytest

from ledger.export.part import PROOF_MAX_HASHES, Prover, proved_files, proved_record
from ledger.formats import merkle

LEAVES = [merkle.hash_leaf(bytes([n % 256, n // 256])) for n in range(1500)]
TILES = merkle.tiles_after_append(0, LEAVES, lambda level, number: b"")


def read_tile(level: int, number: int) -> bytes:
    return TILES[level, number]


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 513, 1499, 1500])
def test_a_proof_is_the_one_that_merkle_makes(size: int) -> None:
    """All indices of small trees and some of large ones, from tiles that have grown past them."""
    prover = Prover(size, read_tile)
    indices = range(size) if size < 300 else {0, 1, 254, 255, 256, size // 2, size - 2, size - 1}
    for index in indices:
        proof = prover.prove(index)
        assert proof == merkle.inclusion_proof(index, size, read_tile)
        root = merkle.root_of(LEAVES[:size])
        merkle.verify_inclusion(index, size, LEAVES[index], proof, root)


def test_tiles_of_level_one_are_used_for_large_subtrees() -> None:
    """The proof for the first of 1,500 leaves reads one tile of level 0 per 256 leaves at most."""
    read: list[tuple[int, int]] = []

    def counting(level: int, number: int) -> bytes:
        read.append((level, number))
        return read_tile(level, number)

    prover = Prover(1500, counting)
    for index in range(256):
        prover.prove(index)
    assert sorted(set(read)) == [(0, 0), (0, 5), (1, 0)]
    assert len(read) == 3


def test_a_record_is_laid_out_as_the_page_says() -> None:
    """u64 index, u16 length, statement, u8 number, hashes."""
    record = proved_record(258, b"statement", [b"a" * 32, b"b" * 32])
    assert record == (
        b"\0\0\0\0\0\0\x01\x02" + b"\0\x09" + b"statement" + b"\x02" + b"a" * 32 + b"b" * 32
    )
    with pytest.raises(ValueError, match="63"):
        proved_record(0, b"", [bytes(32)] * (PROOF_MAX_HASHES + 1))


def test_files_are_numbered_like_tiles_without_partial_endings() -> None:
    """256 records in each file; the thousandth file is `x001/000`."""
    records = ((n, b"") for n in range(256_001))
    paths = [(path, sum(1 for _ in chunks)) for path, chunks in proved_files(records, lambda _: [])]
    assert paths[0] == ("data/log/proved/000", 256)
    assert paths[999] == ("data/log/proved/999", 256)
    assert paths[1000] == ("data/log/proved/x001/000", 1)
