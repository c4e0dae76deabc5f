"""The common value types of specs/00 as pydantic types.

Lengths of *name* and *prose* are bytes of UTF-8, not characters. A *time* and a date are ones that
exist. Floats are finite; −0.0 becomes 0.0 on construction, since the CBOR profile has no −0.0
(specs/01).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from ledger.errors import FormatError
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.values import (
    COUNT_MAX,
    DIGEST_BYTES,
    is_label,
    is_name,
    is_origin,
    is_prose,
    is_time,
)

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1
TOKEN_MAX_BYTES = 256
OPERATION = re.compile(r"[a-z][a-z0-9_]{0,63}")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _rule(accepts: Callable[[object], bool], sentence: str) -> AfterValidator:
    """Return a validator that refuses text with a sentence instead of with the text."""

    def check(value: str) -> str:
        if not accepts(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_operation(value: object) -> bool:
    return isinstance(value, str) and OPERATION.fullmatch(value) is not None


def _is_token(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value.encode()) <= TOKEN_MAX_BYTES
    except UnicodeEncodeError:
        return False


def _positive_zero(value: float) -> float:
    return value + 0.0


def _array(value: object) -> object:
    """Take a list for the tuple that a frozen model keeps; a set has no order and is refused."""
    return tuple(value) if type(value) is list else value


def _reference(value: object) -> ContentRef:
    """Take a content reference, or the map that one is in a body (specs/06 §1)."""
    try:
        return from_cbor(value.to_cbor() if isinstance(value, ContentRef) else value)
    except FormatError as error:
        raise ValueError(error.message) from None


Label = Annotated[str, _rule(is_label, "a label is 1 to 128 of A-Z a-z 0-9 . _ @ : / -")]
Origin = Annotated[str, _rule(is_origin, "not an origin such as example.org/lab")]
Name = Annotated[
    str, _rule(is_name, "a name is 1 to 256 bytes of UTF-8 without control characters")
]
Prose = Annotated[str, _rule(is_prose, "prose is at most 4096 bytes of UTF-8 without U+0000")]
Time = Annotated[str, _rule(is_time, "not a time YYYY-MM-DDTHH:MM:SS.ffffffZ that exists")]
Date = Annotated[str, _rule(_is_date, "not a date YYYY-MM-DD that exists")]
Operation = Annotated[str, _rule(_is_operation, "not an operation name such as chat")]
TokenText = Annotated[str, _rule(_is_token, "a token is at most 256 bytes of UTF-8")]
Digest = Annotated[bytes, Field(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
Signature = Annotated[bytes, Field(min_length=64, max_length=64)]
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Integer = Annotated[int, Field(ge=INTEGER_MIN, le=INTEGER_MAX)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), AfterValidator(_positive_zero)]
Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False), AfterValidator(_positive_zero)]
Finite = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_positive_zero)]
Ref = Annotated[ContentRef, PlainValidator(_reference), PlainSerializer(ContentRef.to_cbor)]

Array = BeforeValidator(_array)
Names1024 = Annotated[tuple[Name, ...], Array, Field(min_length=1, max_length=1024)]
Names256 = Annotated[tuple[Name, ...], Array, Field(min_length=1, max_length=256)]
