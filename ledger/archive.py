"""Content of a ledger: making references, and reading what they refer to (specs/06).

What is read is checked first: content that does not match its reference is never handed out.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from blake3 import blake3

from ledger.drafts import Archived
from ledger.errors import ContentError, LogError
from ledger.formats import content as formats
from ledger.formats.content import SALT_BYTES, ContentHasher, ContentRef
from ledger.keystate import KeyState
from ledger.store import INLINE_MAX_BYTES, Store
from ledger.store.content import PIECE_BYTES
from ledger.store.rows import from_u64
from ledger.views.index import INDEX, bring_up_to_date, erases, source_size, take_apart

__all__ = ["Archive"]


def _read_up_to(file: BinaryIO, size: int) -> bytes:
    """As many bytes as there are, even where one `read` gives fewer, as pipes do."""
    pieces = []
    while size and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Archive:
    """The content of a ledger."""

    def __init__(self, store: Store, keys: KeyState) -> None:
        self._store = store
        self._keys = keys

    def archive(self, content: bytes | Path | BinaryIO, media_type: str) -> Archived:
        """Make a reference to some content, salted if the ledger is, to hand to an append.

        Up to 64 KiB the bytes come with the result and are stored with the statement; larger
        content is written to the archive now, piece by piece. Raises `LogError("read_only")`,
        `StoreError` (`store_full`, `store_failed`), `OSError` where `content` cannot be read.
        """
        salt = os.urandom(SALT_BYTES) if self._keys.salted else None
        if isinstance(content, Path):
            with content.open("rb") as file:
                return self._archive_stream(file, media_type, salt)
        if isinstance(content, bytes):
            if len(content) <= INLINE_MAX_BYTES - len(salt or b""):
                return Archived(*formats.refer(content, media_type, salt))
            content = io.BytesIO(content)
        return self._archive_stream(content, media_type, salt)

    def _archive_stream(self, file: BinaryIO, media_type: str, salt: bytes | None) -> Archived:
        inline = INLINE_MAX_BYTES - len(salt or b"")
        start = _read_up_to(file, inline + 1)
        if len(start) <= inline:
            return Archived(*formats.refer(start, media_type, salt))
        if self._store.read_only:
            raise LogError("read_only", "the ledger was opened for reading only")
        hasher = ContentHasher(media_type, salt)
        with self._store.content.writing() as incoming:
            incoming.write(salt or b"")
            piece = start
            while piece:
                hasher.update(piece)
                incoming.write(piece)
                piece = file.read(PIECE_BYTES)
            incoming.keep()
        return Archived(hasher.finish(), None)

    def archived(self, ref: ContentRef) -> bytes:
        """The archived bytes, salt included, checked against the reference.

        Raises `ContentError` `content_missing`, `content_erased`, `content_mismatch`.
        """
        found = self._store.content.read(ref.blake3)
        if found is None:
            raise self._absent(ref)
        formats.check(ref, found)
        return found

    def content(self, ref: ContentRef | Mapping[str, Any]) -> bytes:
        """The content without its salt, checked; raises as `archived`.

        A reference may be given as it stands in the body of a statement.
        """
        one = ref if isinstance(ref, ContentRef) else formats.from_cbor(dict(ref))
        return self.archived(one)[SALT_BYTES if one.salted else 0 :]

    def open_archived(self, ref: ContentRef) -> BinaryIO:
        """The archived bytes as a file at its beginning, all checked; raises as `archived`.

        Memory does not grow with the size; close the file.
        """
        file = self._store.content.open(ref.blake3)
        if file is None:
            raise self._absent(ref)
        try:
            sha256, digest, size = hashlib.sha256(), blake3(), 0
            while piece := file.read(PIECE_BYTES):
                sha256.update(piece)
                digest.update(piece)
                size += len(piece)
            if (size, sha256.digest(), digest.digest()) != (
                ref.archived_bytes,
                ref.sha256,
                ref.blake3,
            ):
                raise ContentError(
                    "content_mismatch", f"content {ref.blake3.hex()} is not what was referenced"
                )
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def open_content(self, ref: ContentRef) -> BinaryIO:
        """The content as a file positioned after the salt, checked; raises as `archived`."""
        file = self.open_archived(ref)
        file.seek(SALT_BYTES if ref.salted else 0)
        return file

    def erased_by(self, ref: ContentRef) -> int | None:
        """The index of the first `erasure` of this content, or None (specs/06 section 4)."""
        bring_up_to_date(self._store)
        with self._store.reading() as snapshot:
            for key in INDEX.keys(snapshot, b"e" + ref.blake3):
                return from_u64(key)
            unread, size = INDEX.size(snapshot), source_size(snapshot)
        for index, statement in self._store.entries(unread, size):
            if erases(take_apart(index, statement)) == ref.blake3:
                return index
        return None

    def _absent(self, ref: ContentRef) -> ContentError:
        erased = self.erased_by(ref)
        name = ref.blake3.hex()
        if erased is not None:
            return ContentError("content_erased", f"content {name} was erased at index {erased}")
        return ContentError("content_missing", f"content {name} is not in the archive")
