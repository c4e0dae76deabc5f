"""Content on its way into a package (specs/07 §6): each once, checked, in order of its path.

References are spooled while the selection is read and sorted on disk, since a content that a
million witnesses name is to be written once, and a set of a million digests does not belong in
memory. Content that was erased is left out; content that is missing otherwise ends the export,
because a package that says `included` and lacks it would be refused (`content_missing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from ledger.errors import ContentError
from ledger.export.bag import Bag
from ledger.export.spool import SortedSpool
from ledger.formats.content import ContentRef
from ledger.reader import Reader

CONTENT_PREFIX = "data/content/"
PIECE_BYTES = 1 << 20


def content_path(blake3: bytes) -> str:
    """Return where a content lies in a package."""
    name = blake3.hex()
    return f"{CONTENT_PREFIX}{name[:2]}/{name}"


class Contents:
    """The contents that a selection names; a context manager, because sorting uses a file."""

    def __init__(self, spool_folder: Path) -> None:
        self._spool = SortedSpool(spool_folder)
        self.erased: dict[bytes, int] = {}
        self.written = 0

    def add(self, index: int, ref: ContentRef) -> None:
        """Take a reference of the statement at `index`."""
        # zero-padded, so that of several statements the first one stands first
        value = f"{ref.sha256.hex()} {ref.size_bytes} {int(ref.salted)} {index:020}"
        self._spool.add(ref.blake3.hex().encode(), value.encode())

    def write(self, log: Reader, bag: Bag, progress: Callable[[int, int], None]) -> None:
        """Write all of them, and note the erased ones with the index of the erasure.

        Errors: `ContentError` content_missing and content_mismatch, naming the first record that
        refers to the content.
        """
        # all of them will be looked up, so that looking through what the view lacks never pays
        log.store.content.update_view()
        for done, (index, ref, is_new) in enumerate(self._distinct()):
            progress(done, self._spool.count)
            try:
                file = log.open_archived(ref)
            except ContentError as error:
                erased_by = log.erased_by(ref) if error.code == "content_erased" else None
                if erased_by is None:
                    raise _named(error, index) from error
                self.erased[ref.blake3] = erased_by
                continue
            with file:
                if is_new:
                    written = bag.add(content_path(ref.blake3), _pieces(file))
                    if written.sha256 != ref.sha256:
                        changed = ContentError("content_mismatch", "content changed while read")
                        raise _named(changed, index)
                    self.written += 1

    def _distinct(self) -> Iterator[tuple[int, ContentRef, bool]]:
        """References that differ in more than media type, and whether their bytes are new."""
        digest, claim = b"", b""
        for key, value in self._spool:
            said, _, index = value.rpartition(b" ")
            if (key, said) == (digest, claim):
                continue
            sha256, size_bytes, salted = said.decode().split(" ")
            ref = ContentRef(
                sha256=bytes.fromhex(sha256),
                blake3=bytes.fromhex(key.decode()),
                size_bytes=int(size_bytes),
                media_type="application/octet-stream",
                salted=salted == "1",
            )
            yield int(index), ref, key != digest
            digest, claim = key, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _named(error: ContentError, index: int) -> ContentError:
    return ContentError(
        error.code,
        f"record {index}: {error.message}",
        hint="export with contents withheld, or restore the content first",
    )
