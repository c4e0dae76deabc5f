"""Packages as folders, and the interface that folders and zips share (specs/07 sections 1, 2, 8).

A folder is read without following any link: each component is opened relative to the folder
above it, and what is neither a regular file nor a folder is refused before it is opened.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from .errors import Fatal, Refused
from .layout import ATTACHMENTS

COMPONENT_MAX = 16
PATH_MAX_BYTES = 1024
FOLDER_MAX_ENTRIES = 1_000_000
READ_BYTES = 1 << 18
_COMPONENT = re.compile(r"[A-Za-z0-9._-]{1,128}")

Problem = Callable[[str, str, str], None]
"""Takes code, path and message of something that a walk refuses."""


def ignore(code: str, path: str, message: str) -> None:
    """Take a problem that another walk reports."""


def is_component(name: str) -> bool:
    """Return whether a name may be a component of a path (specs/07 section 1)."""
    return _COMPONENT.fullmatch(name) is not None and name not in (".", "..")


class Package(Protocol):
    """The files of a package. Paths have no top folder; nothing outside is ever reached."""

    kind: str

    def walk(self, below: str, problem: Problem) -> Iterator[tuple[str, int]]:
        """Yield path and size in bytes of every file below a folder, in bytewise order."""

    def has(self, path: str) -> bool:
        """Return whether something has this path."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a file, or its first limit + 1 bytes; raises Refused."""

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces, never more than its size at opening; raises Refused."""

    def close(self) -> None:
        """Release what is open."""


def open_package(path: str) -> Package:
    """Return the package at a path; raises Fatal, and Refused for the bounds of a zip."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as e:
        raise unreadable(path, e) from None
    if stat.S_ISDIR(mode):
        package: Package = FolderPackage(path)
    elif stat.S_ISREG(mode):
        from .zipread import ZipPackage

        package = ZipPackage(path)
    else:
        raise Fatal("not_a_package", "neither a folder nor a file")
    if not package.has("bagit.txt"):
        package.close()
        raise Fatal("not_a_package", "there is no bagit.txt")
    return package


def unreadable(path: str, error: Exception) -> Fatal:
    """Return the refusal of something that the operating system does not let us read."""
    why = error.strerror if isinstance(error, OSError) else str(error)
    return Fatal("input_unreadable", f"{path!a}: {why}")


class FolderPackage:
    """A package that is a folder."""

    kind = "folder"

    def __init__(self, root: str) -> None:
        self._root = root
        self._open_root()

    def _open_root(self) -> None:
        try:
            self._fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as e:
            raise unreadable(self._root, e) from None
        self._last: tuple[str, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_root": self._root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._root = state["_root"]
        self._open_root()

    def close(self) -> None:
        """Release the open folders."""
        self._forget()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None

    def _folder(self, path: str) -> int:
        """Return a descriptor of a folder inside, kept until another folder is asked for."""
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        fd = _enter(self._fd, ".")
        for component in path.split("/") if path else ():
            try:
                below = _enter(fd, component)
            finally:
                os.close(fd)
            fd = below
        self._forget()
        self._last = (path, fd)
        return fd

    def _open(self, path: str) -> tuple[int, int]:
        """Return descriptor and size of a regular file."""
        folder, _, name = path.rpartition("/")
        try:
            at = self._folder(folder)
            _regular(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode, path)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=at)
        except FileNotFoundError:
            raise Refused("file_missing", "not in the package") from None
        except NotADirectoryError:
            raise Refused("link_refused", "a link or a file in place of a folder") from None
        except OSError as e:
            if e.errno == errno.ELOOP:
                raise Refused("link_refused", "a link") from None
            raise unreadable(path, e) from None
        try:
            found = os.fstat(fd)
            _regular(found.st_mode, path)
        except Refused:
            os.close(fd)
            raise
        return fd, found.st_size

    def has(self, path: str) -> bool:
        """Return whether something has this path."""
        folder, _, name = path.rpartition("/")
        try:
            os.stat(name, dir_fd=self._folder(folder), follow_symlinks=False)
        except OSError:
            return False
        return True

    def read(self, path: str, limit: int) -> bytes:
        """Return a file, or its first limit + 1 bytes."""
        parts = []
        left = limit + 1
        for piece in self._pieces(path, left):
            parts.append(piece)
        return b"".join(parts)[:left]

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces."""
        return self._pieces(path, None)

    def _pieces(self, path: str, most: int | None) -> Iterator[bytes]:
        fd, size = self._open(path)
        try:
            left = size if most is None else min(size, most)
            while left:
                piece = os.read(fd, min(READ_BYTES, left))
                if not piece:
                    break
                left -= len(piece)
                yield piece
            if left or (most is None and os.read(fd, 1)):
                raise Refused("file_mismatch", "the file changed while it was read")
        except OSError as e:
            raise unreadable(path, e) from None
        finally:
            os.close(fd)

    def attachments(self) -> list[tuple[str, bool]]:
        """Return the names in the folder `attachments/`, and whether each may be a package."""
        try:
            fd = _enter(self._fd, ATTACHMENTS)
        except OSError:
            return []
        try:
            with os.scandir(fd) as entries:
                found = [
                    (one.name, not one.is_symlink() and (one.is_dir() or one.is_file()))
                    for one in islice(entries, FOLDER_MAX_ENTRIES)
                ]
        except OSError as e:
            raise unreadable(ATTACHMENTS, e) from None
        finally:
            os.close(fd)
        return sorted(found)

    def walk(self, below: str, problem: Problem) -> Iterator[tuple[str, int]]:
        """Yield path and size of every file below a folder, in bytewise order of path.

        The folder `attachments/` is no part of the package (specs/07 section 7).
        """
        folder = below.rstrip("/")
        try:
            fd = os.dup(self._folder(folder))
        except OSError:
            return
        depth = folder.count("/") + 1 if folder else 0
        yield from self._walk(fd, folder + "/" if folder else "", depth, problem)

    def _walk(
        self, fd: int, prefix: str, depth: int, problem: Problem
    ) -> Iterator[tuple[str, int]]:
        try:
            for key in self._names(fd, prefix, depth, problem):
                path = prefix + key
                if not key.endswith("/"):
                    size = os.stat(key, dir_fd=fd, follow_symlinks=False).st_size
                    yield path, size
                    continue
                if path == ATTACHMENTS + "/":
                    continue
                try:
                    inner = _enter(fd, key[:-1])
                except NotADirectoryError:
                    problem("link_refused", path[:-1], "a link in place of a folder")
                    continue
                yield from self._walk(inner, path, depth + 1, problem)
        except OSError as e:
            raise unreadable(prefix, e) from None
        finally:
            os.close(fd)

    def _names(self, fd: int, prefix: str, depth: int, problem: Problem) -> list[str]:
        """Return the entries of a folder in bytewise order of path; folders end in a slash."""
        keys: list[str] = []
        seen: set[str] = set()
        with os.scandir(fd) as entries:
            for n, entry in enumerate(entries):
                if n >= FOLDER_MAX_ENTRIES:
                    problem("package_invalid", prefix, f"more than {FOLDER_MAX_ENTRIES} entries")
                    break
                path = prefix + entry.name
                if not is_component(entry.name):
                    problem("name_invalid", path, "a name that is not allowed")
                elif depth >= COMPONENT_MAX or len(path) > PATH_MAX_BYTES:
                    problem("name_invalid", path, "a path that is too long")
                elif entry.is_dir(follow_symlinks=False):
                    keys.append(entry.name + "/")
                elif entry.is_file(follow_symlinks=False):
                    keys.append(entry.name)
                else:
                    problem("link_refused", path, "neither a regular file nor a folder")
        keys.sort()
        for key in keys:
            lower = key.rstrip("/").lower()
            if lower in seen:
                problem("name_invalid", prefix + key, "equal to another name but for case")
            seen.add(lower)
        return keys


def _enter(fd: int, component: str) -> int:
    """Return a descriptor of a folder inside a folder; a link is NotADirectoryError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(component, flags, dir_fd=fd)
    except OSError as e:
        if e.errno == errno.ELOOP:
            raise NotADirectoryError(errno.ENOTDIR, "a link") from None
        raise


def _regular(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        raise Refused("link_refused", "not a regular file")
