"""The report for a terminal: lines of printable ASCII (specs/08)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .errors import AXES
from .report import Report, plural

NOTES_SHOWN = 5
"""Of the notes of one code, which are no faults; JSON and HTML have them all."""


def to_text(report: Report) -> str:
    """Return a report, with those of the packages beside, in which nothing can act."""
    lines = [*_report(report)]
    if report.lineage is not None:
        lines += _lineage(report.lineage)
    if report.replay_run is not None:
        lines += _replay_run(report.replay_run)
    for other in report.beside or ():
        lines.append(f"beside  {safe(other.package)}")
        lines += [f"  {line}" for line in _report(other)]
    return "\n".join(lines) + "\n"


def _report(report: Report) -> Iterator[str]:
    statements = plural(report.counts["statements"], "statement")
    yield f"{report.verdict.upper()}  {safe(report.origin or '(no origin)')}  {statements}"
    if report.size is not None and report.root is not None:
        yield f"  head  {report.size}:{report.root.hex()}"
    for axis in AXES:
        status = report.status(axis).replace("_", " ")
        summary = safe(report.summaries.get(axis, ""))
        yield f"  {axis:<13} {status:<14} {summary}".rstrip()
    findings = report.findings
    seen: Counter[str] = Counter()
    for finding in findings:
        code = finding["code"]
        seen[code] += finding["severity"] == "note"
        if seen[code] <= NOTES_SHOWN:
            yield "  " + safe(finding_line(finding))
    for code, number in sorted(seen.items()):
        if number > NOTES_SHOWN:
            yield f"  note   {code}: {number - NOTES_SHOWN} more"
    total = sum(report.finding_counts.values())
    if total > len(findings):
        yield f"  ({plural(total, 'finding')}, {len(findings)} shown)"
    for sentence in report.not_checked:
        yield f"  not checked: {safe(sentence)}"
    for one in report.replays:
        yield "  " + safe(evidence_line(one))


def _lineage(lineage: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each statement that another rests on."""
    of, genesis = lineage["of"], lineage["of"]["genesis"]
    ancestors, outside = lineage["ancestors"], lineage["outside"]
    count = plural(len(ancestors), "statement")
    yield f"lineage of {_statement(of)}: {count}, {len(outside)} not at hand"
    for one in ancestors:
        if one["genesis"] != genesis:
            genesis = one["genesis"]
            yield f"  ledger {genesis}"
        yield f"  {_statement(one)}"
    for one in outside:
        ledger = "" if one["genesis"] is None else f"  ledger {one['genesis']}"
        yield f"  not at hand  {one['id']}  leaf hash {one['leaf_hash']}{ledger}"
    if lineage["cut"]:
        yield "  (there are more)"


def _replay_run(run: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each witness for which an endpoint was asked: the state of each level."""
    asked, reproduced = plural(run["asked"], "request"), run["reproduced"]
    yield f"replay at {safe(run['endpoint'])}: {asked}, {reproduced} reproduced at {run['level']}"
    for one in run["runs"]:
        states = " ".join(f"{level}={state}" for level, state in one["levels"].items())
        yield f"  {one['index']:>8}  {one['id']}  reached {one['level']:<9} {states}"
        if one["reason"] is not None:
            yield f"            {one['reason']}: {safe(one['message'])}"


def _statement(one: dict[str, Any]) -> str:
    return f"{one['index']:>8}  {one['type'] or '(unreadable)':<13} {one['id'] or ''}".strip()


def evidence_line(one: dict[str, Any]) -> str:
    """Return what the replays of one key come to as one line."""
    done = "reproduced" if one["reproduced"] else "replayed"
    ledger = "this ledger" if one["own"] else f"ledger {one['genesis']}"
    if not one["pinned"]:
        ledger += ", which is not pinned"
    level = f", at level {one['level']}" if one["reproduced"] else ""
    return (
        f"{done} by key {one['kid']} ({one['name']}), {ledger}{level}: "
        f"{one['reproduced']} of {one['replays']}, {plural(one['witnesses'], 'witness')}"
    )


def finding_line(finding: dict[str, Any]) -> str:
    """Return a finding as one line."""
    line = f"{finding['severity']:<5}  {finding['code']}"
    if finding["index"] is not None:
        line += f"  index {finding['index']}"
    for part in ("id", "path"):
        if finding[part] is not None:
            line += f"  {finding[part]}"
    line += f": {finding['message']}"
    if finding["expected"] is not None or finding["actual"] is not None:
        line += f" (expected {finding['expected']}, actual {finding['actual']})"
    return line


def safe(text: str) -> str:
    """Return text in which everything but printable ASCII is written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isascii() and c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )
