"""An interpolated Kneser-Ney n-gram model with a uniform floor and a prompt cache.

With h the last n-1 tokens, h' the same without its oldest token, c(h w) the count of an n-gram,
c(h) the sum over w, and T(h) the number of distinct w seen after h, the model of order n is

    p_n(w|h) = max(c(h w) - D_n, 0) / c(h)  +  D_n T(h) / c(h) * p_{n-1}(w|h')
    p_0(w)   = 1 / |V|
    D_n      = n1 / (n1 + 2 n2),   n1, n2: how many n-grams of order n have count 1, 2

and p_n(w|h) = p_{n-1}(w|h') where h was never seen. The highest order uses counts of occurrence;
each lower one uses, in place of c(h w), in how many distinct contexts of one more token the
n-gram was seen. V holds the tokens of the training text and the end token, so each p_n sums to
one over V and is nowhere zero. A cache p_c estimated from the prompt is mixed in with weight L:

    p(w|h) = (1 - L) p_4(w|h) + L p_c(w)

Sources: Kneser and Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995, in the
interpolated form of Chen and Goodman, "An empirical study of smoothing techniques for language
modeling", Computer Speech and Language 13, 1999 (also for D); Kuhn and De Mori, "A cache-based
natural language model for speech recognition", IEEE PAMI 12(6), 1990.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from ledger.demo.tokens import END, is_word, paragraphs, tokenize

ORDER = 4
END_ID = 0
_START_ID = -1  # pads the context at the start of a paragraph; never predicted
_UNKNOWN_ID = -2  # a prompt token outside the vocabulary; no table has it, so the model backs off

Context: TypeAlias = tuple[int, ...]
Entries: TypeAlias = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What one context contributes: discounted probabilities and the mass left to lower orders."""

    entries: Entries
    backoff: float


@dataclass(frozen=True, slots=True, eq=False)
class NgramModel:
    """Token probabilities estimated from one text.

    `vocabulary` has the end token at index 0, then the tokens of the text in code point order;
    `unigram` is p_1 by the same index; `tables` holds the rows of the orders 2 to 4 by context.
    """

    vocabulary: tuple[str, ...]
    ids: Mapping[str, int]
    unigram: tuple[float, ...]
    tables: tuple[Mapping[Context, Row], ...]

    @classmethod
    def estimate(cls, text: str) -> NgramModel:
        """Estimate a model; each paragraph of the text is one sequence that ends in the end token.

        Raises ValueError if the text is empty or blank.
        """
        sequences = [tokenize(paragraph) for paragraph in paragraphs(text)]
        if not sequences:
            raise ValueError("the training text is empty: the model needs at least one token")
        known = sorted({token for sequence in sequences for token in sequence})
        vocabulary = (END, *known)
        ids = {token: number for number, token in enumerate(vocabulary)}
        counts: Counter[Context] = Counter()
        for sequence in sequences:
            numbers = [_START_ID] * (ORDER - 1) + [ids[token] for token in sequence] + [END_ID]
            counts.update(zip(*(numbers[start:] for start in range(ORDER)), strict=False))
        tables = []
        for _ in range(ORDER - 1):
            tables.append(_rows(counts))
            # Each distinct n-gram is one more context in which its last n-1 tokens were seen.
            counts = Counter(gram[1:] for gram in counts)
        root = _rows(counts)[()]
        unigram = [root.backoff / len(vocabulary)] * len(vocabulary)
        for number, probability in root.entries:
            unigram[number] += probability
        frozen = tuple(MappingProxyType(table) for table in reversed(tables))
        return cls(vocabulary, MappingProxyType(ids), tuple(unigram), frozen)

    def context(self, prompt: str) -> Context:
        """Return the last three token numbers of a prompt, as what the next token follows.

        White space at the end is left out, and nothing before the last paragraph counts. Tokens
        outside the vocabulary have a number that no context of the model holds.
        """
        last = paragraphs(prompt)[-1:]
        tokens = tokenize(last[0]) if last else []
        numbers = [self.ids.get(token, _UNKNOWN_ID) for token in tokens[-(ORDER - 1) :]]
        return (*[_START_ID] * (ORDER - 1 - len(numbers)), *numbers)

    def cache(self, tokens: Iterable[str]) -> Entries:
        """Estimate p_c from the tokens of a prompt: known words, by count times surprisal.

        The surprisal -ln p_1(w) makes a subject outweigh an article. A word is counted in its form
        with a leading space where the model knows it. Empty if the model knows no word of it.
        """
        counts: Counter[int] = Counter()
        for token in tokens:
            if is_word(token):
                spaced = token if token.startswith(" ") else f" {token}"
                number = self.ids.get(spaced, self.ids.get(token))
                if number is not None:
                    counts[number] += 1
        weights = [(number, -n * math.log(self.unigram[number])) for number, n in counts.items()]
        total = math.fsum(weight for _, weight in weights)
        return tuple(sorted((number, weight / total) for number, weight in weights))

    def distribution(
        self, context: Sequence[int], cache: Entries = (), cache_weight: float = 0.0
    ) -> list[float]:
        """Return the probability of every token of the vocabulary after a context, by number.

        The context may be of any length; its last three numbers count. `cache_weight` is L in
        0..1 and is not used with an empty cache. The probabilities sum to one.
        """
        weight = cache_weight if cache else 0.0
        scale = 1.0 - weight
        parts = [(weight, cache)]
        for size in range(ORDER - 1, 0, -1):
            row = self.tables[size - 1].get(tuple(context[-size:]))
            if row is not None:
                parts.append((scale, row.entries))
                scale *= row.backoff
        probabilities = [scale * probability for probability in self.unigram]
        for factor, entries in parts:
            for number, probability in entries:
                probabilities[number] += factor * probability
        return probabilities


def _rows(counts: Counter[Context]) -> dict[Context, Row]:
    """Discount the counts of one order and group them by context."""
    of_count = Counter(counts.values())
    # A text in which no n-gram occurs once gives no estimate of D; any value in (0, 1) is sound.
    # D = 1 (no n-gram occurs twice) would take all mass from what was seen, so it is capped.
    once, twice = of_count[1], of_count[2]
    discount = min(once / (once + 2 * twice), 0.9) if once else 0.5
    grouped: defaultdict[Context, list[tuple[int, int]]] = defaultdict(list)
    for gram, count in counts.items():
        grouped[gram[:-1]].append((gram[-1], count))
    rows = {}
    for context, followers in grouped.items():
        total = sum(count for _, count in followers)
        entries = tuple((number, (count - discount) / total) for number, count in followers)
        rows[context] = Row(entries, discount * len(followers) / total)
    return rows
