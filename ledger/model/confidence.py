"""Confidence numbers from token log-probabilities (specs/03 §3).

    confidence_score = exp(mean l)                      the geometric mean token probability
    entropy          = mean over positions of -sum p ln p, in nats
    top_k_probs      = the alternatives where the chosen token was least probable (the first such)

The sum of an entropy goes over the alternatives that the provider reported, the chosen token among
them, and the unreported rest as one more. Where a provider reported no alternatives at some
position, entropy is not known; where it reported none at the least probable one, no top k is.

>>> estimate = from_logprobs([TokenLogprob("a", 0.0), TokenLogprob("b", -2.0)])
>>> round(estimate["confidence_score"], 4), estimate["confidence_method"]
(0.3679, 'logprobs')
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypedDict

from ledger.errors import RecordError
from ledger.model.uncertainty import PROBABILITY_SLACK, TOP_K_MAX, ConfidenceMethod
from ledger.model.values import TOKEN_MAX_BYTES

# Providers report sure tokens a rounding error above 0; more than that is not a log-probability.
LOGPROB_MAX = 1e-3


class TokenLogprob(NamedTuple):
    """An output token, its natural log-probability, and the alternatives that were reported."""

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


class Probability(TypedDict):
    """One of `top_k_probs`."""

    token: str
    probability: float


class Estimate(TypedDict, total=False):
    """Fields of the uncertainty group that log-probabilities give."""

    confidence_score: float
    confidence_method: ConfidenceMethod
    entropy: float
    top_k_probs: list[Probability]
    top_k_position: int


def from_logprobs(tokens: Sequence[TokenLogprob]) -> Estimate:
    """Return what the log-probabilities of an output say; nothing for an output without tokens.

    Raises `RecordError` `record_invalid` for numbers that are not log-probabilities.
    """
    if not tokens:
        return {}
    estimate: Estimate = {
        "confidence_score": _probability(
            math.fsum(max(_checked(token.logprob), -1e9) for token in tokens) / len(tokens)
        ),
        "confidence_method": "logprobs",
    }
    if all(token.alternatives for token in tokens):
        sums = [_entropy(p for _, p in _reported(token)) for token in tokens]
        estimate["entropy"] = max(0.0, math.fsum(sums) / len(sums))
    position = min(range(len(tokens)), key=lambda number: tokens[number].logprob)
    if tokens[position].alternatives:
        top = _top(_reported(tokens[position]))
        if top:
            estimate["top_k_probs"] = top
            estimate["top_k_position"] = position
    return estimate


def read_logprobs(value: object) -> tuple[TokenLogprob, ...]:
    """Return log-probabilities given as numbers, as `TokenLogprob`s, or as OpenAI writes them.

    OpenAI writes `{"token": text, "logprob": number, "top_logprobs": [{"token", "logprob"}, …]}`
    for each token. Raises `RecordError` `record_invalid` for anything else.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise RecordError("record_invalid", "logprobs: must be an array")
    return tuple(_read_token(item, number) for number, item in enumerate(value))


def _read_token(item: Any, number: int) -> TokenLogprob:
    try:
        if isinstance(item, TokenLogprob):
            return item
        if isinstance(item, int | float):
            return TokenLogprob("", _checked(item))
        top = item.get("top_logprobs") or ()
        return TokenLogprob(
            _text(item["token"]),
            _checked(item["logprob"]),
            tuple((_text(one["token"]), _checked(one["logprob"])) for one in top),
        )
    except (AttributeError, KeyError, TypeError):
        raise RecordError("record_invalid", f"logprobs[{number}]: not understood") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a token is text")
    return value


def _checked(logprob: float) -> float:
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise TypeError("a log-probability is a number")
    if math.isnan(logprob) or logprob > LOGPROB_MAX:
        raise RecordError("record_invalid", "logprobs: a number that is not a log-probability")
    return logprob


def _probability(logprob: float) -> float:
    return min(1.0, math.exp(logprob))


def _reported(token: TokenLogprob) -> list[tuple[str, float]]:
    """Return the probabilities of all reported alternatives, the chosen token among them.

    Two alternatives may have one text, when they are different parts of a character.
    """
    reported = [(name, _probability(_checked(logprob))) for name, logprob in token.alternatives]
    if all(name != token.token for name, _ in reported):
        reported.append((token.token, _probability(token.logprob)))
    return reported


def _entropy(probabilities: Iterable[float]) -> float:
    known = list(probabilities)
    rest = 1.0 - math.fsum(known)
    return -math.fsum(p * math.log(p) for p in [*known, rest] if p > 0.0)


def _top(reported: list[tuple[str, float]]) -> list[Probability]:
    """Return at most 20 alternatives, most probable first; none if they cannot be recorded."""
    ranked = sorted(reported, key=lambda item: -item[1])[:TOP_K_MAX]
    if sum(value for _, value in ranked) > 1.0 + PROBABILITY_SLACK:
        return []
    try:
        if any(len(name.encode()) > TOKEN_MAX_BYTES for name, _ in ranked):
            return []
    except UnicodeEncodeError:
        return []
    return [{"token": name, "probability": value} for name, value in ranked]
