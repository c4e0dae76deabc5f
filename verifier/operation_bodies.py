"""The bodies of the five types of cross-model operations, as tables (specs/12 sections 2 to 6)."""

from __future__ import annotations

from typing import Any

from .content import looks_like_ref
from .errors import BadValue
from .fields import keyed, together
from .operation_values import (
    RATING,
    SPAN,
    at_most,
    atoms,
    carried,
    checks,
    metadata,
    operation,
    rated,
    real,
    span,
    trace,
    usage,
)
from .statement import STAGE_TYPES
from .values import (
    Check,
    amount,
    array,
    boolean,
    closed,
    column_rule,
    count,
    digest,
    integer,
    label,
    name,
    one_of,
    ratio,
)

CROSS_MODEL_VERSION = 2
STEPS_MAX = 255
PARTS_MAX = 253
METRICS_MAX = 64


@column_rule(lambda c: {*map(type, c)} == {float} and min(c) >= -1.0 and max(c) <= 1.0)
def _difference(v: Any) -> None:
    if type(v) is not float or not -1.0 <= v <= 1.0:
        raise BadValue("not a float from -1.0 to 1.0")


def _transfer_rule(m: Any) -> None:
    span(m)
    if "atoms" in m and "delivered" not in m:
        raise BadValue("atoms without delivered")


def _provenance_rule(m: Any) -> None:
    steps = m["steps"]
    if len({(step["stage"], step["label"]) for step in steps}) != len(steps):
        raise BadValue("steps: a stage and label twice")
    for one in m.get("interactions", ()):
        if one.get("step", 0) >= len(steps):
            raise BadValue("interactions: a step that there is not")


def _cost_rule(m: Any) -> None:
    at_most(m, "priced", "operations")


def _replay_rule(m: Any) -> None:
    if "runs" in m:
        at_most(m, "succeeded", "runs")


def _stages(value: Check) -> Check:
    """Return the check of a map of one value for each type of stage, at least one."""
    return closed({}, dict.fromkeys(STAGE_TYPES, value), minimum=1)


_named: dict[str, Check] = {"operation": operation, "label": label}
_told: dict[str, Check] = {"metadata": metadata, "trace": trace}
_made: dict[str, Check] = {"made_with": count, "usage": usage}
_work = closed(
    {**_named, "model_id": name, "output": looks_like_ref, **_made, **SPAN},
    {"model_version": name, "context": looks_like_ref, "atoms": atoms, **RATING, **_told},
    present=rated,
    rule=span,
)
_model = closed({"model_id": name}, {"model_version": name, "context": looks_like_ref})
_interaction = closed(
    {"source": name, "target": name, "type": label, "content": looks_like_ref},
    {"step": count, "metadata": metadata, "checks": checks, **RATING},
    present=rated,
)
_part = closed({"model_id": name}, {"model_version": name, "confidence": ratio, "quality": ratio})
_handing = closed(
    {"passed": count, "failed": count},
    {"confidence": ratio, "quality": ratio, "completeness": ratio},
)
_quality = closed(
    {},
    {
        "components": _stages(ratio),
        "overall": ratio,
        "preservation": ratio,
        "degradation": _difference,
        "trends": array(
            closed(
                {
                    "metric": label,
                    "direction": one_of("rising", "falling", "steady"),
                    "method": name,
                },
                {"window": count},
            ),
            1,
            16,
        ),
        "predictions": array(
            closed({"metric": label, "value": real, "method": name}, {"horizon": name}), 1, 16
        ),
    },
    minimum=1,
)
_cost = closed(
    {"operations": count, "priced": count},
    {
        "total_usd": amount,
        "tokens": count,
        "breakdown": _stages(amount),
        "strategy": name,
        "baseline_usd": amount,
        "baseline_method": name,
        "optimised_usd": amount,
        "effectiveness": ratio,
        "efficiency": ratio,
        "cost_per_token_usd": amount,
        "cost_per_quality_point_usd": amount,
        "reduction_percent": real,
    },
    present=together("baseline_usd", "baseline_method"),
    rule=_cost_rule,
)
_validation = closed(
    {"scope": name, "level": label},
    {
        "results": checks,
        **dict.fromkeys(("confidence", "quality", "completeness", "accuracy", "precision"), ratio),
        "latency_ms": amount,
    },
)
_replay = closed(
    {},
    {
        **dict.fromkeys(("configuration", "environment", "data"), looks_like_ref),
        "validation": checks,
        "runs": count,
        "succeeded": count,
        **dict.fromkeys(("success_rate", "accuracy", "consistency"), ratio),
    },
    present=together("runs", "succeeded"),
    rule=_replay_rule,
    minimum=1,
)
OPERATION_BODIES: dict[str, Check] = {
    "insight": _work,
    "transfer": closed(
        {
            **_named,
            "source": _model,
            "target": _model,
            "content": looks_like_ref,
            **_made,
            **SPAN,
        },
        {
            "delivered": looks_like_ref,
            "atoms": carried,
            "compression_ratio": amount,
            "completeness": ratio,
            "accuracy": ratio,
            "checks": checks,
            "latency_ms": amount,
            **RATING,
            **_told,
        },
        present=rated,
        rule=_transfer_rule,
    ),
    "execution": _work,
    "provenance": closed(
        {
            "operation": operation,
            "steps": array(closed({"stage": one_of(*STAGE_TYPES), "label": label}), 1, STEPS_MAX),
        },
        {
            "interactions": array(_interaction, 1, 64),
            "data": array(closed({"role": label, "name": name, "content": looks_like_ref}), 1, 64),
            "claims": closed(
                {},
                {
                    "chain_verified": boolean,
                    "lineage_verified": boolean,
                    "trust_chain": array(digest, 1, 64),
                    "status": one_of("verified", "outside", "failed"),
                },
                minimum=1,
            ),
        },
        rule=_provenance_rule,
    ),
    "cross_model": closed(
        {
            "version": integer(CROSS_MODEL_VERSION, CROSS_MODEL_VERSION),
            "operation": operation,
            "insights": array(_part, 1, PARTS_MAX),
            "transfers": array(_handing, 1, PARTS_MAX),
            "executions": array(_part, 1, PARTS_MAX),
            "cost": _cost,
            "duration_ms": amount,
            **SPAN,
        },
        {
            "confidence": ratio,
            "confidence_band": one_of("A", "B", "C"),
            "quality": _quality,
            "validation": _validation,
            "replay": _replay,
            "metrics": keyed(label, real, METRICS_MAX),
            "analytics": looks_like_ref,
            **_told,
        },
        rule=span,
    ),
}
"""Type -> check of its body; each raises BadValue (`body_invalid`)."""


def check_operation_envelope(p: dict[str, Any]) -> None:
    """Check the number of parents of a checked body of these types."""
    kind, body, given = p["type"], p["body"], len(p.get("parents", ()))
    if kind in STAGE_TYPES:
        if kind != "insight" and not given:
            raise BadValue(f"type {kind} without parents")
        # The source of a transfer, its first parent, is what it builds on.
        most = given - 1 if kind == "transfer" else given
        if body["made_with"] > most:
            raise BadValue(f"made_with: more than {most}, of {given} parents")
        return
    if kind == "provenance":
        wanted = len(body["steps"])
    else:
        wanted = 1 + sum(len(body[part]) for part in ("insights", "transfers", "executions"))
    if given != wanted:
        raise BadValue(f"{given} parents, not {wanted}")
