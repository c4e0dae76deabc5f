"""Contents of all packages at hand, and whether one is contained in another (specs/12 section 4).

A content is named by one number, its handle: package, place, and how it is to be read. What is
looked for is never larger than a body that may be JSON; what it is looked for in is read whole up
to that size, and in pieces beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .call_contents import unsalted
from .calls import CALL_BODY_MAX_BYTES, media_type
from .content import SALT_BYTES, archived_size
from .contents import Contents, row
from .jcs import escaped_strings
from .package import Package

NOT_HERE = -1
CONTEXT_WORK = 1 << 32
"""How many bytes may be looked through, apart from _TIMES those of all contents."""

_TIMES = 64
_JSON_WORK = 16
_ANSWERS_MAX = 4096
_SMALL = 1 << 20
_SMALLS_MAX = 8
_SALTED, _JSON = 1, 2
_FLAG_BITS, _NUMBER_BITS = 2, 40


class Shelf:
    """Reads contents once they are asked for; the work of all searches together is bounded."""

    def __init__(self, packages: Sequence[tuple[Package, Contents]]) -> None:
        """Take the packages, the first one first."""
        self._packages = packages
        self._answers: dict[tuple[int, int], bool] = {}
        self._smalls: dict[int, bytes] = {}
        self._left = CONTEXT_WORK + _TIMES * sum(one.archived_bytes for _, one in packages)

    def handle(self, package: int, ref: dict[str, Any]) -> int:
        """Return the handle of a reference in a statement of a package, or NOT_HERE."""
        wanted = row(ref["blake3"], ref["sha256"], archived_size(ref))
        for at in (package, 0) if package else (0,):
            number = self._packages[at][1].number(wanted)
            if number >= 0:
                kind = media_type(ref["media_type"])
                json = kind == "application/json" or kind.endswith("+json")
                flags = _SALTED * ("salted" in ref) | _JSON * json
                return (at << _NUMBER_BITS | number) << _FLAG_BITS | flags
        return NOT_HERE

    def _place(self, handle: int) -> tuple[Package, bytes]:
        place = handle >> _FLAG_BITS
        package, contents = self._packages[place >> _NUMBER_BITS]
        return package, contents.row(place & (1 << _NUMBER_BITS) - 1)

    def size(self, handle: int) -> int:
        """Return the length of a content in bytes, without salt."""
        size = int.from_bytes(self._place(handle)[1][64:], "big")
        return size - SALT_BYTES if handle & _SALTED else size

    def _pieces(self, handle: int) -> Iterator[bytes]:
        package, found = self._place(handle)
        return unsalted(package, found[:32], bool(handle & _SALTED))

    def _whole(self, handle: int) -> bytes:
        """Return a content; small ones are kept for the next search."""
        found = self._smalls.get(handle)
        if found is None:
            found = b"".join(self._pieces(handle))
            if len(found) <= _SMALL:
                if len(self._smalls) >= _SMALLS_MAX:
                    self._smalls.clear()
                self._smalls[handle] = found
        return found

    def contained(self, looked_for: Sequence[int], context: int) -> list[bool | None]:
        """Return for each content whether a context contains it; None if that is too much work."""
        reader = _Context(self, context)
        return [self._answer(one, context, reader) for one in looked_for]

    def _answer(self, one: int, context: int, reader: _Context) -> bool | None:
        known = self._answers.get((one, context))
        if known is not None:
            return known
        size, within = self.size(one), self.size(context)
        if size > within:
            return False
        if size == 0:
            return True
        if size > CALL_BODY_MAX_BYTES or not self.spend(within):
            return None
        found = reader.has(self._whole(one))
        if len(self._answers) >= _ANSWERS_MAX:
            self._answers.clear()
        self._answers[(one, context)] = found
        return found

    def whole(self, handle: int) -> bytes | None:
        """Return a content whole; None if it is too large, or too much work."""
        size = self.size(handle)
        return self._whole(handle) if size <= CALL_BODY_MAX_BYTES and self.spend(size) else None

    def spend(self, work: int) -> bool:
        """Return whether so many bytes may still be looked through, and count them."""
        if self._left < work:
            return False
        self._left -= work
        return True

    def read(self, handle: int) -> bytes | Iterator[bytes]:
        """Return a content whole, or in pieces if it is large."""
        if self.size(handle) <= CALL_BODY_MAX_BYTES:
            return self._whole(handle)
        return self._pieces(handle)

    def includes(self, content: bytes, context: int) -> bool | None:
        """Return whether a context contains what was made; None if that is too much work."""
        if not content:
            return True
        work = (1 + _JSON_WORK) * self.size(context)
        if self._left < work or self.size(context) > CALL_BODY_MAX_BYTES:
            return None
        return _Context(self, context).has(content)

    def is_json(self, handle: int) -> bool:
        """Return whether the media type of a content is that of JSON."""
        return bool(handle & _JSON)

    def strings(self, handle: int, raw: bytes) -> bytes:
        """Return the string values with escapes of a context that is I-JSON, else nothing."""
        work = _JSON_WORK * len(raw)
        if not handle & _JSON or b"\\" not in raw or not self.spend(work):
            return b""
        return escaped_strings(raw) or b""


class _Context:
    """One context while things are looked for in it, read when the first one is."""

    def __init__(self, shelf: Shelf, handle: int) -> None:
        self._shelf = shelf
        self._handle = handle
        self._raw: bytes | None = None
        self._strings: bytes | None = None

    def has(self, content: bytes) -> bool:
        """Return whether the context contains a content."""
        raw = self._raw
        if raw is None:
            found = self._shelf.read(self._handle)
            if not isinstance(found, bytes):
                return _in_pieces(content, found)
            raw = self._raw = found
        if content in raw:
            return True
        if self._strings is None:
            self._strings = self._shelf.strings(self._handle, raw)
        return content in self._strings and _is_text(content)


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _in_pieces(content: bytes, pieces: Iterator[bytes]) -> bool:
    """Return whether a content is a run of bytes of what arrives in pieces."""
    held, size = bytearray(), 0
    for piece in pieces:
        held += piece
        size += len(piece)
        # Looked into only when as much is new as may be old, so that no byte is seen often.
        if size >= len(content):
            if content in held:
                return True
            del held[: max(0, len(held) - len(content) + 1)]
            size = 0
    return content in held
