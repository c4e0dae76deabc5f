"""Values that the bodies of cross-model operations share (specs/12 section 1)."""

from __future__ import annotations

import re
from typing import Any

from .errors import BadValue
from .fields import keyed, together
from .values import (
    COUNT_MAX,
    Check,
    amount,
    array,
    boolean,
    closed,
    column_rule,
    count,
    integer,
    label,
    matching,
    name,
    one_of,
    ratio,
    time,
)

NUMBER_MAX = 1_000_000
CHECKS_MAX = 32
METADATA_MAX = 32
ATOMS_MAX = 256
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


@column_rule(lambda column: {*map(type, column)} == {float})
def real(v: Any) -> None:
    """Check a float."""
    if type(v) is not float:
        raise BadValue("not a float")


@Check
def _datum(v: Any) -> None:
    if type(v) is str:
        name(v)
    elif type(v) is int:
        if not -COUNT_MAX - 1 <= v <= COUNT_MAX:
            raise BadValue("an integer that is too large")
    elif type(v) not in (float, bool):
        raise BadValue("not a name, a number or a boolean")


_names = array(name, 1, ATOMS_MAX)
_checks = array(
    closed(
        {"name": label, "passed": boolean},
        {"score": ratio, "method": name, "detail": name},
    ),
    1,
    CHECKS_MAX,
)


@Check
def atoms(v: Any) -> None:
    """Check the names of pieces of knowledge, none twice."""
    _names(v)
    if len({*v}) != len(v):
        raise BadValue("a name twice")


@Check
def carried(v: Any) -> None:
    """Check the names of those pieces that are left, of which there may be none."""
    if type(v) is not list or v:
        atoms(v)


@Check
def checks(v: Any) -> None:
    """Check *checks*, no name twice."""
    _checks(v)
    if len({one["name"] for one in v}) != len(v):
        raise BadValue("a name twice")


def _usage_rule(m: Any) -> None:
    if "cost_usd" in m and not m["priced"]:
        raise BadValue("cost_usd, and nothing priced")
    at_most(m, "priced", "operations")


def at_most(m: Any, less: str, more: str) -> None:
    """Check that one number of a map does not exceed another."""
    if m[less] > m[more]:
        raise BadValue(f"more {less} than {more}")


def span(m: Any) -> None:
    """Check the order of the two times of a *span*."""
    # Times of one fixed form compare as their texts do.
    if m["started_at"] > m["ended_at"]:
        raise BadValue("ended_at: before started_at")


def rated(m: Any) -> None:
    """Check which fields of a *rating* come together."""
    together("confidence", "confidence_method")(m)
    together("quality", "quality_method")(m)


operation = closed({"name": label, "number": integer(1, NUMBER_MAX)})
metadata = keyed(label, _datum, METADATA_MAX)
trace = closed({"trace_id": matching(_TRACE_ID), "span_id": matching(_SPAN_ID)})
usage = closed(
    {"operations": count, "priced": count},
    {"cost_usd": amount, "tokens": count},
    rule=_usage_rule,
)
RATING: dict[str, Check] = {
    "confidence": ratio,
    "confidence_method": one_of("logprobs", "entropy", "verbal", "markers", "heuristic"),
    "quality": ratio,
    "quality_method": name,
}
SPAN: dict[str, Check] = {"started_at": time, "ended_at": time}
