"""What a decoder makes of some input: a value or a refusal with a code, and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ledger.errors import LedgerError
from verifier.errors import VifError


class Outcome(NamedTuple):
    """Accepted with a value, or refused with a code; `message` is for people."""

    accepted: bool
    value: Any = None
    code: str = ""
    message: str = ""


def outcome(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Call a reader of either program; an exception outside its error tree fails the test."""
    try:
        return Outcome(True, function(*arguments))
    except (LedgerError, VifError) as refusal:
        return Outcome(False, None, refusal.code, refusal.message)


def agree(one: Outcome, other: Outcome, *, codes: bool = True) -> None:
    """Fail unless both accept the same value or both refuse, with the same code."""
    assert one.accepted == other.accepted, f"ledger {one}, verifier {other}"
    if one.accepted:
        assert same(one.value, other.value), f"{one.value!r} and {other.value!r}"
    elif codes:
        assert one.code == other.code, f"ledger {one}, verifier {other}"


def same(one: Any, other: Any) -> bool:
    """Compare decoded values type by type; floats by their bits, maps with their order."""
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is float:
        return struct.pack(">d", one) == struct.pack(">d", other)
    return bool(one == other)
