"""What the statements of a cross-model operation share (specs/12 §1).

A *rating* and a *span* are fields of the map they stand in; here they are the classes `Rated` and
`Spanned`, from which bodies and groups inherit.

>>> Usage(operations=2, priced=1, cost_usd=0.25).cost_usd
0.25
>>> Usage(operations=1, priced=2)
Traceback (most recent call last):
ledger.errors.RecordError: body_invalid: usage: usage: priced is at most operations
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from ledger.formats.values import is_label, is_name
from ledger.model.base import Group, check_references
from ledger.model.groups import both_or_neither
from ledger.model.uncertainty import ConfidenceMethod
from ledger.model.values import (
    INTEGER_MAX,
    INTEGER_MIN,
    Amount,
    Array,
    Count,
    Label,
    Name,
    Names256,
    Ratio,
    Time,
)

KEYS_MAX = 32

Scalar = str | int | float | bool

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


class OperationId(Group):
    """Which operation of its session."""

    name: Label
    number: Annotated[int, Field(ge=1, le=1_000_000)]


class Check(Group):
    """Something that was examined, and whether it passed."""

    name: Label
    passed: bool
    score: Ratio | None = None
    method: Name | None = None
    detail: Name | None = None


def _named_once(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    if len({check.name for check in checks}) != len(checks):
        raise ValueError("no two checks have one name")
    return checks


Checks = Annotated[
    tuple[Check, ...],
    Array,
    Field(min_length=1, max_length=KEYS_MAX),
    AfterValidator(_named_once),
]


def _metadata(value: object) -> dict[str, Scalar]:
    """Return a copy of a map with 1 to 32 labelled values; raises `ValueError`."""
    if not isinstance(value, dict) or not 1 <= len(value) <= KEYS_MAX:
        raise ValueError(f"must be a map with 1 to {KEYS_MAX} keys")
    if not all(is_label(key) for key in value):
        raise ValueError("each key must be a label")
    kept = {key: _scalar(item) for key, item in value.items()}
    check_references(kept)
    return kept


def _scalar(value: object) -> Scalar:
    if type(value) is bool or (type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX):
        return value
    if type(value) is float and math.isfinite(value):
        return value + 0.0
    if type(value) is str and is_name(value):
        return value
    raise ValueError("a value must be a name, an integer of 64 bits, a finite float or a boolean")


Metadata = Annotated[dict[str, Scalar], PlainValidator(_metadata)]


def _identifier(pattern: re.Pattern[str], sentence: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


class Trace(Group):
    """A place in the traces of other systems: W3C Trace Context."""

    trace_id: Annotated[
        str, _identifier(_TRACE_ID, "a trace_id is 32 lower-case hex digits, not all 0")
    ]
    span_id: Annotated[
        str, _identifier(_SPAN_ID, "a span_id is 16 lower-case hex digits, not all 0")
    ]


class Rated(Group):
    """Fields of the map they stand in: how certain, how good, and how either is known."""

    confidence: Ratio | None = None
    confidence_method: ConfidenceMethod | None = None
    quality: Ratio | None = None
    quality_method: Name | None = None

    @model_validator(mode="after")
    def _numbers_have_a_method(self) -> Self:
        both_or_neither("confidence_method", self.confidence_method, "confidence", self.confidence)
        both_or_neither("quality_method", self.quality_method, "quality", self.quality)
        return self


class Spanned(Group):
    """Fields of the map they stand in: when it began and when it ended."""

    started_at: Time
    ended_at: Time

    @model_validator(mode="after")
    def _time_goes_forward(self) -> Self:
        if self.started_at > self.ended_at:  # all times have one form, so text compares as time
            raise ValueError("started_at is not after ended_at")
        return self


class Usage(Group):
    """Operations that a stage was made with, and what they cost together (specs/12 §7)."""

    operations: Count
    priced: Count
    cost_usd: Amount | None = None
    tokens: Count | None = None

    @model_validator(mode="after")
    def _a_cost_was_priced(self) -> Self:
        priced_of(self.priced, self.operations)
        if self.cost_usd is not None and self.priced == 0:
            raise ValueError("cost_usd is there only when priced is above 0")
        return self


def priced_of(priced: int, operations: int) -> None:
    """Refuse more priced operations than operations."""
    if priced > operations:
        raise ValueError("priced is at most operations")


def _distinct(names: Sequence[str]) -> Sequence[str]:
    if len(set(names)) != len(names):
        raise ValueError("no atom is named twice")
    return names


Atoms = Annotated[Names256, AfterValidator(_distinct)]
CarriedAtoms = Annotated[tuple[Name, ...], Array, Field(max_length=256), AfterValidator(_distinct)]
"""Those that are left in what was delivered, of which there may be none."""
