"""What a replay says for people: one sentence, with nothing of what was asked or answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger.errors import ReplayError
from ledger.model.replay import LEVELS, Level, State
from ledger.replay.engine import Result
from ledger.replay.levels import Comparison, Seen, reached

__all__ = ["describe"]

_MAX = 1000
_CHANGES = 4
_VALUE_MAX = 40
_DIFFERS: dict[Level, str] = {
    "archive": "what was recorded is not all there",
    "text": "another output",
    "tokens": "other tokens",
    "logprobs": "other log-probabilities",
    "bits": "another raw output",
}


def describe(
    wanted: Level,
    levels: Mapping[Level, State],
    comparison: Comparison | None,
    result: Result | ReplayError | None,
    expected: Seen,
    replayed: Seen | None,
) -> str:
    """Say how far a run agrees with what was recorded."""
    if isinstance(result, ReplayError):
        said = result.message.replace("\0", "").encode("utf-8", "backslashreplace")
        return said.decode()[:_MAX]
    level = reached(levels)
    parts = [f"the same up to {level}" if level != "none" else ""]
    parted = next((one for one in LEVELS if levels[one] == "differs"), None)
    if parted == "bits" and comparison is not None and comparison.raw_identical:
        parts.append("the raw output too")
    elif parted is not None:
        parts.append(_DIFFERS[parted] + _where(comparison))
    if comparison is not None and comparison.environment_identical is False:
        parts.append("in another environment" + _changes(expected, replayed))
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


def _changes(expected: Seen, replayed: Seen | None) -> str:
    """Which members of the environment are others, the first few."""
    if expected.environment is None or replayed is None or replayed.environment is None:
        return ""
    before, after = _flat(expected.environment), _flat(replayed.environment)
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    told = [
        f"{name} {_short(before.get(name))} → {_short(after.get(name))}"
        for name in changed[:_CHANGES]
    ]
    if len(changed) > _CHANGES:
        told.append(f"{len(changed) - _CHANGES} more")
    return f" ({', '.join(told)})" if told else ""


def _flat(environment: bytes) -> dict[str, Any]:
    """The members of an environment, those of inner objects by `outer.inner`."""
    try:
        document = json.loads(environment)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, Any] = {}
    for name, value in document.items() if isinstance(document, dict) else ():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        found |= {f"{name}.{key}" if key else name: one for key, one in inner}
    return found


def _short(value: object) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 1] + "…"
