"""One verification of a package and of those beside it (specs/08 section 5, 13 section 10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .ancestors import Ancestors
from .attachments import attached
from .audit import Audit, Progress
from .endpoint import Asking
from .errors import Fatal
from .report import Report
from .trust import KnownHead, Trust


def verify_together(
    reports: Sequence[Report],
    pins: Sequence[Trust],
    heads: Sequence[KnownHead],
    progress: Progress,
    jobs: int,
    lineage: str | None,
    asking: Asking | None = None,
) -> None:
    """Verify the packages of some reports, the first one last; findings go to the reports.

    `asking`: requests of the first package are sent again.

    Fatal is raised for the first package, and for what makes one beside it unusable.
    """
    first, others = reports[0], reports[1:]
    keep = lineage is not None
    beside: dict[bytes, Audit] = {}
    audits = [Audit(report, pins, progress, edges=keep) for report in others]
    audits.insert(0, Audit(first, pins, progress, beside, keep, asking))
    try:
        opened = [_opened(audits[0])]
        if opened[0] and first.beside is not None:
            for report in attached(audits[0].package, first):
                first.beside.append(report)
                audits.append(Audit(report, pins, progress, edges=keep))
        opened += [_opened(audit) for audit in audits[1:]]
        _give_heads(audits, heads)
        for audit, usable in zip(audits[1:], opened[1:], strict=True):
            if usable:
                with _named(audit):
                    audit.verify(jobs)
                genesis = audit.book.genesis
                if genesis is not None and genesis in beside:
                    raise Fatal("usage", "two packages of one ledger")
                if genesis is not None:
                    beside[genesis] = audit
        if opened[0]:
            audits[0].verify(jobs)
        if lineage is not None:
            if not opened[0]:
                raise Fatal("usage", "the statement of which the lineage was asked is not there")
            first.lineage = Ancestors([audits[0], *beside.values()]).run(lineage)
    finally:
        for audit in audits:
            audit.close()


def _opened(audit: Audit) -> bool:
    with _named(audit):
        return audit.open(audit.report.package)


@contextmanager
def _named(audit: Audit) -> Iterator[None]:
    """Let what makes a package beside unreadable be said in its report, and with its path."""
    try:
        yield
    except Fatal as e:
        if audit.first:
            raise
        audit.report.add(e)
        raise Fatal(e.code, f"{audit.report.package!a}: {e.message}") from None


def _give_heads(audits: Sequence[Audit], heads: Sequence[KnownHead]) -> None:
    """Give each known head to its package: by origin if it is signed, otherwise to the first."""
    for head in heads:
        mine = audits[0]
        if head.signed is not None:
            origin = head.signed.origin
            of = [a for a in audits if a.head is not None and a.head.origin == origin]
            mine = of[0] if of else mine
        if mine.known is not None:
            raise Fatal("usage", "two known heads for one package")
        mine.known = head
        mine.report.known_head = (head.size, head.root)
