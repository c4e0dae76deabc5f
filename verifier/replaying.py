"""The audit's replays: which statements are judged when, and what they report (specs/08, 13).

While the records are read, only places are kept. A package's own replays are judged when all its
records were read. Replays of witnesses in other ledgers wait until the package that they are given
beside is at hand: then they are judged in their own report, before the first package looks at what
became of the ledgers that it names.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .at_hand import AtHand, Statement
from .chain import TAG_REPLAY
from .evidence import Evidence
from .replay_operation_rules import ReplayOperationRules
from .replay_rules import ReplayRules
from .report import EXIT_FAILED, EXIT_UNREADABLE, plural

if TYPE_CHECKING:
    from .audit import Audit

_SHOWN = 5


class Replaying:
    """Judges the replays of a package, and gathers what others say of its witnesses.

    What else belongs to the axis `replay` says so by `mention`: a part of its summary.
    """

    def __init__(self, a: Audit) -> None:
        self._a = a
        self._replays = array("I")
        self._operations = array("I")
        self._waiting = array("I")
        self._parts: list[str] = []
        self._concerned = False
        self.hand = AtHand([a, *a.beside.values()])
        self._rules = ReplayRules(self.hand)
        self._whole = ReplayOperationRules(self.hand)

    def take(self, position: int, tag: int) -> None:
        """Take a record of one of the two types."""
        (self._replays if tag == TAG_REPLAY else self._operations).append(position)

    def mention(self, part: str) -> None:
        """Add a part to the summary of the axis, which then applies."""
        self._concerned = True
        if part:
            self._parts.append(part)

    def judge_others(self) -> None:
        """Judge the replays of packages beside whose witnesses are in another one at hand."""
        for package, other in enumerate(self.hand.audits[1:], 1):
            rules = ReplayRules(self.hand)
            waiting, other.replays._waiting = other.replays._waiting, array("I")
            for position in waiting:
                replay = self.hand.statement(package, position)
                if replay is not None:
                    self._judge(replay, rules)
            other.report.not_checked += rules.sentences()

    def finish(self) -> None:
        """Judge the package's own replays, and count."""
        report = self._a.report
        for position in self._replays:
            replay = self.hand.statement(0, position)
            if replay is None:
                continue  # its body is invalid, which has a finding
            self._concerned = True
            b = replay.body
            report.counts["replays"] += 1
            report.counts["reproduced"] += b["success"]
            if not b["success"]:
                text = f"level {b['level']}, not {b['wanted']}: {b['reason']}"
                self._emit("replay_failed", replay, text)
            parent = replay.payload["parents"][0]
            if self._a.first or "ledger" not in parent:
                self._judge(replay, self._rules)
            else:
                self._waiting.append(position)
        for position in self._operations:
            whole = self.hand.statement(0, position)
            if whole is not None:
                self._concerned = True
                self._tell(whole, self._whole.judge(whole))
        report.not_checked += self._rules.sentences()
        if self._whole.unseen:
            text = f"replays of operations: statements that are not at hand ({self._whole.unseen})"
            report.not_checked.append(text)

    def _judge(self, replay: Statement, rules: ReplayRules) -> None:
        """Judge a replay if its witness is at hand."""
        _, position = self.hand.place(replay.package, replay.payload["parents"][0])
        if position < 0:
            rules.away += 1
            return
        witness = self.hand.parent(replay, 0)
        if witness is None:
            return  # a finding of its own
        if witness.kind != "witness":
            self._tell(replay, [f"the parent is of type {witness.kind}"])
        else:
            self._tell(replay, rules.judge(replay, witness))

    def _tell(self, one: Statement, wrong: list[str]) -> None:
        if wrong:
            more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            self._emit("replay_mismatch", one, "; ".join(wrong[:_SHOWN]) + more)

    def _emit(self, code: str, one: Statement, text: str) -> None:
        self.hand.audits[one.package].emit(code, one.position, text)

    def conclude(self) -> None:
        """Say what the axis came to, and what each key is evidence of."""
        report = self._a.report
        evidence = Evidence()
        for package, other in enumerate(self.hand.audits):
            for replay, witness in self._of_this(package):
                self._concerned = True
                faults = other.report.faults
                if faults is not None and faults.at(replay.position):
                    continue
                if package and other.report.exit_code in (EXIT_FAILED, EXIT_UNREADABLE):
                    continue
                evidence.add(self.hand.ledger(package), not package, replay, witness)
        audits = enumerate(self.hand.audits)
        pinned = {self.hand.ledger(at) for at, other in audits if other.report.pinned}
        report.replays = evidence.members(pinned)
        parts = list(self._parts)
        counts = report.counts
        if counts["replays"]:
            parts.append(
                f"{plural(counts['replays'], 'replay')}, {counts['reproduced']} reproduced"
            )
        others = sum(not one["own"] for one in report.replays)
        if others:
            parts.append(f"evidence of {plural(others, 'other key')}")
        status = "verified" if self._concerned else "not_applicable"
        report.set_axis("replay", status, ", ".join(parts))

    def _of_this(self, package: int) -> Iterator[tuple[Statement, int]]:
        """Yield the replays in a package of witnesses of this one, with the witness's position."""
        for position in self.hand.audits[package].replays._replays:
            replay = self.hand.statement(package, position)
            if replay is None:
                continue
            there, at = self.hand.place(package, replay.payload["parents"][0])
            if there != 0 or at < 0:
                continue
            witness = self.hand.parent(replay, 0)
            if witness is not None and witness.kind == "witness":
                yield replay, at
