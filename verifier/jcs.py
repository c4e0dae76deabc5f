"""The canonical form of an I-JSON text (RFC 7493, RFC 8785; specs/10 section 7).

The text is read once and its canonical form written on the way, so that no tree of objects is
made of what a stranger wrote. Depth is bounded before anything recurses.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from itertools import pairwise

from .errors import BadValue

CALL_JSON_MAX_DEPTH = 64
SAFE_INTEGER_MAX = 2**53 - 1
_SPACE = re.compile(rb"[ \t\n\r]*+")
_STRING = re.compile(
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
# Integers of up to 15 digits, each with the comma after it, as arrays of tokens have them.
_INTEGERS = re.compile(rb"(?:(?:0|-?[1-9][0-9]{0,14})[ \t\n\r]*+,[ \t\n\r]*+)++")
_WORD = re.compile(rb"true|false|null")
_UTF8_PIECE = 1 << 20


def canonical(raw: bytes) -> bytes | None:
    """Return the RFC 8785 form of an I-JSON text, or None if it is not one."""
    try:
        _check_utf8(raw)
        return bytes(_Writer(raw).text())
    except BadValue:
        return None


BETWEEN_STRINGS = b"\xff"
"""Stands in no UTF-8, so nothing that is looked for reaches over it."""


def escaped_strings(raw: bytes) -> bytes | None:
    """Return, in UTF-8, the string values of an I-JSON text that are written with escapes.

    Each is followed by BETWEEN_STRINGS. Those without escapes stand in the text as they are.
    None: not I-JSON.
    """
    try:
        _check_utf8(raw)
        reader = _Strings(raw)
        reader.text()
    except BadValue:
        return None
    return bytes(reader.found)


def canonical_string(text: str) -> bytes:
    """Return text without surrogates as a string of RFC 8785."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8")


def canonical_number(number: float) -> str:
    """Return a finite double as ECMAScript writes it, from the digits that Python finds."""
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = int(exponent or "0") + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        text = digits[:point].ljust(point, "0")
        return sign + text + ("." + digits[point:] if digits[point:] else "")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if digits[1:] else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _check_utf8(raw: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(raw), _UTF8_PIECE):
            decoder.decode(raw[at : at + _UTF8_PIECE])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        raise BadValue("not UTF-8") from None


def _unescaped(token: bytes) -> str:
    """Return the text of a string; a surrogate without its other half is refused."""
    if b"\\" not in token:
        return token[1:-1].decode("utf-8")
    text: str = json.loads(token)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadValue("a surrogate without its other half") from None
    return text


class _Writer:
    """Reads a text from its beginning and writes its canonical form."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._out = bytearray()

    def text(self) -> bytearray:
        """Return the canonical form of the whole text."""
        self._value(0)
        if self._next() != b"":
            raise BadValue("bytes after the value")
        return self._out

    def _next(self) -> bytes:
        """Go past white space and return the byte there, empty at the end."""
        match = _SPACE.match(self._raw, self._at)
        if match is not None:
            self._at = match.end()
        return self._raw[self._at : self._at + 1]

    def _token(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        match = pattern.match(self._raw, self._at)
        if match is None:
            raise BadValue(f"not JSON at offset {self._at}")
        self._at = match.end()
        return match

    def _value(self, depth: int) -> None:
        """Write the value that comes next; `depth` is the number of containers around it."""
        first = self._next()
        if first == b'"':
            self._string()
        elif first in (b"{", b"["):
            if depth == CALL_JSON_MAX_DEPTH:
                raise BadValue(f"nesting deeper than {CALL_JSON_MAX_DEPTH}")
            self._at += 1
            if first == b"{":
                self._object(depth + 1)
            else:
                self._array(depth + 1)
        elif first in (b"t", b"f", b"n"):
            self._out += self._token(_WORD)[0]
        else:
            self._number()

    def _string(self) -> bytes:
        """Write a string and return it as it stands."""
        token = self._token(_STRING)[0]
        # Without an escape a string is its own canonical form.
        self._out += canonical_string(_unescaped(token)) if b"\\" in token else token
        return token

    def _number(self) -> None:
        match = self._token(_NUMBER)
        token = match[0]
        if match[1] is None and match[2] is None:
            number = int(token) if len(token) <= 17 else SAFE_INTEGER_MAX + 1
            if abs(number) > SAFE_INTEGER_MAX:
                raise BadValue("an integer beyond 2^53 - 1")
            self._out += str(number).encode()
            return
        value = float(token)
        if not math.isfinite(value):
            raise BadValue("a number that is not finite")
        self._out += canonical_number(value).encode()

    def _more(self, end: bytes) -> bool:
        """Go past a comma, or past the end of the container; return whether it goes on."""
        found = self._next()
        if found not in (b",", end):
            raise BadValue(f"not JSON at offset {self._at}")
        self._at += 1
        return found == b","

    def _array(self, depth: int) -> None:
        self._out += b"["
        if self._next() == b"]":
            self._at += 1
        else:
            run = _INTEGERS.match(self._raw, self._at)
            if run is not None:
                self._at = run.end()
                self._out += run[0].translate(None, b" \t\n\r")
            self._value(depth)
            while self._more(b"]"):
                self._out += b","
                self._value(depth)
        self._out += b"]"

    def _object(self, depth: int) -> None:
        """Write an object; its members are brought into order when all are there."""
        start = len(self._out)
        members: list[tuple[bytes, int, int]] = []
        self._out += b"{"
        if self._next() == b"}":
            self._at += 1
        else:
            self._member(depth, members)
            while self._more(b"}"):
                self._out += b","
                self._member(depth, members)
        if any(a[0] >= b[0] for a, b in pairwise(members)):
            members.sort()
            if any(a[0] == b[0] for a, b in pairwise(members)):
                raise BadValue("a name twice in an object")
            ordered = b",".join([self._out[i:j] for _, i, j in members])
            self._out[start + 1 :] = ordered
        self._out += b"}"

    def _member(self, depth: int, members: list[tuple[bytes, int, int]]) -> None:
        start = len(self._out)
        if self._next() != b'"':
            raise BadValue(f"not JSON at offset {self._at}")
        name = _unescaped(self._string())
        if self._next() != b":":
            raise BadValue(f"not JSON at offset {self._at}")
        self._at += 1
        self._out += b":"
        self._value(depth)
        members.append((name.encode("utf-16-be"), start, len(self._out)))


class _Strings(_Writer):
    """Keeps the string values that have escapes; what is written on the way is thrown away."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.found = bytearray()

    def _value(self, depth: int) -> None:
        """Read the value that comes next."""
        if self._next() != b'"':
            super()._value(depth)
            return
        token = self._string()
        if b"\\" in token:
            self.found += _unescaped(token).encode("utf-8") + BETWEEN_STRINGS
