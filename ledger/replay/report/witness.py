"""How the runs of one witness came out (specs/13 sections 6 and 7): counts, never the runs.

An output counts as the recorded one if level `text` says so, or if the contents are the same; all
others are told apart by content. What differs with a changed environment is kept apart from what
differs in the same one: only the latter shows that an operation is not deterministic.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from ledger.formats.content import ContentRef, from_cbor
from ledger.replay.levels import LEVELS, Level, State
from ledger.replay.report.counts import Extent, Few, Spread, Tally
from ledger.replay.report.inputs import Contents, Run, Subject

__all__ = ["CELLS_MAX", "RELATIONS", "Cell", "Relation", "Verdict", "WitnessReport", "relation_of"]

OUTPUTS_MAX: Final = 16
ENVIRONMENTS_MAX: Final = 8
CELLS_MAX: Final = 50
"""Runs of a witness that are drawn one by one: the first ones by time."""

Relation = Literal["same", "changed", "unknown"]
RELATIONS: Final[tuple[Relation, ...]] = ("same", "changed", "unknown")
"""The environment of a run, compared with the recorded one."""

Verdict = Literal[
    "reproduced", "differs", "environment", "archive", "incomplete", "not_run", "not_observable"
]


_OBSERVED: Final[tuple[State, State]] = ("match", "differs")


class Cell(NamedTuple):
    """One run as it is drawn."""

    started_at: str
    place: int
    number: int
    level: str
    parted: str
    """The first level that differs, or nothing."""
    relation: Relation
    ran: bool


def relation_of(body: Mapping[str, Any]) -> Relation:
    """How the environment of a run is to the recorded one."""
    identical = body.get("environment_identical")
    return "unknown" if identical is None else "same" if identical else "changed"


def parted_at(body: Mapping[str, Any]) -> Level | None:
    """The first level in which a run differs by itself, not by an archive that is damaged."""
    levels = body["levels"]
    if levels["archive"] == "differs":
        first = body.get("first_difference", {})
        return "text" if "character" in first else "tokens" if "token" in first else None
    return next((level for level in LEVELS[1:] if levels[level] == "differs"), None)


class WitnessReport:
    """The runs of one witness."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.tally = Tally()
        self.succeeded = 0
        self.engines: Few[str, int] = Few(OUTPUTS_MAX, 0)
        self.reasons: Counter[str] = Counter()
        self.parted: Counter[tuple[Level, Relation]] = Counter()
        self.as_recorded = 0
        self.has_recorded = subject.output is not None
        self.outputs: Few[bytes, int] = Few(OUTPUTS_MAX, 0)
        """Outputs that are not the recorded one, by identity."""
        self.unidentified = 0
        """Outputs of which it is not certain that they differ from others."""
        self.environments: Few[tuple[bytes, Relation], Tally] = Few(ENVIRONMENTS_MAX, Tally())
        self.characters = Extent()
        self.tokens = Extent()
        self.confidence = Spread()
        self.logprobs = Spread()
        self.cells: list[Cell] = []
        self.earliest: tuple[int, bytes, ContentRef] | None = None
        """The first differing character of all runs, and the output it is in."""

    @property
    def runs(self) -> int:
        """How many runs."""
        return self.tally.runs

    def add(self, run: Run, contents: Contents, environment: bytes) -> None:
        """Take a run; `environment` is the identity of what it ran in, empty if not known."""
        body, relation = run.body, relation_of(run.body)
        tally = Tally.of(body["levels"])
        self.tally += tally
        self.succeeded += body["success"]
        self.engines.add(body["engine"], 1)
        if "reason" in body:
            self.reasons[body["reason"]] += 1
        parted = parted_at(body)
        if parted is not None:
            self.parted[parted, relation] += 1
        if "replayed" in body:
            self.environments.add((environment, relation), tally)
            self._output(body, contents)
        self._places(body)
        if "confidence_difference" in body:
            self.confidence.add(body["confidence_difference"])
        if "logprob_difference" in body:
            self.logprobs.add(body["logprob_difference"])
        cell = Cell(
            body["started_at"],
            run.place,
            body["run"]["number"],
            body["level"],
            parted or "",
            relation,
            "replayed" in body,
        )
        insort(self.cells, cell)
        del self.cells[CELLS_MAX:]

    def _output(self, body: Mapping[str, Any], contents: Contents) -> None:
        expected = body["expected"].get("output")
        self.has_recorded = self.has_recorded or expected is not None
        given = body["replayed"].get("output")
        if given is None:
            return
        ref = from_cbor(dict(given))
        identity, certain = contents.identity(ref)
        recorded = self.subject.output
        same = body["levels"]["text"] == "match"
        if not same and recorded is not None:
            same = contents.identity(recorded)[0] == identity
        elif not same:
            same = not ref.salted and expected == ref.sha256
        if same:
            self.as_recorded += 1
            return
        self.outputs.add(identity, 1)
        self.unidentified += not certain
        character = body.get("first_difference", {}).get("character")
        if character is not None:
            found = (character, ref.blake3, ref)
            if self.earliest is None or found[:2] < self.earliest[:2]:
                self.earliest = found

    def _places(self, body: Mapping[str, Any]) -> None:
        first, levels = body.get("first_difference", {}), body["levels"]
        for extent, name, level in (
            (self.characters, "character", "text"),
            (self.tokens, "token", "tokens"),
        ):
            if name in first:
                extent.add(first[name])
            elif levels[level] == "match":
                extent.add(None)

    @property
    def distinct(self) -> int:
        """How many different outputs there are, the recorded one included; at least, if `more`."""
        return self.has_recorded + len(self.outputs) + self.outputs.more

    @property
    def distinct_runs(self) -> int:
        """The same of the runs alone."""
        return bool(self.as_recorded) + len(self.outputs) + self.outputs.more

    @property
    def with_output(self) -> int:
        """How many runs had an output."""
        return (
            self.as_recorded + sum(count for _, count in self.outputs.items()) + self.outputs.rest
        )

    @property
    def pairs(self) -> tuple[int, int]:
        """Pairs of runs with the same output, and pairs of runs with an output.

        Beyond the outputs that are told apart, pairs are not known to be the same.
        """
        counts = [self.as_recorded, *(count for _, count in self.outputs.items())]
        everything = self.with_output
        return sum(n * (n - 1) // 2 for n in counts), everything * (everything - 1) // 2

    def runs_part(self) -> tuple[int, bool] | None:
        """The first character in which two runs differ, and whether it is exactly there.

        Two runs that leave the recorded output at different places leave each other at the first
        of these. If all leave it at the same place, they may go together for longer.
        """
        if self.distinct_runs < 2 or self.characters.first is None:
            return None
        return self.characters.first, not self.characters.common

    @property
    def first_level(self) -> Level | None:
        """The first level in which any run differs."""
        found = {level for level, _ in self.parted}
        return next((level for level in LEVELS if level in found), None)

    @property
    def relations(self) -> list[Relation]:
        """The environments in which runs differ, compared with the recorded one."""
        found = {relation for _, relation in self.parted}
        return [one for one in RELATIONS if one in found]

    @property
    def verdict(self) -> Verdict:
        """What the runs come to, the worst first."""
        if self.parted:
            return "environment" if self.relations == ["changed"] else "differs"
        if self.tally.count("archive", "differs"):
            return "archive"
        not_run = self.tally.count("text", "not_run")
        if not_run:
            return "not_run" if not_run == self.runs else "incomplete"
        matched = any(self.tally.matched(level) for level in LEVELS[1:])
        return "reproduced" if matched else "not_observable"

    def turns(self) -> list[tuple[Level, tuple[bytes, ...], tuple[bytes, ...]]]:
        """Levels that match in some environments and differ in others, and in which."""
        found: list[tuple[Level, tuple[bytes, ...], tuple[bytes, ...]]] = []
        for level in LEVELS[1:]:
            good, bad = (self._environments_with(level, state) for state in _OBSERVED)
            if good and bad and not set(good) & set(bad):
                found.append((level, good, bad))
        return found

    def _environments_with(self, level: Level, state: State) -> tuple[bytes, ...]:
        had = self.environments.items()
        return tuple(sorted({key[0] for key, tally in had if tally.count(level, state)}))
