"""The lines of a plan, read one ahead and in order of index (specs/13 section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .engines import KNOWN_ENGINES
from .errors import BadValue
from .package import Package
from .plan_form import PLAN_LINE_MAX_BYTES, parse_line
from .plan_lines import PLAN
from .report import Report


class PlanReader:
    """Reads a plan, refuses lines that have not the form, and counts the others."""

    def __init__(self, package: Package, report: Report) -> None:
        """Take a package that has a plan; reading raises Refused."""
        self._report = report
        self._lines = _lines(package)
        self._last = -1
        self._line: dict[str, Any] | None = None
        self.raw = next(self._lines, None)

    def line(self) -> dict[str, Any] | None:
        """Return the next line that has the form, going past others; None at the end."""
        while self._line is None and self.raw is not None:
            try:
                line = parse_line(self.raw)
                if line["index"] > self._last:
                    self._line = line
                    break
                text = "not in order of index, or one twice"
                self._report.note("plan_invalid", text, line["index"], line["id"], PLAN)
            except BadValue as e:
                self._report.note("plan_invalid", e.message, path=PLAN)
            self.raw = next(self._lines, None)
        return self._line

    def take(self, line: dict[str, Any]) -> None:
        """Count the next line, which is this one, and go past it."""
        counts = self._report.counts
        counts["not_planned" if "reason" in line else "planned"] += 1
        engine = line.get("engine")
        if engine is not None and engine not in KNOWN_ENGINES:
            text = f"an engine that this version does not know: {engine}"
            self._report.note("engine_unknown", text, line["index"], line["id"], PLAN)
        self._last = line["index"]
        self.raw, self._line = next(self._lines, None), None


def _lines(package: Package) -> Iterator[bytes]:
    """Yield lines with their line feeds; of one that is too long the beginning."""
    rest, cut = b"", False
    for piece in package.stream(PLAN):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not cut:
                yield line + b"\n"
            cut = False
        if len(rest) > PLAN_LINE_MAX_BYTES:
            if not cut:
                yield rest
            rest, cut = b"", True
    if rest and not cut:
        yield rest
