"""Everything that one statement rests on, through all packages given (specs/08 section 6).

Parents were looked up while the records were read; what is walked here are their numbers. Each
record is marked before it waits for its turn, so that none waits twice and no path is too long.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from . import cbor, cose
from .errors import BadValue, Fatal, Refused
from .judging import uuid_text
from .table import CHUNK_ROWS
from .values import UUID7, parse_decimal, parse_hex32

if TYPE_CHECKING:
    from .audit import Audit

LINEAGE_MAX = 100_000
_OUTSIDE_BYTES = 80
_OWN = bytes(32)
_PACKAGE_SHIFT = 40


class Edges:
    """The parents of all records of a package: positions, or rows of what is not in it."""

    def __init__(self) -> None:
        self._children = array("I")
        self._starts = array("Q")
        self._parents = array("q")
        self._outside = bytearray()

    def begin(self, position: int) -> None:
        """Begin the parents of a record; records come in ascending order."""
        self._children.append(position)
        self._starts.append(len(self._parents))

    def add(self, parent: int, named: bytes) -> None:
        """Add a parent in this ledger by position, or, if that is -1, by leaf hash and id."""
        if parent < 0:
            self.add_outside(_OWN + named)
        else:
            self._parents.append(parent)

    def add_outside(self, row: bytes) -> None:
        """Add a parent in another ledger: genesis, leaf hash, id."""
        self._parents.append(-1 - len(self._outside) // _OUTSIDE_BYTES)
        self._outside += row

    def of(self, position: int) -> array[int]:
        """Return the parents of a record, those that are not here as negative numbers."""
        at = bisect_left(self._children, position)
        if at == len(self._children) or self._children[at] != position:
            return array("q")
        end = self._starts[at + 1] if at + 1 < len(self._starts) else len(self._parents)
        return self._parents[self._starts[at] : end]

    def row(self, number: int) -> bytes:
        """Return genesis (zeros for this ledger), leaf hash and id of a negative number."""
        at = (-1 - number) * _OUTSIDE_BYTES
        return bytes(self._outside[at : at + _OUTSIDE_BYTES])


class Ancestors:
    """The walk from one statement of the first of some packages."""

    def __init__(self, audits: list[Audit]) -> None:
        self._audits = audits
        self._numbers = {
            a.book.genesis: n for n, a in enumerate(audits) if a.book.genesis is not None
        }
        self._marks = [bytearray(a.records()) for a in audits]
        self._waiting = array("Q")
        self._outside: set[bytes] = set()
        self._cut = False

    def run(self, given: str) -> dict[str, Any]:
        """Return the member `lineage` of a report; a statement that is not there is `usage`."""
        start = _position(self._audits[0], given)
        self._mark(0, start)
        while self._waiting:
            what = self._waiting.pop()
            self._step(what >> _PACKAGE_SHIFT, what & (1 << _PACKAGE_SHIFT) - 1)
        self._marks[0][start] = 0
        return {
            "of": _described(self._audits[0], start),
            "ancestors": self._listed(),
            "outside": [_stranger(row) for row in sorted(self._outside, key=lambda r: r[32:])],
            "cut": self._cut,
        }

    def _mark(self, number: int, position: int) -> None:
        if not self._marks[number][position]:
            self._marks[number][position] = 1
            self._waiting.append(number << _PACKAGE_SHIFT | position)

    def _step(self, number: int, position: int) -> None:
        """Mark the parents of a record."""
        a = self._audits[number]
        if a.edges is None:
            raise RuntimeError("parents were not kept")
        for parent in a.edges.of(position):
            if parent >= 0:
                self._mark(number, parent)
                continue
            row = a.edges.row(parent)
            other = self._numbers.get(row[:32], number)
            place = -1 if other == number else self._audits[other].lineage.position(row[32:64])
            if place >= 0:
                self._mark(other, place)
            elif row in self._outside or len(self._outside) < LINEAGE_MAX:
                self._outside.add(row)
            else:
                self._cut = True

    def _listed(self) -> list[dict[str, Any]]:
        """Return the marked records of all packages, from the largest index down."""
        listed: list[dict[str, Any]] = []
        for a, marks in zip(self._audits, self._marks, strict=True):
            at = marks.rfind(1)
            while at >= 0:
                if len(listed) == LINEAGE_MAX:
                    self._cut = True
                    return listed
                listed.append(_described(a, at))
                at = marks.rfind(1, 0, at)
        return listed


def _position(a: Audit, given: str) -> int:
    """Return the position of the record that an id, an index or a leaf hash names."""
    found = -1
    try:
        if UUID7.fullmatch(given):
            found = _with_id(a, bytes.fromhex(given.replace("-", "")))
        elif len(given) == 64:
            found = a.lineage.position(parse_hex32(given))
        else:
            found = a.log.position_of(parse_decimal(given))
    except BadValue:
        raise Fatal("usage", f"{given[:80]!a} is no id, index or leaf hash in hex") from None
    if not 0 <= found < a.records() or not a.lineage.named(found):
        raise Fatal("usage", f"{given[:80]!a} is not a statement of the package")
    return found


def _with_id(a: Audit, ident: bytes) -> int:
    for number, ids in enumerate(a.ids.chunks):
        at = ids.find(ident)
        while at >= 0:
            if at % 16 == 0:
                return number * CHUNK_ROWS + at // 16
            at = ids.find(ident, at + 1)
    return -1


def _described(a: Audit, position: int) -> dict[str, Any]:
    """Return what a report says of a record."""
    ident = uuid_text(a.ids.get(position), 0)
    kind = None
    found = a.statement(position) if ident is not None else None
    if found is not None:
        try:
            kind = cbor.decode_loose(cose.parse(found[1])[1])["type"]
        except Refused:
            kind = None
    return {
        "genesis": None if a.book.genesis is None else a.book.genesis.hex(),
        "index": a.log.index_of(position),
        "id": ident,
        "type": kind,
        "leaf_hash": a.log.leaves.get(position).hex(),
    }


def _stranger(row: bytes) -> dict[str, Any]:
    genesis = None if row[:32] == _OWN else row[:32].hex()
    return {"genesis": genesis, "id": uuid_text(row[64:], 0), "leaf_hash": row[32:64].hex()}
