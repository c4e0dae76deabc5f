"""The groups of a `cross_model`: what it repeats of its parts, and what it adds (specs/12 §6)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.model.base import Group
from ledger.model.groups import NotEmpty, both_or_neither
from ledger.model.operation import Checks, priced_of
from ledger.model.values import Amount, Array, Count, Finite, Label, Name, Ratio, Ref

LISTED_MAX = 16


class ModelPart(Group):
    """What an insight or execution says."""

    model_id: Name
    model_version: Name | None = None
    confidence: Ratio | None = None
    quality: Ratio | None = None


class TransferPart(Group):
    """What a transfer says; the counts are of its checks."""

    confidence: Ratio | None = None
    quality: Ratio | None = None
    completeness: Ratio | None = None
    passed: Count
    failed: Count


class Trend(Group):
    """Where a number is going, as the producer sees it."""

    metric: Label
    direction: Literal["rising", "falling", "steady"]
    method: Name
    window: Count | None = None


class Prediction(Group):
    """What a number will be, as the producer sees it."""

    metric: Label
    value: Finite
    method: Name
    horizon: Name | None = None


class Components(Group):
    """The mean quality of the parts of each type."""

    insight: Ratio | None = None
    transfer: Ratio | None = None
    execution: Ratio | None = None


class CrossQuality(Group):
    """How good the whole is."""

    components: Annotated[Components, NotEmpty] | None = None
    overall: Ratio | None = None
    preservation: Ratio | None = None
    degradation: Annotated[Finite, Field(ge=-1.0, le=1.0)] | None = None
    trends: (
        Annotated[tuple[Trend, ...], Array, Field(min_length=1, max_length=LISTED_MAX)] | None
    ) = None
    predictions: (
        Annotated[tuple[Prediction, ...], Array, Field(min_length=1, max_length=LISTED_MAX)] | None
    ) = None


class Breakdown(Group):
    """What the parts of each type cost, US dollars."""

    insight: Amount | None = None
    transfer: Amount | None = None
    execution: Amount | None = None


class CrossCost(Group):
    """What the whole cost, and would have cost otherwise."""

    operations: Count
    priced: Count
    total_usd: Amount | None = None
    tokens: Count | None = None
    breakdown: Annotated[Breakdown, NotEmpty] | None = None
    strategy: Name | None = None
    baseline_usd: Amount | None = None
    baseline_method: Name | None = None
    optimised_usd: Amount | None = None
    reduction_percent: Finite | None = None
    effectiveness: Ratio | None = None
    efficiency: Ratio | None = None
    cost_per_token_usd: Amount | None = None
    cost_per_quality_point_usd: Amount | None = None

    @model_validator(mode="after")
    def _a_baseline_has_a_method(self) -> Self:
        priced_of(self.priced, self.operations)
        both_or_neither("baseline_method", self.baseline_method, "baseline_usd", self.baseline_usd)
        return self


class CrossValidation(Group):
    """How the whole was examined, and how it did."""

    scope: Name
    level: Label
    results: Checks | None = None
    confidence: Ratio | None = None
    quality: Ratio | None = None
    completeness: Ratio | None = None
    accuracy: Ratio | None = None
    precision: Ratio | None = None
    latency_ms: Amount | None = None


class CrossReplay(Group):
    """How to run the whole again, and how often that was done."""

    configuration: Ref | None = None
    environment: Ref | None = None
    data: Ref | None = None
    validation: Checks | None = None
    runs: Count | None = None
    succeeded: Count | None = None
    success_rate: Ratio | None = None
    accuracy: Ratio | None = None
    consistency: Ratio | None = None

    @model_validator(mode="after")
    def _runs_can_succeed(self) -> Self:
        both_or_neither("succeeded", self.succeeded, "runs", self.runs)
        if self.runs is not None and self.succeeded is not None and self.succeeded > self.runs:
            raise ValueError("succeeded is at most runs")
        return self
