"""Numbers of an operation that follow from others in the same body (specs/12 section 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import Refused
from .policy import band
from .statement import STAGE_TYPES
from .values import COUNT_MAX, whole_ms

PERCENT = 100.0
Named = tuple[str, object, object]
"""A number: its name, what follows from the rule, what was recorded; None where there is none"""


def of_itself(kind: str, body: dict[str, Any]) -> list[Refused]:
    """Return what does not follow within a checked body of one of the five types."""
    if kind == "transfer":
        return differing(_transfer(body))
    if kind == "cross_model":
        return differing(_combination(body))
    return []


def differing(numbers: Iterable[Named]) -> list[Refused]:
    """Return one `derivation_mismatch` that names all numbers that differ, or nothing."""
    wrong = [one for one in numbers if one[1] != one[2]]
    if not wrong:
        return []
    names, expected, actual = (
        ", ".join("none" if one[k] is None else str(one[k]) for one in wrong) for k in range(3)
    )
    text = f"numbers that do not follow from their sources: {names}"
    return [Refused("derivation_mismatch", text, expected, actual)]


def micros(time: str) -> int:
    """Return the microseconds since 1970 of a checked *time*."""
    return whole_ms(time) * 1000 + int(time[23:26])


def finite(number: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return number if math.isfinite(number) else None


def total(numbers: Sequence[float]) -> float | None:
    """Return the sum in the order given, or None of nothing."""
    if not numbers:
        return None
    found = 0.0
    for number in numbers:
        found += number
    return finite(found)


def added(counts: Sequence[int]) -> int | None:
    """Return the sum of counts, or None of nothing or where it is no count."""
    found = sum(counts)
    return found if counts and found <= COUNT_MAX else None


def mean(numbers: Sequence[float]) -> float | None:
    """Return the sum in the order given by its number, or None of nothing."""
    found = total(numbers)
    return None if found is None else found / float(len(numbers))


def _over(number: float | None, by: float | None) -> float | None:
    """Return a quotient, or None without either or when it is by zero."""
    return None if number is None or not by else finite(number / by)


def _transfer(b: dict[str, Any]) -> list[Named]:
    said = b.get("compression_ratio")
    if "delivered" not in b:
        return [
            ("completeness", 1.0, b.get("completeness")),
            ("compression_ratio", None, said),
        ]
    ratio = _over(float(b["content"]["size_bytes"]), float(b["delivered"]["size_bytes"]))
    return [("compression_ratio", ratio, said)]


def _combination(b: dict[str, Any]) -> list[Named]:
    confidence = b.get("confidence")
    duration = float(micros(b["ended_at"]) - micros(b["started_at"])) / 1000.0
    replay = b.get("replay", {})
    runs = replay.get("runs")
    rate = None if runs is None else _over(float(replay["succeeded"]), float(runs))
    quality = b.get("quality", {})
    return [
        (
            "confidence_band",
            None if confidence is None else band(confidence),
            b.get("confidence_band"),
        ),
        *_quality(quality),
        *_cost(b["cost"], quality),
        ("replay.success_rate", rate, replay.get("success_rate")),
        ("duration_ms", duration, b["duration_ms"]),
    ]


def _quality(q: dict[str, Any]) -> list[Named]:
    parts = q.get("components", {})
    insight, execution = parts.get("insight"), parts.get("execution")
    lost = kept = None
    if insight is not None and execution is not None:
        lost = insight - execution
        kept = min(1.0, execution / insight) if insight else 1.0
    overall = mean([parts[kind] for kind in STAGE_TYPES if kind in parts])
    return [
        ("quality.overall", overall, q.get("overall")),
        ("quality.degradation", lost, q.get("degradation")),
        ("quality.preservation", kept, q.get("preservation")),
    ]


def _cost(c: dict[str, Any], quality: dict[str, Any]) -> list[Named]:
    breakdown, baseline = c.get("breakdown", {}), c.get("baseline_usd")
    whole, optimised = c.get("total_usd"), c.get("optimised_usd")
    reduction = None
    if baseline and optimised is not None:
        reduction = finite((baseline - optimised) / baseline * PERCENT)
    said = c.get("reduction_percent")
    effect = None if said is None else min(1.0, max(0.0, said / PERCENT))
    kept, overall, tokens = quality.get("preservation"), quality.get("overall"), c.get("tokens")
    effective = c.get("effectiveness")
    efficiency = None if effective is None or kept is None else effective * kept
    by_token = None if tokens is None else _over(whole, float(tokens))
    by_point = None if overall is None else _over(whole, overall * PERCENT)
    numbers: list[tuple[str, float | None]] = [
        ("total_usd", total([breakdown[kind] for kind in STAGE_TYPES if kind in breakdown])),
        ("optimised_usd", None if baseline is None else whole),
        ("reduction_percent", reduction),
        ("effectiveness", effect),
        ("efficiency", efficiency),
        ("cost_per_token_usd", by_token),
        ("cost_per_quality_point_usd", by_point),
    ]
    return [(f"cost.{name}", value, c.get(name)) for name, value in numbers]
