"""Files of a package that somebody handed over: a folder or a zip, read where it lies (specs/07).

Nothing is extracted, no link is followed, and no name leads out of the package: names are those of
specs/07 section 1, and a folder is opened component by component. What is read is bounded by a size
that the caller names, and by the declared one. Signatures and lists are the verifier's business;
this is so that reading does no harm.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, Self

from ledger.errors import FormatError, ReplayError
from ledger.export.sink import check_path

__all__ = ["UNREADABLE", "FolderFiles", "PackageFiles", "ZipFiles", "open_files", "refuse"]

MEMBERS_MAX: Final = 5_000_000
MEMBER_MAX_BYTES: Final = 64 << 30
RATIO_MAX: Final = 1100
_SMALL_BYTES: Final = 1 << 20
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ATTACHMENTS: Final = "attachments"
UNREADABLE: Final = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a file may raise, of a zip that was damaged too."""


class PackageFiles:
    """Files by their path in the package; a context manager."""

    def size(self, path: str) -> int | None:
        """The size of a file in bytes, None if there is none."""
        raise NotImplementedError

    def open(self, path: str) -> BinaryIO:
        """A file at its beginning; `ReplayError("package_invalid")` if there is none."""
        raise NotImplementedError

    def paths(self) -> Iterator[str]:
        """The paths of all files but those below `attachments/`, in no order."""
        raise NotImplementedError

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file of at most `limit` bytes; `ReplayError("package_invalid")`."""
        size = self.size(path)
        if size is None:
            refuse(f"{path} is missing")
        if size > limit:
            refuse(f"{path} has {size} bytes, more than {limit}")
        with self.open(path) as file:
            try:
                data = file.read(size + 1)
            except UNREADABLE as error:
                refuse(f"{path} cannot be read: {error}")
        if len(data) != size:
            refuse(f"{path} has not the size that it says")
        return data

    def close(self) -> None:
        """Give back what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FolderFiles(PackageFiles):
    """A package that is a folder."""

    def __init__(self, path: Path) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def size(self, path: str) -> int | None:
        """The size of a file, None if there is none or its folder is not there."""
        descriptor = self._open(path)
        if descriptor is None:
            return None
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def open(self, path: str) -> BinaryIO:
        """A file at its beginning."""
        descriptor = self._open(path)
        if descriptor is None:
            refuse(f"{path} is missing")
        return os.fdopen(descriptor, "rb")

    def paths(self) -> Iterator[str]:
        """The paths of all files, each checked."""
        folders = [""]
        while folders:
            folder = folders.pop()
            for name, kind in self._listed(folder):
                path = f"{folder}/{name}" if folder else name
                if path == _ATTACHMENTS:
                    continue
                _check(path)
                if stat.S_ISDIR(kind):
                    folders.append(path)
                elif stat.S_ISREG(kind):
                    yield path
                else:
                    refuse(f"{path} is neither a file nor a folder")

    def close(self) -> None:
        """Close it."""
        os.close(self._root)

    def _listed(self, folder: str) -> list[tuple[str, int]]:
        descriptor = self._folder(folder.split("/") if folder else [])
        if descriptor is None:
            refuse(f"{folder} is missing")
        try:
            with os.scandir(descriptor) as found:
                return [(one.name, one.stat(follow_symlinks=False).st_mode) for one in found]
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int | None:
        _check(path)
        *folders, name = path.split("/")
        folder = self._folder(folders)
        if folder is None:
            return None
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            refuse(f"{path} is not opened, as a link would be followed: {error.strerror}")
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            refuse(f"{path} is no file")
        return descriptor

    def _folder(self, names: list[str]) -> int | None:
        descriptor = os.dup(self._root)
        for name in names:
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
                below = os.open(name, flags, dir_fd=descriptor)
            except FileNotFoundError:
                return None
            except OSError as error:
                refuse(f"the folder {name} is not opened, or is a link: {error.strerror}")
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor


class ZipFiles(PackageFiles):
    """A package that is a zip, its members below one folder."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            refuse(f"{path.name} is no zip: {error}")
        try:
            self._members = self._checked()
        except BaseException:
            self._zip.close()
            raise

    def size(self, path: str) -> int | None:
        """The size of a file, None if there is none or its folder is not there."""
        member = self._members.get(path)
        return None if member is None else member.file_size

    def open(self, path: str) -> BinaryIO:
        """A file at its beginning."""
        if path not in self._members:
            refuse(f"{path} is missing")
        try:
            return io.BufferedReader(self._zip.open(self._members[path]))  # type: ignore[type-var]
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            refuse(f"{path} cannot be read: {error}")

    def paths(self) -> Iterator[str]:
        """The paths of all files, each checked."""
        yield from self._members

    def close(self) -> None:
        """Close it."""
        self._zip.close()

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        members = self._zip.infolist()
        if len(members) > MEMBERS_MAX:
            refuse(f"the zip has more than {MEMBERS_MAX} members")
        found: dict[str, zipfile.ZipInfo] = {}
        seen: set[str] = set()
        tops: set[str] = set()
        for member in members:
            name = member.orig_filename
            _check(name.removesuffix("/"))
            top, _, path = name.partition("/")
            tops.add(top)
            _check_member(member)
            if name.lower() in seen:
                refuse(f"the zip has {name!r} twice")
            seen.add(name.lower())
            if name.endswith("/"):
                continue
            if not path:
                refuse(f"{name!r} lies outside of the folder of the package")
            found[path] = member
        if len(tops) != 1:
            refuse("the members of the zip do not lie below one folder")
        return found


def open_files(path: Path) -> PackageFiles:
    """Open a folder or zip; `ReplayError("package_invalid")` for what is no package."""
    try:
        files = FolderFiles(path) if path.is_dir() else ZipFiles(path)
    except OSError as error:
        refuse(f"{path} cannot be opened: {error.strerror or error}")
    try:
        if files.size("bagit.txt") is None:
            refuse(f"{path} is no package: it has no bagit.txt")
    except BaseException:
        files.close()
        raise
    return files


def refuse(why: str) -> NoReturn:
    """Say why a package is not read further."""
    raise ReplayError("package_invalid", why)


def _check(path: str) -> None:
    try:
        check_path(path)
    except FormatError as error:
        raise ReplayError("package_invalid", error.message) from None


def _check_member(member: zipfile.ZipInfo) -> None:
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if name.endswith("/") else stat.S_IFREG):
        refuse(f"{name!r} is neither a file nor a folder")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        refuse(f"{name!r} is encrypted, or compressed in another way")
    if member.file_size > MEMBER_MAX_BYTES or (
        member.file_size > _SMALL_BYTES and member.file_size > RATIO_MAX * member.compress_size
    ):
        refuse(f"{name!r} is larger than a member may be")
