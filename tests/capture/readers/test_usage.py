"""Billed units: what providers nest is taken apart, and what does not add up is not taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.capture.readers import usage

small = st.integers(0, 10_000)


@given(small, small, small, small, small, small)
def test_openai_units_add_up_to_the_reported_totals(
    rest: int, cached: int, written: int, said: int, reasoning: int, audio: int
) -> None:
    """Whatever the parts, each token is in exactly one unit."""
    entry, out = rest + cached + written, said + reasoning + audio
    counts = {
        "prompt_tokens": entry,
        "completion_tokens": out,
        "total_tokens": entry + out,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": audio},
    }
    found = usage.openai(counts)
    into = [value for unit, value in found.items() if not unit.startswith("output_")]
    assert (sum(into), sum(found.values())) == (entry, entry + out)
    assert found["input_tokens"] == rest


@given(small, small, small, small, small)
def test_anthropic_units_add_up_to_the_reported_counts(
    entry: int, read: int, short: int, long: int, out: int
) -> None:
    """The parts of the prompt are apart already; writing is split by its lifetime."""
    counts = {
        "input_tokens": entry,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": out,
    }
    assert sum(usage.anthropic(counts).values()) == entry + read + short + long + out
    unsplit = {**counts, "cache_creation": None}
    assert usage.anthropic(unsplit).get("cache_write_tokens", 0) == short + long


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": {"cached_tokens": 11}},
        {"prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 2}},
        {"completion_tokens_details": {"reasoning_tokens": 6}},
        {"prompt_tokens": None},
        {"completion_tokens": -1},
        {"prompt_tokens": 10.5},
        {"completion_tokens": "5"},
    ],
)
def test_what_does_not_add_up_or_could_be_counted_twice_gives_no_units(
    more: dict[str, Any],
) -> None:
    """A cost that is known to be wrong is worse than none."""
    assert usage.openai({"prompt_tokens": 10, "completion_tokens": 5, **more}) == {}


def test_cached_tokens_beside_the_details() -> None:
    """As DeepSeek reports them."""
    counts = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}
    assert usage.openai(counts)["cache_read_tokens"] == 4


def test_more_written_to_a_cache_by_age_than_in_all_gives_no_units() -> None:
    """The two counts contradict each other."""
    counts = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 5}
    by_age = {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 4}
    assert usage.anthropic({**counts, "cache_creation": by_age}) == {}
