"""Values that follow from others of a witness: the one place where they are made (specs/03 §2).

| value | rule | code when a record says otherwise |
|---|---|---|
| band | `A` if score >= 0.95; else `B` if score >= 0.80; else `C` | `band_mismatch` |
| threshold | 0.95 critical, 0.85 important, 0.70 routine, 0.60 low_stakes | `threshold_mismatch` |
| gate | score >= threshold | `gate_mismatch` |
| total | prompt tokens + output tokens | `total_mismatch` |
| cost | sum of usage x price / 1,000,000, in the order of the encoding | `cost_mismatch` |

Comparisons are of IEEE 754 doubles as recorded: nothing is rounded first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ledger.errors import RecordError

Band = Literal["A", "B", "C"]
Criticality = Literal["critical", "important", "routine", "low_stakes"]

BAND_A_MIN = 0.95
BAND_B_MIN = 0.80
KAPPA_THRESHOLDS: dict[Criticality, float] = {
    "critical": 0.95,
    "important": 0.85,
    "routine": 0.70,
    "low_stakes": 0.60,
}


def band(score: float) -> Band:
    """Return the confidence band of a score in 0.0 to 1.0."""
    if score >= BAND_A_MIN:
        return "A"
    return "B" if score >= BAND_B_MIN else "C"


def threshold(criticality: Criticality) -> float:
    """Return the lowest score with which an operation of this criticality passes its gate."""
    return KAPPA_THRESHOLDS[criticality]


def gate(score: float, kappa_threshold: float) -> bool:
    """Say whether a score passes a threshold."""
    return score >= kappa_threshold


def total(prompt_tokens: int, output_tokens: int) -> int:
    """Return the tokens of prompt and output together."""
    return prompt_tokens + output_tokens


def cost(usage: Mapping[str, int], prices: Mapping[str, float]) -> float:
    """Return US dollars for billed units at prices per 1,000,000; both have the same keys.

    Keys are names of the profile, added shortest first, then bytewise, so that equal maps have
    equal sums.

    >>> cost({"output_tokens": 8, "input_tokens": 16}, {"input_tokens": 0.25, "output_tokens": 0.5})
    8e-06
    """
    sum_ = 0.0
    for key in sorted(usage, key=lambda name: (len(name), name)):
        sum_ += float(usage[key]) * prices[key]
    return sum_ / 1_000_000.0


def check_band(score: float, recorded: Band) -> None:
    """Raise `RecordError` `band_mismatch` unless the recorded band is the score's."""
    if recorded != band(score):
        raise RecordError(
            "band_mismatch",
            f"uncertainty.confidence_band is {recorded}, a score of {score} is {band(score)}",
        )


def check_threshold(criticality: Criticality, recorded: float) -> None:
    """Raise `RecordError` `threshold_mismatch` unless it is the criticality's threshold."""
    if recorded != threshold(criticality):
        raise RecordError(
            "threshold_mismatch",
            f"meta.kappa_threshold is {recorded}, {criticality} has {threshold(criticality)}",
        )


def check_gate(score: float, kappa_threshold: float, recorded: bool) -> None:
    """Raise `RecordError` `gate_mismatch` unless the gate is what score and threshold say."""
    if recorded is not gate(score, kappa_threshold):
        raise RecordError(
            "gate_mismatch",
            f"meta.kappa_gate_passed is {str(recorded).lower()}, but the score is {score} "
            f"and the threshold {kappa_threshold}",
        )


def check_total(prompt_tokens: int, output_tokens: int, recorded: int) -> None:
    """Raise `RecordError` `total_mismatch` unless the total is the sum of the two counts."""
    if recorded != total(prompt_tokens, output_tokens):
        raise RecordError(
            "total_mismatch",
            f"output.total_tokens is {recorded}, the counts make "
            f"{total(prompt_tokens, output_tokens)}",
        )


def check_cost(usage: Mapping[str, int], prices: Mapping[str, float], recorded: float) -> None:
    """Raise `RecordError` `cost_mismatch` unless the cost follows from usage and prices."""
    if recorded != cost(usage, prices):
        raise RecordError(
            "cost_mismatch",
            f"cost.cost_usd is {recorded}, usage and prices make {cost(usage, prices)}",
        )
