"""Cases of numbers that follow from the same body alone (specs/12 section 7)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tools.vectors import lab
from tools.vectors.body import DROP, Body, altered, body_case
from tools.vectors.case import Case
from tools.vectors.cross_lab import combination, full_combination, full_transfer, transfer

_CODE = "derivation_mismatch"
_TINY = 5e-324


def cases() -> Iterator[Case]:
    """Yield the cases of kind body about derived numbers."""
    yield from _transfers()
    yield from _good()
    numbers: Counter[str] = Counter()
    for base, path, value in _wrong():
        name = f"cross_model_derived_{path.replace('.', '_')}"
        numbers[name] += 1
        told = f"{path} {'is missing' if value is DROP else 'does not follow'}"
        body = altered(base, path, value)
        yield body_case(f"{name}_{numbers[name]}", told, "cross_model", body, _CODE)


def _ref(size: int) -> Body:
    return lab.ref("x") | {"size_bytes": size}


def _transfers() -> Iterator[Case]:
    """Sizes are made up: a body by itself has no content."""
    handed = {key: value for key, value in transfer().items() if key != "completeness"}

    def sized(size: int, delivered: int, **fields: Any) -> Body:
        return handed | {"content": _ref(size), "delivered": _ref(delivered)} | fields

    good: list[tuple[str, str, Body]] = [
        ("larger", "more was delivered than the content",
         sized(1, 3, compression_ratio=1.0 / 3.0)),
        ("nothing", "an empty content", sized(0, 1, compression_ratio=0.0)),
        ("empty", "nothing was delivered: no ratio", sized(7, 0)),
        ("doubles", "a size that no double holds is one first",
         sized(2**53 + 1, 3, compression_ratio=9007199254740992.0 / 3.0)),
    ]  # fmt: skip
    for name, told, body in good:
        yield body_case(f"transfer_ratio_{name}", told, "transfer", body)
    ratio = full_transfer()["compression_ratio"]
    bad: list[tuple[str, str, Body]] = [
        ("ratio_less", "a ratio a little too small",
         full_transfer() | {"compression_ratio": math.nextafter(ratio, 0.0)}),
        ("ratio_inverse", "the ratio the other way round",
         full_transfer() | {"compression_ratio": 0.3}),
        ("ratio_missing", "no ratio of what was delivered",
         altered(full_transfer(), "compression_ratio", DROP)),
        ("ratio_alone", "a ratio, and nothing was delivered in place of the content",
         transfer() | {"compression_ratio": 1.0}),
        ("ratio_empty", "a ratio to nothing", sized(7, 0, compression_ratio=7.0)),
        ("ratio_integers", "the quotient of the integers, not of their doubles",
         sized(2**53 + 1, 3, compression_ratio=3002399751580331.0)),
        ("completeness_less", "the content itself is complete", transfer() | {"completeness": 0.5}),
        ("completeness_missing", "the content itself is complete, which is not said", handed),
    ]  # fmt: skip
    for name, told, body in bad:
        yield body_case(f"transfer_derived_{name}", told, "transfer", body, _CODE)


def _with(quality: Body | None = None, cost: Body | None = None, **fields: Any) -> Body:
    """Return the smallest combination with quality, costs and other fields."""
    body = combination() | fields
    if quality is not None:
        body["quality"] = quality
    if cost is not None:
        body["cost"] = {"operations": 3, "priced": 3} | cost
    return body


def _good() -> Iterator[Case]:
    baseline = {"baseline_usd": 1.0, "baseline_method": "guess"}
    split = {"insight": 0.1, "transfer": 0.2, "execution": 0.3}
    spent = 0.0 + 0.1 + 0.2 + 0.3
    one = {"total_usd": 3.0, "breakdown": {"execution": 3.0}}
    more = {"optimised_usd": 3.0, "reduction_percent": -200.0, "effectiveness": 0.0}
    rows: list[tuple[str, str, Body]] = [
        ("sum_order", "the order in which costs are added",
         _with(cost={"total_usd": spent, "breakdown": split})),
        ("sum_lost", "a sum that no double holds is absent",
         _with(cost={"breakdown": {"insight": 1e308, "execution": 1e308}})),
        ("sum_one", "one type of stage has a cost", _with(cost=one)),
        ("mean_order", "the order in which qualities are added",
         _with({"components": split, "overall": spent / 3.0, "degradation": 0.1 - 0.3,
                "preservation": 1.0})),
        ("mean_two", "two types of stages have a quality",
         _with({"components": {"insight": 0.5, "transfer": 1.0}, "overall": 0.75})),
        ("kept_all", "the execution is better than the insight",
         _with({"components": {"insight": 0.25, "execution": 1.0}, "overall": 0.625,
                "degradation": -0.75, "preservation": 1.0})),
        ("kept_none", "nothing is left of the insight",
         _with({"components": {"insight": 1.0, "execution": 0.0}, "overall": 0.5,
                "degradation": 1.0, "preservation": 0.0})),
        ("kept_nothing", "an insight of no quality is preserved",
         _with({"components": {"insight": 0.0, "execution": 0.0}, "overall": 0.0,
                "degradation": 0.0, "preservation": 1.0})),
        ("kept_tiny", "a quotient beyond all doubles is more than 1.0",
         _with({"components": {"insight": _TINY, "execution": 1.0}, "overall": 0.5,
                "degradation": _TINY - 1.0, "preservation": 1.0})),
        ("dearer", "more was paid than the baseline", _with(cost=one | baseline | more)),
        ("dearer_lost", "a reduction that no double holds is absent",
         _with(cost=one | {"baseline_usd": 1e-310, "baseline_method": "guess",
                           "optimised_usd": 3.0})),
        ("equal", "as much was paid as the baseline",
         _with(cost=one | {"baseline_usd": 3.0, "baseline_method": "guess", "optimised_usd": 3.0,
                           "reduction_percent": 0.0, "effectiveness": 0.0})),
        ("baseline_0", "a baseline of nothing",
         _with(cost=one | {"baseline_usd": 0.0, "baseline_method": "guess",
                           "optimised_usd": 3.0})),
        ("baseline_alone", "a baseline, and no costs are known", _with(cost=baseline)),
        ("tokens_0", "no tokens", _with(cost=one | {"tokens": 0})),
        ("tokens_large", "tokens that no double holds",
         _with(cost=one | {"tokens": 2**63 - 1,
                           "cost_per_token_usd": 3.0 / 9223372036854775808.0})),
        ("tokens_unpaid", "tokens without a price", _with(cost={"tokens": 7})),
        ("quality_0", "costs, and an overall quality of 0.0",
         _with({"components": {"transfer": 0.0}, "overall": 0.0}, one)),
        ("quality_tiny", "costs of a quality point beyond all doubles are absent",
         _with({"components": {"transfer": _TINY}, "overall": _TINY}, one)),
        ("runs_0", "a replay without runs", _with(replay={"runs": 0, "succeeded": 0})),
        ("runs_all", "all runs succeeded",
         _with(replay={"runs": 3, "succeeded": 3, "success_rate": 1.0})),
        ("runs_third", "a third of the runs succeeded",
         _with(replay={"runs": 3, "succeeded": 1, "success_rate": 1.0 / 3.0})),
        ("moment", "it took no time",
         _with(ended_at=combination()["started_at"], duration_ms=0.0)),
        ("ages", "from the first to the last moment that a time can name",
         _with(started_at="0001-01-01T00:00:00.000000Z", ended_at="9999-12-31T23:59:59.999999Z",
               duration_ms=315537897599999999.0 / 1000.0)),
    ]  # fmt: skip
    for name, score, band in (("a", 0.95, "A"), ("b_above", 0.9499999999999999, "B"),
                              ("b", 0.80, "B"), ("c", 0.0, "C")):  # fmt: skip
        body = _with(confidence=score, confidence_band=band)
        rows.append((f"band_{name}", f"{score} is {band}", body))
    for name, told, body in rows:
        yield body_case(f"cross_model_{name}", told, "cross_model", body)


def _wrong() -> Iterator[tuple[Body, str, Any]]:
    """A number that is a little wrong, one that is not there, and one that should not be there."""
    full, bare = full_combination(), combination()
    bare["quality"] = {"trends": [{"metric": "q", "direction": "rising", "method": "m"}]}
    bare["replay"] = {"consistency": 1.0}
    derived = [
        ("quality", "overall"), ("quality", "preservation"), ("quality", "degradation"),
        ("cost", "total_usd"), ("cost", "optimised_usd"), ("cost", "reduction_percent"),
        ("cost", "effectiveness"), ("cost", "efficiency"), ("cost", "cost_per_token_usd"),
        ("cost", "cost_per_quality_point_usd"), ("replay", "success_rate"),
    ]  # fmt: skip
    for group, name in derived:
        right = full[group][name]
        for value in (math.nextafter(right, 0.0), math.nextafter(right, 1.0), DROP):
            yield full, f"{group}.{name}", value
        yield bare, f"{group}.{name}", right
    for value in ("A", DROP):
        yield full, "confidence_band", value
    yield bare, "confidence_band", "B"
    for value in (1000.0, math.nextafter(1000.125, 2000.0)):
        yield full, "duration_ms", value
    order = {"total_usd": 0.0 + 0.3 + 0.2 + 0.1,
             "breakdown": {"insight": 0.1, "transfer": 0.2, "execution": 0.3}}  # fmt: skip
    yield bare, "cost", bare["cost"] | order
    lost = {
        "breakdown": {"insight": 1e308, "execution": 1e308},
        "total_usd": 1.7976931348623157e308,
    }
    yield bare, "cost", bare["cost"] | lost
    dearer = {"breakdown": {"execution": 3.0}, "total_usd": 3.0, "optimised_usd": 3.0,
              "baseline_usd": 1.0, "baseline_method": "guess",
              "reduction_percent": -200.0}  # fmt: skip
    yield bare, "cost", bare["cost"] | dearer
    nothing = {"components": {"insight": 0.0, "execution": 0.5}, "overall": 0.25,
               "degradation": -0.5}  # fmt: skip
    yield bare, "quality", nothing
    yield bare, "replay", {"runs": 0, "succeeded": 0, "success_rate": 0.0}
