"""Text from the log on its way to people: nothing invisible, nothing that reorders, nothing that
acts.

Names, prompts and outputs come from models and strangers. Three dangers, three rules:

- *Unseen characters.* Control characters, and the bidirectional and zero-width characters with
  which a text can look like another one, are replaced by their number, as in
  `⟨202E⟩`.
- *HTML.* The templates escape everything (Jinja2 autoescape); nothing here is marked as safe.
- *Markdown.* `markdown_code` puts text into a code span with a fence longer than any run of
  backticks inside, where no markup, link or HTML is recognised (CommonMark 0.31 section 6.1).
"""

from __future__ import annotations

import re
import unicodedata

EXCERPT_CHARACTERS = 280
_ELLIPSIS = "…"
_BACKTICKS = re.compile("`+")


def _visible(character: str) -> str:
    return f"⟨{ord(character):04X}⟩"


def _is_unseen(character: str) -> bool:
    # controls, formats (bidi, zero width, tags), lone surrogates, private use, line breaks
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def shown(text: str) -> str:
    """Return the text with every unseen character in a visible form; line ends count as unseen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) if _is_unseen(c) else c for c in text)


def excerpt(text: str, limit: int = EXCERPT_CHARACTERS) -> str:
    """Return the beginning of a text on one line, at most `limit` characters and an ellipsis."""
    words = " ".join(text[: 4 * limit].split())
    cut = words if len(words) <= limit else words[:limit].rstrip() + _ELLIPSIS
    if cut == words and len(text) > 4 * limit:
        cut += _ELLIPSIS
    return shown(cut)


def markdown_code(text: str) -> str:
    """Return the text as a Markdown code span that it cannot leave."""
    visible = shown(text)
    longest = max((len(run) for run in _BACKTICKS.findall(visible)), default=0)
    fence = "`" * (longest + 1)
    # a space on both sides is stripped by the reader; it keeps backticks at an end from joining
    pad = " " if visible.startswith("`") or visible.endswith("`") or not visible.strip() else ""
    return f"{fence}{pad}{visible}{pad}{fence}"


def size(count: int) -> str:
    """Return a number of bytes for people, in powers of 1,000 with one decimal."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:,.1f} {units[0]}"
