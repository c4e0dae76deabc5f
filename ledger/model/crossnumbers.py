"""Numbers of an operation that follow from others: the one place where they are made (specs/12 §7).

| number | rule |
|---|---|
| `usage` of a stage | sums over what it was made with, in order |
| `compression_ratio` | content bytes / delivered bytes |
| `completeness` | 1.0 without delivered, else atoms delivered / atoms of the source |
| `breakdown.k`, `total_usd`, `tokens` | sums over what is there, in order |
| `components.k`, `overall` | means over what is there, in order |
| `degradation` | insight - execution |
| `preservation` | 1.0 if insight is 0.0, else execution / insight, at most 1.0 |
| `confidence` | the smallest |
| `reduction_percent` | (baseline - optimised) / baseline x 100 |
| `effectiveness` | reduction_percent / 100, within 0.0 to 1.0 |
| `efficiency` | effectiveness x preservation |
| `cost_per_token_usd` | total / tokens |
| `cost_per_quality_point_usd` | total / (overall x 100) |
| `success_rate` | succeeded / runs |
| `duration_ms` | microseconds / 1000 |

All arithmetic is of IEEE 754 doubles: integers become doubles first, sums start at 0.0 and add in
the order given, nothing is rounded. None is absence, here as argument and as result; a result that
is not finite, or a count above 2^63 - 1, is None.

>>> degradation(0.875, 0.75), preservation(0.875, 0.75) == 0.75 / 0.875
(0.125, True)
>>> total([1e308, 1e308]) is None
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.errors import RecordError
from ledger.formats.values import COUNT_MAX, parse_time
from ledger.model.base import Group, to_body
from ledger.model.derive import band
from ledger.model.operation import Usage

Number = float | None
PartBody = Mapping[str, Any] | Group

STAGE_TYPES = ("insight", "transfer", "execution")


def finite(value: float) -> Number:
    """Return a number, None for one that is not finite."""
    return value if math.isfinite(value) else None


def total(values: Iterable[Number]) -> Number:
    """Return the sum of those that are there, in order; None when none is."""
    sum_, found = 0.0, False
    for value in values:
        if value is not None:
            sum_, found = sum_ + value, True
    return finite(sum_) if found else None


def counted(values: Iterable[int | None]) -> int | None:
    """Return the sum of those counts that are there; None when none is."""
    there = [value for value in values if value is not None]
    sum_ = sum(there)
    return sum_ if there and sum_ <= COUNT_MAX else None


def mean(values: Iterable[Number]) -> Number:
    """Return the mean of those that are there, added in order; None when none is."""
    there = [value for value in values if value is not None]
    sum_ = total(there)
    return None if sum_ is None else sum_ / float(len(there))


def smallest(values: Iterable[Number]) -> Number:
    """Return the smallest of those that are there; None when none is."""
    return min((value for value in values if value is not None), default=None)


def usage(parents: Iterable[tuple[str, PartBody] | None]) -> Usage:
    """Return what a stage cost, from the parents that it was made with as (type, body) in order.

    Parents that it only builds on are not given. None stands for one that does not count, such as
    one in another ledger; other types than `witness` and `cross_model` do not count either. US
    dollars and tokens. Raises `RecordError` `body_invalid` for more operations than a count can
    say.
    """
    operations = priced = 0
    costs: list[float] = []
    tokens: list[int] = []
    for parent in parents:
        if parent is None or parent[0] not in ("witness", "cross_model"):
            continue
        body = to_body(parent[1]) if isinstance(parent[1], Group) else parent[1]
        cost = body.get("cost", {})
        if parent[0] == "witness":
            operations += 1
            priced += "cost_usd" in cost
            paid = cost.get("cost_usd")
            used = cost.get("tokens_used", body.get("output", {}).get("total_tokens"))
        else:
            operations += cost["operations"]
            priced += cost["priced"]
            paid, used = cost.get("total_usd"), cost.get("tokens")
        costs += [] if paid is None else [paid]
        tokens += [] if used is None else [used]
    return Usage(
        operations=operations, priced=priced, cost_usd=total(costs), tokens=counted(tokens)
    )


def compression_ratio(content_bytes: int, delivered_bytes: int | None) -> Number:
    """Return how many times smaller the delivered is; None without it or when it is empty."""
    return quotient(float(content_bytes), delivered_bytes)


def completeness(
    delivered: bool, atoms: int | None = None, source_atoms: int | None = None
) -> Number:
    """Return the part of the source's atoms that was handed over; None when it is not known."""
    if not delivered:
        return 1.0
    return None if atoms is None else quotient(float(atoms), source_atoms)


def quotient(value: Number, by: float | None) -> Number:
    """Return a quotient; None without either, by 0, or when it is not finite."""
    return None if value is None or not by else finite(value / float(by))


def degradation(insight: Number, execution: Number) -> Number:
    """Return what was lost of the quality from insight to execution."""
    return None if insight is None or execution is None else insight - execution


def preservation(insight: Number, execution: Number) -> Number:
    """Return the part of the insight's quality that the execution has, at most 1.0."""
    if insight is None or execution is None:
        return None
    return 1.0 if insight == 0.0 else min(1.0, execution / insight)


def of_components(components: Mapping[str, float]) -> dict[str, Number]:
    """Return the numbers that follow from the mean qualities by stage type."""
    insight, execution = components.get("insight"), components.get("execution")
    return {
        "overall": mean(components.get(kind) for kind in STAGE_TYPES),
        "degradation": degradation(insight, execution),
        "preservation": preservation(insight, execution),
    }


def of_cost(
    breakdown: Mapping[str, float],
    tokens: int | None,
    baseline_usd: Number,
    quality: Mapping[str, Number],
) -> dict[str, Number]:
    """Return the numbers that follow from costs by stage type, US dollars, and from quality."""
    total_usd = total(breakdown.get(kind) for kind in STAGE_TYPES)
    optimised = None if baseline_usd is None else total_usd
    percent = reduction_percent(baseline_usd, optimised)
    share = None if percent is None else max(0.0, min(1.0, percent / 100.0))
    preserved, overall = quality.get("preservation"), quality.get("overall")
    return {
        "total_usd": total_usd,
        "optimised_usd": optimised,
        "reduction_percent": percent,
        "effectiveness": share,
        "efficiency": None if share is None or preserved is None else share * preserved,
        "cost_per_token_usd": quotient(total_usd, tokens),
        "cost_per_quality_point_usd": quotient(
            total_usd, None if overall is None else overall * 100.0
        ),
    }


def reduction_percent(baseline_usd: Number, optimised_usd: Number) -> Number:
    """Return by how much less than the baseline was paid, in percent; negative for more."""
    if baseline_usd is None or optimised_usd is None or baseline_usd == 0.0:
        return None
    return finite((baseline_usd - optimised_usd) / baseline_usd * 100.0)


def success_rate(runs: int | None, succeeded: int | None) -> Number:
    """Return the part of the runs that succeeded; None without runs."""
    return None if succeeded is None else quotient(float(succeeded), runs)


def duration_ms(started_at: str, ended_at: str) -> float:
    """Return the milliseconds between two times."""
    return (parse_time(ended_at) - parse_time(started_at)) / 1000.0


def check(name: str, recorded: object, expected: object) -> None:
    """Raise `RecordError` `derivation_mismatch` unless a number is the one that follows."""
    if recorded != expected:
        raise RecordError(
            "derivation_mismatch", f"{name} is {_said(recorded)}, it follows {_said(expected)}"
        )


def check_band(confidence: Number, recorded: str | None) -> None:
    """Raise `RecordError` `derivation_mismatch` unless the band is the confidence's."""
    check("confidence_band", recorded, None if confidence is None else band(confidence))


def _said(value: object) -> str:
    return "absent" if value is None else str(value)
