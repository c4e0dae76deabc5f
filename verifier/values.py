"""Common value types and notations (specs/00).

A check takes a decoded value and returns nothing; what breaks the rule raises BadValue.
Decoded values have exactly the types int, float, bool, str, bytes, list, dict and None, so
`type(v) is int` also says "not a boolean". No float is NaN (specs/01).

Records of a log look alike, so what a check asks of one value it can also ask of a column, the
same field of many records, in a few calls for all of them (`Check.all`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

from .errors import BadValue

One = Callable[[Any], None]
Quick = Callable[[Sequence[Any]], bool]

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
_MS = timedelta(milliseconds=1)
_MINUTES_MAX = 4096
_SHAPES_MAX = 256


class Check:
    """A rule for one value, and the same rule for many.

    `check(v)` raises BadValue. `check.all(column)` is whether every value of a column, which is
    not empty, passes. `quick` may answer that at once: its yes is final, its no asks for each.
    """

    __slots__ = ("_one", "_quick")

    def __init__(self, one: One, quick: Quick | None = None) -> None:
        self._one = one
        self._quick = quick

    def __call__(self, v: Any) -> None:
        """Raise BadValue if a value does not pass."""
        self._one(v)

    def all(self, column: Sequence[Any]) -> bool:
        """Return whether every value of a column passes."""
        one = self._one
        try:
            if self._quick is not None and self._quick(column):
                return True
            for v in column:
                one(v)
        except BadValue:
            return False
        return True


class Exact(Check):
    """A check whose quick answer is final either way, so that no value is asked twice."""

    __slots__ = ()

    def all(self, column: Sequence[Any]) -> bool:
        """Return whether every value of a column passes."""
        try:
            return self._quick is not None and self._quick(column)
        except BadValue:
            return False


def column_rule(quick: Quick) -> Callable[[One], Check]:
    """Make a check of a function on one value, with a quick answer for a column."""
    return lambda one: Check(one, quick)


def _are(kind: type, column: Sequence[Any]) -> bool:
    return {*map(type, column)} == {kind}


def _all_match(pattern: re.Pattern[str], width: int = 0) -> Quick:
    """Return the quick answer for text; of one width it is matched end to end in one go."""
    if not width:
        full = pattern.fullmatch
        return lambda column: _are(str, column) and None not in map(full, {*column})
    run = re.compile(f"(?:{pattern.pattern})*").fullmatch

    def quick(column: Sequence[Any]) -> bool:
        # Each match has exactly this width, so in the joined text each value is one match.
        return (
            _are(str, column)
            and {*map(len, column)} == {width}
            and run("".join(column)) is not None
        )

    return quick


def _all_in(low: int, high: int) -> Quick:
    return lambda column: _are(int, column) and low <= min(column) and max(column) <= high


@column_rule(_all_match(LABEL))
def label(v: Any) -> None:
    """Check a *label*."""
    if type(v) is not str or LABEL.fullmatch(v) is None:
        raise BadValue("not a label")


@Check
def origin(v: Any) -> None:
    """Check an *origin*."""
    if type(v) is not str or len(v) > ORIGIN_MAX or ORIGIN.fullmatch(v) is None:
        raise BadValue("not an origin")


def _all_plain_names(column: Sequence[Any]) -> bool:
    if not _are(str, column):
        return False
    values = {*column}
    text = "".join(values)
    return (
        text.isascii()
        and text.isprintable()
        and "" not in values
        and max(map(len, values)) <= NAME_MAX_BYTES
    )


@column_rule(_all_plain_names)
def name(v: Any) -> None:
    """Check a *name*: 1 to 256 bytes of UTF-8 without control characters."""
    if type(v) is not str or _NAME.fullmatch(v) is None:
        raise BadValue("not a name")
    if not v.isascii() and len(v.encode("utf-8", "surrogatepass")) > NAME_MAX_BYTES:
        raise BadValue(f"a name of more than {NAME_MAX_BYTES} bytes")


@Check
def prose(v: Any) -> None:
    """Check *prose*: at most 4,096 bytes of UTF-8 without U+0000."""
    if type(v) is not str:
        raise BadValue("not text")
    if len(v) > PROSE_MAX_BYTES or len(v.encode("utf-8", "surrogatepass")) > PROSE_MAX_BYTES:
        raise BadValue(f"prose of more than {PROSE_MAX_BYTES} bytes")
    if "\0" in v:
        raise BadValue("U+0000 in prose")


_minutes: dict[str, int] = {}


def _minute(text: str) -> int:
    """Return the milliseconds since 1970 of text that looks like YYYY-MM-DDTHH:MM."""
    ms = _minutes.get(text)
    if ms is None:
        try:
            if text[11:13] > "23":  # newer Pythons read 24:00 as the next day
                raise ValueError
            ms = (datetime.fromisoformat(text) - _EPOCH) // _MS
        except ValueError:
            raise BadValue("a time that does not exist") from None
        if len(_minutes) >= _MINUTES_MAX:
            _minutes.clear()
        _minutes[text] = ms
    return ms


def whole_ms(v: str) -> int:
    """Return the whole milliseconds since 1970 of a checked *time* (negative before)."""
    return _minute(v[:16]) + int(v[17:19] + v[20:23])


_all_like_times = _all_match(TIME, 27)


def _all_times(column: Sequence[Any]) -> bool:
    if not _all_like_times(column) or max([v[17:19] for v in column]) > "59":
        return False
    for minute in {v[:16] for v in column}:
        _minute(minute)
    return True


@column_rule(_all_times)
def time(v: Any) -> None:
    """Check a *time*."""
    if type(v) is not str or TIME.fullmatch(v) is None:
        raise BadValue("not a time")
    _minute(v[:16])
    if v[17:19] > "59":
        raise BadValue("a time that does not exist")


@Check
def day(v: Any) -> None:
    """Check text `YYYY-MM-DD` of a date that exists."""
    if type(v) is not str or _DATE.fullmatch(v) is None:
        raise BadValue("not a date")
    try:
        date.fromisoformat(v)
    except ValueError:
        raise BadValue("a date that does not exist") from None


@column_rule(_all_match(UUID7, 36))
def uuid7(v: Any) -> None:
    """Check a *uuid*: UUIDv7 in lower case."""
    if type(v) is not str or UUID7.fullmatch(v) is None:
        raise BadValue("not a UUIDv7")


@column_rule(lambda column: _are(bytes, column) and {*map(len, column)} == {DIGEST_BYTES})
def digest(v: Any) -> None:
    """Check a *digest*: 32 bytes."""
    if type(v) is not bytes or len(v) != DIGEST_BYTES:
        raise BadValue("not a digest of 32 bytes")


@column_rule(_all_in(0, COUNT_MAX))
def count(v: Any) -> None:
    """Check a *count*: an integer 0 to 2^63 - 1."""
    if type(v) is not int or not 0 <= v <= COUNT_MAX:
        raise BadValue("not a count")


@column_rule(lambda c: _are(float, c) and min(c) >= 0.0 and max(c) <= 1.0)
def ratio(v: Any) -> None:
    """Check a *ratio*: a float 0.0 to 1.0."""
    if type(v) is not float or not 0.0 <= v <= 1.0:
        raise BadValue("not a ratio")


@column_rule(lambda column: _are(float, column) and min(column) >= 0.0)
def amount(v: Any) -> None:
    """Check an *amount*: a float that is not negative."""
    if type(v) is not float or not v >= 0.0:
        raise BadValue("not an amount")


@column_rule(lambda column: _are(bool, column))
def boolean(v: Any) -> None:
    """Check a boolean."""
    if type(v) is not bool:
        raise BadValue("not a boolean")


def integer(low: int, high: int) -> Check:
    """Return the check of an integer in low to high, both included."""

    def one(v: Any) -> None:
        if type(v) is not int or not low <= v <= high:
            raise BadValue(f"not an integer from {low} to {high}")

    return Check(one, _all_in(low, high))


def one_of(*words: str) -> Check:
    """Return the check of a text that is one of the words."""
    allowed = frozenset(words)

    def one(v: Any) -> None:
        if type(v) is not str or v not in allowed:
            raise BadValue("not one of " + ", ".join(sorted(allowed)))

    return Check(one, lambda column: _are(str, column) and allowed.issuperset(column))


def matching(pattern: re.Pattern[str]) -> Check:
    """Return the check of a text that the pattern matches from end to end."""
    full = pattern.fullmatch

    def one(v: Any) -> None:
        if type(v) is not str or full(v) is None:
            raise BadValue(f"text that does not match {pattern.pattern}")

    return Check(one, _all_match(pattern))


def array(item: Check, low: int, high: int) -> Check:
    """Return the check of an array of low to high items that each pass `item`."""

    def one(v: Any) -> None:
        if type(v) is not list or not low <= len(v) <= high:
            raise BadValue(f"not an array of {low} to {high}")
        for i, inner in enumerate(v):
            try:
                item(inner)
            except BadValue as e:
                raise BadValue(f"[{i}]: {e.message}") from None

    def quick(column: Sequence[Any]) -> bool:
        if not _are(list, column):
            return False
        sizes = {*map(len, column)}
        if min(sizes) < low or max(sizes) > high:
            return False
        items = [*chain.from_iterable(column)]
        return not items or item.all(items)

    return Exact(one, quick)


def closed(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    present: One | None = None,
    rule: One | None = None,
    minimum: int = 0,
) -> Check:
    """Return the check of a closed map of at least `minimum` keys.

    `present` looks only at which keys there are; `rule` sees the map when its fields are right.
    Maps of one kind mostly have the same keys, so what follows from the keys is remembered.
    """
    fields = {**required, **(optional or {})}
    need = frozenset(required)
    shapes: dict[tuple[str, ...], tuple[Check, ...]] = {}
    rules = Check(rule) if rule is not None else None

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

    def one(v: Any) -> None:
        if type(v) is not dict:
            raise BadValue("not a map")
        key = ""
        for check, key in zip(shapes.get(tuple(v)) or shape_of(v), v, strict=True):
            try:
                check(v[key])
            except BadValue as e:
                raise BadValue(f"{key}: {e.message}") from None
        if rule is not None:
            rule(v)

    def quick(column: Sequence[Any]) -> bool:
        if not _are(dict, column):
            return False
        for shape, maps in by_shape(column):
            checks = shapes.get(shape) or shape_of(maps[0])
            columns = zip(*map(dict.values, maps), strict=True)
            for check, values in zip(checks, columns, strict=True):
                if not check.all(values):
                    return False
        return rules is None or rules.all(column)

    return Exact(one, quick)


def by_shape(
    maps: Sequence[dict[str, Any]],
) -> list[tuple[tuple[str, ...], Sequence[dict[str, Any]]]]:
    """Return maps grouped by their keys; in a log there is mostly one group."""
    shapes = [*map(tuple, maps)]
    if shapes.count(shapes[0]) == len(shapes):
        return [(shapes[0], maps)]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for shape, one in zip(shapes, maps, strict=True):
        groups.setdefault(shape, []).append(one)
    return [*groups.items()]


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
