"""Derived values of a witness (specs/03 §2), and the two ways to make one."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import RecordError
from ledger.model import Model, Uncertainty, Witness, from_body, to_body
from tests.model.witness_parts import REF, changed, full, refused


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (1.0, "A"),
        (0.95, "A"),
        (0.9499999999999998, "B"),
        (0.8, "B"),
        (0.7999999999999999, "C"),
        (0.0, "C"),
    ],
)
def test_the_band_is_that_of_the_score(score: float, band: str) -> None:
    """The right band is accepted; the two others are `band_mismatch`."""
    for said in "ABC":
        body = changed(
            full(),
            uncertainty__confidence_score=score,
            uncertainty__confidence_band=said,
            meta__kappa_gate_passed=score >= 0.7,
        )
        if said == band:
            from_body("witness", body)
        else:
            assert refused(body).code == "band_mismatch"


@pytest.mark.parametrize(
    ("criticality", "threshold"),
    [("critical", 0.95), ("important", 0.85), ("routine", 0.7), ("low_stakes", 0.6)],
)
def test_threshold_and_gate_follow_from_criticality_and_score(
    criticality: str, threshold: float
) -> None:
    """Another threshold is `threshold_mismatch`, another gate `gate_mismatch`."""
    for score in (threshold, threshold - 0.01):
        body = changed(
            full(),
            uncertainty__confidence_score=score,
            uncertainty__confidence_band="A" if score >= 0.95 else "B" if score >= 0.8 else "C",
            meta__task_criticality=criticality,
            meta__kappa_threshold=threshold,
            meta__kappa_gate_passed=score >= threshold,
        )
        from_body("witness", body)
        wrong = changed(body, meta__kappa_threshold=threshold + 0.001)
        assert refused(wrong).code == "threshold_mismatch"
        wrong = changed(body, meta__kappa_gate_passed=score < threshold)
        assert refused(wrong).code == "gate_mismatch"


def test_the_total_is_the_sum() -> None:
    """Another total is `total_mismatch`."""
    assert refused(changed(full(), output__total_tokens=16)).code == "total_mismatch"


def test_the_cost_is_what_units_and_prices_make() -> None:
    """Added in the order of the encoding, compared exactly; another cost is `cost_mismatch`."""
    cost = {
        "price_table": "p",
        "usage": {"aa": 1, "c": 1, "b": 1},
        "prices": {"aa": 0.1, "b": 0.2, "c": 0.3},
    }
    right = ((0.0 + 0.2) + 0.3 + 0.1) / 1_000_000.0
    other = ((0.0 + 0.1) + 0.2 + 0.3) / 1_000_000.0
    assert right != other
    from_body("witness", {**full(), "cost": {**cost, "cost_usd": right}})
    for wrong in (other, 0.0, 0.01):
        body = {**full(), "cost": {**cost, "cost_usd": wrong}}
        assert refused(body).code == "cost_mismatch"


def test_a_count_beyond_doubles_is_rounded_before_it_is_multiplied() -> None:
    """`usage` is an integer of up to 2^63 - 1; the product is one of doubles."""
    cost = {"price_table": "p", "usage": {"u": 2**63 - 1}, "prices": {"u": 3.0}}
    body = {**full(), "cost": {**cost, "cost_usd": float(2**63) * 3.0 / 1_000_000.0}}
    from_body("witness", body)


def test_body_invalid_goes_before_derived_values() -> None:
    """A body that has no right shape is not judged by its derived values."""
    body = changed(full(), output__total_tokens=16, cost__tokens_used=-1)
    assert refused(body).code == "body_invalid"


def test_a_message_names_the_path_and_not_the_value() -> None:
    """Neither a secret nor a megabyte ends up in an error message."""
    secret = "sk-secret" + "x" * 100_000
    error = refused(changed(full(), model__model_id=secret, raw__request=secret))
    assert "model.model_id" in error.message
    assert "raw.request" in error.message
    assert "sk-secret" not in error.message
    error = refused({**full(), "k\x1b[31m" + "x" * 1000: 1})
    assert len(error.message) < 200
    assert "\x1b" not in error.message


@pytest.mark.parametrize("body", [None, [], "x", 1, {1: 2}, {"version": 1, b"x": 1}])
def test_what_is_no_body_at_all_is_refused(body: Any) -> None:
    """Any value at all is answered with `body_invalid`."""
    assert refused(body).code == "body_invalid"


def test_construction_is_friendly_where_reading_is_strict() -> None:
    """Integers for floats, tuples and lists for arrays, None for absent; −0.0 becomes 0.0."""
    group = Uncertainty(entropy=1, ece_score=-0.0, confidence_score=None)
    assert to_body(group) == {"ece_score": 0.0, "entropy": 1.0}
    assert str(group.ece_score) == "0.0"
    assert type(group.entropy) is float


def test_construction_refuses_with_a_record_error() -> None:
    """A caller sees `RecordError`, whichever way a model is made."""
    with pytest.raises(RecordError, match="body_invalid"):
        Model(model_id="")
    with pytest.raises(RecordError, match="body_invalid"):
        Model(model_id="m").model_copy(update={"vendor": ""})
    with pytest.raises(RecordError, match="total_mismatch"):
        Witness(**changed(full(), output__total_tokens=16))


def test_a_model_cannot_be_changed() -> None:
    """Models are frozen, and hold no map of the caller's."""
    parameters = {"stop": ["a"]}
    record = Witness(**changed(full(), replay__other_params=parameters))
    with pytest.raises(ValueError, match="frozen"):
        record.operation = "x"  # type: ignore[misc]
    parameters["stop"].append("b")
    assert to_body(record)["replay"]["other_params"] == {"stop": ["a"]}


def test_other_params_may_hold_a_reference_and_every_value_of_the_profile() -> None:
    """Free values are kept as they are, null and bytes among them."""
    values = {"ref": REF, "null": None, "bytes": b"x", "deep": [[{"a": [1, 2.5, -(2**64)]}]]}
    body = changed(full(), replay__other_params=values)
    assert to_body(from_body("witness", body)) == body


def test_other_params_nested_too_deeply_are_refused() -> None:
    """What the CBOR profile could not hold at that place is refused here already."""
    value: Any = 1
    for _ in range(29):
        value = [value]
    assert refused(changed(full(), replay__other_params={"a": value})).code == "body_invalid"
    from_body("witness", changed(full(), replay__other_params={"a": value[0]}))
