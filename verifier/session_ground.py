"""What the rules of sessions stand on: the tables, findings, and where parents are (specs/10)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from .call_contents import CallContents
from .errors import Refused
from .session_tables import Calls, Intents, Labels, Outcomes, Places, Runs

EXCUSED, WRONG = -1, -2
PARENT_BYTES = 48


class Emit(Protocol):
    """Takes a finding on the record at a position."""

    def __call__(
        self,
        code: str,
        position: int,
        message: str,
        expected: object = None,
        actual: object = None,
    ) -> None:
        """Take one finding."""


class Ground:
    """Tables of one package, and what its audit offers to the rules."""

    def __init__(
        self,
        emit: Emit,
        locate: Callable[[bytes], int],
        readable: Callable[[int], bool],
        words: Callable[[int, str], str],
        contents: CallContents,
        whole: bool,
    ) -> None:
        """Take what finds the position of a leaf hash (-1 if it is not here).

        `readable` says whether the record at a position could be read. `words` describes the
        intent at a position, if a finding of that code would still be kept. `whole`: in this
        package a parent that is missing has a finding of its own.
        """
        self.emit = emit
        self.words = words
        self.contents = contents
        self.labels = Labels()
        self.runs = Runs()
        self.intents = Intents()
        self.outcomes = Outcomes()
        self.calls = Calls()
        self.broken = array("I")
        self._locate = locate
        self._readable = readable
        self._whole = whole

    def refuse(self, position: int, error: Refused) -> None:
        """Take a refusal as a finding."""
        self.emit(error.code, position, error.message, error.expected, error.actual)

    def parent(self, places: Places, leaf: bytes, position: int, session: int) -> int:
        """Return the row of the parent with this leaf hash among records of one kind.

        WRONG: it is something else. EXCUSED: it has a finding already, or cannot be told.
        """
        at = self._locate(leaf)
        if at < 0:
            excused = self._whole or self.labels.damaged[session]
            return EXCUSED if excused else WRONG
        if at >= position:
            return EXCUSED
        found = places.at(at)
        if found >= 0:
            return found
        return WRONG if self._readable(at) and not self._is_broken(at) else EXCUSED

    def first_parent(self, places: Places, parents: bytes) -> int:
        """Return the row of the first of some parents, or -1."""
        at = self._locate(parents[:32])
        return places.at(at) if at >= 0 else -1

    def _is_broken(self, position: int) -> bool:
        found = bisect_left(self.broken, position)
        return found < len(self.broken) and self.broken[found] == position
