"""The replay plan of a package derived again, line by line beside its file (specs/13 section 9)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .calls import CALL_BODY_MAX_BYTES
from .errors import BadValue, Refused
from .plan_form import parse_weights
from .plan_lines import (
    ENVIRONMENT,
    PLAN,
    PLAN_FILES,
    WEIGHTS,
    Expected,
    encoded,
    needed,
    plan_line,
    weights_file,
)
from .plan_reader import PlanReader
from .recorded import Recorded, TooMuch
from .ways import Ways

if TYPE_CHECKING:
    from .audit import Audit


class Planning:
    """Derives the plan of one package in log order, and holds its files against it."""

    def __init__(self, a: Audit, ways: Ways) -> None:
        self._a = a
        self._ways = ways
        self._lines: PlanReader | None = None
        self._unsure = 0
        self._valid = True
        self._weights: dict[bytes, tuple[set[str], int]] = {}
        self._environment: dict[str, Any] | None = None

    def run(self) -> None:
        """Check all files of the plan, and count its lines."""
        a = self._a
        if a.package.has(PLAN):
            self._lines = PlanReader(a.package, a.report)
        else:
            a.report.note("plan_incomplete", "there is no plan", path=PLAN)
        for position in a.log.positions():
            self._take(position)
        if self._lines is not None:
            while (line := self._lines.line()) is not None:
                self._foreign(self._lines, line)
        if self._valid:
            self._check_weights()
            self._check_environment(self._ways.recorded)
        else:
            a.report.not_checked.append("other files of the replay plan: not all is valid")
        if self._unsure:
            text = f"lines of the replay plan: statements or contents not valid ({self._unsure})"
            a.report.not_checked.append(text)

    def _take(self, position: int) -> None:
        """Take a record in log order."""
        found = self._ways.payload(position)
        if found is None:
            self._valid = False
            if self._lines is not None:
                self._compare(self._lines, self._a.log.index_of(position), None, None)
            return
        index, p = found
        if not self._a.selection.has(index, p.get("session")):
            return
        if p["type"] == "session_open":
            self._environment = p["body"]["environment"]
        if p["type"] == "witness":
            try:
                derived = self._derived(index, p, self._a.log.leaves.get(position))
            except (TooMuch, Refused):
                derived = None
            self._valid &= derived is not None
            if self._lines is not None:
                self._compare(self._lines, index, p["id"], derived)

    def _derived(self, index: int, p: dict[str, Any], leaf: bytes) -> dict[str, Any] | None:
        """Return the line of a witness; None if a content that it takes has a finding."""
        witness, recorded = p["body"], self._ways.recorded
        called = self._ways.of(p)
        way, expected = called.way, None
        asked = witness.get("raw", {}).get("request")
        refs = needed(witness, way) if way is not None else [asked] if asked is not None else []
        if any(recorded.has(ref) and not recorded.holds(ref) for ref in refs):
            return None
        if way is not None and all(map(recorded.has, refs)):
            shown = recorded.shown(witness, way, called.response_headers)
            expected = Expected(shown, recorded.environment_digest(witness))
            self._count_weights(witness["model"])
        return plan_line(index, p, leaf, way, expected, called.undecided)

    def _count_weights(self, model: dict[str, Any]) -> None:
        if "weights_hash" in model:
            models, number = self._weights.get(model["weights_hash"], (set(), 0))
            models.add(model["model_id"])
            self._weights[model["weights_hash"]] = models, number + 1

    def _compare(
        self, lines: PlanReader, index: int, ident: str | None, derived: dict[str, Any] | None
    ) -> None:
        """Hold the lines up to a record against what follows; None if that is not known.

        Without an id it is not known whether the record is a witness.
        """
        note = self._a.report.note
        expected = None if derived is None else encoded(derived)
        while lines.raw is not None:
            if derived is not None and lines.raw == expected:
                lines.take(derived)
                return
            line = lines.line()
            if line is None or line["index"] > index:
                break
            if line["index"] < index:
                self._foreign(lines, line)
                continue
            if derived is None:
                self._unsure += 1
            elif lines.raw != expected:  # it may be the one after those that had not the form
                text = f"not what follows from the log: {_differing(line, derived)}"
                note("plan_mismatch", text, index, ident, PLAN)
            lines.take(line)
            return
        if ident is not None:
            note("plan_incomplete", "a witness without a line", index, ident, PLAN)

    def _foreign(self, lines: PlanReader, line: dict[str, Any]) -> None:
        """Take a line that is of no witness."""
        log, index = self._a.log, line["index"]
        if not log.part and not log.whole and log.position_of(index) < 0:
            self._unsure += 1
        else:
            text = "a line that is of no witness of the selection"
            self._a.report.note("plan_mismatch", text, index, line["id"], PLAN)
        lines.take(line)

    def _check_weights(self) -> None:
        note = self._a.report.note
        rows = weights_file((k, *v) for k, v in self._weights.items())
        if not self._is_due(WEIGHTS, bool(rows)):
            return
        raw = self._a.package.read(WEIGHTS, CALL_BODY_MAX_BYTES)
        if len(raw) > CALL_BODY_MAX_BYTES:
            self._a.report.not_checked.append("the weights of the replay plan: too large a file")
            return
        try:
            if parse_weights(raw) != rows:
                note("plan_mismatch", "not the weights of the plan's lines", path=WEIGHTS)
        except BadValue as e:
            note("plan_invalid", e.message, path=WEIGHTS)

    def _check_environment(self, recorded: Recorded) -> None:
        ref = self._environment
        here = ref is not None and recorded.has(ref)
        if not self._is_due(ENVIRONMENT, here) or ref is None or not recorded.holds(ref):
            return
        digests = []
        for pieces in (self._a.package.stream(ENVIRONMENT), recorded.pieces(ref)):
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
            digests.append(digest.hexdigest())
        actual, expected = digests
        if actual != expected:
            text = "not the environment of the newest run"
            self._a.report.note("plan_mismatch", text, None, None, ENVIRONMENT, expected, actual)

    def _is_due(self, path: str, due: bool) -> bool:
        """Return whether a file is due and there; report one that is only one of both."""
        there = self._a.package.has(path)
        if due and not there:
            text = "the log implies this file, and it is not in the package"
            self._a.report.note("plan_incomplete", text, path=path)
        if there and not due:
            text = "not a file that follows from the log"
            self._a.report.note("file_unexpected", text, path=path)
        return due and there


def _differing(line: dict[str, Any], derived: dict[str, Any]) -> str:
    """Return the names of the members in which two lines differ."""
    names = line.keys() | derived.keys()
    absent = object()
    return ", ".join(n for n in sorted(names) if line.get(n, absent) != derived.get(n, absent))


def check_plan(a: Audit, ways: Ways) -> bool:
    """Check the plan of a package; return whether it has one."""
    if not any(a.package.has(path) for path in PLAN_FILES):
        return False
    try:
        Planning(a, ways).run()
    except Refused:  # what cannot be read has a finding of the bag
        a.report.not_checked.append("the replay plan: a file that cannot be read")
    return True
