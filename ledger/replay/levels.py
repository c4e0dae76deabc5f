"""How far a replay agrees with what was recorded (specs/13 section 6); pure.

>>> from ledger.model.archive import Media
>>> one = Seen(output=Media(b"forty-two", "text/plain"))
>>> two = Seen(output=Media(b"forty-four", "text/plain"))
>>> found = compare(one, two)
>>> found.levels["text"], found.first_character
('differs', 6)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ledger.errors import FormatError
from ledger.formats.call import canonical, read_ijson
from ledger.formats.containing import is_json
from ledger.formats.observation import Observation
from ledger.model.archive import Media
from ledger.model.replay import LEVELS, Level, State

__all__ = ["EPSILON", "LEVELS", "Comparison", "Level", "Seen", "State", "compare", "reached"]

EPSILON = 1e-5
"""How far log-probabilities may be apart by default, in nats."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one run: recorded, or just now."""

    output: Media | None = None
    observation: Observation | None = None
    environment: bytes | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The states of all levels but `archive`, and where and how far the runs are apart."""

    levels: dict[Level, State]
    first_token: int | None = None
    first_character: int | None = None
    logprob_difference: float | None = None
    raw_identical: bool | None = None
    environment_identical: bool | None = None


def reached(levels: Mapping[Level, State]) -> str:
    """The last level that is a match, or `none`."""
    return next((level for level in reversed(LEVELS) if levels[level] == "match"), "none")


def compare(expected: Seen, replayed: Seen, epsilon: float = EPSILON) -> Comparison:
    """Compare two runs; no level after one that differs is a match."""
    same_text, character = _text(expected.output, replayed.output)
    one, other = expected.observation, replayed.observation
    token = same_logprobs = difference = raw = None
    if one is not None and other is not None:
        token = _first_token(one, other)
        same_logprobs, difference = _logprobs(one.logprobs, other.logprobs, epsilon)
        raw = None if one.raw is None or other.raw is None else one.raw == other.raw
    same_tokens = None if token is None else token < 0
    known = expected.environment is not None and replayed.environment is not None
    environment = expected.environment == replayed.environment if known else None
    bits = None if raw is None or environment is None else raw and environment
    levels: dict[Level, State] = {}
    parted = False
    for level, same in zip(LEVELS[1:], (same_text, same_tokens, same_logprobs, bits), strict=True):
        parted = parted or same is False
        levels[level] = "not_observable" if same is None else "differs" if parted else "match"
    return Comparison(
        levels,
        token if token is not None and token >= 0 else None,
        character,
        difference,
        raw,
        environment,
    )


def _text(one: Media | None, other: Media | None) -> tuple[bool | None, int | None]:
    """Whether outputs are the same, and the first character at which they are not."""
    if one is None or other is None:
        return None, None
    if one.data == other.data:
        return True, None
    if is_json(one.media_type) and is_json(other.media_type):
        values = _value(one.data), _value(other.data)
        if None not in values and values[0] == values[1]:
            return True, None
    try:
        texts = one.data.decode(), other.data.decode()
    except UnicodeDecodeError:
        return False, None
    return False, _first(zip_longest(*texts))


def _value(data: bytes) -> bytes | None:
    try:
        return canonical(read_ijson(data))
    except (ValueError, RecursionError, FormatError):
        return None


def _first_token(one: Observation, other: Observation) -> int | None:
    """The first token that differs, -1 if none does, None if there are none to compare."""
    ids, texts = (one.token_ids, other.token_ids), (one.token_texts, other.token_texts)
    for first, second in (ids, texts):
        if first is not None and second is not None:
            found = _first(zip_longest(first, second))
            return -1 if found is None else found
    return None


def _first(pairs: Iterable[tuple[Any, Any]]) -> int | None:
    return next((place for place, (a, b) in enumerate(pairs) if a != b), None)


def _logprobs(
    one: Sequence[float] | None, other: Sequence[float] | None, epsilon: float
) -> tuple[bool | None, float | None]:
    """Whether log-probabilities agree, and the largest difference if there are as many."""
    if one is None or other is None:
        return None, None
    if len(one) != len(other):
        return False, None
    largest = max((abs(a - b) for a, b in zip(one, other, strict=True)), default=None)
    if largest is not None and not math.isfinite(largest):
        return False, None  # no number of a statement can say it
    return largest is None or largest <= epsilon, largest
