"""Tokens of the demo model: words, marks and white space, with nothing lost.

Every character of a text belongs to exactly one token, so that for every text

    "".join(tokenize(text)) == text

A single space is kept with the word or mark that it precedes, so that an n-gram of tokens spans
whole words. Tokens that are written next to each other ("cat", "alog") may be one token of the
joined text; `keeps_boundaries` tells when they are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

END = "<|end|>"
"""How the end token is written among alternatives. No text tokenises to it: `<` is a token."""

# The third branch leaves the last space of a run to the word that follows it.
_TOKEN = re.compile(r" ?\w+(?:['’]\w+)*| ?[^\w\s]|\s+(?!\S)|\s")
_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")

PATTERN = _TOKEN.pattern
"""The token pattern, part of what a model's fingerprint covers."""


def tokenize(text: str) -> list[str]:
    """Cut a text into tokens whose concatenation is the text.

    An empty text has no tokens. Takes time linear in the length of the text.
    """
    return _TOKEN.findall(text)


def keeps_boundaries(before: Sequence[str], token: str) -> bool:
    """Tell whether a token written after others is a token of the joined text, as they are.

    Two tokens before it are enough: where a token ends depends on at most two characters after it.
    """
    return tokenize("".join(before) + token) == [*before, token]


def paragraphs(text: str) -> list[str]:
    """Split a text at its blank lines into paragraphs, without the blank ones.

    Line ends may be LF, CRLF or CR and become LF.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return [part.rstrip() for part in _PARAGRAPH_BREAK.split(lines) if part.strip()]


def is_word(token: str) -> bool:
    """Tell whether a token holds a letter or a digit."""
    return any(character.isalnum() for character in token)


def ends_sentence(previous: str, token: str) -> bool:
    """Tell whether a token closes a sentence, given the token before it.

    A full stop counts only after a word of three or more letters, which leaves out most
    abbreviations ("e.g."), initials and version numbers.
    """
    mark = token.strip()
    if mark in {"!", "?"}:
        return True
    word = previous.strip()
    return mark == "." and len(word) >= 3 and word.isalpha()
