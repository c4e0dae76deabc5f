"""Content against its names: every blob and every content file is hashed (specs/06, specs/09).

What is intact is remembered, about 200 bytes a content; references are compared with that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from ledger.doctor.problem import Problem
from ledger.formats.content import ContentRef
from ledger.store import INLINE_MAX_BYTES, Snapshot
from ledger.store.content import PIECE_BYTES

__all__ = ["Contents"]

_NAME = re.compile(r"[0-9a-f]{64}")


class Contents:
    """Checks content, then answers for it."""

    def __init__(self) -> None:
        self._intact: dict[bytes, tuple[bytes, int]] = {}
        self._wanted: dict[bytes, int] = {}
        self._erased: set[bytes] = set()

    def blobs(self, snapshot: Snapshot) -> Iterator[Problem]:
        """Hash every blob."""
        expected = 0
        for number, value in snapshot.blobs(0, 1 << 63):
            if number != expected:
                yield Problem("blob_missing", "blobs", str(expected), "a number is missing")
            expected = number + 1
            if len(value) < 32 or len(value) > 32 + INLINE_MAX_BYTES:
                yield Problem(
                    "content_mismatch", "blobs", str(number), f"a value of {len(value)} bytes"
                )
            elif len(value) > 32 or value == blake3().digest():
                digest = blake3(value[32:]).digest()
                if digest == value[:32]:
                    self._note(digest, hashlib.sha256(value[32:]).digest(), len(value) - 32)
                else:
                    yield Problem(
                        "content_mismatch",
                        "blobs",
                        str(number),
                        "archived bytes are not those of their digest",
                        value[:32].hex(),
                        digest.hex(),
                    )

    def files(self, folder: Path) -> Iterator[Problem]:
        """Hash every content file, and name what does not belong there."""
        if not folder.is_dir():
            yield Problem("content_missing", "content", ".", "the folder is missing")
            return
        for path in sorted(folder.glob("*/*")):
            name = f"{path.parent.name}/{path.name}"
            if path.parent.name == "tmp":
                yield Problem(
                    "orphan_temporary", "content", name, "left by a crash", severity="note"
                )
            elif not _NAME.fullmatch(path.name) or path.name[:2] != path.parent.name:
                yield Problem("file_unexpected", "content", name, "not the name of a content")
            else:
                yield from self._file(path, name)

    def _file(self, path: Path, name: str) -> Iterator[Problem]:
        sha256, digest, size = hashlib.sha256(), blake3(), 0
        try:
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    sha256.update(piece)
                    digest.update(piece)
                    size += len(piece)
        except OSError as error:
            yield Problem("content_unreadable", "content", name, str(error.strerror))
            return
        if digest.hexdigest() == path.name:
            self._note(digest.digest(), sha256.digest(), size)
        else:
            yield Problem(
                "content_mismatch",
                "content",
                name,
                "archived bytes are not those of their digest",
                path.name,
                digest.hexdigest(),
            )

    def _note(self, digest: bytes, sha256: bytes, size: int) -> None:
        self._intact[digest] = (sha256, size)

    def reference(self, index: int, ref: ContentRef) -> Iterator[Problem]:
        """Take note of a reference, and compare what it says with the content that is there."""
        found = self._intact.get(ref.blake3)
        if found is None:
            self._wanted.setdefault(ref.blake3, index)
        elif found != (ref.sha256, ref.archived_bytes):
            yield Problem(
                "content_mismatch",
                "entries",
                str(index),
                f"its reference to content {ref.blake3.hex()} states other bytes",
                f"{ref.sha256.hex()} of {ref.archived_bytes} bytes",
                f"{found[0].hex()} of {found[1]} bytes",
            )

    def erased(self, digest: bytes) -> None:
        """Take note of an erasure."""
        self._erased.add(digest)

    def missing(self) -> Iterator[Problem]:
        """References whose content is neither there, intact, nor erased."""
        for digest, index in self._wanted.items():
            if digest not in self._erased:
                yield Problem(
                    "content_missing",
                    "content",
                    digest.hex(),
                    f"referenced by the statement at index {index}, not in the archive intact",
                )
