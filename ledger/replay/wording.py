"""What a replay says for people: one sentence, with nothing of what was asked or answered."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.errors import ReplayError
from ledger.model.replay import LEVELS, Level, State
from ledger.replay.engine import Result
from ledger.replay.levels import Comparison, reached

__all__ = ["describe"]

_MAX = 2000
_DIFFERS: dict[Level, str] = {
    "archive": "what was recorded is not all there",
    "text": "another output",
    "tokens": "other tokens",
    "logprobs": "other log-probabilities",
    "bits": "not the same bits under one environment",
}


def describe(
    wanted: Level,
    levels: Mapping[Level, State],
    comparison: Comparison | None,
    result: Result | ReplayError | None,
) -> str:
    """Say how far a run agrees with what was recorded."""
    if isinstance(result, ReplayError):
        return result.message[:_MAX]
    parts = [f"the same up to {reached(levels)}" if reached(levels) != "none" else ""]
    parted = next((level for level in LEVELS if levels[level] == "differs"), None)
    if parted is not None:
        parts.append(_DIFFERS[parted] + _where(comparison))
    if comparison is not None and comparison.environment_identical is False:
        parts.append("in another environment")
    unseen = [level for level in LEVELS if levels[level] == "not_observable"]
    if unseen:
        parts.append(f"not observable: {', '.join(unseen)}")
    if levels[wanted] == "not_run":
        parts.append(f"{wanted} was not looked at")
    return "; ".join(part for part in parts if part)[:_MAX]


def _where(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    places = []
    if comparison.first_token is not None:
        places.append(f"from token {comparison.first_token}")
    if comparison.first_character is not None:
        places.append(f"from character {comparison.first_character}")
    if comparison.logprob_difference:
        places.append(f"log-probabilities apart by {comparison.logprob_difference:.3g}")
    return f" ({', '.join(places)})" if places else ""
