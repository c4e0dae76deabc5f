"""Merkle proofs: every honest one leads to the root in both programs, no other does."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from hypothesis import given

from ledger.formats import merkle
from tests.helpers.damage import randomness
from tests.helpers.outcome import Outcome, agree, outcome
from tests.helpers.quick import runs
from verifier import merkle as theirs

LEAVES = [sha256(b"%d" % n).digest() for n in range(600)]
TILES: dict[tuple[int, int], bytes] = merkle.tiles_after_append(0, LEAVES, lambda _l, _n: b"")
SMALL = 33


def read_tile(level: int, number: int) -> bytes:
    return TILES[level, number]


ROOTS = {size: merkle.root_at(size, read_tile) for size in range(1, len(LEAVES) + 1)}


def inclusion(index: int, size: int, leaf: bytes, proof: list[bytes], root: bytes) -> Outcome:
    """Judge an inclusion proof with both programs; fail where they differ."""
    mine = outcome(merkle.verify_inclusion, index, size, leaf, proof, root)
    agree(mine, outcome(theirs.verify_inclusion, leaf, index, size, proof, root))
    return mine


def consistency(old: int, new: int, first: bytes, second: bytes, proof: list[bytes]) -> Outcome:
    """Judge a consistency proof with both programs; fail where they differ."""
    mine = outcome(merkle.verify_consistency, old, new, first, second, proof)
    agree(mine, outcome(theirs.verify_consistency, old, new, proof, first, second))
    return mine


def test_all_small_trees() -> None:
    """In trees of up to 32 each leaf is proven to both, and each smaller tree is a beginning."""
    for size in range(1, SMALL):
        assert theirs.pack_root(b"".join(LEAVES[:size])) == ROOTS[size]
        frontier = theirs.Frontier()
        for leaf in LEAVES[:size]:
            frontier.append(leaf)
        assert frontier.root() == ROOTS[size] == merkle.root_of(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, read_tile)
            assert inclusion(index, size, LEAVES[index], proof, ROOTS[size]).accepted
            for wrong in range(size):
                if wrong != index:
                    assert not inclusion(wrong, size, LEAVES[index], proof, ROOTS[size]).accepted
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(old, size, read_tile)
            assert consistency(old, size, ROOTS[old], ROOTS[size], proof).accepted


def damaged(proof: list[bytes], rng: Random) -> list[bytes]:
    """A proof with a hash changed, cut off, put in, doubled, or out of order."""
    proof, kind = list(proof), rng.randint(0, 5)
    at = rng.randrange(len(proof)) if proof else 0
    if kind == 0 and proof:
        proof[at] = bytes(31) + bytes((proof[at][31] ^ 1,))
    elif kind == 1 and proof:
        del proof[at]
    elif kind == 2:
        proof.insert(at, rng.choice([LEAVES[0], bytes(32), rng.choice(list(ROOTS.values()))]))
    elif kind == 3 and proof:
        proof.insert(at, proof[at])
    elif kind == 4 and len(proof) > 1:
        proof.reverse()
    else:
        proof.append(bytes(32))
    return proof


@runs(60)
@given(randomness)
def test_damaged_inclusion_proofs_are_refused_by_both(rng: Random) -> None:
    """No changed proof, index, size, leaf or root passes, whatever the size of the tree."""
    for _ in range(20):
        size = rng.choice((1, 2, 3, 255, 256, 257, 511, 600, rng.randint(1, 600)))
        index = rng.randrange(size)
        proof = merkle.inclusion_proof(index, size, read_tile)
        assert inclusion(index, size, LEAVES[index], proof, ROOTS[size]).accepted
        changed = damaged(proof, rng)
        if changed != proof:
            assert not inclusion(index, size, LEAVES[index], changed, ROOTS[size]).accepted
        other = rng.choice([n for n in (-1, 0, index - 1, index + 1, size, 2**63) if n != index])
        assert not inclusion(other, size, LEAVES[index], proof, ROOTS[size]).accepted
        inclusion(
            index,
            rng.choice((0, size - 1, size + 1, 2 * size, 2**64)),
            LEAVES[index],
            proof,
            ROOTS[size],
        )
        assert not inclusion(
            index, size, LEAVES[index - 1] if size > 1 else bytes(32), proof, ROOTS[size]
        ).accepted
        assert not inclusion(index, size, LEAVES[index], proof, bytes(32)).accepted


@runs(60)
@given(randomness)
def test_damaged_consistency_proofs_are_refused_by_both(rng: Random) -> None:
    """No changed proof, size or root passes as the continuation of an earlier head."""
    for _ in range(20):
        new = rng.choice((2, 3, 256, 257, 512, 600, rng.randint(2, 600)))
        old = rng.randint(1, new)
        proof = merkle.consistency_proof(old, new, read_tile)
        assert consistency(old, new, ROOTS[old], ROOTS[new], proof).accepted
        changed = damaged(proof, rng)
        if changed != proof:
            assert not consistency(old, new, ROOTS[old], ROOTS[new], changed).accepted
        assert not consistency(old, new, bytes(32), ROOTS[new], proof).accepted
        assert not consistency(old, new, ROOTS[old], bytes(32), proof).accepted
        if old != new:
            assert not consistency(old, new, ROOTS[new], ROOTS[old], proof).accepted
        for sizes in (
            (0, new),
            (old + 1, new),
            (new, old),
            (old, new + 1),
            (-1, new),
            (new + 1, new),
        ):
            consistency(*sizes, ROOTS[old], ROOTS[new], proof)
