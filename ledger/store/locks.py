"""Lock files in `locks/` (specs/09 section 1): who writes a stream, and who publishes the head.

A lock is `flock` on an open file: it ends with the process, however that ends, so a crash leaves no
stale lock. A stream's file is named by the SHA-256 of the stream id, because ids contain `/`; the
file says in words whose it is.

`flock` belongs to the open file, which a forked child shares. The child therefore closes its copies
at once (closing does not unlock while the parent holds the file open); otherwise a child that
outlives its parent would keep the streams busy.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import weakref
from pathlib import Path

from ledger.store.files import storage_errors, write_all

__all__ = ["FileLock", "stream_lock"]

_held: weakref.WeakSet[FileLock]


class FileLock:
    """An exclusive lock on a file, between processes and between handles of one process."""

    def __init__(self, path: Path, note: str = "") -> None:
        self.path = path
        self._note = note
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock; without `wait`, return False at once when somebody else has it."""
        with storage_errors(f"lock {self.path.name}"):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            _held.add(self)
            if self._note:
                os.ftruncate(descriptor, 0)
                write_all(descriptor, f"{os.getpid()} {self._note}\n".encode())
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # Closing alone would wait for a child that was forked and has not closed its copy yet.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def forget(self) -> None:
        """Close the copy that a forked child has, without giving back what its parent holds."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        self.acquire(wait=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def stream_lock(folder: Path, stream: str) -> FileLock:
    """The lock of the only writer that a stream may have."""
    name = hashlib.sha256(stream.encode()).hexdigest()[:32]
    return FileLock(folder / f"{name}.lock", stream)


def _after_fork() -> None:
    for lock in list(_held):
        lock.forget()


_held = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
