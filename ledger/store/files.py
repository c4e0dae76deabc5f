"""Small things about files: writing all, durable names, errors that say what was being done.

A full disk or a file size limit is `StoreError("store_full")`; any other failure of the operating
system is `StoreError("store_failed")`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import StoreError

__all__ = ["storage_errors", "sync_folder", "write_all"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says what was being done."""
    try:
        yield
    except OSError as error:
        code = "store_full" if error.errno in _FULL else "store_failed"
        hint = "free some space and append again" if code == "store_full" else None
        raise StoreError(code, f"{what}: {error.strerror or error}", hint=hint) from error


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; `os.write` may write fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
