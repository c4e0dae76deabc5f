"""Packages as zip files, read member by member and never extracted (specs/07 section 8).

The reader knows exactly what the page allows: one central directory at the end, stored or
deflated members, local headers that agree with it, members that do not overlap. What two zip
readers could understand differently is refused.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .errors import Fatal, Refused
from .package import (
    COMPONENT_MAX,
    PATH_MAX_BYTES,
    READ_BYTES,
    Problem,
    is_component,
    unreadable,
)

ZIP_MAX_MEMBERS = 5_000_000
ZIP_MAX_MEMBER_BYTES = 64 << 30
ZIP_MAX_RATIO = 1100
ZIP_RATIO_FROM = 1 << 20
_STORED, _DEFLATED = 0, 8
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x2041


def _invalid(why: str) -> Fatal:
    return Fatal("zip_invalid", why)


class ZipPackage:
    """A package that is a zip file; keeps about 150 bytes of memory a member."""

    kind = "zip"

    def __init__(self, path: str) -> None:
        self._path = path
        self._open_file()
        self._problems: list[tuple[str, str, str]] = []
        try:
            self._read_directory()
        except BaseException:
            self.close()
            raise

    def _read_directory(self) -> None:
        names: list[bytes] = []
        facts = array("Q")
        start, size, members = self._end()
        if members > ZIP_MAX_MEMBERS:
            raise Refused("zip_bounds", f"{members} members, more than {ZIP_MAX_MEMBERS}")
        self._central(start, size, members, names, facts)
        _no_overlap(facts, names, start)
        order = sorted(range(len(names)), key=names.__getitem__)
        self._names = [names[i] for i in order]
        self._facts = array("Q", (v for i in order for v in facts[4 * i : 4 * i + 4]))
        self._top = self._one_top()
        self._compare()

    def _open_file(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._size = os.fstat(self._fd).st_size
        except OSError as e:
            raise unreadable(self._path, e) from None

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_fd"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_file()

    def close(self) -> None:
        """Release the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _at(self, offset: int, size: int) -> bytes:
        try:
            raw = os.pread(self._fd, size, offset)
        except OSError as e:
            raise unreadable(self._path, e) from None
        if len(raw) != size:
            raise _invalid("the file ends early")
        return raw

    def _end(self) -> tuple[int, int, int]:
        """Return offset and size of the central directory and the number of members."""
        tail_at = max(0, self._size - _END.size - _U16)
        tail = self._at(tail_at, self._size - tail_at)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise _invalid("no end of central directory")
        _, disk, first_disk, here, total, size, start, comment = _END.unpack_from(tail, at)
        if len(tail) - at - _END.size != comment:
            raise _invalid("bytes after the end of the zip")
        end_at = tail_at + at
        if _U16 in (here, total) or _U32 in (size, start):
            if end_at < _LOCATOR.size:
                raise _invalid("no zip64 locator")
            locator = _LOCATOR.unpack(self._at(end_at - _LOCATOR.size, _LOCATOR.size))
            mark, _, end64_at, _ = locator
            if mark == b"PK\x06\x07":
                if end64_at != end_at - _LOCATOR.size - _END64.size:
                    raise _invalid("the zip64 end is not where it belongs")
                end64 = _END64.unpack(self._at(end64_at, _END64.size))
                mark, _, _, _, disk, first_disk, here, total, size, start = end64
                if mark != b"PK\x06\x06":
                    raise _invalid("no zip64 end of central directory")
                end_at = end64_at
        if disk or first_disk or here != total or start + size != end_at:
            raise _invalid("the central directory is not one piece before the end")
        return start, size, total

    def _central(
        self, start: int, size: int, members: int, names: list[bytes], facts: array[int]
    ) -> None:
        """Read the central directory: names, and offset, sizes and method of each member."""
        buffer, at, read = b"", 0, 0
        for _ in range(members):
            if len(buffer) - at < _CENTRAL.size + 3 * _U16:
                piece = self._at(start + read, min(1 << 20, size - read))
                buffer, at, read = buffer[at:] + piece, 0, read + len(piece)
            if len(buffer) - at < _CENTRAL.size:
                raise _invalid("the central directory ends early")
            field = _CENTRAL.unpack_from(buffer, at)
            name_at = at + _CENTRAL.size
            extra_at = name_at + field[10]
            at = extra_at + field[11] + field[12]
            if field[0] != b"PK\x01\x02" or at > len(buffer):
                raise _invalid("a malformed central directory")
            name = buffer[name_at:extra_at]
            self._member(name, field, buffer[extra_at : extra_at + field[11]], names, facts)
        if at != len(buffer) or read != size:
            raise _invalid("bytes in the central directory that belong to no member")

    def _member(
        self,
        name: bytes,
        field: tuple[Any, ...],
        extra: bytes,
        names: list[bytes],
        facts: array[int],
    ) -> None:
        flags, method, packed, size = field[3], field[4], field[8], field[9]
        path = name.decode("latin-1")
        size, packed, offset = _zip64(extra, size, packed, field[16])
        if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or field[13]:
            raise _invalid(f"member {path!a} is encrypted, split or of an unknown method")
        mode = field[15] >> 16
        kind = stat.S_IFMT(mode) if field[1] >> 8 == 3 else 0
        folder = path.endswith("/")
        if kind not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
            self._problems.append(("link_refused", path, "neither a regular file nor a folder"))
            return
        parts = path.removesuffix("/").split("/")
        if not all(map(is_component, parts)):
            self._problems.append(("name_invalid", path, "a name that is not allowed"))
            return
        if len(parts) > COMPONENT_MAX + 1 or len(path) > PATH_MAX_BYTES + 129:
            self._problems.append(("name_invalid", path, "a path that is too long"))
            return
        bounded = size <= ZIP_MAX_MEMBER_BYTES and (
            size <= ZIP_RATIO_FROM or size <= ZIP_MAX_RATIO * packed
        )
        if not bounded or (folder and size):
            self._problems.append(("zip_bounds", path, "a declared size beyond the bounds"))
            return
        if method == _STORED and size != packed:
            raise _invalid(f"stored member {path!a} has two sizes")
        if offset + _LOCAL.size + len(name) + packed > self._size:
            raise _invalid(f"member {path!a} lies outside the file")
        names.append(name)
        facts.extend((offset, packed, size, method))

    def _one_top(self) -> bytes:
        if not self._names:
            raise Refused(*self._problems[0][::2]) if self._problems else _invalid("no member")
        tops: dict[bytes, int] = {}
        for name in self._names:
            top = name.partition(b"/")[0] + b"/"
            tops[top] = tops.get(top, 0) + 1
            if len(tops) > 100:
                break
        best = max(tops, key=lambda top: (self._index(top + b"bagit.txt") >= 0, tops[top]))
        for name in self._names:
            if not name.startswith(best) and len(self._problems) < 10_000:
                self._problems.append(
                    ("name_invalid", name.decode("latin-1"), "outside the top folder")
                )
        return best

    def _compare(self) -> None:
        """Refuse duplicate names, and names that are equal without case."""
        for a, b in pairwise(self._names):
            if a == b:
                raise Refused("zip_bounds", f"two members named {a.decode('latin-1')!a}")
        hashes = array("q")
        folders: list[bytes] = []
        for name in self._names:
            parts = name.rstrip(b"/").lower().split(b"/")
            inner = name.rstrip(b"/").split(b"/")[:-1]
            same = 0
            while same < min(len(inner), len(folders)) and inner[same] == folders[same]:
                same += 1
            for depth in range(same, len(inner)):
                hashes.append(hash(b"/".join(parts[: depth + 1])))
            folders = inner
            if not name.endswith(b"/"):
                hashes.append(hash(b"/".join(parts)))
        ordered = array("q", sorted(hashes))
        if any(a == b for a, b in pairwise(ordered)):
            self._problems.append(("name_invalid", "", "names that are equal but for case"))

    def _index(self, name: bytes) -> int:
        at: int = bisect_left(self._names, name)
        if at < len(self._names) and self._names[at] == name:
            return at
        return -1

    def has(self, path: str) -> bool:
        """Return whether a member has this path, or lies below it."""
        name = self._top + path.encode("ascii")
        at = bisect_left(self._names, name + b"/")
        below = at < len(self._names) and self._names[at].startswith(name + b"/")
        return below or self._index(name) >= 0

    def walk(self, below: str, problem: Problem) -> Iterator[tuple[str, int]]:
        """Yield path and size of every file below a folder, in bytewise order of path."""
        if not below:
            for code, path, message in self._problems:
                problem(code, path, message)
        prefix = self._top + below.encode("ascii")
        for at in range(bisect_left(self._names, prefix), len(self._names)):
            name = self._names[at]
            if not name.startswith(prefix):
                break
            if not name.endswith(b"/"):
                yield name[len(self._top) :].decode("ascii"), self._facts[4 * at + 2]

    def read(self, path: str, limit: int) -> bytes:
        """Return a member, or its first limit + 1 bytes."""
        parts, size = [], 0
        for piece in self.stream(path):
            parts.append(piece)
            size += len(piece)
            if size > limit:
                break
        return b"".join(parts)[: limit + 1]

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a member in pieces."""
        name = self._top + path.encode("ascii")
        at = self._index(name)
        if at < 0:
            raise Refused("file_missing", "not in the package")
        offset, packed, size, method = self._facts[4 * at : 4 * at + 4]
        start = self._data(offset, name, packed, size, method)
        pieces = self._raw(start, packed) if method == _STORED else self._inflate(start, packed)
        left = size
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise Refused("zip_bounds", "a member yields more bytes than declared")
            yield piece
        if left:
            raise Refused("file_mismatch", "a member yields fewer bytes than declared")

    def _data(self, offset: int, name: bytes, packed: int, size: int, method: int) -> int:
        """Return the offset of a member's data after checking its local header."""
        local = _LOCAL.unpack(self._at(offset, _LOCAL.size))
        start: int = offset + _LOCAL.size + local[9] + local[10]
        agrees = (
            local[0] == b"PK\x03\x04"
            and local[3] == method
            and not local[2] & _ENCRYPTED
            and local[9] == len(name)
            and self._at(offset + _LOCAL.size, len(name)) == name
            and (local[2] & 8 or (local[7] in (packed, _U32) and local[8] in (size, _U32)))
        )
        if not agrees or start + packed > self._size:
            raise _invalid(f"the local header of {name.decode('latin-1')!a} disagrees")
        return start

    def _raw(self, start: int, packed: int) -> Iterator[bytes]:
        for at in range(0, packed, READ_BYTES):
            yield self._at(start + at, min(READ_BYTES, packed - at))

    def _inflate(self, start: int, packed: int) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in self._raw(start, packed):
                if inflater.eof:
                    break
                yield inflater.decompress(piece, READ_BYTES)
                while inflater.unconsumed_tail:
                    yield inflater.decompress(inflater.unconsumed_tail, READ_BYTES)
            # The window may still hold output when the last input has been consumed.
            while not inflater.eof and (rest := inflater.decompress(b"", READ_BYTES)):
                yield rest
        except zlib.error:
            raise Refused("file_mismatch", "the deflated data of a member are damaged") from None
        if not inflater.eof or inflater.unused_data:
            raise Refused("file_mismatch", "the deflated data of a member are not one stream")


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return sizes and offset with the zip64 extra field applied where they ask for it."""
    values = [size, packed, offset]
    wanted = [i for i, v in enumerate(values) if v == _U32]
    at = 0
    while wanted and at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            if length < 8 * len(wanted) or at + 4 + length > len(extra):
                raise _invalid("a short zip64 field")
            for k, i in enumerate(wanted):
                values[i] = struct.unpack_from("<Q", extra, at + 4 + 8 * k)[0]
            break
        at += 4 + length
    return values[0], values[1], values[2]


def _no_overlap(facts: array[int], names: list[bytes], end: int) -> None:
    """Refuse members whose data overlap, the way of zip bombs."""
    order = sorted(range(len(names)), key=lambda i: facts[4 * i])
    for k, i in enumerate(order):
        stop = facts[4 * i] + _LOCAL.size + len(names[i]) + facts[4 * i + 1]
        if stop > (facts[4 * order[k + 1]] if k + 1 < len(order) else end):
            raise _invalid("members that overlap")
