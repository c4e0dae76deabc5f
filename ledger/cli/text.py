"""Text from a log as a terminal may show it: nothing in it can move the cursor or hide a letter.

Names, prompts and error texts come from whoever wrote the record. Control characters (a title
change, a cursor movement, an OSC hyperlink) and invisible format characters (bidirectional
overrides, which make "txt.exe" look like "exe.txt") are therefore shown as escapes:

    >>> visible("red \\x1b[31m alert\\r")
    'red \\\\x1b[31m alert\\\\r'

Zero-width joiners stay: Persian, Indic scripts and emoji need them.
"""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len, set_cell_size

__all__ = ["clip", "counted", "human_bytes", "moment", "pad", "visible", "visible_json", "width"]

_KEPT_FORMAT = "\u200c\u200d"
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Everything outside this class is ASCII and printable: the fast path of nearly all text.
_SUSPECT = re.compile(r"[^ -~]")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")
ELLIPSIS = "…"


def visible(text: str, *, keep: str = "") -> str:
    """Return the text with control and invisible characters as escapes, except those in `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return _SUSPECT.sub(lambda found: _shown(found[0], keep), text)


def visible_json(document: str) -> str:
    """Return a JSON document with the same value that is safe to print on a terminal.

    `json.dumps` escapes U+0000 to U+001F; the rest of what `visible` escapes becomes `\\uXXXX`.
    """
    if document.isascii() and "\x7f" not in document:
        return document
    return _NOT_ASCII.sub(lambda found: _json_shown(found[0]), document)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN_CATEGORIES and character not in _KEPT_FORMAT


def _shown(character: str, keep: str) -> str:
    if character in keep or not _hidden(character):
        return character
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named:
        return named
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _json_shown(character: str) -> str:
    if not _hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def width(text: str) -> int:
    """Return how many terminal columns a text takes."""
    return cell_len(text)


def clip(text: str, columns: int) -> str:
    """Return the text cut to at most this many terminal columns, with an ellipsis where cut."""
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, max(0, columns - 1)).rstrip() + ELLIPSIS


def pad(text: str, columns: int) -> str:
    """Return the text cut or filled with spaces to exactly this many terminal columns."""
    return set_cell_size(clip(text, columns), columns)


def moment(time: str) -> str:
    """Return a time of a statement to the second, as `2026-11-20 10:41:03`."""
    return time[:19].replace("T", " ")


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 witness`, `2 witnesses`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def human_bytes(size_bytes: int) -> str:
    """Return a size with at most one decimal, in powers of 1000: `41.2 kB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"
