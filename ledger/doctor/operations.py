"""Operations across models as problems of the ledger (specs/12).

Statements, signatures and parents are looked at once, by `ledger.doctor.statements`; what is left
for here is whether bodies of the five types have their shape, and whether they fit together.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.doctor.problem import Problem
from ledger.errors import StoreError
from ledger.keystate import KeyState
from ledger.operations.gather import Gathered
from ledger.operations.report import Finding
from ledger.operations.reports import reports, strays
from ledger.reader import Reader
from ledger.store import Snapshot, Store

__all__ = ["check_operations"]

_ELSEWHERE = frozenset({"parent_missing", "parent_later", "parent_mismatch"})
_OWN = frozenset({"body_invalid"})


def check_operations(store: Store, snapshot: Snapshot, gathered: Gathered) -> Iterator[Problem]:
    """Examine all operations that were gathered while the entries were gone through."""
    if not gathered:
        return
    try:
        log = Reader(store, KeyState(snapshot))
    except StoreError:
        return  # a key event is damaged, and reported
    for finding in strays(log, gathered):
        yield from _problem(finding)
    for report in reports(log, gathered, whole_log=True):
        for finding in report.findings:
            yield from _problem(finding)


def _problem(finding: Finding) -> Iterator[Problem]:
    reported = finding.axis in ("integrity", "authenticity") and finding.code not in _OWN
    if not reported and finding.code not in _ELSEWHERE:
        yield Problem(
            finding.code,
            "entries",
            str(finding.index),
            finding.message,
            finding.expected,
            finding.actual,
            finding.severity,
        )
