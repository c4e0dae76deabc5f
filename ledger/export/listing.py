"""The lists of a session folder: JSON Lines that follow from statements (specs/11 section 3).

Each line is the RFC 8785 form of an object. Which members a line has is in three tables; a member
that the statement does not have is left out.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import rfc8785

from ledger.reader import Entry

SESSION_TYPES = frozenset(
    {"session_open", "intent", "outcome", "reuse", "savepoint", "session_close"}
)
PREFIX = "data/session/"
FAULTS = PREFIX + "fault_recovery/FAULTS.jsonl"
NAME_MAX_CHARACTERS = 96
_INTEGER_MAX = (1 << 53) - 1
_HELD_BYTES = 1 << 16
_PIECE_BYTES = 1 << 16
_ODD = re.compile(r"[^A-Za-z0-9._-]")

Member = Callable[[Entry, "Indices"], Any]
Members = tuple[tuple[str, Member], ...]
Indices = Callable[[bytes], int | None]
"""The index of an intent or outcome by its leaf hash."""


def safe_name(text: str) -> str:
    """Return a text as part of a file name (specs/11 sections 2 and 3)."""
    return _ODD.sub("-", text)[:NAME_MAX_CHARACTERS]


def chronolog_path(run: int) -> str:
    """Return where the timing of a run is listed."""
    return f"{PREFIX}sessions/{run:04}/SESSION_CHRONOLOG.jsonl"


def project_path(session: str) -> str:
    """Return where the runs of a session's project are listed."""
    return f"data/PROJECT_CHRONOLOG_{safe_name(session.partition('/')[0])}.jsonl"


def _said(*names: str) -> Members:
    """Members that stand in the body under the same name."""
    return tuple((name, lambda entry, _, name=name: entry.payload.body.get(name)) for name in names)


def _parent(entry: Entry, indices: Indices) -> int | None:
    parents = entry.payload.parents
    return indices(parents[0].leaf_hash) if parents else None


_CALL: Members = (
    ("call", lambda entry, _: entry.payload.body["call"]["digest"].hex()),
    ("replicate", lambda entry, _: entry.payload.body["call"]["replicate"]),
)
_INTENT: Members = (("intent", _parent),)
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
    "reuse": (
        (
            "outcomes",
            lambda entry, indices: [indices(one.leaf_hash) for one in entry.payload.parents],
        ),
    ),
    "session_close": _said("reason", "run"),
}
_IS_FAULT: dict[str, Callable[[dict[str, Any]], bool]] = {
    "session_open": lambda body: body["run"] > 1,
    "intent": lambda body: body["attempt"] > 1,
    "outcome": lambda body: body["status"] != "answered",
    "reuse": lambda body: True,
    "session_close": lambda body: body["status"] == "interrupted",
}


def timing(entry: Entry, indices: Indices) -> bytes:
    """Return a statement's line in the chronolog of its run."""
    return _line(entry, indices, _TIMING)


def project(entry: Entry, indices: Indices) -> bytes | None:
    """Return a statement's line in the chronolog of its project, None if it has none."""
    return _line(entry, indices, _PROJECT) if entry.payload.type in _PROJECT else None


def fault(entry: Entry, indices: Indices) -> bytes | None:
    """Return a statement's line among the faults, None if it has none."""
    kind, body = entry.payload.type, entry.payload.body
    is_fault = _IS_FAULT.get(kind)
    return _line(entry, indices, _FAULT) if is_fault is not None and is_fault(body) else None


def _line(entry: Entry, indices: Indices, table: dict[str, Members]) -> bytes:
    payload = entry.payload
    line: dict[str, Any] = {"at": payload.created_at, "event": payload.type, "index": entry.index}
    for name, member in table[payload.type]:
        value = member(entry, indices)
        if value is not None and not (isinstance(value, int) and value > _INTEGER_MAX):
            line[name] = value
    return rfc8785.dumps(line) + b"\n"


class Lists:
    """Lists under construction, by path; what outgrows memory goes to unnamed files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}

    def add(self, path: str, line: bytes | None) -> None:
        """Add a line to a list; None adds nothing."""
        if line is None:
            return
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = self._open()
        file.write(line)

    def __iter__(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the path and the pieces of each list."""
        for path, file in sorted(self._files.items()):
            file.seek(0)
            yield path, _pieces(file)

    def _open(self) -> IO[bytes]:
        return tempfile.SpooledTemporaryFile(_HELD_BYTES, dir=str(self._folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece
