"""Content beside the log: archived bytes by BLAKE3 (specs/06, specs/09 sections 1 and 3).

Up to `INLINE_MAX_BYTES` they are a blob in the database, written in the transaction of the
statement that brings them. Larger ones are files, durable before that transaction begins:

    content/tmp/<random>   written, fsync
    content/ab/ab12…       renamed to its digest, then fsync of the folder

A digest that is stored already is not stored again, as far as that is cheaply known: a list of
recent digests, and the view of blobs as far as it has been read. A duplicate does no harm.

Erasing a blob removes it from the database, but LMDB overwrites a freed page only when it uses the
page again, and a file system does the same with a file's blocks.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from ledger.errors import ContentError, StoreError
from ledger.store.environment import Environment
from ledger.store.files import storage_errors, sync_folder, write_all
from ledger.store.rows import from_u64, u64
from ledger.store.snapshot import Snapshot
from ledger.store.views import View

__all__ = ["INLINE_MAX_BYTES", "PIECE_BYTES", "ContentStore", "blob_view"]

INLINE_MAX_BYTES = 65536
PIECE_BYTES = 1 << 20
RECENT_MAX = 4096


def _blob_keys(snapshot: Snapshot, start: int, stop: int) -> list[bytes]:
    return [value[:32] + u64(number) for number, value in snapshot.blobs(start, stop)]


blob_view = View("blob", _blob_keys, Snapshot.blob_count)
"""BLAKE3 | u64 number, for every blob."""


class ContentStore:
    """Archived bytes of one ledger, small and large."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment = environment
        self.folder = folder
        self._recent: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, digest: bytes) -> Path:
        """Where a large content with this BLAKE3 is."""
        name = digest.hex()
        return self.folder / name[:2] / name

    def is_stored(self, digest: bytes) -> bool:
        """Whether it is known to be stored; False may also mean that nobody has looked yet."""
        with self._lock:
            recent = self._recent.get(digest)
        with self._environment.read() as txn:
            snapshot = Snapshot(self._environment, txn)
            # What was known may have been erased since, by another process too.
            numbers = self._blob_numbers(snapshot, digest, tail=False)
            if recent is not None:
                numbers.append(recent)
            if any(_archived(snapshot, number, digest) is not None for number in numbers):
                return True
        return self.path(digest).exists()

    def remember(self, digest: bytes, number: int) -> None:
        """Note that a blob is durable."""
        with self._lock:
            self._recent[digest] = number
            self._recent.move_to_end(digest)
            if len(self._recent) > RECENT_MAX:
                self._recent.popitem(last=False)

    def put_file(self, digest: bytes, pieces: Iterable[bytes]) -> None:
        """Make large content durable; raises `StoreError`, and `ContentError` for other bytes.

        Nothing is left behind when it fails, and nothing is ever visible under a wrong name.
        """
        with self.writing() as incoming:
            for piece in pieces:
                incoming.write(piece)
            if incoming.digest() != digest:
                raise ContentError("content_mismatch", f"content is not {digest.hex()}")
            incoming.keep()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Incoming]:
        """A file that is being written; gone at the end of the block unless it was kept."""
        temporary = self.folder / "tmp" / secrets.token_hex(16)
        with storage_errors("writing content"):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            incoming = Incoming(self, descriptor, temporary)
            try:
                yield incoming
            finally:
                os.close(descriptor)
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()

    def read(self, digest: bytes) -> bytes | None:
        """The archived bytes, unchecked; None when they are not there."""
        found = self._blob(digest)
        if found is not None:
            return found
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError("store_failed", f"{self.path(digest)}: {error.strerror}") from error

    def open(self, digest: bytes) -> BinaryIO | None:
        """The archived bytes as a file, unchecked; None when they are not there."""
        found = self._blob(digest)
        if found is not None:
            return io.BytesIO(found)
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError("store_failed", f"{self.path(digest)}: {error.strerror}") from error

    def numbers(self, digest: bytes) -> list[int]:
        """Numbers of all blobs with this digest."""
        self.update_view()
        with self._environment.read() as txn:
            return self._blob_numbers(Snapshot(self._environment, txn), digest, tail=True)

    def erase(self, digest: bytes) -> None:
        """Remove the file, if there is one; blobs go in the erasure's own transaction."""
        path = self.path(digest)
        with storage_errors("erasing content"):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            sync_folder(path.parent)

    def update_view(self) -> None:
        """Bring the view of blobs up to date, where this process may write."""
        if self._environment.writable:
            blob_view.update(self._environment)

    def _blob(self, digest: bytes) -> bytes | None:
        with self._environment.read() as txn:
            snapshot = Snapshot(self._environment, txn)
            lag = blob_view.lag(snapshot)
        if lag > 1000:
            self.update_view()
        with self._environment.read() as txn:
            snapshot = Snapshot(self._environment, txn)
            for number in self._blob_numbers(snapshot, digest, tail=True):
                stored = _archived(snapshot, number, digest)
                if stored is not None:
                    return stored
        return None

    def _blob_numbers(self, snapshot: Snapshot, digest: bytes, *, tail: bool) -> list[int]:
        numbers = [from_u64(key) for key in blob_view.keys(snapshot, digest)]
        if tail:
            numbers += [
                number
                for number, value in snapshot.blobs(blob_view.size(snapshot), 1 << 63)
                if value[:32] == digest
            ]
        return numbers


def _archived(snapshot: Snapshot, number: int, digest: bytes) -> bytes | None:
    stored = snapshot.blob(number)
    if stored is None or stored[:32] != digest:
        return None
    # A blob of the digest alone was erased, unless the digest is that of nothing.
    return stored[32:] if len(stored) > 32 or digest == _EMPTY else None


_EMPTY = blake3().digest()


class Incoming:
    """Content on its way into a file."""

    def __init__(self, store: ContentStore, descriptor: int, temporary: Path) -> None:
        self._store = store
        self._descriptor = descriptor
        self._temporary = temporary
        self._hasher = blake3()

    def write(self, piece: bytes) -> None:
        """Take the next archived bytes."""
        write_all(self._descriptor, piece)
        self._hasher.update(piece)

    def digest(self) -> bytes:
        """BLAKE3 of what was written so far."""
        return self._hasher.digest()

    def keep(self) -> None:
        """Make it durable under its digest."""
        target = self._store.path(self.digest())
        os.fsync(self._descriptor)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self._store.folder)
        os.replace(self._temporary, target)  # noqa: PTH105 - pairs with os.open above
        sync_folder(target.parent)
