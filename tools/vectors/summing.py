"""The numbers of specs/12 section 7, added up here once more for the stories of the cases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ledger.formats.values import parse_time
from tools.vectors.body import Body

Known = tuple[str, Body] | None
"""Type and body of a parent; None for one in another ledger, which does not count."""

KINDS = ("insight", "transfer", "execution")


def usage(parents: Sequence[Known]) -> Body:
    """Return the usage of a stage that was made with these parents."""
    sums: Body = {"operations": 0, "priced": 0}
    for kind, body in (parent for parent in parents if parent is not None):
        cost = body.get("cost") or {}
        if kind == "witness":
            sums["operations"] += 1
            sums["priced"] += "cost_usd" in cost
            paid = cost.get("cost_usd")
            tokens = cost.get("tokens_used", body["output"].get("total_tokens"))
        elif kind == "cross_model":
            sums["operations"] += cost["operations"]
            sums["priced"] += cost["priced"]
            paid, tokens = cost.get("total_usd"), cost.get("tokens")
        else:
            continue
        if paid is not None:
            sums["cost_usd"] = sums.get("cost_usd", 0.0) + paid
        if tokens is not None:
            sums["tokens"] = sums.get("tokens", 0) + tokens
    return sums


def combination(operation: Body, stages: Sequence[tuple[str, Body]], lies: Body) -> Body:
    """Return a cross_model of stages.

    `lies` are taken for what follows from the stages; what follows from that within the body is
    made from them.
    """
    parts = {kind: [body for one, body in stages if one == kind] for kind in KINDS}
    said: Body = {
        "operations": sum(body["usage"]["operations"] for _, body in stages),
        "priced": sum(body["usage"]["priced"] for _, body in stages),
        "tokens": _sum((body["usage"].get("tokens") for _, body in stages), 0),
        "breakdown": _kept(
            {k: _sum(b["usage"].get("cost_usd") for b in parts[k]) for k in KINDS}
        ),
        "components": _kept({k: _mean(b.get("quality") for b in parts[k]) for k in KINDS}),
        "confidence": min((b["confidence"] for _, b in stages if "confidence" in b), default=None),
        "started_at": min(body["started_at"] for _, body in stages),
        "ended_at": max(body["ended_at"] for _, body in stages),
        "baseline_usd": None,
    }  # fmt: skip
    said |= lies
    body: Body = {
        "version": 2,
        "operation": operation,
        "insights": [_model(one) for one in parts["insight"]],
        "transfers": [_transfer(one) for one in parts["transfer"]],
        "executions": [_model(one) for one in parts["execution"]],
        "quality": _quality(said["components"] or {}),
        "cost": _cost(said),
        "confidence": said["confidence"],
        "started_at": said["started_at"],
        "ended_at": said["ended_at"],
        "duration_ms": (parse_time(said["ended_at"]) - parse_time(said["started_at"])) / 1000.0,
    }
    if said["confidence"] is not None:
        score = said["confidence"]
        body["confidence_band"] = "A" if score >= 0.95 else "B" if score >= 0.80 else "C"
    return {key: value for key, value in body.items() if value not in (None, {})}


def _sum(values: Iterable[Any], start: float = 0.0) -> Any:
    there = [value for value in values if value is not None]
    for value in there:
        start += value
    return start if there and math.isfinite(start) else None


def _mean(values: Iterable[Any]) -> float | None:
    there = [value for value in values if value is not None]
    return _sum(there) / float(len(there)) if there else None


def _kept(body: Body) -> Body:
    return {key: value for key, value in body.items() if value is not None}


def _model(body: Body) -> Body:
    keys = ("model_id", "model_version", "confidence", "quality")
    return {key: body[key] for key in keys if key in body}


def _transfer(body: Body) -> Body:
    keys = ("confidence", "quality", "completeness")
    checks = [check["passed"] for check in body.get("checks") or ()]
    counts = {"passed": checks.count(True), "failed": checks.count(False)}
    return {key: body[key] for key in keys if key in body} | counts


def _quality(components: Body) -> Body:
    if not components:
        return {}
    quality = {"components": components, "overall": _mean(components.get(k) for k in KINDS)}
    insight, execution = components.get("insight"), components.get("execution")
    if insight is not None and execution is not None:
        quality["degradation"] = insight - execution
        quality["preservation"] = 1.0 if insight == 0.0 else min(1.0, execution / insight)
    return quality


def _cost(said: Body) -> Body:
    breakdown, tokens, baseline = said["breakdown"] or {}, said["tokens"], said["baseline_usd"]
    total = _sum(breakdown.get(kind) for kind in KINDS)
    quality = _quality(said["components"] or {})
    cost: Body = {"operations": said["operations"], "priced": said["priced"], "tokens": tokens,
                  "breakdown": breakdown or None, "total_usd": total}  # fmt: skip
    if baseline is not None:
        cost |= {"baseline_usd": baseline, "baseline_method": "guess", "optimised_usd": total}
        if total is not None and baseline:
            percent = (baseline - total) / baseline * 100.0
            share = min(1.0, max(0.0, percent / 100.0))
            cost |= {"reduction_percent": percent, "effectiveness": share}
            if "preservation" in quality:
                cost["efficiency"] = share * quality["preservation"]
    if total is not None and tokens:
        cost["cost_per_token_usd"] = total / float(tokens)
    if total is not None and quality.get("overall"):
        cost["cost_per_quality_point_usd"] = total / (quality["overall"] * 100.0)
    return _kept(cost)
