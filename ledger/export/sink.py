"""Where a package is written: a folder or a zip, complete under its name or not there at all.

- Every path is checked by specs/07 §1 (`name_invalid`). Where part of a path stems from a name
  that somebody chose, a number before it or lower case keeps any two from differing by case alone.
- Files are streamed; size and SHA-256 are taken on the way. No file is held in memory.
- The package grows under `.<name>.partial-<pid>` beside its target, is fsynced, and is renamed at
  the end. A process that is killed leaves only the partial one, and the next export to the same
  target removes it: whoever writes holds a lock on it (`flock`), which the system gives up with
  the process, so a partial that can be locked is abandoned. A pid alone would not tell: pids are
  used again.
- Zip members (specs/07 §8) lie below one top folder, carry the time 1980-01-01 and mode 0644, so
  that the same package gives the same members; texts are deflated, everything else is stored. A
  zip ends with the list of its members, which `zipfile` keeps in memory: some 450 bytes for each.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ledger.errors import ExportError, FormatError

COMPONENT = re.compile(r"[A-Za-z0-9._-]{1,128}")
PATH_MAX_COMPONENTS = 16
PATH_MAX_BYTES = 1024
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_ZIP_MODE = 0o100644 << 16
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755
_SYNC_THREADS = 8


class Written(NamedTuple):
    """A file as it went into the package: path, SHA-256 of its bytes, and its size in bytes."""

    path: str
    sha256: bytes
    size_bytes: int


def check_path(path: str) -> None:
    """Refuse a path that specs/07 §1 does not allow with `FormatError` name_invalid."""
    components = path.split("/")
    if (
        len(components) > PATH_MAX_COMPONENTS
        or len(path) > PATH_MAX_BYTES
        or any(not COMPONENT.fullmatch(c) or c in (".", "..") for c in components)
    ):
        raise FormatError("name_invalid", f"{path!r} cannot be a path in a package")


class Sink:
    """A package being written; a context manager that discards what `finish` did not complete.

    Errors: `ExportError` export_exists when the target exists or another export is writing it,
    export_failed when the file system refuses.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.files = 0
        self.size_bytes = 0
        if os.path.lexists(target):
            raise _exists(target)
        if not target.parent.is_dir():
            raise ExportError("export_failed", f"the folder {target.parent} does not exist")
        self._partial = target.parent / f".{target.name}.partial-{os.getpid()}"
        with _failures(target):
            remove_abandoned(target)
            self._lock = self._create()

    def add(self, path: str, chunks: Iterable[bytes], *, compress: bool = False) -> Written:
        """Write one file from pieces and say what was written."""
        check_path(path)
        counted = _Counted(chunks)
        with _failures(self.target):
            self._write(path, counted, compress=compress)
        self.files += 1
        self.size_bytes += counted.size_bytes
        return Written(path, counted.hash.digest(), counted.size_bytes)

    def finish(self) -> Path:
        """Make the package durable, give it its name, and return that."""
        with _failures(self.target):
            self._sync()
            # rename replaces a file without asking; what appeared meanwhile is not ours to replace
            if os.path.lexists(self.target):
                raise _exists(self.target)
            self._partial.rename(self.target)
            _sync(self.target.parent)
        os.close(self._lock)
        self._lock = -1
        return self.target

    def discard(self) -> None:
        """Remove what was written so far; nothing happens after `finish`."""
        if self._lock >= 0:
            self._release()
            _remove(self._partial)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def _create(self) -> int:
        raise NotImplementedError

    def _write(self, path: str, chunks: Iterable[bytes], *, compress: bool) -> None:
        raise NotImplementedError

    def _sync(self) -> None:
        raise NotImplementedError

    def _release(self) -> None:
        """Close what is open besides the lock."""


class FolderSink(Sink):
    """A package as a folder."""

    def _create(self) -> int:
        self._folders = {""}
        self._partial.mkdir(mode=_FOLDER_MODE)
        return _lock(os.open(self._partial, os.O_RDONLY | os.O_DIRECTORY), self._partial)

    def _write(self, path: str, chunks: Iterable[bytes], *, compress: bool) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._folders:
            (self._partial / parent).mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._folders.add(parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(self._partial / path, flags, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)

    def _sync(self) -> None:
        # One pass at the end, several files at once: the kernel has written most of it by then, and
        # a file system commits together what is waited for together. A million small files cost far
        # less this way than when each is waited for as it is closed.
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            for folder, _, names in os.walk(self._partial):
                for _ in pool.map(_sync, (Path(folder, name) for name in names)):
                    pass
                _sync(Path(folder))


class ZipSink(Sink):
    """A package as a zip, its members below one folder that is named like the file."""

    def _create(self) -> int:
        # the name of the file may be anything, that of a member may not
        stem = self.target.name.removesuffix(".zip")
        top = re.sub(r"[^A-Za-z0-9._-]", "-", stem)[:128].strip(".")
        self._top = top or "package"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        descriptor = _lock(os.open(self._partial, flags, _FILE_MODE), self._partial)
        self._file = os.fdopen(descriptor, "w+b", closefd=False)
        self._zip = zipfile.ZipFile(self._file, "w", allowZip64=True)
        return descriptor

    def _write(self, path: str, chunks: Iterable[bytes], *, compress: bool) -> None:
        member = zipfile.ZipInfo(f"{self._top}/{path}", ZIP_TIME)
        member.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        member.external_attr = _ZIP_MODE
        member.create_system = 3  # the mode above is that of Unix, on whatever system this runs
        # sizes are not known beforehand, and a header without room for 64 bits cannot be enlarged
        with self._zip.open(member, "w", force_zip64=True) as file:
            for chunk in chunks:
                file.write(chunk)

    def _sync(self) -> None:
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _release(self) -> None:
        # closing would write a directory of members into a file that is about to be removed
        self._zip._didModify = False  # type: ignore[attr-defined]
        if not self._file.closed:
            self._file.close()


class FileSink(Sink):
    """One file, such as a zip that is copied as it is: whole under its name, or not there."""

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        return _lock(os.open(self._partial, flags, _FILE_MODE), self._partial)

    def _write(self, path: str, chunks: Iterable[bytes], *, compress: bool) -> None:
        with os.fdopen(self._lock, "wb", closefd=False) as file:
            for chunk in chunks:
                file.write(chunk)

    def _sync(self) -> None:
        os.fsync(self._lock)


def open_sink(target: Path, *, zipped: bool | None = None) -> Sink:
    """Begin a package at `target`: a zip if `zipped`, or by its suffix when that is None."""
    if zipped is None:
        zipped = target.suffix.lower() == ".zip"
    return ZipSink(target) if zipped else FolderSink(target)


def remove_abandoned(target: Path) -> list[Path]:
    """Remove what killed exports to `target` left beside it, and say what that was."""
    pattern = re.compile(re.escape(f".{target.name}.partial-") + "[0-9]+")
    removed = []
    for path in sorted(target.parent.iterdir()):
        if not pattern.fullmatch(path.name) or path.is_symlink():
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            continue  # another export cleans up too
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # somebody is writing it
        else:
            _remove(path)
            removed.append(path)
        finally:
            os.close(descriptor)
    return removed


class _Counted:
    """Pieces on their way into a file, hashed and counted."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.hash = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.hash.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk


class _failures:  # noqa: N801 - reads as a word at its place
    """Turns what the file system refuses into `ExportError` export_failed."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            raise ExportError(
                "export_failed", f"cannot write {self._target}: {error.strerror or error}"
            ) from error


def _exists(target: Path) -> ExportError:
    return ExportError(
        "export_exists", f"{target} exists", hint="choose another name, or move it away first"
    )


def _lock(descriptor: int, partial: Path) -> int:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # another export may have taken it for abandoned between its creation and the lock
        if os.stat(partial).st_ino == os.fstat(descriptor).st_ino:  # noqa: PTH116
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    raise ExportError("export_exists", f"another export is writing {partial}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
