"""What a demo run asks: rounds of two answers to one question, and a third call that weighs them.

Each round takes the next passage of the next file. Its two answers differ in seed and temperature;
the follow-up has both as parents, and so has the annotation that says how far they agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from ledger.demo.corpus import Passage, Source

__all__ = ["CALLS_A_ROUND", "Round", "Setting", "agreement", "rounds"]

CALLS_A_ROUND = 3
_EXCERPT_CHARACTERS = 600
_OPENING_WORDS = 14
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Setting:
    """How an answer is drawn."""

    seed: int
    temperature: float


SETTINGS = (Setting(seed=1, temperature=0.2), Setting(seed=2, temperature=0.7))
FOLLOW_UP = Setting(seed=3, temperature=0.2)


@dataclass(frozen=True, slots=True)
class Round:
    """One question about one passage; `atom` names the passage, as `04-log.md#3`."""

    number: int
    atom: str
    question: str
    follow_up: str


def rounds(sources: Sequence[Source], calls: int) -> Iterator[Round]:
    """Yield as many rounds as `calls` calls allow, at least one, over all files in turn."""
    turns = {source.name: cycle(source.passages) for source in sources}
    for number, source in zip(range(1, max(1, calls // CALLS_A_ROUND) + 1), cycle(sources)):
        passage = next(turns[source.name])
        yield Round(
            number,
            f"{source.name}#{passage.number}",
            _question(number, source, passage),
            "Two answers were given. In one sentence, what do they say together?",
        )


def agreement(first: str, second: str) -> float:
    """Return how far two answers use the same words: Jaccard index of their word sets, 0 to 1."""
    one, other = (set(_WORD.findall(text.lower())) for text in (first, second))
    return len(one & other) / len(one | other) if one | other else 1.0


def _question(number: int, source: Source, passage: Passage) -> str:
    if number % 2:
        words = passage.text.split()
        opening = " ".join(words[: min(_OPENING_WORDS, len(words) // 2)])
        return f"Continue this sentence from {source.name}.\n\n{opening}"
    excerpt = passage.text[:_EXCERPT_CHARACTERS]
    return f"{excerpt}\n\nIn one sentence, what does this passage of {source.name} say?"
