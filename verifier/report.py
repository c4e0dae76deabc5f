"""Findings, axes and the verdict (specs/08)."""

from __future__ import annotations

from typing import Any

from .errors import AXES, CODES, VifError
from .faults import Faults

FINDINGS_MAX = 1000
EXIT_VERIFIED, EXIT_FAILED, EXIT_UNREADABLE, EXIT_LIMITED = 0, 1, 2, 3
VERDICTS = {
    EXIT_VERIFIED: "verified",
    EXIT_FAILED: "failed",
    EXIT_UNREADABLE: "unreadable",
    EXIT_LIMITED: "limited",
}
COUNTS = (
    "statements",
    "streams",
    "keys",
    "files",
    "content_references",
    "content_checked",
    "content_withheld",
    "content_erased",
    "parents",
    "witnesses",
    "sessions",
    "intents",
    "answered",
    "failed",
    "unknown",
    "reused",
    "operations",
    "operations_open",
    "stages",
    "parents_outside",
    "replays",
    "reproduced",
    "planned",
    "not_planned",
)
_MEMBERS = ("severity", "code", "axis", "index", "id", "path", "expected", "actual", "message")


class Report:
    """The answer of one verification; findings are complete as counts, kept up to a limit."""

    def __init__(self, verifier: str, verified_at: str, package: str) -> None:
        self.verifier = verifier
        self.verified_at = verified_at
        self.package = package
        self.origin: str | None = None
        self.genesis: bytes | None = None
        self.size: int | None = None
        self.root: bytes | None = None
        self.selection: dict[str, Any] | None = None
        self.pinned = False
        self.known_head: tuple[int, bytes] | None = None
        self.counts = dict.fromkeys(COUNTS, 0)
        self.finding_counts: dict[str, int] = {}
        self.not_checked: list[str] = []
        self.require: tuple[str, ...] = ()
        self.summaries: dict[str, str] = {}
        self.lineage: dict[str, Any] | None = None
        self.replays: list[dict[str, Any]] = []
        self.replay_run: dict[str, Any] | None = None
        self.beside: list[Report] | None = None
        self.faults: Faults | None = None
        self._status: dict[str, str] = {axis: "not_checked" for axis in AXES}
        self._worst: dict[str, str] = {}
        self._kept: dict[str, list[dict[str, Any]]] = {}

    def add(
        self,
        error: VifError,
        *,
        index: int | None = None,
        ident: str | None = None,
        path: str | None = None,
    ) -> None:
        """Take a finding."""
        self.note(error.code, error.message, index, ident, path, error.expected, error.actual)

    def note(
        self,
        code: str,
        message: str,
        index: int | None = None,
        ident: str | None = None,
        path: str | None = None,
        expected: str | None = None,
        actual: str | None = None,
    ) -> None:
        """Take a finding by its parts."""
        severity, axis = CODES[code]
        self.finding_counts[code] = self.finding_counts.get(code, 0) + 1
        if axis is not None and severity != "note" and self._worst.get(axis) != "fail":
            self._worst[axis] = severity
        if severity == "fail" and index is not None and self.faults is not None:
            self.faults.add(index, code, axis)
        kept = self._kept.setdefault(severity, [])
        if len(kept) < FINDINGS_MAX:
            row = (severity, code, axis, index, ident, path, expected, actual, message)
            kept.append(dict(zip(_MEMBERS, row, strict=True)))

    def count_more(self, code: str, more: int) -> None:
        """Count findings of which one stands for several."""
        self.finding_counts[code] = self.finding_counts.get(code, 0) + more

    def has_room(self, severity: str) -> bool:
        """Return whether another finding of this severity would be kept."""
        return len(self._kept.get(severity, ())) < FINDINGS_MAX

    def has(self, code: str) -> bool:
        """Return whether there is a finding with this code."""
        return code in self.finding_counts

    def set_axis(self, axis: str, status: str, summary: str) -> None:
        """Say what an axis came to when no finding says worse, and in a few words why."""
        if axis not in AXES:
            raise RuntimeError(f"no such axis: {axis}")
        self._status[axis] = status
        self.summaries[axis] = summary

    def status(self, axis: str) -> str:
        """Return verified, limited, failed, not_checked or not_applicable."""
        worst = self._worst.get(axis)
        if worst == "fail":
            return "failed"
        if worst == "limit" and self._status[axis] != "not_checked":
            return "limited"
        return self._status[axis]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """At most 1,000 findings in order of index, those that weigh most kept first."""
        kept: list[dict[str, Any]] = []
        for severity in ("fatal", "fail", "limit", "note"):
            kept += self._kept.get(severity, [])[: FINDINGS_MAX - len(kept)]
        return sorted(kept, key=lambda f: -1 if f["index"] is None else f["index"])

    @property
    def exit_code(self) -> int:
        """The exit code of specs/08 section 2."""
        if "fatal" in self._kept:
            return EXIT_UNREADABLE
        good = ("verified", "not_applicable")
        if any(self.status(axis) == "failed" for axis in AXES):
            return EXIT_FAILED
        if any(self.status(axis) not in good for axis in self.require):
            return EXIT_FAILED
        if all(self.status(axis) in good for axis in AXES):
            return EXIT_VERIFIED
        return EXIT_LIMITED

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return VERDICTS[self.exit_code]

    def to_dict(self) -> dict[str, Any]:
        """Return the members of specs/08 section 4, in that order."""
        head = self.known_head
        members = {
            "vif_report": 1,
            "verifier": self.verifier,
            "verified_at": self.verified_at,
            "package": self.package,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "origin": self.origin,
            "genesis": self.genesis.hex() if self.genesis is not None else None,
            "size": self.size,
            "root": self.root.hex() if self.root is not None else None,
            "selection": self.selection,
            "pinned": self.pinned,
            "known_head": {"size": head[0], "root": head[1].hex()} if head else None,
            "counts": dict(self.counts),
            "axes": {
                axis: {"status": self.status(axis), "summary": self.summaries.get(axis, "")}
                for axis in AXES
            },
            "findings": self.findings,
            "finding_counts": dict(sorted(self.finding_counts.items())),
            "not_checked": list(self.not_checked),
            "lineage": self.lineage,
            "replays": list(self.replays),
            "replay_run": self.replay_run,
        }
        if self.beside is not None:
            members["beside"] = [report.to_dict() for report in self.beside]
        return members

    def to_json(self) -> str:
        """Return the report as one JSON object, ASCII only."""
        import json

        return json.dumps(self.to_dict(), ensure_ascii=True, indent=2)

    def to_text(self) -> str:
        """Return the report for a terminal; hostile text cannot act on it."""
        from .text import to_text

        return to_text(self)


def plural(number: int, noun: str) -> str:
    """Return a number of things: 1 link, 2 links, 2 witnesses."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"
