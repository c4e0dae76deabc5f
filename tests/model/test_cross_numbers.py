"""Derived numbers of specs/12 section 7, against a plain reading of the page."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger import model
from ledger.errors import RecordError
from ledger.formats.content import refer
from ledger.formats.values import format_time
from ledger.model import combine, crossnumbers, from_body, to_body
from tests.cross_strategies import costs, parts
from tests.strategies import counts, maybe, ratios
from tools.vectors import cross_lab, summing

NAME = model.OperationId(name="x", number=1)
EXTREME = [None, 0.0, 5e-324, 1.0, 1e308, 1.7976931348623157e308]
MAX = 2**63 - 1


def numbers(value: Any) -> list[float]:
    """Every float of a body."""
    if isinstance(value, dict):
        return [one for item in value.values() for one in numbers(item)]
    if isinstance(value, list):
        return [one for item in value for one in numbers(item)]
    return [value] if type(value) is float else []


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(parts(), maybe(costs))
def test_a_combination_is_what_a_plain_sum_says(
    drawn: list[tuple[str, model.Body]], baseline: float | None
) -> None:
    """All derived fields are those that another implementation makes, and all are finite."""
    method = None if baseline is None else "guess"
    whole = to_body(combine.combine(NAME, drawn, baseline_usd=baseline, baseline_method=method))
    stages = [(kind, to_body(body)) for kind, body in drawn]
    expected = summing.combination(to_body(NAME), stages, {"baseline_usd": baseline})
    if whole["cost"].get("tokens") is None:  # a sum that no count holds
        expected["cost"].pop("cost_per_token_usd", None)
        assert expected["cost"].pop("tokens", 2**63) > MAX
    lost = [key for key, value in expected["cost"].items() if not_finite(value)]
    for key in lost:
        del expected["cost"][key]
        for follower in FOLLOWERS.get(key, ()):
            expected["cost"].pop(follower, None)
    assert whole == expected
    assert all(map(math.isfinite, numbers(whole)))
    assert from_body("cross_model", whole)


FOLLOWERS = {"reduction_percent": ("effectiveness", "efficiency")}


def not_finite(value: Any) -> bool:
    return type(value) is float and not math.isfinite(value)


witness_costs = st.fixed_dictionaries(
    {},
    optional={
        "cost_usd": costs,
        "tokens_used": counts,
    },
)
parent_bodies = st.one_of(
    st.none(),
    st.tuples(st.just("witness"), witness_costs, maybe(counts)).map(
        lambda drawn: (
            drawn[0],
            {"output": {} if drawn[2] is None else {"total_tokens": drawn[2]}}
            | ({"cost": drawn[1]} if drawn[1] else {}),
        )
    ),
    st.tuples(st.just("cross_model"), st.integers(0, 9), maybe(costs), maybe(counts)).map(
        lambda drawn: (
            drawn[0],
            {
                "cost": {"operations": drawn[1], "priced": drawn[1] // 2}
                | ({} if drawn[2] is None else {"total_usd": drawn[2]})
                | ({} if drawn[3] is None else {"tokens": drawn[3]})
            },
        )
    ),
    st.just(("insight", cross_lab.full_insight())),
    st.just(("annotation", {"kind": "note"})),
)


@given(st.lists(parent_bodies, max_size=6))
def test_usage_adds_what_the_parents_say(drawn: list[tuple[str, Any] | None]) -> None:
    """Usage is the plain sum over witnesses and combinations, in order."""
    expected = summing.usage(drawn)
    paid = not_finite(expected.get("cost_usd")) or (
        "cost_usd" in expected and expected["priced"] == 0
    )
    if expected.get("tokens", 0) > MAX:
        del expected["tokens"]
    if paid and not_finite(expected["cost_usd"]):
        del expected["cost_usd"]
    elif paid:  # a combination with a total and no price does not exist
        with pytest.raises(RecordError):
            crossnumbers.usage(drawn)
        return
    assert to_body(crossnumbers.usage(drawn)) == expected


def test_usage_takes_models_too() -> None:
    """A parent may be given as its model."""
    whole = model.CrossModel(**cross_lab.full_combination())
    usage = crossnumbers.usage([None, ("cross_model", whole)])
    assert to_body(usage) == {"operations": 5, "priced": 4, "cost_usd": 0.4375, "tokens": 1500}


@pytest.mark.parametrize("first", EXTREME)
@pytest.mark.parametrize("second", EXTREME)
def test_extremes_give_a_finite_number_or_none(first: float | None, second: float | None) -> None:
    """No formula raises, and none returns what is not finite."""
    breakdown = {
        key: value
        for key, value in (("insight", first), ("execution", second))
        if value is not None
    }
    made: list[float | None] = [
        crossnumbers.total([first, second]),
        crossnumbers.mean([first, second]),
        crossnumbers.quotient(first, second),
        crossnumbers.reduction_percent(first, second),
        crossnumbers.preservation(first, second),
        crossnumbers.smallest([first, second]),
    ]
    for baseline in EXTREME:
        for tokens in (None, 0, 1, MAX):
            for overall in (None, 0.0, 5e-324, 1.0):
                quality = {"overall": overall, "preservation": overall}
                made += crossnumbers.of_cost(breakdown, tokens, baseline, quality).values()
    assert all(value is None or math.isfinite(value) for value in made)


@given(maybe(ratios), maybe(ratios))
@example(5e-324, 1.0)
@example(0.0, 0.0)
def test_preservation_is_a_ratio(insight: float | None, execution: float | None) -> None:
    """It is there iff both are, and in 0.0 to 1.0; what was lost is their difference."""
    kept = crossnumbers.preservation(insight, execution)
    lost = crossnumbers.degradation(insight, execution)
    if insight is None or execution is None:
        assert (kept, lost) == (None, None)
    else:
        assert kept is not None
        assert 0.0 <= kept <= 1.0
        assert lost == insight - execution
        if insight >= 1e-300 and execution <= insight:
            assert kept == float(Fraction(execution) / Fraction(insight))


@given(counts, maybe(counts))
@example(2**53 + 1, 3)
def test_ratio_of_sizes_is_of_doubles(content: int, delivered: int | None) -> None:
    """Sizes become doubles before they are divided."""
    ratio = crossnumbers.compression_ratio(content, delivered)
    assert ratio == (float(content) / float(delivered) if delivered else None)


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_duration_is_of_microseconds(one: int, other: int) -> None:
    """Microseconds between two times, divided once."""
    began, ended = sorted((one, other))
    spent = crossnumbers.duration_ms(format_time(began), format_time(ended))
    assert spent == (ended - began) / 1000.0


def test_a_transfer_is_made_from_its_source() -> None:
    """Source, content, ratio and completeness follow; a wrong one is refused."""
    source = model.Insight(**cross_lab.full_insight())
    fields = {key: cross_lab.transfer()[key] for key in (
        "operation", "label", "made_with", "usage", "started_at", "ended_at")}  # fmt: skip
    target = model.Party(model_id="small-model")
    whole = combine.transfer(source, target=target, **fields)
    assert (whole.completeness, whole.compression_ratio) == (1.0, None)
    assert (whole.source.model_id, whole.source.model_version) == ("large-model", "2026-07-18")
    short = refer(b"six", "text/plain")[0]
    part = combine.transfer(
        to_body(source), target=target, delivered=short, atoms=["six"], **fields
    )
    assert (part.completeness, part.compression_ratio) == (0.5, 10.0 / 3.0)
    unknown = combine.transfer(source, target=target, delivered=short, **fields)
    assert unknown.completeness is None
    with pytest.raises(RecordError, match="derivation_mismatch"):
        whole.model_copy(update={"completeness": 0.5})
    with pytest.raises(RecordError, match="derivation_mismatch"):
        part.model_copy(update={"compression_ratio": math.nextafter(10.0 / 3.0, 0.0)})
