"""The combination of an operation: all of its stages and its chain in one statement (specs/12 §6).

`ledger.model.combine` makes one from the bodies of its parts.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from ledger.model import crossnumbers
from ledger.model.base import Body, Group, check_references, to_body
from ledger.model.crossparts import (
    CrossCost,
    CrossQuality,
    CrossReplay,
    CrossValidation,
    ModelPart,
    TransferPart,
)
from ledger.model.derive import Band
from ledger.model.groups import NotEmpty
from ledger.model.operation import Metadata, OperationId, Spanned, Trace
from ledger.model.values import Amount, Array, Finite, Label, Ratio, Ref

CROSS_MODEL_VERSION: Final = 2
PARTS_MAX = 253
METRICS_MAX = 64

_Parts = Field(min_length=1, max_length=PARTS_MAX)


def _metrics(value: dict[str, float]) -> dict[str, float]:
    check_references(value)
    return value


class CrossModel(Spanned, Body):
    """An operation with its costs, quality and confidence as a whole."""

    version: Literal[2] = CROSS_MODEL_VERSION
    operation: OperationId
    insights: Annotated[tuple[ModelPart, ...], Array, _Parts]
    transfers: Annotated[tuple[TransferPart, ...], Array, _Parts]
    executions: Annotated[tuple[ModelPart, ...], Array, _Parts]
    confidence: Ratio | None = None
    confidence_band: Band | None = None
    quality: Annotated[CrossQuality, NotEmpty] | None = None
    cost: CrossCost
    validation: CrossValidation | None = None
    replay: Annotated[CrossReplay, NotEmpty] | None = None
    metrics: (
        Annotated[
            dict[Label, Finite],
            Field(min_length=1, max_length=METRICS_MAX),
            AfterValidator(_metrics),
        ]
        | None
    ) = None
    analytics: Ref | None = None
    duration_ms: Amount
    metadata: Metadata | None = None
    trace: Trace | None = None

    @model_validator(mode="after")
    def _last(self, info: ValidationInfo) -> Self:
        return self._after(info)

    def check_consequences(self) -> None:
        """Check the numbers that follow from this body alone (specs/12 §7)."""
        crossnumbers.check_band(self.confidence, self.confidence_band)
        quality, cost, replay = _plain(self.quality), to_body(self.cost), _plain(self.replay)
        numbers = crossnumbers.of_components(quality.get("components", {}))
        for name, value in numbers.items():
            crossnumbers.check(f"quality.{name}", quality.get(name), value)
        followed = crossnumbers.of_cost(
            cost.get("breakdown", {}), self.cost.tokens, self.cost.baseline_usd, numbers
        )
        for name, value in followed.items():
            crossnumbers.check(f"cost.{name}", cost.get(name), value)
        rate = crossnumbers.success_rate(replay.get("runs"), replay.get("succeeded"))
        crossnumbers.check("replay.success_rate", replay.get("success_rate"), rate)
        spent = crossnumbers.duration_ms(self.started_at, self.ended_at)
        crossnumbers.check("duration_ms", self.duration_ms, spent)


def _plain(group: Group | None) -> dict[str, Any]:
    return {} if group is None else to_body(group)
