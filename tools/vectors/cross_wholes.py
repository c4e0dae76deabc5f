"""What a cross_model may not say: places in the body, and what is put there (specs/12)."""

from __future__ import annotations

from tools.vectors.body import DROP
from tools.vectors.cross_values import Changes, of_checks, of_map, of_span, of_trace


def combined() -> Changes:
    """What a cross_model may not say."""
    changes: Changes = [("version", 1), ("version", 3), ("version", 2.0), ("version", "2")]
    for parts in ("insights", "executions"):
        changes += [
            (parts, []),
            (parts, {}),
            (parts, [{"model_id": "m"}] * 254),
            (f"{parts}.0.model_id", DROP),
            (f"{parts}.0.model_id", ""),
            (f"{parts}.0.model_version", ""),
            (f"{parts}.0.confidence", 1),
            (f"{parts}.0.quality", 1.5),
            (f"{parts}.0.label", "1"),
        ]
    changes += [
        ("transfers", []),
        ("transfers", [{"passed": 0, "failed": 0}] * 254),
        ("transfers.0.passed", DROP),
        ("transfers.0.failed", DROP),
        ("transfers.0.passed", -1),
        ("transfers.0.failed", 1.0),
        ("transfers.0.confidence", 1.5),
        ("transfers.0.quality", -0.5),
        ("transfers.0.completeness", 1),
        ("transfers.0.model_id", "m"),
        ("confidence", 1),
        ("confidence", 1.5),
        ("confidence_band", "D"),
        ("quality", {}),
        ("quality.components", {}),
        ("quality.components.insight", 1),
        ("quality.components.transfer", 1.5),
        ("quality.components.provenance", 0.5),
        ("quality.overall", 1),
        ("quality.overall", 1.5),
        ("quality.preservation", 1.5),
        ("quality.degradation", 1),
        ("quality.degradation", -1.5),
        ("quality.degradation", 1.5),
        ("quality.note", 1),
        *_of_lists(),
        ("cost.operations", DROP),
        ("cost.priced", DROP),
        ("cost.operations", -1),
        ("cost.priced", 4.0),
        ("cost.priced", 6),
        ("cost.total_usd", 1),
        ("cost.total_usd", -1.0),
        ("cost.tokens", 1.0),
        ("cost.breakdown", {}),
        ("cost.breakdown.insight", 1),
        ("cost.breakdown.execution", -1.0),
        ("cost.breakdown.other", 1.0),
        ("cost.strategy", ""),
        ("cost.baseline_usd", DROP),
        ("cost.baseline_usd", 1),
        ("cost.baseline_usd", -1.0),
        ("cost.baseline_method", DROP),
        ("cost.baseline_method", ""),
        ("cost.optimised_usd", 1),
        ("cost.reduction_percent", 75),
        ("cost.effectiveness", 1.5),
        ("cost.efficiency", 1.5),
        ("cost.cost_per_token_usd", 1),
        ("cost.cost_per_quality_point_usd", 1),
        ("cost.note", 1),
        *_of_validation(),
        *_of_replay(),
        ("metrics", {}),
        ("metrics", {f"m{n}": 1.0 for n in range(65)}),
        ("metrics", {"a b": 1.0}),
        ("metrics", {"a": 1}),
        ("metrics", {"a": "1"}),
        ("metrics", {"blake3": 1.0}),
        ("analytics", "{}"),
        ("analytics.sha256", DROP),
        ("duration_ms", 1000),
        ("duration_ms", -1.0),
        *of_span(),
        *of_trace(),
        *of_map("metadata"),
    ]
    return changes


def _of_lists() -> Changes:
    trend = {"metric": "q", "direction": "rising", "method": "m"}
    foretold = {"metric": "q", "value": 1.0, "method": "m"}
    return [
        ("quality.trends", []),
        ("quality.trends", [trend] * 17),
        *((f"quality.trends.0.{key}", DROP) for key in trend),
        ("quality.trends.0.metric", "a b"),
        ("quality.trends.0.direction", "up"),
        ("quality.trends.0.method", ""),
        ("quality.trends.0.window", -1),
        ("quality.trends.0.note", 1),
        ("quality.predictions", []),
        ("quality.predictions", [foretold] * 17),
        *((f"quality.predictions.0.{key}", DROP) for key in foretold),
        ("quality.predictions.0.metric", "a b"),
        ("quality.predictions.0.value", 1),
        ("quality.predictions.0.method", ""),
        ("quality.predictions.0.horizon", ""),
        ("quality.predictions.0.note", 1),
    ]


def _of_validation() -> Changes:
    ratios = ("confidence", "quality", "completeness", "accuracy", "precision")
    return [
        ("validation", {}),
        ("validation.scope", DROP),
        ("validation.scope", ""),
        ("validation.level", DROP),
        ("validation.level", "a b"),
        *of_checks("validation.results"),
        *((f"validation.{key}", 1.5) for key in ratios),
        ("validation.latency_ms", 1),
        ("validation.latency_ms", -1.0),
        ("validation.note", 1),
    ]


def _of_replay() -> Changes:
    return [
        ("replay", {}),
        ("replay.configuration", "{}"),
        ("replay.environment", b"x"),
        ("replay.data", {}),
        *of_checks("replay.validation"),
        ("replay.runs", DROP),
        ("replay.runs", 6),
        ("replay.runs", 8.0),
        ("replay.succeeded", DROP),
        ("replay.succeeded", -1),
        ("replay.success_rate", 1),
        ("replay.success_rate", 1.5),
        ("replay.accuracy", 1.5),
        ("replay.consistency", -0.5),
        ("replay.note", 1),
    ]
