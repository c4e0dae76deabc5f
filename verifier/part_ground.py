"""Where the parents of an operation's statements are, in all packages at hand (specs/12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .chain import TAG_EXECUTION, TAG_INSIGHT, TAG_PROVENANCE, TAG_TRANSFER, TAG_WITNESS
from .errors import Refused
from .part_tables import Chain, Kept, Names, Operations, Stage, Whole, Witness
from .session_ground import Emit
from .shelf import Shelf

if TYPE_CHECKING:
    from .audit import Audit

STAGES = frozenset((TAG_INSIGHT, TAG_TRANSFER, TAG_EXECUTION))
OTHER, EXCUSED, AWAY, GONE = 0, -1, -2, -3
PACKAGE_SHIFT = 40
_SHOWN = 5


class Part(NamedTuple):
    """A parent: its tag and row, where it is, and whether it is in the child's own ledger.

    The tag is OTHER for a statement that no rule looks into, EXCUSED for one with a finding of its
    own, GONE for one that is missing where nothing should be, AWAY for one that is not at hand.
    `place` is package and position, or a negative number for what is in no package.
    """

    tag: int
    row: Any
    place: int
    own: bool

    @property
    def told(self) -> bool:
        """Whether it is known what the parent is."""
        return self.tag >= OTHER


class PartGround:
    """What the rules share: rows of each package, names, contents, and where findings go."""

    def __init__(self, emit: Emit, audits: Sequence[Audit]) -> None:
        """Take the audits of the first package and of those beside it."""
        self.emit = emit
        self.audits = audits
        self.names = Names()
        self.rows = [Kept() for _ in audits]
        self.operations = Operations()
        self.shelf = Shelf([(a.package, a.contents) for a in audits])
        self._numbers = {a.book.genesis: n for n, a in enumerate(audits) if a.book.genesis}

    def refuse(self, position: int, errors: Sequence[Refused]) -> None:
        """Take refusals as findings on one record."""
        for e in errors:
            self.emit(e.code, position, e.message, e.expected, e.actual)

    def tell(self, code: str, position: int, wrong: Sequence[str]) -> None:
        """Take all that is wrong in one respect as one finding, which names the first few."""
        if wrong:
            more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            self.emit(code, position, "; ".join(wrong[:_SHOWN]) + more)

    def located(self, package: int, parent: dict[str, Any]) -> tuple[int, int]:
        """Return package and position of a parent named in a package.

        The position is AWAY or GONE if it is not at hand, EXCUSED if the parent names its own
        ledger as another one.
        """
        genesis = parent.get("ledger")
        if genesis is not None:
            own, package = package, self._numbers.get(genesis, -1)
            if package < 0:
                return own, AWAY
            if package == own:
                return own, EXCUSED
        a = self.audits[package]
        position = a.lineage.position(parent["leaf_hash"])
        if position >= 0:
            return package, position
        return package, AWAY if a.log.part else GONE

    def place(self, package: int, parent: dict[str, Any]) -> int:
        """Return where a parent is, the same for the same statement."""
        return self._place(package, parent, *self.located(package, parent))

    def _place(self, package: int, parent: dict[str, Any], at: int, position: int) -> int:
        if position >= 0:
            return at << PACKAGE_SHIFT | position
        ledger = parent.get("ledger") or self.audits[package].book.genesis or b""
        return -self.names.raw(ledger + parent["leaf_hash"])

    def part(self, parent: dict[str, Any], child: int) -> Part:
        """Return a parent of a record of the first package."""
        package, position = self.located(0, parent)
        own = "ledger" not in parent
        place = self._place(0, parent, package, position)
        if position < 0:
            return Part(position, None, place, own)
        if (own and position >= child) or not self.valid(package, position):
            return Part(EXCUSED, None, place, own)
        row = self.rows[package].find(position)
        if row is None:
            return Part(OTHER, None, place, own)
        tag: int = row[0]
        if tag in STAGES:
            return Part(tag, Stage(*row), place, own)
        if tag == TAG_WITNESS:
            return Part(tag, Witness(*row), place, own)
        return Part(tag, Chain(*row) if tag == TAG_PROVENANCE else Whole(*row), place, own)

    def valid(self, package: int, position: int) -> bool:
        """Return whether a record could be read and has a valid body."""
        return self.audits[package].valid_body(position)

    def where(self, part: Part) -> str:
        """Return in words where a parent is."""
        if part.place < 0:
            return "not at hand"
        package, position = divmod(part.place, 1 << PACKAGE_SHIFT)
        a = self.audits[package]
        index = f"index {a.log.index_of(position)}"
        if not package or a.book.genesis is None:
            return index
        return f"{index} of ledger {a.book.genesis.hex()}"
