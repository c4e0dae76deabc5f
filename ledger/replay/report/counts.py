"""Counts of a determinism report: small, and the same in whatever order runs come (specs/13 §6).

>>> one = Tally.of(dict.fromkeys(LEVELS, "match") | {"bits": "differs"})
>>> both = one + one
>>> both.runs, both.matched("text"), both.observed("bits"), both.matched("bits")
(2, 2, 2, 0)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Generic, TypeVar

from ledger.replay.levels import LEVELS, Level, State

__all__ = ["STATES", "Extent", "Few", "Spread", "Tally"]

STATES: Final[tuple[State, ...]] = ("match", "differs", "not_observable", "not_run")

_PLACES: Final = {
    (level, state): place
    for place, (level, state) in enumerate((a, b) for a in LEVELS for b in STATES)
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs had which state, for each level; every run has one state of each."""

    counts: tuple[int, ...] = (0,) * len(_PLACES)

    @classmethod
    def of(cls, levels: Mapping[str, str]) -> Tally:
        """One run."""
        return cls(tuple(int(levels[level] == state) for level, state in _PLACES))

    def __add__(self, other: Tally) -> Tally:
        return Tally(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    @property
    def runs(self) -> int:
        """How many runs."""
        return sum(self.counts[: len(STATES)])

    def count(self, level: Level, state: State) -> int:
        """How many runs had this state."""
        return self.counts[_PLACES[level, state]]

    def matched(self, level: Level) -> int:
        """The n of "n of m"."""
        return self.count(level, "match")

    def observed(self, level: Level) -> int:
        """The m of "n of m": runs in which the level could be observed."""
        return self.count(level, "match") + self.count(level, "differs")

    def document(self) -> dict[str, dict[str, int]]:
        """As JSON."""
        return {level: {state: self.count(level, state) for state in STATES} for level in LEVELS}


Key = TypeVar("Key", bound=Any)
Value = TypeVar("Value", int, Tally)


class Few(Generic[Key, Value]):
    """Sums by key, exact for the `most` smallest keys; those of all others in `rest`.

    A key that has been given up cannot come back, as only smaller ones push it out; what is kept is
    therefore exact, and the same in every order.
    """

    def __init__(self, most: int, zero: Value) -> None:
        self._most = most
        self._zero: Value = zero
        self._kept: dict[Key, Value] = {}
        self._largest: Key | None = None
        self.rest: Value = zero

    def add(self, key: Key, value: Value) -> None:
        """Add to the sum of a key."""
        kept = self._kept
        if key in kept:
            kept[key] += value
        elif len(kept) < self._most:
            kept[key] = value
            self._largest = None
        else:
            if self._largest is None:
                self._largest = max(kept)
            if key < self._largest:
                self.rest += kept.pop(self._largest)
                kept[key] = value
                self._largest = None
            else:
                self.rest += value

    def items(self) -> Iterator[tuple[Key, Value]]:
        """The keys that are kept, in order."""
        return iter(sorted(self._kept.items(), key=lambda item: item[0]))

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    @property
    def more(self) -> bool:
        """Whether there are others than those that are kept."""
        return bool(self.rest != self._zero)


class Spread:
    """The least, the greatest and the mean of numbers, exact until it is read."""

    def __init__(self) -> None:
        self.count = 0
        self.least: float | None = None
        self.greatest: float | None = None
        self._sum = Fraction(0)

    def add(self, value: float) -> None:
        """Take a number."""
        self.count += 1
        self.least = value if self.least is None else min(self.least, value)
        self.greatest = value if self.greatest is None else max(self.greatest, value)
        self._sum += Fraction(value)

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return float(self._sum / self.count) if self.count else None

    def document(self) -> dict[str, Any] | None:
        """As JSON; None of nothing."""
        if not self.count:
            return None
        return {"runs": self.count, "min": self.least, "max": self.greatest, "mean": self.mean}


class Extent:
    """Where runs leave what was recorded: the first place, and whether all leave it there."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._last: int | None = None
        self._stayed = False

    def add(self, place: int | None) -> None:
        """Take where a run differs first; None for one that does not."""
        if place is None:
            self._stayed = True
            return
        self.first = place if self.first is None else min(self.first, place)
        self._last = place if self._last is None else max(self._last, place)

    @property
    def common(self) -> bool:
        """Whether all runs differ, and from the same place on."""
        return self.first is not None and not self._stayed and self.first == self._last
