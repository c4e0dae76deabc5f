"""Good bodies of specs/12, the smallest and with every field, their numbers made by hand."""

from __future__ import annotations

from typing import Any

from tools.vectors import lab
from tools.vectors.body import Body

OPERATION = {"name": "review", "number": 1}
JSON = "application/json"
BEGAN, ENDED = "2026-11-20T09:00:00.000000Z", "2026-11-20T09:00:01.000125Z"
TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}
METADATA = {"team": "lab", "round": 3, "weight": 0.5, "blind": True}
CHECKS = [
    {"name": "facts", "passed": True, "score": 1.0, "method": "judge", "detail": "all of them"},
    {"name": "length", "passed": False},
]
RATING = {"confidence": 0.875, "confidence_method": "logprobs", "quality": 0.75,
          "quality_method": "rubric 2"}  # fmt: skip
SPAN = {"started_at": BEGAN, "ended_at": ENDED}


def insight() -> Body:
    """The smallest insight."""
    return {"operation": dict(OPERATION), "label": "1", "model_id": "large-model",
            "output": lab.ref("six sevens"), "made_with": 0,
            "usage": {"operations": 0, "priced": 0}, **SPAN}  # fmt: skip


def full_insight() -> Body:
    """An insight with every field."""
    return insight() | {
        "operation": {"name": "review/a@b:c.d_e-f", "number": 1_000_000},
        "label": "paper-7",
        "model_version": "2026-07-18",
        "context": lab.ref("What is 6 times 7?"),
        "atoms": ["six", "sevens"],
        "made_with": 3,
        "usage": {"operations": 3, "priced": 2, "cost_usd": 0.25, "tokens": 1200},
        "metadata": dict(METADATA),
        "trace": dict(TRACE),
        **RATING,
    }


def execution() -> Body:
    """The smallest execution."""
    return insight() | {"model_id": "small-model", "output": lab.ref("42")}


def full_execution() -> Body:
    """An execution with every field."""
    return full_insight() | {"model_id": "small-model", "output": lab.ref("42")}


def transfer() -> Body:
    """The smallest transfer."""
    body = {key: value for key, value in insight().items() if key not in ("model_id", "output")}
    return body | {"source": {"model_id": "large-model"}, "target": {"model_id": "small-model"},
                   "content": lab.ref("six sevens"), "completeness": 1.0}  # fmt: skip


def full_transfer() -> Body:
    """A transfer with every field, of a summary that has half of the atoms."""
    context = lab.ref("What is 6 times 7?")
    party = {"model_version": "2026-07-18", "context": context}
    return transfer() | {
        "source": {"model_id": "large-model"} | party,
        "target": {"model_id": "small-model"} | party,
        "delivered": lab.ref("six"),
        "atoms": ["six"],
        "compression_ratio": 10.0 / 3.0,
        "completeness": 0.5,
        "accuracy": 0.9,
        "checks": [dict(check) for check in CHECKS],
        "latency_ms": 12.5,
        "made_with": 1,
        "usage": {"operations": 1, "priced": 1, "cost_usd": 0.125},
        "metadata": dict(METADATA),
        "trace": dict(TRACE),
        **RATING,
    }


def provenance() -> Body:
    """The smallest provenance."""
    return {"operation": dict(OPERATION), "steps": [{"stage": "insight", "label": "1"}]}


def full_provenance() -> Body:
    """A provenance with every field."""
    interaction = {
        "source": "large-model", "target": "small-model", "type": "review",
        "content": lab.ref("check the sum"), "step": 0, "metadata": dict(METADATA),
        "checks": [dict(check) for check in CHECKS], **RATING,
    }  # fmt: skip
    smallest = {"source": "a", "target": "b", "type": "note", "content": lab.ref("x")}
    return {
        "operation": dict(OPERATION),
        "steps": [{"stage": kind, "label": "1"} for kind in ("insight", "transfer", "execution")],
        "interactions": [interaction, smallest],
        "data": [{"role": "corpus", "name": "papers 2026", "content": lab.ref("papers")}],
        "claims": {"chain_verified": True, "lineage_verified": False,
                   "trust_chain": [lab.PRODUCER.kid], "status": "failed"},
    }  # fmt: skip


def combination() -> Body:
    """The smallest cross_model: nothing is known of costs or quality."""
    return {
        "version": 2,
        "operation": dict(OPERATION),
        "insights": [{"model_id": "large-model"}],
        "transfers": [{"passed": 0, "failed": 0}],
        "executions": [{"model_id": "small-model"}],
        "cost": {"operations": 0, "priced": 0},
        "duration_ms": 1000.125,
        **SPAN,
    }


def full_combination() -> Body:
    """A cross_model with every field: 0.25 + 0.125 + 0.0625 US dollars instead of 1.75."""
    total, tokens, preservation = 0.4375, 1500, 0.75 / 0.875
    share = (1.75 - total) / 1.75 * 100.0 / 100.0
    overall = (0.0 + 0.875 + 0.5 + 0.75) / 3.0
    model = {"model_version": "2026-07-18", "confidence": 0.875}
    return combination() | {
        "insights": [{"model_id": "large-model", "quality": 0.875} | model],
        "transfers": [{"confidence": 0.9, "quality": 0.5, "completeness": 0.5, "passed": 1,
                       "failed": 1}],
        "executions": [{"model_id": "small-model", "quality": 0.75} | model],
        "confidence": 0.875,
        "confidence_band": "B",
        "quality": {
            "components": {"insight": 0.875, "transfer": 0.5, "execution": 0.75},
            "overall": overall,
            "preservation": preservation,
            "degradation": 0.125,
            "trends": [{"metric": "quality", "direction": "steady", "method": "slope", "window": 8},
                       {"metric": "cost", "direction": "falling", "method": "slope"}],
            "predictions": [{"metric": "quality", "value": 0.8, "method": "mean", "horizon": "1 d"},
                            {"metric": "cost", "value": -1.5, "method": "mean"}],
        },
        "cost": {
            "operations": 5,
            "priced": 4,
            "total_usd": total,
            "tokens": tokens,
            "breakdown": {"insight": 0.25, "transfer": 0.125, "execution": 0.0625},
            "strategy": "strong reads, cheap answers",
            "baseline_usd": 1.75,
            "baseline_method": "strong model throughout",
            "optimised_usd": total,
            "reduction_percent": (1.75 - total) / 1.75 * 100.0,
            "effectiveness": share,
            "efficiency": share * preservation,
            "cost_per_token_usd": total / 1500.0,
            "cost_per_quality_point_usd": total / (overall * 100.0),
        },
        "validation": {
            "scope": "answers", "level": "full", "results": [dict(check) for check in CHECKS],
            "confidence": 0.9, "quality": 0.8, "completeness": 1.0, "accuracy": 0.95,
            "precision": 0.9, "latency_ms": 3.5,
        },
        "replay": {
            "configuration": lab.ref("{}", JSON), "environment": lab.ref('{"os":1}', JSON),
            "data": lab.ref("papers"), "validation": [dict(check) for check in CHECKS],
            "runs": 8, "succeeded": 7, "success_rate": 0.875, "accuracy": 1.0, "consistency": 0.5,
        },
        "metrics": {"bleu": 0.5, "delta": -2.0},
        "analytics": lab.ref('{"by":"day"}', JSON),
        "metadata": dict(METADATA),
        "trace": dict(TRACE),
    }  # fmt: skip


SMALLEST: dict[str, Any] = {
    "insight": insight, "transfer": transfer, "execution": execution, "provenance": provenance,
    "cross_model": combination,
}  # fmt: skip
FULL: dict[str, Any] = {
    "insight": full_insight, "transfer": full_transfer, "execution": full_execution,
    "provenance": full_provenance, "cross_model": full_combination,
}  # fmt: skip
