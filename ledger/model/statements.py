"""The other bodies that producers write (specs/03 §5 and §6, 04 §6, 06 §4).

What a body alone cannot show is checked by the log: that an annotation has parents, that a
`stream_close` counts its stream, that references are salted exactly in a salted ledger.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import PlainValidator

from ledger.formats.values import is_prose
from ledger.model.base import Body
from ledger.model.free import NEGATIVE_MIN, UNSIGNED_MAX
from ledger.model.groups import Source
from ledger.model.values import Count, Label, Name, Prose, Ref

Scalar = str | int | float | bool


def _verdict(value: object) -> Scalar:
    """Take prose, an integer, a float or a boolean as what it is."""
    if type(value) is bool:
        return value
    if type(value) is int and NEGATIVE_MIN <= value <= UNSIGNED_MAX:
        return value
    if type(value) is float and math.isfinite(value):
        return value + 0.0
    if type(value) is str and is_prose(value):
        return value
    raise ValueError("must be prose, an integer of 64 bits, a finite float or a boolean")


class Annotation(Body):
    """Something said afterwards about the statements in `parents`, such as a scorer's verdict."""

    kind: Label
    name: Name | None = None
    value: Annotated[Scalar, PlainValidator(_verdict)] | None = None
    explanation: Ref | None = None
    source: Source | None = None


class Import(Body):
    """Written after the statements taken over from another log."""

    format: Label
    source: Ref
    source_name: Name | None = None
    witnesses: Count
    annotations: Count


class Erasure(Body):
    """Accounts for the absence of a content from here on."""

    content: Ref
    reason: Prose


class StreamClose(Body):
    """The end of a stream: the number of its statements, this one included."""

    statements: Count
