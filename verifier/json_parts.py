"""Parts of an I-JSON text in its RFC 8785 form, looked at where they stand (specs/13 section 5).

No tree is made of what a stranger wrote: a value is a place in the text. The text was written by
`jcs.canonical`, so it is well formed, without white space, and each name has one spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}])')
_SCALAR = re.compile(rb"[^,\]}]*+")


class Value(NamedTuple):
    """A value: where it begins and ends in a canonical text."""

    whole: bytes
    start: int
    end: int

    @property
    def kind(self) -> str:
        """Return object, array, string or other."""
        first = self.whole[self.start : self.start + 1]
        return {b"{": "object", b"[": "array", b'"': "string"}.get(first, "other")

    def raw(self) -> bytes:
        """Return its text."""
        return self.whole[self.start : self.end]

    def elements(self) -> Iterator[Value]:
        """Yield the elements of an array; nothing of any other value."""
        if self.kind != "array":
            return
        at = self.start + 1
        while at < self.end - 1:
            end = _end(self.whole, at)
            yield Value(self.whole, at, end)
            at = end + 1

    def members(self) -> Iterator[tuple[bytes, int, Value]]:
        """Yield name (as it is written, with quotes), place and value of an object's members."""
        if self.kind != "object":
            return
        at = self.start + 1
        while at < self.end - 1:
            colon = _end(self.whole, at)
            end = _end(self.whole, colon + 1)
            yield self.whole[at:colon], at, Value(self.whole, colon + 1, end)
            at = end + 1

    def get(self, *names: str) -> list[Value | None]:
        """Return the members of these plain names, None for each that there is not."""
        found = {name: value for name, _, value in self.members() if name in _quoted(names)}
        return [found.get(name) for name in _quoted(names)]

    def one(self, name: str) -> Value | None:
        """Return the member of a plain name, if there is one."""
        return self.get(name)[0]

    def string(self) -> str | None:
        """Return a string's text, None for any other value."""
        if self.kind != "string":
            return None
        text: str = json.loads(self.raw())
        return text

    def number(self) -> float | None:
        """Return a number as a double, None for any other value."""
        raw = self.raw()
        return float(raw) if raw[:1] in b"-0123456789" else None


def top(text: bytes) -> Value:
    """Return the value that a canonical text is."""
    return Value(text, 0, len(text))


def without(value: Value, *names: str) -> Iterator[bytes]:
    """Yield, in pieces, the canonical form of an object without some of its members."""
    left_out = _quoted(names)
    before = b"{"
    for name, at, member in value.members():
        if name not in left_out:
            yield before
            yield value.whole[at : member.end]
            before = b","
    yield b"{}" if before == b"{" else b"}"


def _quoted(names: tuple[str, ...]) -> list[bytes]:
    return [b'"' + name.encode() + b'"' for name in names]


def _end(text: bytes, at: int) -> int:
    """Return where the value that begins at a place ends."""
    first = text[at : at + 1]
    if first not in (b"{", b"["):
        match = (_STRING if first == b'"' else _SCALAR).match(text, at)
        return match.end() if match is not None else len(text)
    depth = 0
    while True:
        match = _BRACKET.match(text, at)
        if match is None:
            return len(text)
        at = match.end()
        depth += 1 if match[1] in (b"{", b"[") else -1
        if not depth:
            return at
