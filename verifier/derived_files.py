"""Which files of a session folder a package holds, and what became of each (specs/11)."""

from __future__ import annotations

from .content import Archived
from .session_tables import Keys

_ROW_BYTES = 32 + 8
_CLAIMED, _TOLD, _UNREAD = 1, 2, 4


class DerivedFiles:
    """The files of the folder that were found; 70 bytes of memory a file."""

    def __init__(self) -> None:
        self._paths = Keys()
        self._rows = bytearray()
        self._flags = bytearray()

    def __len__(self) -> int:
        return len(self._flags)

    def _number(self, path: str, row: bytes, flags: int) -> int:
        """Return the number of a path; a new one is entered with these."""
        number = self._paths.number(path.encode())
        if number == len(self):
            self._rows += row
            self._flags.append(flags)
        return number

    def add(self, path: str, found: Archived) -> None:
        """Take a file that was found."""
        self._number(path, found.sha256 + found.size.to_bytes(8, "big"), 0)

    def tell(self, path: str) -> None:
        """Note that a file has a finding: it is not there, cannot be read or is not listed."""
        self._flags[self._number(path, bytes(_ROW_BYTES), _UNREAD)] |= _TOLD

    def claim(self, path: str) -> bytes | None:
        """Return digest and length, 32 and 8 bytes, of a file that must be there.

        None: it is not there. Empty: there is nothing more to say of it.
        """
        fresh = len(self)
        number = self._number(path, bytes(_ROW_BYTES), _UNREAD)
        before = self._flags[number]
        self._flags[number] |= _CLAIMED
        if number == fresh:
            return None
        if before & (_CLAIMED | _UNREAD):
            return b""
        return bytes(self._rows[number * _ROW_BYTES : (number + 1) * _ROW_BYTES])

    def open(self, path: str | None = None) -> bool:
        """Return whether a file, or any, was found that need not be there and has no finding."""
        if path is None:
            return 0 in self._flags
        number = self._paths.find(path.encode())
        return number >= 0 and not self._flags[number]
