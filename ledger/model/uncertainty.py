"""How certain an operation was (specs/03 §1.4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.model.base import Group
from ledger.model.derive import Band
from ledger.model.groups import both_or_neither
from ledger.model.values import Amount, Array, Count, Ratio, TokenText

ConfidenceMethod = Literal["logprobs", "entropy", "verbal", "markers", "heuristic"]

TOP_K_MAX = 20
PROBABILITY_SLACK = 1e-6


class TokenProbability(Group):
    """A token that could have stood at an output position, and how probable it was."""

    token: TokenText
    probability: Ratio


class Uncertainty(Group):
    """Confidence of the producer in the output; the witness checks its band (specs/03 §2)."""

    confidence_score: Ratio | None = None
    confidence_band: Band | None = None
    confidence_method: ConfidenceMethod | None = None
    ece_score: Ratio | None = None
    entropy: Amount | None = None
    top_k_probs: (
        Annotated[tuple[TokenProbability, ...], Array, Field(min_length=1, max_length=TOP_K_MAX)]
        | None
    ) = None
    top_k_position: Count | None = None

    @model_validator(mode="after")
    def _parts_come_together(self) -> Self:
        score = self.confidence_score
        both_or_neither("confidence_band", self.confidence_band, "confidence_score", score)
        both_or_neither("confidence_method", self.confidence_method, "confidence_score", score)
        both_or_neither("top_k_position", self.top_k_position, "top_k_probs", self.top_k_probs)
        return self

    @model_validator(mode="after")
    def _probabilities_are_of_one_position(self) -> Self:
        values = [item.probability for item in self.top_k_probs or ()]
        if any(later > earlier for earlier, later in pairwise(values)):
            raise ValueError("top_k_probs must be in descending order of probability")
        if sum(values) > 1.0 + PROBABILITY_SLACK:
            raise ValueError("top_k_probs add up to more than 1")
        return self
