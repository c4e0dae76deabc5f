"""Common value types and notations (specs/00).

A check takes a decoded value and returns nothing; what breaks the rule raises BadValue.
Decoded values have exactly the types int, float, bool, str, bytes, list, dict and None, so
`type(v) is int` also says "not a boolean".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from .errors import BadValue

Check = Callable[[Any], None]

NAME_MAX_BYTES = 256
PROSE_MAX_BYTES = 4096
DIGEST_BYTES = 32
COUNT_MAX = 2**63 - 1
ORIGIN_MAX = 128

LABEL = re.compile(r"[A-Za-z0-9._@:/-]{1,128}")
ORIGIN = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
OP_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
_HEX32 = re.compile(r"[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1)

_label = LABEL.fullmatch
_uuid7 = UUID7.fullmatch
_time = TIME.fullmatch
_name = _NAME.fullmatch


def label(v: Any) -> None:
    """Check a *label*."""
    if type(v) is not str or _label(v) is None:
        raise BadValue("not a label")


def origin(v: Any) -> None:
    """Check an *origin*."""
    if type(v) is not str or len(v) > ORIGIN_MAX or ORIGIN.fullmatch(v) is None:
        raise BadValue("not an origin")


def name(v: Any) -> None:
    """Check a *name*: 1 to 256 bytes of UTF-8 without control characters."""
    if type(v) is str and v.isascii() and v.isprintable() and 0 < len(v) <= NAME_MAX_BYTES:
        return
    if type(v) is not str or _name(v) is None:
        raise BadValue("not a name")
    if not v.isascii() and len(v.encode("utf-8", "surrogatepass")) > NAME_MAX_BYTES:
        raise BadValue(f"a name of more than {NAME_MAX_BYTES} bytes")


def prose(v: Any) -> None:
    """Check *prose*: at most 4,096 bytes of UTF-8 without U+0000."""
    if type(v) is not str:
        raise BadValue("not text")
    if len(v) > PROSE_MAX_BYTES or len(v.encode("utf-8", "surrogatepass")) > PROSE_MAX_BYTES:
        raise BadValue(f"prose of more than {PROSE_MAX_BYTES} bytes")
    if "\0" in v:
        raise BadValue("U+0000 in prose")


def time_ms(v: Any) -> int:
    """Check a *time* and return its whole milliseconds since 1970 (negative before)."""
    if type(v) is not str or _time(v) is None:
        raise BadValue("not a time")
    try:
        delta = datetime.fromisoformat(v[:26]) - _EPOCH
    except ValueError:
        raise BadValue("a time that does not exist") from None
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000


def time(v: Any) -> None:
    """Check a *time*."""
    time_ms(v)


def day(v: Any) -> None:
    """Check text `YYYY-MM-DD` of a date that exists."""
    if type(v) is not str or _DATE.fullmatch(v) is None:
        raise BadValue("not a date")
    try:
        date.fromisoformat(v)
    except ValueError:
        raise BadValue("a date that does not exist") from None


def uuid7(v: Any) -> None:
    """Check a *uuid*: UUIDv7 in lower case."""
    if type(v) is not str or _uuid7(v) is None:
        raise BadValue("not a UUIDv7")


def digest(v: Any) -> None:
    """Check a *digest*: 32 bytes."""
    if type(v) is not bytes or len(v) != DIGEST_BYTES:
        raise BadValue("not a digest of 32 bytes")


def count(v: Any) -> None:
    """Check a *count*: an integer 0 to 2^63 - 1."""
    if type(v) is not int or not 0 <= v <= COUNT_MAX:
        raise BadValue("not a count")


def ratio(v: Any) -> None:
    """Check a *ratio*: a float 0.0 to 1.0."""
    if type(v) is not float or not 0.0 <= v <= 1.0:
        raise BadValue("not a ratio")


def amount(v: Any) -> None:
    """Check an *amount*: a float that is not negative."""
    if type(v) is not float or not v >= 0.0:
        raise BadValue("not an amount")


def boolean(v: Any) -> None:
    """Check a boolean."""
    if type(v) is not bool:
        raise BadValue("not a boolean")


def integer(low: int, high: int) -> Check:
    """Return the check of an integer in low to high, both included."""

    def check(v: Any) -> None:
        if type(v) is not int or not low <= v <= high:
            raise BadValue(f"not an integer from {low} to {high}")

    return check


def one_of(*words: str) -> Check:
    """Return the check of a text that is one of the words."""
    allowed = frozenset(words)

    def check(v: Any) -> None:
        if type(v) is not str or v not in allowed:
            raise BadValue("not one of " + ", ".join(sorted(allowed)))

    return check


def matching(pattern: re.Pattern[str]) -> Check:
    """Return the check of a text that the pattern matches from end to end."""
    full = pattern.fullmatch

    def check(v: Any) -> None:
        if type(v) is not str or full(v) is None:
            raise BadValue(f"text that does not match {pattern.pattern}")

    return check


def array(item: Check, low: int, high: int) -> Check:
    """Return the check of an array of low to high items that each pass `item`."""

    def check(v: Any) -> None:
        if type(v) is not list or not low <= len(v) <= high:
            raise BadValue(f"not an array of {low} to {high}")
        for i, one in enumerate(v):
            try:
                item(one)
            except BadValue as e:
                raise BadValue(f"[{i}]: {e.message}") from None

    return check


_SHAPES_MAX = 256


def closed(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    present: Check | None = None,
    rule: Check | None = None,
    minimum: int = 0,
) -> Check:
    """Return the check of a closed map of at least `minimum` keys.

    `present` looks only at which keys there are; `rule` sees the map when its fields are right.
    Maps of one kind mostly have the same keys, so what follows from the keys is remembered.
    """
    fields = {**required, **(optional or {})}
    need = frozenset(required)
    shapes: dict[tuple[str, ...], tuple[Check, ...]] = {}

    def shape_of(v: dict[str, Any]) -> tuple[Check, ...]:
        if not v.keys() <= fields.keys():
            raise BadValue(f"unknown key {min(v.keys() - fields.keys())[:80]!a}")
        if not v.keys() >= need:
            raise BadValue("missing " + ", ".join(sorted(need - v.keys())))
        if len(v) < minimum:
            raise BadValue("an empty group")
        if present is not None:
            present(v)
        if len(shapes) >= _SHAPES_MAX:
            shapes.clear()
        shape = shapes[tuple(v)] = tuple(fields[key] for key in v)
        return shape

    def check(v: Any) -> None:
        if type(v) is not dict:
            raise BadValue("not a map")
        field: Check | None = None
        try:
            for field, item in zip(shapes.get(tuple(v)) or shape_of(v), v.values(), strict=True):
                field(item)
        except BadValue as e:
            if field is None:
                raise
            at = next((key for key, item in v.items() if _refuses(fields[key], item)), "?")
            raise BadValue(f"{at}: {e.message}") from None
        if rule is not None:
            rule(v)

    return check


def _refuses(field: Check, item: Any) -> bool:
    try:
        field(item)
    except BadValue:
        return True
    return False


def parse_decimal(text: str) -> int:
    """Return the number that canonical decimal text stands for, at most 2^63 - 1."""
    if _DECIMAL.fullmatch(text) is None:
        raise BadValue("not canonical decimal")
    number = int(text)
    if number > COUNT_MAX:
        raise BadValue("a number above 2^63 - 1")
    return number


def parse_base64(text: str) -> bytes:
    """Return the bytes of canonical padded base64 (RFC 4648 section 4)."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise BadValue("not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise BadValue("not canonical base64")
    return raw


def parse_hex32(text: str) -> bytes:
    """Return the 32 bytes of 64 lower-case hexadecimal digits."""
    if _HEX32.fullmatch(text) is None:
        raise BadValue("not 64 hexadecimal digits")
    return bytes.fromhex(text)
