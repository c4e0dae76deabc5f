"""Levels of agreement between what was recorded and what a replay gave (specs/13 section 6)."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .calls import CALL_BODY_MAX_BYTES, media_type
from .jcs import canonical
from .observation import Observation

LEVELS = ("archive", "text", "tokens", "logprobs", "bits")
MATCH, DIFFERS, NOT_OBSERVABLE, NOT_RUN = "match", "differs", "not_observable", "not_run"
STATES = (MATCH, DIFFERS, NOT_OBSERVABLE, NOT_RUN)
NONE = "none"
_PIECE = 1 << 16


class Seen(NamedTuple):
    """One side of a comparison, as far as there is any."""

    output: bytes | None = None
    media_type: str | None = None
    observation: Observation | None = None
    environment: bytes | None = None


class Comparison(NamedTuple):
    """What a comparison finds; `levels` are those after `archive`, None is for "not there"."""

    levels: dict[str, str]
    first_difference: dict[str, int] | None
    logprob_difference: float | None
    raw_identical: bool | None
    environment_identical: bool | None


def compare(expected: Seen, replayed: Seen, epsilon: float) -> Comparison:
    """Compare what a replay gave with what was expected."""
    found = observed(expected, replayed, epsilon)
    return found._replace(levels=chained(found.levels))


def observed(expected: Seen, replayed: Seen, epsilon: float) -> Comparison:
    """Compare each level by itself, whatever the ones before it are."""
    a, b = expected.observation or Observation(), replayed.observation or Observation()
    states = dict.fromkeys(LEVELS[1:], NOT_OBSERVABLE)
    first: dict[str, int] = {}
    if expected.output is not None and replayed.output is not None:
        same = same_content(
            expected.output, expected.media_type, replayed.output, replayed.media_type
        )
        states["text"] = _state(same)
        at = None if same else first_character(expected.output, replayed.output)
        if at is not None:
            first["character"] = at
    lists = _tokens(a, b)
    if lists is not None:
        states["tokens"] = _state(lists[0] == lists[1])
        if lists[0] != lists[1]:
            first["token"] = _first(*lists)
    furthest = None
    if a.logprobs is not None and b.logprobs is not None:
        states["logprobs"] = DIFFERS
        if len(a.logprobs) == len(b.logprobs):
            furthest = max((abs(x - y) for x, y in zip(a.logprobs, b.logprobs, strict=True)),
                           default=None)  # fmt: skip
            states["logprobs"] = _state(furthest is None or furthest <= epsilon)
    raw = None if a.raw is None or b.raw is None else a.raw == b.raw
    where = None
    if expected.environment is not None and replayed.environment is not None:
        where = expected.environment == replayed.environment
    if raw is not None and where is not None:
        states["bits"] = _state(raw and where)
    if furthest is not None and not math.isfinite(furthest):
        furthest = None  # no float of a statement can say it
    return Comparison(states, first or None, furthest, raw, where)


def chained(states: Mapping[str, str]) -> dict[str, str]:
    """Return states in which no level is `match` after one that differs."""
    out: dict[str, str] = {}
    for level in LEVELS:
        if level in states:
            state = states[level]
            out[level] = DIFFERS if state == MATCH and DIFFERS in out.values() else state
    return out


def reached(states: Mapping[str, str]) -> str:
    """Return the level reached: the last one that is `match`, or `none`."""
    matching = [level for level in LEVELS if states.get(level) == MATCH]
    return matching[-1] if matching else NONE


def lowest(levels: Sequence[str]) -> str | None:
    """Return the lowest of some levels reached; None if there are none."""
    return min(levels, key=(NONE, *LEVELS).index, default=None)


def same_content(a: bytes, kind_a: str | None, b: bytes, kind_b: str | None) -> bool:
    """Return whether two outputs are the same: as bytes, or as JSON if both are."""
    if a == b:
        return True
    if not (_is_json(kind_a) and _is_json(kind_b)):
        return False
    if max(len(a), len(b)) > CALL_BODY_MAX_BYTES:
        return False
    form = canonical(a)
    return form is not None and form == canonical(b)


def first_character(a: bytes, b: bytes) -> int | None:
    """Return the first code point at which two texts differ; None unless both are UTF-8."""
    if not (_is_utf8(a) and _is_utf8(b)):
        return None
    at = _common(a, b)
    # The bytes before are the same, and end inside of a character if the next one continues it.
    inside = any(one[at : at + 1] and one[at] & 0xC0 == 0x80 for one in (a, b))
    return sum(byte & 0xC0 != 0x80 for byte in memoryview(a)[:at]) - inside


def _tokens(a: Observation, b: Observation) -> tuple[Sequence[object], Sequence[object]] | None:
    """Return the lists of tokens that are compared: ids, or texts if not both have ids."""
    if a.token_ids is not None and b.token_ids is not None:
        return a.token_ids, b.token_ids
    if a.token_texts is not None and b.token_texts is not None:
        return a.token_texts, b.token_texts
    return None


def _state(same: bool) -> str:
    return MATCH if same else DIFFERS


def _first(a: Sequence[object], b: Sequence[object]) -> int:
    pairs = enumerate(zip(a, b, strict=False))
    return next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))


def _is_json(kind: str | None) -> bool:
    plain = media_type(kind or "")
    return plain == "application/json" or plain.endswith("+json")


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), _PIECE):
            decoder.decode(data[at : at + _PIECE])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _common(a: bytes, b: bytes) -> int:
    """Return how many bytes at the beginning are the same."""
    shorter = min(len(a), len(b))
    for at in range(0, shorter, _PIECE):
        x, y = a[at : at + _PIECE], b[at : at + _PIECE]
        if x != y:
            return at + next((n for n, (i, j) in enumerate(zip(x, y, strict=False)) if i != j),
                             min(len(x), len(y)))  # fmt: skip
    return shorter
