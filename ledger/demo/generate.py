"""Writing an answer: one token after another, drawn from the model's distribution.

The candidates are the `top_k` likeliest tokens, then of these the fewest whose tempered mass
reaches `top_p`; a candidate is drawn with probability proportional to p^(1/temperature).
Temperature 0 takes the likeliest token, and of equals the one first in the vocabulary. Reported
log-probabilities are natural logarithms of p itself, before temperature, top_k and top_p (nucleus
sampling: Holtzman et al., "The curious case of neural text degeneration", ICLR 2020).

An answer ends at the end token, at a stop sequence, or at the first end of a sentence from token
24 on ("stop"), or at `max_tokens` ("length"). The end token is not drawn first, so an answer has
at least one token unless a stop sequence takes it away. A token that would run into the one before
it ("cat", "alog") is put back and another drawn, so that tokenising an answer gives its tokens.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import accumulate
from random import Random
from typing import Literal

from ledger.demo.ngram import END_ID, ORDER, NgramModel
from ledger.demo.tokens import ends_sentence, is_word, keeps_boundaries, tokenize

SENTENCE_STOP_FROM = 24
# After a prompt that ends in a mark ("... it?") the first token is drawn half from the prompt, so
# that the answer opens on its subject; a prompt that breaks off in a sentence is rather continued.
# Later tokens come from the prompt seldom, so that sentences hold together.
OPENING_CACHE_WEIGHT = 0.5
CACHE_WEIGHT = 0.08

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to draw an answer.

    `seed` is any integer (its sign is not used); `temperature` >= 0 and finite; `top_p` in 0..1;
    `top_k` >= 0 tokens, 0 for no bound; `max_tokens` >= 1; `top_logprobs` >= 0 alternatives per
    token; `stop` holds non-empty texts. Raises ValueError on anything else.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 128
    top_logprobs: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be finite and >= 0, not {self.temperature}")
        if not 0 <= self.top_p <= 1:
            raise ValueError(f"top_p must be in 0..1, not {self.top_p}")
        for name, least in (("top_k", 0), ("max_tokens", 1), ("top_logprobs", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, not {getattr(self, name)}")
        if "" in self.stop:
            raise ValueError("a stop sequence must not be empty")


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token and its natural log-probability under the model."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Step:
    """One token of an answer, with the likeliest tokens in its place, likeliest first."""

    token: str
    logprob: float
    alternatives: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer: its text, its tokens and why it ended; counts are in tokens of the model.

    The text is the concatenation of the tokens, and tokenising it gives them again, except that a
    stop sequence which begins inside the last token cuts that token short.
    """

    text: str
    steps: tuple[Step, ...]
    finish_reason: FinishReason
    prompt_tokens: int

    @property
    def completion_tokens(self) -> int:
        """How many tokens the answer has."""
        return len(self.steps)


DEFAULTS = Parameters()


def generate(
    model: NgramModel,
    prompt: str,
    parameters: Parameters = DEFAULTS,
    background: Sequence[str] = (),
) -> Generation:
    """Write the answer that follows a prompt.

    The end of the prompt is the context of the first token; `background` (earlier messages) and
    the prompt together fill the cache and are counted in `prompt_tokens`. The same arguments give
    the same answer in every process.
    """
    rng = Random(parameters.seed)  # noqa: S311 - repeatable draws, not secrets
    prompt_tokens = [token for part in (*background, prompt) for token in tokenize(part)]
    cache = model.cache(prompt_tokens)
    context = model.context(prompt)
    opens = not is_word(prompt.rstrip()[-1:])
    weight = OPENING_CACHE_WEIGHT if opens else CACHE_WEIGHT
    steps: list[Step] = []
    text = ""
    finish_reason: FinishReason = "length"
    while len(steps) < parameters.max_tokens:
        probabilities = model.distribution(context, cache, weight)
        weight = CACHE_WEIGHT
        before = [step.token for step in steps[-2:]]
        chosen = _choose(model, probabilities, before, parameters, rng)
        if chosen == END_ID:
            finish_reason = "stop"
            break
        token = model.vocabulary[chosen]
        steps.append(_step(model, probabilities, chosen, parameters.top_logprobs))
        cut = _find_stop(text, token, parameters.stop)
        text += token
        if cut is not None:
            text, steps = text[:cut], _before(steps, cut)
            finish_reason = "stop"
            break
        if len(steps) >= SENTENCE_STOP_FROM and ends_sentence(before[-1], token):
            finish_reason = "stop"
            break
        context = (*context, chosen)[-(ORDER - 1) :]
    return Generation(text, tuple(steps), finish_reason, len(prompt_tokens))


def _choose(
    model: NgramModel,
    probabilities: list[float],
    before: list[str],
    parameters: Parameters,
    rng: Random,
) -> int:
    weights = probabilities.copy()
    if not before:
        weights[END_ID] = 0.0
    # Ends, since every token may come first and the end token may always come later.
    while True:
        chosen = _draw(weights, parameters, rng)
        if chosen == END_ID or keeps_boundaries(before, model.vocabulary[chosen]):
            return chosen
        weights[chosen] = 0.0


def _draw(weights: list[float], parameters: Parameters, rng: Random) -> int:
    numbers: Sequence[int] = range(len(weights))
    if parameters.temperature == 0:
        return max(numbers, key=weights.__getitem__)
    if parameters.top_k or parameters.top_p < 1:
        # nlargest keeps equals in vocabulary order, as a stable sort does.
        numbers = nlargest(parameters.top_k or len(weights), numbers, key=weights.__getitem__)
    tempered = [weights[number] for number in numbers]
    if parameters.temperature != 1:
        # Relative to the largest, so that a small temperature cannot underflow all of them.
        largest, exponent = max(tempered), 1 / parameters.temperature
        tempered = [(value / largest) ** exponent for value in tempered]
    cumulative = list(accumulate(tempered))
    if parameters.top_p < 1:
        del cumulative[bisect_left(cumulative, parameters.top_p * cumulative[-1]) + 1 :]
    position = bisect_right(cumulative, rng.random() * cumulative[-1], 0, len(cumulative) - 1)
    return numbers[position]


def _step(model: NgramModel, probabilities: list[float], chosen: int, alternatives: int) -> Step:
    best = nlargest(alternatives, range(len(probabilities)), key=probabilities.__getitem__)
    return Step(
        model.vocabulary[chosen],
        math.log(probabilities[chosen]),
        tuple(TokenLogprob(model.vocabulary[n], math.log(probabilities[n])) for n in best),
    )


def _find_stop(text: str, token: str, stop: tuple[str, ...]) -> int | None:
    """Return where the earliest stop sequence begins that the token completes."""
    found = [
        (text + token).find(sequence, max(0, len(text) - len(sequence) + 1)) for sequence in stop
    ]
    return min((position for position in found if position >= 0), default=None)


def _before(steps: list[Step], cut: int) -> list[Step]:
    """Keep the steps that show at least one character before a cut."""
    starts = accumulate((len(step.token) for step in steps), initial=0)
    return [step for step, start in zip(steps, starts, strict=False) if start < cut]
