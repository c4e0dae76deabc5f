"""Cases of the bodies of specs/12, each by itself: what is good, and shapes that are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tools.vectors import cross_numbers, lab
from tools.vectors.body import DROP, Body, altered, body_case
from tools.vectors.case import Case
from tools.vectors.cross_lab import BEGAN, ENDED, FULL, SMALLEST

Changes = list[tuple[str, Any]]

_LONG = "a" * 129
_STAGES = ("insight", "transfer", "execution")


def cases() -> Iterator[Case]:
    """Yield the cases of kind body for the types of specs/12."""
    yield from _accepted()
    numbers: Counter[str] = Counter()
    for kind, base, changes in _tables():
        for path, value in changes:
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{kind}_{path.replace('.', '_')}"
            numbers[name] += 1
            body = altered(base, path, value)
            yield body_case(f"{name}_{numbers[name]}", told, kind, body, "body_invalid")
    yield from cross_numbers.cases()


def _accepted() -> Iterator[Case]:
    for kind in FULL:
        yield body_case(kind, "every field", kind, FULL[kind]())
        smallest = SMALLEST[kind]()
        yield body_case(f"{kind}_smallest", "only what must be there", kind, smallest)
    edges: dict[str, list[tuple[str, str, Body]]] = {
        kind: [
            ("moment", "it took no time", {"ended_at": BEGAN}),
            ("label_128", "a label of 128 characters", {"label": "a" * 128}),
            ("checked", "32 keys of metadata", {"metadata": {f"k{n}": n for n in range(32)}}),
            ("metadata_edges", "the ends of what metadata may hold",
             {"metadata": {"a": -(2**63), "b": 2**63 - 1, "c": "x" * 256, "d": -1.5, "e": False}}),
            ("unpriced", "operations without prices", {"usage": {"operations": 2, "priced": 0}}),
            ("free", "an operation that costs nothing",
             {"usage": {"operations": 1, "priced": 1, "cost_usd": 0.0, "tokens": 0}}),
            ("priced_lost", "prices whose sum no double holds",
             {"usage": {"operations": 2, "priced": 2}}),
            ("confident", "a confidence without quality",
             {"confidence": 0.0, "confidence_method": "verbal"}),
            ("rated", "a quality without confidence", {"quality": 1.0, "quality_method": "x"}),
        ]
        for kind in _STAGES
    }  # fmt: skip
    many = [f"atom {n}" for n in range(256)]
    edges["insight"].append(("atoms_256", "256 atoms", {"atoms": many}))
    edges["transfer"] += [
        ("delivered", "a summary of which no atoms are known",
         {"delivered": lab.ref("six"), "compression_ratio": 10.0 / 3.0, "completeness": DROP}),
        ("no_atoms", "atoms of the source were not recorded",
         {"delivered": lab.ref("six"), "compression_ratio": 10.0 / 3.0, "completeness": DROP,
          "atoms": ["six"]}),
        ("checks_32", "32 checks",
         {"checks": [{"name": f"{n}", "passed": n > 3} for n in range(32)]}),
    ]  # fmt: skip
    claims: list[Body] = [
        {"chain_verified": False}, {"lineage_verified": True}, {"trust_chain": [bytes(32)] * 64},
        {"status": "verified"}, {"status": "outside"},
    ]  # fmt: skip
    edges["provenance"] = [
        (f"claims_{number}", "one claim", {"claims": one}) for number, one in enumerate(claims)
    ]
    steps = [{"stage": "insight", "label": f"{n}"} for n in range(255)]
    edges["provenance"].append(("steps_255", "255 steps", {"steps": steps}))
    edges["provenance"].append(
        ("steps_labels", "one label in stages of several types",
         {"steps": [{"stage": kind, "label": "1"} for kind in (*_STAGES[1:], "insight")]})
    )  # fmt: skip
    few = [{"passed": 0, "failed": 0}] * 127
    edges["cross_model"] = [
        ("wide", "many transfers", {"transfers": few}),
        ("metrics_64", "64 metrics", {"metrics": {f"m{n}": float(n) for n in range(64)}}),
        ("trends_only", "quality with trends only", {"quality": {"trends": [
            {"metric": "q", "direction": "rising", "method": "m"}] * 16}}),
        ("replay_one", "a replay with one key", {"replay": {"consistency": 1.0}}),
        ("validation_smallest", "a validation with what must be there",
         {"validation": {"scope": "s", "level": "l"}}),
        ("strategy", "a strategy without a baseline",
         {"cost": {"operations": 1, "priced": 0, "strategy": "s"}}),
    ]  # fmt: skip
    for kind, rows in edges.items():
        for name, told, change in rows:
            body = {key: v for key, v in (SMALLEST[kind]() | change).items() if v is not DROP}
            yield body_case(f"{kind}_{name}", told, kind, body)


def _tables() -> Iterator[tuple[str, Body, Changes]]:
    for kind in FULL:
        needed = [key for key in SMALLEST[kind]() if (kind, key) != ("transfer", "completeness")]
        yield kind, SMALLEST[kind](), [(key, DROP) for key in needed]
        yield kind, FULL[kind](), [("note", 1), *_of_operation(), *_OWN[kind]]
    for kind in _STAGES:
        yield kind, FULL[kind](), _of_stage()


def _of_operation() -> Changes:
    return [
        ("operation", "review/1"),
        ("operation.name", DROP),
        ("operation.name", ""),
        ("operation.name", "a b"),
        ("operation.name", _LONG),
        ("operation.number", DROP),
        ("operation.number", 0),
        ("operation.number", 1_000_001),
        ("operation.number", 1.0),
        ("operation.number", True),
        ("operation.note", 1),
    ]


def _of_map(path: str) -> Changes:
    """What metadata may not be."""
    values: list[Any] = [
        [], {}, {f"k{n}": n for n in range(33)}, {"a b": 1}, {"": 1}, {_LONG: 1}, {"a": ""},
        {"a": "x" * 257}, {"a": "x\n"}, {"a": None}, {"a": 2**63}, {"a": -(2**63) - 1}, {"a": b"x"},
        {"a": [1]}, {"a": {"b": 1}}, {"blake3": 1},
    ]  # fmt: skip
    return [(path, value) for value in values]


def _of_checks(path: str) -> Changes:
    one: Body = {"name": "a", "passed": True}
    values: list[Any] = [
        [], {}, [one, {"name": "a", "passed": False}], [{"name": f"{n}", "passed": True}
         for n in range(33)], [{"name": "a"}], [{"passed": True}],
    ]  # fmt: skip
    fields: Changes = [
        ("name", ""), ("name", "a b"), ("passed", 1), ("passed", None), ("score", 1),
        ("score", 1.5), ("score", -0.5), ("method", ""), ("detail", "x" * 257), ("note", 1),
    ]  # fmt: skip
    values += [[one | {key: value}] for key, value in fields]
    return [(path, value) for value in values]


def _of_rating(path: str = "") -> Changes:
    return [
        (f"{path}confidence", DROP),
        (f"{path}confidence", 1),
        (f"{path}confidence", 1.25),
        (f"{path}confidence", -0.25),
        (f"{path}confidence_method", DROP),
        (f"{path}confidence_method", "guess"),
        (f"{path}quality", DROP),
        (f"{path}quality", True),
        (f"{path}quality", 1.25),
        (f"{path}quality_method", DROP),
        (f"{path}quality_method", ""),
    ]


def _of_span() -> Changes:
    return [
        ("started_at", "2026-11-20T09:00:00Z"),
        ("started_at", ENDED[:-2] + "6Z"),
        ("ended_at", "2026-02-30T09:00:01.000000Z"),
        ("ended_at", "2026-11-20T08:59:59.999999Z"),
        ("ended_at", 1),
    ]


def _of_trace() -> Changes:
    return [
        ("trace", {}),
        ("trace.trace_id", DROP),
        ("trace.trace_id", "0" * 32),
        ("trace.trace_id", "A" * 32),
        ("trace.trace_id", "1" * 31),
        ("trace.trace_id", "1" * 33),
        ("trace.trace_id", "1" * 32 + "\n"),
        ("trace.span_id", DROP),
        ("trace.span_id", "0" * 16),
        ("trace.span_id", "F" * 16),
        ("trace.span_id", "1" * 15),
        ("trace.note", 1),
    ]


def _of_stage() -> Changes:
    usage = {"operations": 2, "priced": 1, "cost_usd": 0.5}
    return [
        ("label", ""),
        ("label", "a b"),
        ("label", _LONG),
        ("usage", {}),
        ("usage.operations", DROP),
        ("usage.operations", 1.0),
        ("usage.operations", -1),
        ("usage.operations", 2**63),
        ("usage.priced", DROP),
        ("usage", usage | {"priced": 3}),
        ("usage", usage | {"priced": 0}),
        ("usage.cost_usd", 1),
        ("usage.cost_usd", -0.5),
        ("usage.tokens", 1.0),
        ("usage.tokens", -1),
        ("usage.note", 1),
        *_of_rating(),
        *_of_span(),
        *_of_trace(),
        *_of_map("metadata"),
    ]


def _thought() -> Changes:
    return [
        ("model_id", ""),
        ("model_id", "x" * 257),
        ("model_version", ""),
        ("model_version", None),
        ("output", DROP),
        ("output", "42"),
        ("output.size_bytes", DROP),
        ("context", b"x"),
        ("context.note", 1),
        *_of_atoms(),
    ]


def _of_atoms() -> Changes:
    return [
        ("atoms", []),
        ("atoms", ["six", "six"]),
        ("atoms", [f"{n}" for n in range(257)]),
        ("atoms", [""]),
        ("atoms", ["x" * 257]),
        ("atoms", [1]),
        ("atoms", "six"),
    ]


def _handed() -> Changes:
    changes: Changes = []
    for party in ("source", "target"):
        changes += [
            (party, "large-model"),
            (f"{party}.model_id", DROP),
            (f"{party}.model_id", ""),
            (f"{party}.model_version", ""),
            (f"{party}.context", "x"),
            (f"{party}.note", 1),
        ]
    return [
        *changes,
        ("content", DROP),
        ("content", b"x"),
        ("content.note", 1),
        ("delivered", "six"),
        ("delivered", DROP),
        *_of_atoms(),
        ("compression_ratio", 3),
        ("compression_ratio", -1.0),
        ("completeness", 1),
        ("completeness", 1.5),
        ("accuracy", 1),
        ("accuracy", 1.5),
        *_of_checks("checks"),
        ("latency_ms", 12),
        ("latency_ms", -1.0),
    ]


def _chained() -> Changes:
    step = {"stage": "insight", "label": "1"}
    item = {"role": "corpus", "name": "x", "content": lab.ref("x")}
    passed = {"source": "a", "target": "b", "type": "note", "content": lab.ref("x")}
    return [
        ("steps", []),
        ("steps", {}),
        ("steps", [step, step]),
        ("steps", [{"stage": "insight", "label": f"{n}"} for n in range(256)]),
        ("steps.0.stage", DROP),
        ("steps.0.stage", "provenance"),
        ("steps.0.label", DROP),
        ("steps.0.label", "a b"),
        ("steps.0.note", 1),
        ("interactions", []),
        ("interactions", [passed] * 65),
        *((f"interactions.0.{key}", DROP) for key in passed),
        ("interactions.0.source", ""),
        ("interactions.0.target", ""),
        ("interactions.0.type", "a b"),
        ("interactions.0.content", "x"),
        ("interactions.0.step", -1),
        ("interactions.0.step", 3),
        ("interactions.0.step", 1.0),
        ("interactions.0.note", 1),
        *_of_rating("interactions.0."),
        *_of_map("interactions.0.metadata"),
        *_of_checks("interactions.0.checks"),
        ("data", []),
        ("data", [item] * 65),
        *((f"data.0.{key}", DROP) for key in item),
        ("data.0.role", "a b"),
        ("data.0.name", ""),
        ("data.0.content", b"x"),
        ("data.0.note", 1),
        ("claims", {}),
        ("claims.chain_verified", 1),
        ("claims.lineage_verified", "yes"),
        ("claims.trust_chain", []),
        ("claims.trust_chain", [bytes(32)] * 65),
        ("claims.trust_chain", [bytes(31)]),
        ("claims.trust_chain", ["00" * 32]),
        ("claims.status", "trusted"),
        ("claims.note", True),
    ]


def _combined() -> Changes:
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
        *_of_span(),
        *_of_trace(),
        *_of_map("metadata"),
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
        *_of_checks("validation.results"),
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
        *_of_checks("replay.validation"),
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


_OWN: dict[str, Changes] = {
    "insight": _thought(),
    "transfer": _handed(),
    "execution": _thought(),
    "provenance": _chained(),
    "cross_model": _combined(),
}
