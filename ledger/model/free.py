"""Values that a page leaves free: `other_params` of a witness (specs/03 §1.5).

Free means any value of the CBOR profile (specs/01), null among them, and still not a false content
reference (specs/06 §1). What is kept is a copy of plain values: a tuple becomes an array, −0.0
becomes 0.0, and a later change of the caller's map changes no record.
"""

from __future__ import annotations

import math
from typing import Any

from ledger.formats.values import is_name
from ledger.model.base import check_references

KEYS_MAX = 64
# Payload, body, `replay` and `other_params` are the four maps around a value; specs/01 allows 32.
DEPTH_MAX = 28
UNSIGNED_MAX = 2**64 - 1
NEGATIVE_MIN = -(2**64)


def free_map(value: object) -> dict[str, Any]:
    """Return a copy of a map with 1 to 64 named values of the profile; raises `ValueError`."""
    if not isinstance(value, dict) or not 1 <= len(value) <= KEYS_MAX:
        raise ValueError(f"must be a map with 1 to {KEYS_MAX} keys")
    if not all(is_name(key) for key in value):
        raise ValueError("each key must be a name of 1 to 256 bytes of UTF-8")
    kept = {str(key): _free(item, DEPTH_MAX) for key, item in value.items()}
    check_references(kept)
    return kept


def _free(value: object, depth: int) -> Any:
    if value is None or type(value) is bool or type(value) is bytes:
        return value
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds text that is not UTF-8") from None
        return value
    if type(value) is int:
        if not NEGATIVE_MIN <= value <= UNSIGNED_MAX:
            raise ValueError("holds an integer beyond 64 bits")
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError("holds a number that is not finite")
        return value + 0.0
    if depth == 0:
        raise ValueError("is nested too deeply")
    if isinstance(value, list | tuple):
        return [_free(item, depth - 1) for item in value]
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise ValueError("holds a map whose keys are not text")
        return {_free(key, 0): _free(item, depth - 1) for key, item in value.items()}
    raise ValueError(f"holds a {type(value).__name__}, which is not a value of the profile")
