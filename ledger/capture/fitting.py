"""Values of a foreign document that fit a field of specs/03; anything else is absent.

A reader of provider bodies must not lose a call because one value is odd: the raw body is archived
whole, and a field that cannot hold what was found stays absent instead of being bent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from ledger.errors import RecordError
from ledger.formats.values import is_count, is_name
from ledger.model.archive import canonical_json
from ledger.model.free import free_map
from ledger.model.values import INTEGER_MAX, INTEGER_MIN

PARAMETERS_MAX_BYTES = 8192
NAMES_MAX = 256
NAMES_MAX_BYTES = 16384


def as_map(value: object) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a JSON array, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def name(value: object) -> str | None:
    """Return text that is a *name*."""
    return value if is_name(value) else None


def count(value: object) -> int | None:
    """Return an integer that is a *count*."""
    return value if is_count(value) else None


def integer(value: object) -> int | None:
    """Return an integer of 64 bits with sign."""
    fits = type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX
    return value if fits and isinstance(value, int) else None


def text(value: object) -> str | None:
    """Return text that has UTF-8."""
    try:
        return value if isinstance(value, str) and value.encode() is not None else None
    except UnicodeEncodeError:
        return None


def names(values: Iterable[object]) -> list[str] | None:
    """Return the different names among some values, in order, if a statement has room for them."""
    found = list(dict.fromkeys(value for value in values if is_name(value)))
    size_bytes = sum(len(value.encode()) for value in found)
    fits = 1 <= len(found) <= NAMES_MAX and size_bytes <= NAMES_MAX_BYTES
    return found if fits else None


def amount(value: object) -> float | None:
    """Return a finite number that is not negative, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def ratio(value: object) -> float | None:
    """Return a number from 0 to 1, as a float."""
    number = amount(value)
    return number if number is not None and number <= 1.0 else None


def parameters(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return values for `other_params` without what is null, odd, or beyond 8,192 bytes in all."""
    kept: dict[str, Any] = {}
    left = PARAMETERS_MAX_BYTES
    for key, value in found.items():
        try:
            size_bytes = len(canonical_json({key: value}))
            if value is None or size_bytes > left:
                continue
            kept.update(free_map({key: value}))
            left -= size_bytes
        except (ValueError, RecordError):
            continue
    return kept or None


def parse_json(data: bytes | str) -> Any:
    """Return what a JSON text says, or None if it is not one, as with NaN in it.

    None is also what `null` says; a reader treats both as "nothing here".
    """
    try:
        return json.loads(data, parse_constant=refuse_constant, parse_float=finite)
    except (ValueError, RecursionError):
        return None


def refuse_constant(constant: str) -> float:
    """Refuse NaN and Infinity, which Python's reader takes and JSON does not have."""
    raise ValueError(f"{constant} is not JSON")


def finite(number: str) -> float:
    """Return a number of JSON; raises `ValueError` for one such as 1e999 that no float can hold."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number that is too large")
    return value
