"""`data/log/` of a part of a ledger: statements with inclusion proofs (specs/07 §4).

`log/proved/<N>`, 256 records in a file, each

    u64 index | u16 length | statement | u8 number of hashes | 32 bytes each

and `log/consistency/<size>.txt` for an auditor who knows an earlier head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from ledger.export.bag import LOG_PREFIX
from ledger.export.tree import Files
from ledger.formats.merkle import HASH_BYTES, TILE_WIDTH, TileReader, hash_node, number_path
from ledger.formats.proof_file import write_consistency

RECORDS_PER_FILE = TILE_WIDTH
PROOF_MAX_HASHES = 63
SUBTREES_KEPT = 4096
TILES_KEPT = 32


class Prover:
    """Inclusion proofs of many leaves of one tree, in about the order of their indices.

    Neighbours share nearly all subtrees, so that keeping the latest `SUBTREES_KEPT` roots makes a
    proof cost a few hashes, where one by itself hashes whole tiles. RFC 9162 section 2.1.3.1.
    """

    def __init__(self, size: int, read_tile: TileReader) -> None:
        self._size = size
        self._tile = lru_cache(TILES_KEPT)(read_tile)
        self._root = lru_cache(SUBTREES_KEPT)(self._fold)

    def prove(self, index: int) -> list[bytes]:
        """Return the proof for the leaf at an index below the size."""
        path = []
        start, stop = 0, self._size
        while stop - start > 1:
            middle = start + _split_point(stop - start)
            if index < middle:
                path.append(self._root(middle, stop))
                stop = middle
            else:
                path.append(self._root(start, middle))
                start = middle
        return path[::-1]

    def _fold(self, start: int, stop: int) -> bytes:
        """Return the root of the leaves from `start` on, before `stop`."""
        level, hashes = 0, stop - start
        while hashes % TILE_WIDTH == 0:
            level, hashes = level + 1, hashes // TILE_WIDTH
        if hashes == 1:  # a complete subtree that a tile holds as one hash
            number, at = divmod(start // (stop - start), TILE_WIDTH)
            return self._tile(level, number)[at * HASH_BYTES : (at + 1) * HASH_BYTES]
        middle = start + _split_point(stop - start)
        return hash_node(self._root(start, middle), self._root(middle, stop))


def proved_record(index: int, statement: bytes, proof: list[bytes]) -> bytes:
    """Return one proved record; `proof` is the inclusion proof in the packaged tree."""
    if len(proof) > PROOF_MAX_HASHES:
        raise ValueError(f"a proof has at most {PROOF_MAX_HASHES} hashes")
    head = index.to_bytes(8, "big") + len(statement).to_bytes(2, "big")
    return head + statement + len(proof).to_bytes(1, "big") + b"".join(proof)


def proved_files(
    statements: Iterable[tuple[int, bytes]], prove: Callable[[int], list[bytes]]
) -> Files:
    """Yield the files of proved records; `statements` in ascending order of index."""
    numbered = enumerate(statements)
    for number, group in groupby(numbered, key=lambda item: item[0] // RECORDS_PER_FILE):
        records = (record for _, record in group)
        path = f"{LOG_PREFIX}proved/{number_path(number)}"
        yield path, _records(records, prove)


def _records(
    statements: Iterable[tuple[int, bytes]], prove: Callable[[int], list[bytes]]
) -> Iterator[bytes]:
    for index, statement in statements:
        yield proved_record(index, statement, prove(index))


def consistency_files(
    sizes: Iterable[int], prove: Callable[[int], list[bytes]], checkpoint: bytes
) -> Files:
    """Yield a consistency proof from each earlier size to the packaged checkpoint."""
    for size in sorted(set(sizes)):
        path = f"{LOG_PREFIX}consistency/{size}.txt"
        yield path, (write_consistency(size, prove(size), checkpoint),)


def _split_point(count: int) -> int:
    """Return the largest power of two smaller than a count."""
    return 1 << (count - 1).bit_length() - 1
