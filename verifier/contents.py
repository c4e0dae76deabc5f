"""Archived contents of a package against the references to them (specs/06, 07 section 6)."""

from __future__ import annotations

import re

from .content import Archived
from .errors import Refused
from .table import Table

ROW_BYTES = 72
CONTENT = "data/content/"
_PATH = re.compile(r"data/content/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_REFERRED = 1
_WRONG_NAME = 2


def content_path(address: bytes) -> str:
    """Return the path of archived bytes in a package."""
    name = address.hex()
    return f"{CONTENT}{name[:2]}/{name}"


def parse_content_path(path: str) -> bytes | None:
    """Return the BLAKE3 address that a path names, or None."""
    match = _PATH.fullmatch(path)
    return None if match is None else bytes.fromhex(match[2])


def row(blake3: bytes, sha256: bytes, archived_bytes: int) -> bytes:
    """Return a reference or a file as one row: BLAKE3, SHA-256, length in bytes."""
    return blake3 + sha256 + archived_bytes.to_bytes(8, "big")


class Contents:
    """The content files that were found, and what was erased; 80 bytes of memory a file."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._flags = bytearray()
        self._table = Table(self._address)
        self._erased: dict[bytes, int] = {}
        self.archived_bytes = 0
        self.references = 0
        self.checked = 0
        self.withheld = 0
        self.erased = 0
        self.erased_and_named: set[bytes] = set()

    def _address(self, number: int) -> bytes:
        return bytes(self._rows[number * ROW_BYTES : number * ROW_BYTES + 32])

    def add_file(self, address: bytes, found: Archived) -> None:
        """Take a content file with the bytes that were found under its address."""
        number = len(self._flags)
        self._rows += row(address, found.sha256, found.size)
        self.archived_bytes += found.size
        self._flags.append(0 if found.blake3 == address else _WRONG_NAME)
        self._table.add(address, number)

    def add_erasure(self, address: bytes, index: int) -> None:
        """Take a valid erasure statement; the first for a content is the one named."""
        self._erased.setdefault(address, index)

    def nothing_known(self) -> bool:
        """Return whether there is no content file and no erasure: all that is named is absent."""
        return not self._flags and not self._erased

    def present(self, address: bytes) -> bool:
        """Return whether there is a content file of this address."""
        return bool(self._flags) and self._table.find(address) >= 0

    def holds(self, ref: bytes) -> bool:
        """Return whether the content of a row of 72 bytes is here, and is what the row says."""
        return self.number(ref) >= 0

    def number(self, ref: bytes) -> int:
        """Return the number of the content file of a row if it is what the row says, or -1."""
        number = self._table.find(ref[:32]) if self._flags else -1
        if number < 0 or self._flags[number] & _WRONG_NAME or self.row(number) != ref:
            return -1
        return number

    def row(self, number: int) -> bytes:
        """Return what a content file was found to be, as a row of 72 bytes."""
        return bytes(self._rows[number * ROW_BYTES : (number + 1) * ROW_BYTES])

    def count_withheld(self, absent: int) -> None:
        """Count references to withheld contents without looking at each."""
        self.references += absent
        self.withheld += absent

    def check(self, refs: bytes, required: bool, withheld: bool) -> list[Refused]:
        """Return what is wrong with references of a record, rows of 72 bytes.

        `required`: the record is in the selection. `withheld`: absent contents are accounted for.
        """
        out: list[Refused] = []
        for at in range(0, len(refs), ROW_BYTES):
            self.references += required
            address = refs[at : at + 32]
            if required and address in self._erased:
                self.erased_and_named.add(address)
            number = self._table.find(address) if self._flags else -1
            if number >= 0:
                self.checked += 1
                self._flags[number] |= _REFERRED
                stored = bytes(self._rows[number * ROW_BYTES : (number + 1) * ROW_BYTES])
                if self._flags[number] & _WRONG_NAME:
                    out.append(_mismatch(address, "BLAKE3 of the file is not its name"))
                elif stored != refs[at : at + ROW_BYTES]:
                    out.append(_mismatch(address, "SHA-256 or length of the file differ"))
            elif not required:
                continue
            elif address in self._erased:
                self.erased += 1
                out.append(
                    Refused(
                        "content_erased",
                        f"{address.hex()} was erased by the statement at index "
                        f"{self._erased[address]}",
                    )
                )
            elif withheld:
                self.withheld += 1
                out.append(Refused("content_withheld", f"{address.hex()} is not in the package"))
            else:
                out.append(Refused("content_missing", f"{address.hex()} is not in the package"))
        return out

    def unreferred(self) -> list[str]:
        """Return the first 1,000 paths of content files that no record refers to."""
        numbers = (i for i, flag in enumerate(self._flags) if not flag & _REFERRED)
        return [content_path(self._address(i)) for i, _ in zip(numbers, range(1000), strict=False)]

    def unreferred_count(self) -> int:
        """Return the number of content files that no record refers to."""
        return sum(1 for flag in self._flags if not flag & _REFERRED)


def _mismatch(address: bytes, why: str) -> Refused:
    return Refused("content_mismatch", f"{address.hex()}: {why}")
