"""Derived values of a witness, recomputed (specs/03 section 2)."""

from __future__ import annotations

from typing import Any

from .errors import Refused

BAND_A_MIN = 0.95
BAND_B_MIN = 0.80
PRICED_UNITS = 1_000_000.0
KAPPA_THRESHOLDS = {"critical": 0.95, "important": 0.85, "routine": 0.70, "low_stakes": 0.60}


def band(score: float) -> str:
    """Return the band of a confidence score."""
    if score >= BAND_A_MIN:
        return "A"
    return "B" if score >= BAND_B_MIN else "C"


def cost_usd(usage: dict[str, int], prices: dict[str, float]) -> float:
    """Return the cost in US dollars; prices are for a million units, added in encoding order."""
    total = 0.0
    for unit, count in usage.items():
        total += count * prices[unit]
    return total / PRICED_UNITS


def mismatches(witness: dict[str, Any]) -> list[Refused]:
    """Return what differs in a checked witness body, in the order of the page; mostly nothing."""
    found: list[Refused] = []
    meta, output = witness["meta"], witness["output"]
    score = witness.get("uncertainty", meta).get("confidence_score")
    if score is not None:
        want = band(score)
        if witness["uncertainty"]["confidence_band"] != want:
            found.append(_differs("band_mismatch", want, witness["uncertainty"]["confidence_band"]))
    threshold = meta["kappa_threshold"]
    if threshold != KAPPA_THRESHOLDS[meta["task_criticality"]]:
        rule = KAPPA_THRESHOLDS[meta["task_criticality"]]
        found.append(_differs("threshold_mismatch", rule, threshold))
    if score is not None and meta["kappa_gate_passed"] is not (score >= threshold):
        found.append(_differs("gate_mismatch", score >= threshold, meta["kappa_gate_passed"]))
    if "total_tokens" in output:
        total = witness["data"]["prompt_tokens"] + output["output_tokens"]
        if output["total_tokens"] != total:
            found.append(_differs("total_mismatch", total, output["total_tokens"]))
    cost = witness.get("cost", ())
    if "prices" in cost:
        price = cost_usd(cost["usage"], cost["prices"])
        if cost["cost_usd"] != price:
            found.append(_differs("cost_mismatch", price, cost["cost_usd"]))
    return found


def _differs(code: str, expected: object, actual: object) -> Refused:
    what = code.removesuffix("_mismatch")
    return Refused(code, f"the recorded {what} does not follow", str(expected), str(actual))
