"""What a forger would do to a package: change one bit of one record, and then cover it up.

Covering up means to write the manifests of the bag anew, so that every file has the hash that the
bag states (specs/07 section 2). What cannot be made to fit without the keys is the rest: the leaf
hash, the tree, the signature.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ledger.formats.merkle import TILE_WIDTH, entries_path

__all__ = ["Flip", "cover_up", "flip_bit"]

_MANIFEST, _TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Flip:
    """Where a bit was changed: file in the package, offset in it, byte before and after."""

    path: str
    offset: int
    before: int
    after: int


def flip_bit(package: Path, index: int, size: int, needle: bytes) -> Flip:
    """Flip the lowest bit of the last byte of `needle` in the record at an index.

    `package` is the folder of a whole-ledger package of `size` records. Raises ValueError if the
    record does not hold `needle`.
    """
    bundle, place = divmod(index, TILE_WIDTH)
    count = min(TILE_WIDTH, size - bundle * TILE_WIDTH)
    path = f"data/log/{entries_path(bundle, count)}"
    content = bytearray((package / path).read_bytes())
    start = 0
    for _ in range(place):
        start += _LENGTH_BYTES + int.from_bytes(content[start : start + _LENGTH_BYTES])
    start += _LENGTH_BYTES
    length = int.from_bytes(content[start - _LENGTH_BYTES : start])
    offset = content.index(needle, start, start + length) + len(needle) - 1
    before = content[offset]
    content[offset] ^= 1
    _overwrite(package / path, bytes(content))
    return Flip(path, offset, before, content[offset])


def cover_up(package: Path, changed: str) -> None:
    """Make both manifests of the bag fit a file that was changed."""
    for manifest, path in ((_MANIFEST, changed), (_TAG_MANIFEST, _MANIFEST)):
        digest = hashlib.sha256((package / path).read_bytes()).hexdigest()
        lines = (package / manifest).read_text(encoding="utf-8").splitlines()
        fixed = [f"{digest}  {path}" if line[66:] == path else line for line in lines]
        _overwrite(package / manifest, ("\n".join(fixed) + "\n").encode())


def _overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)  # packages may be written read-only
    path.write_bytes(content)
