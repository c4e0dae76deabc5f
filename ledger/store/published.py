"""The published head: the file `checkpoint` (specs/09 section 3, step 3).

It is replaced after every commit and never by a smaller head, so it remembers outside of the
database how far the ledger was. A database that has fallen behind it was rolled back. A file that
is behind the database, or torn, is what a crash between commit and publication leaves: it is
published again.

    .checkpoint.new    written; holds the head of before afterwards
    checkpoint         exchanged with it by one rename

Neither is synced: the head is in the database already, durably, and whatever a power cut makes of
the file is a file that is behind or torn.

Exchanging two files (Linux `renameat2`) instead of replacing one makes and frees no inode, which
saves the file system a journal commit: two thirds of the time. Elsewhere the rename replaces.
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

from ledger.errors import FormatError, StoreError
from ledger.formats.note import NOTE_MAX_BYTES, Checkpoint, parse_checkpoint
from ledger.store.files import storage_errors, write_all
from ledger.store.locks import FileLock

__all__ = ["Published"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


class Published:
    """The file `checkpoint` of one ledger folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoint"
        self._spare = folder / ".checkpoint.new"
        self._lock_path = folder / "locks" / "checkpoint.lock"
        self._thread = threading.Lock()
        self._last: tuple[bytes, int] = (b"", 0)

    def read(self) -> Checkpoint | None:
        """The head that was published last; None when there is no file or it is torn."""
        try:
            return parse_checkpoint(self._bytes())[0]
        except FormatError:
            return None

    def _bytes(self) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StoreError("ledger_unreadable", f"{self.path}: {error.strerror}") from error
        try:
            return os.read(descriptor, NOTE_MAX_BYTES + 1)
        finally:
            os.close(descriptor)

    def publish(self, head: bytes, size: int) -> None:
        """Replace the file unless it names a head that is as large already.

        Raises `StoreError` (`store_full`, `store_failed`); the database is not affected by that.
        """
        # Under the lock nobody else uses the spare name.
        with self._thread, FileLock(self._lock_path), storage_errors("publishing the head"):
            if self._published_size() >= size:
                return
            self._write_spare(head)
            if not _exchange(self._spare, self.path):
                os.replace(self._spare, self.path)  # noqa: PTH105 - one call in the hot path
            self._last = (head, size)

    def _published_size(self) -> int:
        """The size of the head in the file; 0 when there is none."""
        # Nearly always the file is the one that was written here last, and needs no parsing.
        if self._bytes() == self._last[0]:
            return self._last[1]
        current = self.read()
        return 0 if current is None else current.size

    def _write_spare(self, head: bytes) -> None:
        descriptor = os.open(self._spare, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            write_all(descriptor, head)
            os.ftruncate(descriptor, len(head))
        finally:
            os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Let two files change names; False where that is not possible."""
    if _renameat2 is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(_renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
