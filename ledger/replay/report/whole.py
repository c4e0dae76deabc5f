"""How deterministic recorded operations are, from any number of replays (specs/13 sections 6, 7).

A report is made from runs, that is from bodies of `replay` statements and the facts of their
witnesses, in any order, and keeps counts: memory does not grow with the number of runs. It takes
the states as they are stated; that they follow from the contents is for a verifier to say.

>>> from ledger.replay.report.inputs import Run, Subject
>>> states = dict.fromkeys(LEVELS, "match") | {"logprobs": "not_observable", "bits": "differs"}
>>> body = {"engine": "embedded", "wanted": "text", "success": True, "level": "tokens",
...         "levels": states, "run": {"number": 1, "of": 1}, "expected": {}, "replayed": {},
...         "started_at": "2026-11-28T10:00:00Z"}
>>> found = gather([Run(Subject(bytes(32), "an id", 7), body)])
>>> found.agreement("text"), found.agreement("bits"), found.nondeterministic
((1, 1), (0, 1), [7])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ledger.replay.levels import LEVELS, Level
from ledger.replay.report.counts import Few, Spread, Tally
from ledger.replay.report.environments import Change, EnvironmentRow, Environments
from ledger.replay.report.inputs import Contents, Run
from ledger.replay.report.witness import RELATIONS, Relation, Verdict, WitnessReport, relation_of

__all__ = ["VERDICTS", "Report", "Turn", "gather"]

VERDICTS: tuple[Verdict, ...] = (
    "reproduced", "differs", "environment", "archive", "incomplete", "not_run", "not_observable",
)  # fmt: skip

_KEYS_MAX = 64


class Turn(NamedTuple):
    """A level that changed while the environment did, and the witnesses of which that is so."""

    level: Level
    matched_in: tuple[bytes, ...]
    differed_in: tuple[bytes, ...]
    witnesses: list[WitnessReport]


class Report:
    """Runs of many witnesses; `add` takes one, everything else says what they come to."""

    def __init__(self, contents: Contents | None = None) -> None:
        self.contents = contents or Contents()
        self.tally = Tally()
        self.by_relation: dict[Relation, Tally] = dict.fromkeys(RELATIONS, Tally())
        """Runs that answered, by how their environment is to the recorded one."""
        self.succeeded = 0
        self.wanted: Counter[str] = Counter()
        self.engines: Few[str, int] = Few(_KEYS_MAX, 0)
        self.reasons: Counter[str] = Counter()
        self.keys: Few[bytes, int] = Few(_KEYS_MAX, 0)
        """Runs by the key that signed them."""
        self.confidence = Spread()
        self.logprobs = Spread()
        self.epsilon = Spread()
        self._environments = Environments(self.contents)
        self._found: dict[tuple[bytes, bytes], WitnessReport] = {}

    def add(self, run: Run) -> None:
        """Take a run."""
        body, subject = run.body, run.subject
        key = (subject.ledger or b"", subject.leaf_hash)
        one = self._found.get(key)
        if one is None:
            one = self._found[key] = WitnessReport(subject)
        one.add(run, self.contents, self._environments.add(run))
        tally = Tally.of(body["levels"])
        self.tally += tally
        if "replayed" in body:
            self.by_relation[relation_of(body)] += tally
        self.succeeded += body["success"]
        self.wanted[body["wanted"]] += 1
        self.engines.add(body["engine"], 1)
        if "reason" in body:
            self.reasons[body["reason"]] += 1
        if run.kid is not None:
            self.keys.add(run.kid, 1)
        for spread, name in (
            (self.confidence, "confidence_difference"),
            (self.logprobs, "logprob_difference"),
            (self.epsilon, "epsilon"),
        ):
            if name in body:
                spread.add(body[name])

    @property
    def runs(self) -> int:
        """How many runs."""
        return self.tally.runs

    @property
    def answered(self) -> int:
        """How many of them were run and answered."""
        return sum(tally.runs for tally in self.by_relation.values())

    @property
    def reproduced(self) -> bool:
        """Whether every run reached the level that was wanted of it."""
        return self.succeeded == self.runs

    @property
    def witnesses(self) -> list[WitnessReport]:
        """Every witness, in order of index, those of other ledgers last."""
        return sorted(self._found.values(), key=lambda one: one.subject.order)

    def agreement(self, level: Level) -> tuple[int, int]:
        """Runs in which a level is a match, of how many in which it could be observed."""
        return self.tally.matched(level), self.tally.observed(level)

    def differing(self, level: Level) -> dict[Relation, int]:
        """Runs in which a level differs, by how their environment is to the recorded one."""
        return {one: self.by_relation[one].count(level, "differs") for one in RELATIONS}

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How many witnesses there are of each verdict."""
        found = Counter(one.verdict for one in self._found.values())
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def differ(self) -> list[WitnessReport]:
        """Witnesses with a run that differs though no other environment explains it."""
        return [one for one in self.witnesses if one.verdict == "differs"]

    @property
    def nondeterministic(self) -> list[int]:
        """Their indices, as far as they are known."""
        return [one.subject.index for one in self.differ if one.subject.index is not None]

    def failures(self) -> list[tuple[str, int]]:
        """Reasons for which runs did not reach what was wanted, the most frequent first."""
        return sorted(self.reasons.items(), key=lambda one: (-one[1], one[0]))

    def turns(self) -> list[Turn]:
        """Levels that match in some environments and differ in others, level by level."""
        found: dict[tuple[int, tuple[bytes, ...], tuple[bytes, ...]], list[WitnessReport]] = {}
        for one in self.witnesses:
            for level, good, bad in one.turns():
                found.setdefault((LEVELS.index(level), good, bad), []).append(one)
        return [Turn(LEVELS[key[0]], key[1], key[2], found[key]) for key in sorted(found)]

    def environments(self) -> list[EnvironmentRow]:
        """The environments, the most used first."""
        return self._environments.rows()

    @property
    def more_environments(self) -> int:
        """Runs in environments beyond those that are told apart."""
        return self._environments.more

    def changes(self) -> list[Change]:
        """What changed between recorded and replayed environments."""
        return self._environments.changes()

    @property
    def unread_changes(self) -> int:
        """Runs in a changed environment of which it cannot be said what changed."""
        return self._environments.unread_changes()


def gather(
    runs: Iterable[Run],
    contents: Contents | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Make the report of some runs; `progress` is told how many have been taken."""
    report = Report(contents)
    for number, run in enumerate(runs, 1):
        report.add(run)
        if progress is not None:
            progress(number)
    return report
