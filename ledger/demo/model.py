"""The demo model: a named n-gram model whose fingerprint says what it was made from.

It is small but real: estimated from a text at start-up, with true probabilities for every token
that it writes. The fingerprint covers the text and every setting that an answer depends on:

    "fp_" + first 10 hexadecimal digits of SHA-256(canonical JSON of settings and training text)

where canonical JSON has sorted keys, no spaces and UTF-8 text, and the training text has LF line
ends. Models with the same fingerprint give the same answer to the same prompt, parameters and
seed, up to the last digits of the platform's `log` and `pow`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.demo.generate import (
    CACHE_WEIGHT,
    DEFAULTS,
    OPENING_CACHE_WEIGHT,
    SENTENCE_STOP_FROM,
    FinishReason,
    Generation,
    Parameters,
    Step,
    TokenLogprob,
    generate,
)
from ledger.demo.ngram import ORDER, NgramModel
from ledger.demo.tokens import PATTERN, tokenize

__all__ = [
    "DEFAULT_NAME",
    "MODEL_VERSION",
    "DemoModel",
    "FinishReason",
    "Generation",
    "Parameters",
    "Step",
    "TokenLogprob",
]

DEFAULT_NAME = "vif-demo-ngram"
MODEL_VERSION = 1
"""To be raised with every change of code that changes an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoModel:
    """A language model that answers prompts, safe to share between threads."""

    name: str
    fingerprint: str
    ngram: NgramModel

    @classmethod
    def estimate(cls, text: str, *, name: str = DEFAULT_NAME) -> DemoModel:
        """Estimate a model from a text; blank lines separate its paragraphs.

        Raises ValueError if the text is empty or blank, or has characters that UTF-8 cannot write.
        """
        return cls(name, _fingerprint(text), NgramModel.estimate(text))

    def generate(
        self, prompt: str, parameters: Parameters = DEFAULTS, *, background: Sequence[str] = ()
    ) -> Generation:
        """Answer a prompt; earlier messages of the conversation go into `background`.

        Any prompt will do, also an empty one or one without a known word.
        """
        return generate(self.ngram, prompt, parameters, background)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, by the tokenizer of this model."""
        return len(tokenize(text))


def _fingerprint(text: str) -> str:
    covered = {
        "version": MODEL_VERSION,
        "order": ORDER,
        "pattern": PATTERN,
        "cache_weights": [OPENING_CACHE_WEIGHT, CACHE_WEIGHT],
        "sentence_stop_from": SENTENCE_STOP_FROM,
        "text": text.replace("\r\n", "\n").replace("\r", "\n"),
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        encoded = canonical.encode()
    except UnicodeEncodeError:
        raise ValueError("the training text has characters that UTF-8 cannot write") from None
    return "fp_" + hashlib.sha256(encoded).hexdigest()[:10]
