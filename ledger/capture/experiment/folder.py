"""The files of a folder, in bytewise order of their paths; nothing in it is changed or followed.

Regular files are given to be read. What is no regular file (a symbolic link, a pipe, a device) or
cannot be read is listed with the reason. A ledger inside the folder is left out: it would be read
while it is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ledger.capture.importing import Skipped
from ledger.errors import ImportSourceError

__all__ = ["FILES_MAX", "Folder", "open_file", "walk"]

FILES_MAX = 1_000_000
DEPTH_MAX = 100


@dataclass(slots=True)
class Folder:
    """Paths of the regular files, relative with `/`, and what else there is."""

    root: Path
    files: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    others: list[Skipped] = field(default_factory=list)


def walk(root: Path, *, without: Iterable[Path] = ()) -> Folder:
    """Return what a folder holds; `without` are folders to leave out.

    Raises `ImportSourceError` `source_unreadable` for what is no folder, or one of too many files.
    """
    if not root.is_dir():
        raise ImportSourceError("source_unreadable", f"{root.name or root} is not a folder")
    found = Folder(root)
    left_out = {(status.st_dev, status.st_ino) for status in (path.stat() for path in without)}
    _walk(found, "", left_out, 0)
    for names in (found.files, found.links, found.others):
        names.sort(key=lambda one: _bytes(one if isinstance(one, str) else one[0]))
    return found


def open_file(root: Path, path: str) -> BinaryIO:
    """Open a file of the folder to read, refusing a link that has taken its place.

    Raises `ImportSourceError` `source_unreadable`.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root / path, flags)
    except OSError as error:
        raise ImportSourceError("source_unreadable", error.strerror or "unreadable") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImportSourceError("source_unreadable", "no regular file any more")
    return os.fdopen(descriptor, "rb")


def printable(path: str) -> str:
    """Return a path as text with UTF-8: bytes that are none become escapes."""
    return _bytes(path).decode("utf-8", "backslashreplace")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _walk(found: Folder, below: str, left_out: set[tuple[int, int]], depth: int) -> None:
    try:
        with os.scandir(found.root / below) as entries:
            listed = list(entries)
    except OSError as error:
        found.others.append(Skipped(printable(below or "."), error.strerror or "unreadable"))
        return
    for entry in listed:
        path = f"{below}{entry.name}"
        try:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                found.links.append((path, printable(str((found.root / path).readlink()))))
            elif stat.S_ISREG(status.st_mode):
                found.files.append(path)
            elif not stat.S_ISDIR(status.st_mode):
                found.others.append(Skipped(printable(path), "no regular file"))
            elif (status.st_dev, status.st_ino) in left_out:
                found.others.append(Skipped(printable(path), "the ledger itself"))
            elif depth == DEPTH_MAX:
                found.others.append(Skipped(printable(path), "folders nested too deeply"))
            else:
                _walk(found, f"{path}/", left_out, depth + 1)
        except OSError as error:
            found.others.append(Skipped(printable(path), error.strerror or "unreadable"))
        if len(found.files) > FILES_MAX:
            raise ImportSourceError("source_unreadable", f"more than {FILES_MAX} files")
