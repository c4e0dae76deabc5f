"""Operations across models as the readable pages list them (specs/12).

What they say is computed from the stages, not taken from combinations. At most `SHOWN_MAX` are
listed; the others are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.operations.examine import Examination
from ledger.operations.figures import figures
from ledger.operations.gather import Gathered
from ledger.operations.report import OperationReport
from ledger.reader import Reader

__all__ = ["Across", "AcrossLine", "across"]

SHOWN_MAX = 200
MODELS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class AcrossLine:
    """One operation; cost in US dollars."""

    name: str
    session: str | None
    first_index: int
    models: tuple[str, ...]
    more_models: int
    stages: int
    combined: bool
    started_at: str | None
    cost_usd: float | None
    quality: float | None
    preservation: float | None


@dataclass(slots=True)
class Across:
    """All operations of a selection."""

    combined: int = 0
    open: int = 0
    lines: list[AcrossLine] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many there are."""
        return self.combined + self.open


def across(log: Reader, gathered: Gathered) -> Across:
    """List the operations that statements of a selection belong to, in the order of the log.

    One that the selection holds only a part of is listed as far as it is there.
    """
    examination = Examination(log, lambda seen: ())
    found = Across()
    for name, indices in gathered:
        report = examination.outline(name, indices)
        found.combined += report.combined is not None
        found.open += report.combined is None
        if len(found.lines) < SHOWN_MAX:
            found.lines.append(_line(report))
    return found


def _line(report: OperationReport) -> AcrossLine:
    made = figures(report)
    return AcrossLine(
        name=str(report.name),
        session=report.name.session,
        first_index=report.first_index,
        models=report.models[:MODELS_SHOWN],
        more_models=max(0, len(report.models) - MODELS_SHOWN),
        stages=len(report.parts),
        combined=report.combined is not None,
        started_at=None if made is None else made.started_at,
        cost_usd=None if made is None else made.cost_usd,
        quality=None if made is None else made.quality,
        preservation=None if made is None else made.preservation,
    )
