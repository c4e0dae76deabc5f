"""Stages and combinations made from what they rest on, their derived fields filled in (specs/12).

Pure: bodies come in, a body goes out. A *part* is a (type, body) pair; a body is a model, or the
plain map that one is read from.

>>> from ledger.formats.content import refer
>>> output, _ = refer(b"42", "text/plain")
>>> when = {"started_at": "2026-11-20T09:00:00.000000Z", "ended_at": "2026-11-20T09:00:01.500000Z"}
>>> name = OperationId(name="review", number=1)
>>> insight = Insight(operation=name, label="1", model_id="large", output=output,
...                   made_with=1, usage=Usage(operations=1, priced=0), **when)
>>> handed = transfer(insight, operation=name, label="1", target=Party(model_id="small"),
...                   made_with=0, usage=Usage(operations=0, priced=0), **when)
>>> handed.source.model_id, handed.content == output, handed.completeness
('large', True, 1.0)
>>> done = Execution(operation=name, label="1", model_id="small", output=output,
...                  made_with=1, usage=Usage(operations=1, priced=0), **when)
>>> whole = combine(
...     name, [("insight", insight), ("transfer", handed), ("execution", done)])
>>> whole.cost.operations, whole.duration_ms
(2, 1500.0)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ledger.errors import RecordError
from ledger.formats.content import ContentRef
from ledger.model import crossnumbers
from ledger.model.base import Group, read_body
from ledger.model.crossmodel import CrossModel
from ledger.model.crossnumbers import STAGE_TYPES, Number, PartBody
from ledger.model.crossparts import (
    Breakdown,
    Components,
    CrossCost,
    CrossQuality,
    CrossReplay,
    CrossValidation,
    ModelPart,
    Prediction,
    TransferPart,
    Trend,
)
from ledger.model.derive import band
from ledger.model.operation import Metadata, OperationId, Trace, Usage
from ledger.model.provenance import StageType, Step
from ledger.model.stages import Execution, Insight, Party, Stage, Transfer

Part = tuple[str, PartBody]

_STAGES: dict[str, type[Stage]] = {
    "insight": Insight,
    "transfer": Transfer,
    "execution": Execution,
}
_STEPS: dict[type[Stage], StageType] = {
    Insight: "insight",
    Transfer: "transfer",
    Execution: "execution",
}
AnyGroup = TypeVar("AnyGroup", bound=Group)


def transfer(
    source: PartBody,
    *,
    target: Party,
    context: ContentRef | None = None,
    delivered: ContentRef | None = None,
    atoms: Sequence[str] | None = None,
    **fields: Any,
) -> Transfer:
    """Return the transfer of an insight's or execution's output.

    `source`, `content`, `compression_ratio` and `completeness` follow; `context` is the source's,
    and `fields` are the others of `Transfer`. Raises `RecordError`.
    """
    made = source if isinstance(source, Insight) else read_body(Insight, source)
    return Transfer(
        source=Party(model_id=made.model_id, model_version=made.model_version, context=context),
        target=target,
        content=made.output,
        delivered=delivered,
        atoms=None if atoms is None else tuple(atoms),
        compression_ratio=crossnumbers.compression_ratio(
            made.output.size_bytes, None if delivered is None else delivered.size_bytes
        ),
        completeness=crossnumbers.completeness(
            delivered is not None,
            None if atoms is None else len(atoms),
            None if made.atoms is None else len(made.atoms),
        ),
        **fields,
    )


def steps(parts: Sequence[Part], labels: Mapping[int, str] | None = None) -> tuple[Step, ...]:
    """Return the `steps` of a provenance over these stages.

    `labels` holds, by position, this operation's names for stages that were run elsewhere.
    """
    own = labels or {}
    return tuple(
        Step(stage=_STEPS[type(body)], label=own.get(at, body.label))
        for at, (_, body) in enumerate(_read(parts))
    )


def order(kinds: Sequence[str]) -> list[int]:
    """Return the positions of stages in the order in which a `cross_model` has them as parents.

    >>> order(["insight", "transfer", "execution", "insight"])
    [0, 3, 1, 2]
    """
    return [at for kind in STAGE_TYPES for at, one in enumerate(kinds) if one == kind]


def combine(
    operation: OperationId,
    parts: Sequence[Part],
    *,
    strategy: str | None = None,
    baseline_usd: float | None = None,
    baseline_method: str | None = None,
    trends: Sequence[Trend] | None = None,
    predictions: Sequence[Prediction] | None = None,
    validation: CrossValidation | None = None,
    replay: CrossReplay | None = None,
    metrics: Mapping[str, float] | None = None,
    analytics: ContentRef | None = None,
    metadata: Metadata | None = None,
    trace: Trace | None = None,
) -> CrossModel:
    """Return the combination of an operation's stages, given in the order of its provenance.

    What only the producer knows is given; everything else follows from the parts. US dollars.
    Raises `RecordError`.
    """
    bodies = _read(parts)
    by_type = {kind: [body for one, body in bodies if one == kind] for kind in STAGE_TYPES}
    stages = [body for _, body in bodies]
    if not all(by_type.values()):
        raise RecordError("body_invalid", "cross_model: needs an insight, transfer and execution")
    quality = _quality(by_type, trends, predictions)
    confidence = crossnumbers.smallest(body.confidence for body in stages)
    started_at = min(body.started_at for body in stages)
    ended_at = max(body.ended_at for body in stages)
    return CrossModel(
        operation=operation,
        insights=tuple(_model_part(body) for body in by_type["insight"]),
        transfers=tuple(_transfer_part(body) for body in by_type["transfer"]),
        executions=tuple(_model_part(body) for body in by_type["execution"]),
        confidence=confidence,
        confidence_band=None if confidence is None else band(confidence),
        quality=quality,
        cost=_cost(
            by_type,
            quality,
            [body.usage for body in stages],
            strategy=strategy,
            baseline_usd=baseline_usd,
            baseline_method=baseline_method,
        ),
        validation=validation,
        replay=_replayed(replay),
        metrics=None if metrics is None else dict(metrics),
        analytics=analytics,
        started_at=started_at,
        ended_at=ended_at,
        duration_ms=crossnumbers.duration_ms(started_at, ended_at),
        metadata=metadata,
        trace=trace,
    )


def _read(parts: Sequence[Part]) -> list[tuple[str, Stage]]:
    made = []
    for kind, body in parts:
        if kind not in _STAGES:
            raise RecordError("body_invalid", f"{kind[:64]!a} is no stage of an operation")
        model = _STAGES[kind]
        if isinstance(body, Group) and type(body) is not model:
            raise RecordError("body_invalid", f"{type(body).__name__} is no body of {kind}")
        made.append((kind, body if isinstance(body, Stage) else read_body(model, body)))
    return made


def _model_part(body: Stage) -> ModelPart:
    assert isinstance(body, Insight)  # an execution is one with parents of its own
    return ModelPart(
        model_id=body.model_id,
        model_version=body.model_version,
        confidence=body.confidence,
        quality=body.quality,
    )


def _transfer_part(body: Stage) -> TransferPart:
    assert isinstance(body, Transfer)
    passed = [check.passed for check in body.checks or ()]
    return TransferPart(
        confidence=body.confidence,
        quality=body.quality,
        completeness=body.completeness,
        passed=passed.count(True),
        failed=passed.count(False),
    )


def _quality(
    by_type: Mapping[str, Sequence[Stage]],
    trends: Sequence[Trend] | None,
    predictions: Sequence[Prediction] | None,
) -> CrossQuality | None:
    means = {
        kind: crossnumbers.mean(body.quality for body in bodies) for kind, bodies in by_type.items()
    }
    quality = CrossQuality(
        components=_some(Components(**means)),
        trends=tuple(trends) if trends else None,
        predictions=tuple(predictions) if predictions else None,
        **crossnumbers.of_components(_there(means)),
    )
    return _some(quality)


def _cost(
    by_type: Mapping[str, Sequence[Stage]],
    quality: CrossQuality | None,
    spent: Sequence[Usage],
    *,
    strategy: str | None,
    baseline_usd: float | None,
    baseline_method: str | None,
) -> CrossCost:
    sums = {
        kind: crossnumbers.total(body.usage.cost_usd for body in bodies)
        for kind, bodies in by_type.items()
    }
    tokens = crossnumbers.counted(usage.tokens for usage in spent)
    known: dict[str, Number] = {} if quality is None else quality.__dict__
    return CrossCost(
        operations=sum(usage.operations for usage in spent),
        priced=sum(usage.priced for usage in spent),
        tokens=tokens,
        breakdown=_some(Breakdown(**sums)),
        strategy=strategy,
        baseline_usd=baseline_usd,
        baseline_method=baseline_method,
        **crossnumbers.of_cost(_there(sums), tokens, baseline_usd, known),
    )


def _replayed(replay: CrossReplay | None) -> CrossReplay | None:
    if replay is None:
        return None
    rate = crossnumbers.success_rate(replay.runs, replay.succeeded)
    return replay.model_copy(update={"success_rate": rate})


def _there(numbers: Mapping[str, Number]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if value is not None}


def _some(group: AnyGroup) -> AnyGroup | None:
    return None if group.is_empty() else group
