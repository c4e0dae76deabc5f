"""The Merkle tree of RFC 9162 section 2.1 with SHA-256, and its proofs (specs/04)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from .errors import Refused

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
HASH_BYTES = 32


def leaf_hash(statement: bytes) -> bytes:
    """Return H(0x00 || statement)."""
    return sha256(LEAF_PREFIX + statement).digest()


def leaf_hashes(statements: Sequence[bytes]) -> list[bytes]:
    """Return the leaf hash of each statement."""
    return [sha256(LEAF_PREFIX + statement).digest() for statement in statements]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return H(0x01 || left || right)."""
    return sha256(NODE_PREFIX + left + right).digest()


def pack_root(hashes: bytes) -> bytes:
    """Return the root over hashes of equal height, 32 bytes each, at least one."""
    if not hashes or len(hashes) % HASH_BYTES:
        raise RuntimeError("not a row of hashes")
    while len(hashes) > HASH_BYTES:
        row = [
            sha256(NODE_PREFIX + hashes[i : i + 64]).digest()
            for i in range(0, len(hashes) - HASH_BYTES, 64)
        ]
        if len(hashes) % 64:
            row.append(hashes[-HASH_BYTES:])
        hashes = b"".join(row)
    return hashes


class Frontier:
    """The complete subtrees on the right edge of a growing tree, largest first."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []
        self.size = 0

    def append(self, subtree: bytes, height: int = 0) -> None:
        """Add the root of a complete subtree of 2^height leaves at the right."""
        if self.size % (1 << height):
            raise RuntimeError("a subtree out of place")
        self.size += 1 << height
        while self._stack and self._stack[-1][0] == height:
            subtree = node_hash(self._stack.pop()[1], subtree)
            height += 1
        self._stack.append((height, subtree))

    def root(self) -> bytes:
        """Return the root of the tree so far, which is not empty."""
        if not self._stack:
            raise RuntimeError("the tree is empty")
        root = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            root = node_hash(left, root)
        return root


def _check_hashes(code: str, *hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise Refused(code, f"a hash that is not {HASH_BYTES} bytes")


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2); `inclusion_invalid`."""
    _check_hashes("inclusion_invalid", leaf, root, *proof)
    if not 0 <= index < size:
        raise Refused("inclusion_invalid", f"index {index} is not below size {size}")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise Refused("inclusion_invalid", "the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise Refused("inclusion_invalid", "the proof is too short")
    if r != root:
        raise Refused("inclusion_invalid", "the proof leads to another root", root.hex(), r.hex())


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2); `consistency_invalid`."""
    if size1 < 1 or size1 > size2:
        raise Refused("consistency_invalid", f"no proof leads from size {size1} to {size2}")
    if size1 == size2:
        if proof or root1 != root2:
            raise Refused("consistency_invalid", "equal sizes with a proof or different roots")
        return
    _check_hashes("consistency_invalid", root1, root2, *proof)
    path = list(proof)
    if not path:
        raise Refused("consistency_invalid", "the proof is empty")
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Refused("consistency_invalid", "the proof is too long")
        if fn & 1 or fn == sn:
            fr = node_hash(c, fr)
            sr = node_hash(c, sr)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise Refused("consistency_invalid", "the proof is too short")
    if fr != root1:
        raise Refused("consistency_invalid", "not from this head", root1.hex(), fr.hex())
    if sr != root2:
        raise Refused("consistency_invalid", "not to this head", root2.hex(), sr.hex())
