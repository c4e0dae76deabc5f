"""The tokens that an answer says, with their log-probabilities (specs/13 section 5)."""

from __future__ import annotations

from collections.abc import Iterator

from .answer_choices import Parts, choices, text_of
from .jcs import SAFE_INTEGER_MAX
from .json_parts import Value
from .observation import OBSERVATION_TOKENS_MAX

Tokens = tuple[list[str], list[float]]


def tokens_of(protocol: str, choice: Value | None) -> Tokens | None:
    """Return the tokens of one choice with their log-probabilities, None if there are none."""
    logprobs = None if choice is None else choice.one("logprobs")
    if logprobs is None or protocol not in ("chat", "completions"):
        return None
    found: Tokens = ([], [])
    if protocol == "chat":
        content = logprobs.one("content")
        pairs = (one.get("token", "logprob") for one in _each(content))
    else:
        tokens, numbers = logprobs.get("tokens", "token_logprobs")
        if _length(tokens) != _length(numbers):
            return None
        pairs = ([t, n] for t, n in zip(_each(tokens), _each(numbers), strict=True))
    for token, number in pairs:
        text, value = text_of(token), _logprob(number)
        if text is None or value is None or len(found[0]) == OBSERVATION_TOKENS_MAX:
            return None
        found[0].append(text)
        found[1].append(value)
    return found if found[0] else None


def _logprob(value: Value | None) -> float | None:
    """Return a number that an observation can hold: no integer that I-JSON cannot say."""
    found = None if value is None else value.number()
    if found is None or value is None:
        return None
    whole = value.raw().lstrip(b"-").isdigit()
    return None if whole and abs(found) > SAFE_INTEGER_MAX else found


def _each(array: Value | None) -> Iterator[Value]:
    return iter(()) if array is None else array.elements()


def _length(array: Value | None) -> int:
    return sum(1 for _ in _each(array))


def tokens_streamed(protocol: str, parts: Parts) -> Tokens | None:
    """Return the tokens of a stream, joined, None if there are none."""
    found: Tokens = ([], [])
    for choice in choices(parts):
        if choice is None:
            return None
        logprobs = choice.one("logprobs")
        if logprobs is None or logprobs.kind != "object" or _nothing(protocol, logprobs):
            continue
        more = tokens_of(protocol, choice)
        if more is None or len(found[0]) + len(more[0]) > OBSERVATION_TOKENS_MAX:
            return None
        found[0].extend(more[0])
        found[1].extend(more[1])
    return found if found[0] else None


def _nothing(protocol: str, logprobs: Value) -> bool:
    """Return whether a part of a stream has no tokens, which is not to have wrong ones."""
    names = ("content",) if protocol == "chat" else ("tokens", "token_logprobs")
    return all(next(_each(one), None) is None for one in logprobs.get(*names))
