"""The numbers of an operation as its parts make them, whatever is written down (specs/12 §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.model import crossnumbers
from ledger.model.crossnumbers import STAGE_TYPES, Number
from ledger.model.derive import band
from ledger.operations.report import OperationReport

__all__ = ["Figures", "figures"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums and means over the stages that are at hand; costs in US dollars."""

    stages: Mapping[str, int]
    """How many of each type it has, those that are not at hand included."""
    operations: int
    priced: int
    tokens: int | None
    breakdown: Mapping[str, float]
    cost_usd: Number
    components: Mapping[str, float]
    quality: Number
    degradation: Number
    preservation: Number
    confidence: Number
    confidence_band: str | None
    started_at: str
    ended_at: str
    duration_ms: float
    complete: bool
    """Whether all stages were at hand."""


def figures(report: OperationReport) -> Figures | None:
    """Compute the numbers of an operation; None when none of its stages can be read."""
    known = [(part.kind, part.body) for part in report.parts if part.body is not None]
    if not known:
        return None
    by_type = {kind: [body for one, body in known if one == kind] for kind in STAGE_TYPES}
    bodies = [body for _, body in known]
    spent = [body["usage"] for body in bodies]
    breakdown = _there(
        {
            kind: crossnumbers.total(body["usage"].get("cost_usd") for body in group)
            for kind, group in by_type.items()
        }
    )
    components = _there(
        {
            kind: crossnumbers.mean(body.get("quality") for body in group)
            for kind, group in by_type.items()
        }
    )
    quality = crossnumbers.of_components(components)
    confidence = crossnumbers.smallest(body.get("confidence") for body in bodies)
    started = min(body["started_at"] for body in bodies)
    ended = max(body["ended_at"] for body in bodies)
    return Figures(
        stages={kind: sum(part.kind == kind for part in report.parts) for kind in STAGE_TYPES},
        operations=sum(usage["operations"] for usage in spent),
        priced=sum(usage["priced"] for usage in spent),
        tokens=crossnumbers.counted(usage.get("tokens") for usage in spent),
        breakdown=breakdown,
        cost_usd=crossnumbers.total(breakdown.get(kind) for kind in STAGE_TYPES),
        components=components,
        quality=quality["overall"],
        degradation=quality["degradation"],
        preservation=quality["preservation"],
        confidence=confidence,
        confidence_band=None if confidence is None else band(confidence),
        started_at=started,
        ended_at=ended,
        duration_ms=crossnumbers.duration_ms(started, ended),
        complete=len(known) == len(report.parts),
    )


def _there(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}
