"""The lists of a session folder: JSON Lines that follow from statements (specs/11 section 3).

Each line is the RFC 8785 form of an object. Which members a line has is in three tables; a member
that the statement does not have is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import rfc8785

from ledger.export.spool import SortedSpool
from ledger.reader import Entry

SESSION_TYPES = frozenset(
    {"session_open", "intent", "outcome", "reuse", "savepoint", "session_close"}
)
PREFIX = "data/session/"
FAULTS = PREFIX + "fault_recovery/FAULTS.jsonl"
NAME_MAX_CHARACTERS = 96
_INTEGER_MAX = (1 << 53) - 1
_HELD_BYTES = 8 << 20
_PIECE_BYTES = 1 << 16
_NUMBER_DIGITS = 20
_ODD = re.compile(r"[^A-Za-z0-9._-]")

Member = Callable[[Entry, "IndexOf"], Any]
Members = tuple[tuple[str, Member], ...]
IndexOf = Callable[[str, bytes], int | None]
"""The index of a statement of the selection by type, `intent` or `outcome`, and leaf hash."""


def safe_name(text: str) -> str:
    """Return a text as part of a file name (specs/11 sections 2 and 3)."""
    return _ODD.sub("-", text)[:NAME_MAX_CHARACTERS]


def chronolog_path(run: int) -> str:
    """Return where the timing of a run is listed."""
    return f"{PREFIX}sessions/{run:04}/SESSION_CHRONOLOG.jsonl"


def project_path(session: str) -> str:
    """Return where the runs of a session's project are listed."""
    # lower case, because a package cannot hold two names that differ by case alone (specs/07 §1)
    name = safe_name(session.partition("/")[0]).lower()
    return f"data/PROJECT_CHRONOLOG_{name}.jsonl"


def _said(*names: str) -> Members:
    """Members that stand in the body under the same name."""
    return tuple((name, lambda entry, _, name=name: entry.payload.body.get(name)) for name in names)


def _intent(entry: Entry, index_of: IndexOf) -> int | None:
    parents = entry.payload.parents
    return index_of("intent", parents[0].leaf_hash) if parents else None


def _outcomes(entry: Entry, index_of: IndexOf) -> list[int | None]:
    found = [index_of("outcome", parent.leaf_hash) for parent in entry.payload.parents]
    return [index for index in found if _is_said(index)]


_CALL: Members = (
    ("call", lambda entry, _: entry.payload.body["call"]["digest"].hex()),
    ("replicate", lambda entry, _: entry.payload.body["call"]["replicate"]),
)
_INTENT: Members = (("intent", _intent),)
_SESSION: Members = (("session", lambda entry, _: entry.payload.session),)

_TIMING: dict[str, Members] = {
    "session_open": _said("run"),
    "intent": _said("attempt", "model", "stage") + _CALL,
    "outcome": _said("duration_ms", "first_byte_ms", "status") + _INTENT,
    "reuse": _said("calls"),
    "savepoint": _said("complete", "stage"),
    "session_close": _said("run", "status"),
}
_PROJECT: dict[str, Members] = {
    "session_open": _said("previous", "run") + _SESSION,
    "session_close": _said("answered", "cost_usd", "failed", "reused", "run", "status", "unknown")
    + _SESSION,
}
_FAULT: dict[str, Members] = {
    "session_open": _said("changed", "on_unknown", "previous", "run"),
    "intent": _said("after", "attempt") + _CALL,
    "outcome": _said("http_status", "reason", "status", "streaming") + _INTENT,
    "reuse": (("outcomes", _outcomes),),
    "session_close": _said("reason", "run"),
}
_IS_FAULT: dict[str, Callable[[dict[str, Any]], bool]] = {
    "session_open": lambda body: body["run"] > 1,
    "intent": lambda body: body["attempt"] > 1,
    "outcome": lambda body: body["status"] != "answered",
    "reuse": lambda body: True,
    "session_close": lambda body: body["status"] == "interrupted",
}


def timing(entry: Entry, index_of: IndexOf) -> bytes:
    """Return a statement's line in the chronolog of its run."""
    return _line(entry, index_of, _TIMING)


def project(entry: Entry, index_of: IndexOf) -> bytes | None:
    """Return a statement's line in the chronolog of its project, None if it has none."""
    return _line(entry, index_of, _PROJECT) if entry.payload.type in _PROJECT else None


def fault(entry: Entry, index_of: IndexOf) -> bytes | None:
    """Return a statement's line among the faults, None if it has none."""
    kind, body = entry.payload.type, entry.payload.body
    is_fault = _IS_FAULT.get(kind)
    return _line(entry, index_of, _FAULT) if is_fault is not None and is_fault(body) else None


def _line(entry: Entry, index_of: IndexOf, table: dict[str, Members]) -> bytes:
    payload = entry.payload
    line: dict[str, Any] = {"at": payload.created_at, "event": payload.type, "index": entry.index}
    for name, member in table[payload.type]:
        value = member(entry, index_of)
        if _is_said(value):
            line[name] = value
    return rfc8785.dumps(line) + b"\n"


def _is_said(value: object) -> bool:
    """Whether a value is there and, if it is an integer, one that JSON can say exactly."""
    return value is not None and not (isinstance(value, int) and value > _INTEGER_MAX)


class Lists:
    """Lines under construction by the path of their list; what outgrows memory goes to a file."""

    def __init__(self, folder: Path) -> None:
        self._spool = SortedSpool(folder, buffer_bytes=_HELD_BYTES)

    def add(self, path: str, line: bytes | None) -> None:
        """Add a line to a list; None adds nothing."""
        if line is not None:
            # the number keeps the lines of one path in the order in which they came
            number = f"{self._spool.count:0{_NUMBER_DIGITS}}".encode()
            self._spool.add(path.encode(), number + line.removesuffix(b"\n"))

    def __iter__(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the path and the pieces of each list, to be taken before the next one."""
        for path, lines in groupby(self._spool, key=lambda item: item[0]):
            yield path.decode(), _pieces(line for _, line in lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()


def _pieces(numbered: Iterable[bytes]) -> Iterator[bytes]:
    """Return lines without their numbers, in pieces of a size worth a write."""
    held = bytearray()
    for line in numbered:
        held += line[_NUMBER_DIGITS:] + b"\n"
        if len(held) >= _PIECE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
