"""Operations by the id of a statement, or all of them in order (specs/12).

>>> import ledger, tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> made = ledger.init(folder / "runs.vif", origin="example.org/lab", keys=folder / "keys")
>>> log = ledger.open(folder / "runs.vif", read_only=True)
>>> list(log.operations())
[]
>>> log.close()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.errors import LogError
from ledger.formats.payload import CROSS_MODEL_TYPES
from ledger.operations.examine import Examination
from ledger.operations.gather import Gathered, indices_of
from ledger.operations.membership import membership_findings
from ledger.operations.report import Finding, OperationReport
from ledger.operations.statements import Seen, operation_name
from ledger.reader import Reader

__all__ = ["operation", "operations", "reports", "strays"]


def operation(log: Reader, identifier: str) -> OperationReport:
    """The operation that a statement belongs to; raises `LogError("not_found")`."""
    entry = log.by_id(identifier)
    kind = entry.payload.type
    name = operation_name(entry.payload) if kind in CROSS_MODEL_TYPES else None
    if name is None:
        raise LogError(
            "not_found",
            f"#{entry.index} ({kind}) belongs to no operation",
            hint="give a statement of an operation: insight, transfer, execution, provenance "
            "or cross_model",
        )
    examination = Examination(log, lambda seen: _looked_up(examination, log, seen))
    return examination.report(name, indices_of(log, name))


def operations(log: Reader, session: str | None = None) -> Iterator[OperationReport]:
    """All operations of a ledger or session, in the order of their first statements."""
    size = len(log)
    entries = log.entries(0, size) if session is None else log.find(session=session)
    with Gathered() as gathered:
        for entry in entries:
            if entry.index < size:
                gathered.add(entry)
        yield from reports(log, gathered, whole_log=session is None)


def reports(log: Reader, gathered: Gathered, *, whole_log: bool) -> Iterator[OperationReport]:
    """Examine what was gathered; what is wrong is remembered, and nothing else of every one."""
    known: dict[int, list[Finding]] | None = None
    if whole_log:
        known = {}
        first = Examination(log, lambda seen: ())
        for _, indices in gathered:
            for one in membership_findings(first.members(indices)):
                if one.severity == "fail":
                    known.setdefault(one.index, []).append(one)

    def elsewhere(seen: Seen) -> Iterable[Finding]:
        if known is not None:
            return known.get(seen.index, ())
        return _looked_up(examination, log, seen)

    examination = Examination(log, elsewhere)
    for name, indices in gathered:
        yield examination.report(name, indices)


def strays(log: Reader, gathered: Gathered) -> Iterator[Finding]:
    """What is wrong with statements that do not say which operation they are of."""
    examination = Examination(log, lambda seen: ())
    for index in gathered.strays:
        yield from examination.stray(index)


def _looked_up(examination: Examination, log: Reader, seen: Seen) -> list[Finding]:
    """Findings of a joined stage as a member of its own operation, which is gone through."""
    name = operation_name(seen.payload) if seen.payload.type in CROSS_MODEL_TYPES else None
    if name is None:
        return []
    members = examination.members(indices_of(log, name))
    return [one for one in membership_findings(members) if one.index == seen.index]
