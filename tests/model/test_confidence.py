"""Confidence numbers from log-probabilities are those of specs/03 §3."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import RecordError
from ledger.model import Uncertainty, derive
from ledger.model.confidence import TokenLogprob, from_logprobs, read_logprobs

HALF = math.log(0.5)


def test_the_score_is_the_geometric_mean_probability() -> None:
    """exp of the mean: two tokens of 1 and 1/4 give 1/2."""
    estimate = from_logprobs([TokenLogprob("a", 0.0), TokenLogprob("b", 2 * HALF)])
    assert estimate["confidence_score"] == pytest.approx(0.5)
    assert estimate["confidence_method"] == "logprobs"
    assert "entropy" not in estimate
    assert "top_k_probs" not in estimate


def test_entropy_counts_the_unreported_rest_as_one_alternative() -> None:
    """Alternatives 1/2 and 1/4 leave a rest of 1/4: 1.5 bits, in nats."""
    token = TokenLogprob("a", HALF, (("a", HALF), ("b", 2 * HALF)))
    assert from_logprobs([token])["entropy"] == pytest.approx(1.5 * math.log(2))


def test_entropy_is_a_mean_over_positions() -> None:
    """A sure position halves the entropy of an even one."""
    sure = TokenLogprob("x", 0.0, (("x", 0.0),))
    even = TokenLogprob("a", HALF, (("a", HALF), ("b", HALF)))
    assert from_logprobs([sure, even])["entropy"] == pytest.approx(math.log(2) / 2)


def test_the_alternatives_kept_are_those_of_the_first_least_probable_token() -> None:
    """Position counts from 0; the chosen token is among them even when it was not listed."""
    low = TokenLogprob("z", -3.0, (("b", -2.0), ("a", -0.5)))
    estimate = from_logprobs([TokenLogprob("x", -0.1, (("x", -0.1),)), low, low])
    assert estimate["top_k_position"] == 1
    assert [item["token"] for item in estimate["top_k_probs"]] == ["a", "b", "z"]


def test_an_output_without_tokens_says_nothing() -> None:
    """No number is made up."""
    assert from_logprobs([]) == {}


@pytest.mark.parametrize("value", [math.nan, 0.5, "x", None, True])
def test_a_number_that_is_no_log_probability_is_refused(value: Any) -> None:
    """NaN and probabilities above 1 are `record_invalid`."""
    with pytest.raises(RecordError, match="record_invalid"):
        read_logprobs([value])
    with pytest.raises(RecordError, match="record_invalid"):
        read_logprobs([{"token": "a", "logprob": value}])


def test_an_impossible_token_makes_a_score_of_zero() -> None:
    """Minus infinity is a log-probability, and so is the −9999 that OpenAI writes."""
    assert from_logprobs([TokenLogprob("a", -math.inf)])["confidence_score"] == 0.0
    assert from_logprobs([TokenLogprob("a", -9999.0)])["confidence_score"] == 0.0


_logprobs = st.floats(-50.0, 0.0)


@given(
    st.lists(
        st.builds(
            TokenLogprob,
            st.text(max_size=3),
            _logprobs,
            st.lists(st.tuples(st.text(max_size=3), _logprobs), max_size=4).map(tuple),
        ),
        max_size=5,
    )
)
def test_every_estimate_fits_the_uncertainty_group(tokens: list[TokenLogprob]) -> None:
    """Whatever a provider reports, the fields obey specs/03 §1.4, or are absent."""
    estimate: dict[str, Any] = {**from_logprobs(tokens)}
    if estimate:
        band = derive.band(estimate["confidence_score"])
        Uncertainty(**estimate, confidence_band=band)
