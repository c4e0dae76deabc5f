"""Hypothesis settings of these tests: many quick examples, no clock, since machines are noisy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def runs(examples: int) -> settings:
    """Return settings for a property that is tried on that many examples."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
