"""Names and lines of the files of a session folder (specs/11); nothing here reads a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .calls import media_type
from .jcs import SAFE_INTEGER_MAX, canonical_number

FOLDER = "data/session/"
FAULTS = FOLDER + "fault_recovery/FAULTS.jsonl"
NAME_MAX = 96
_SUFFIX = {
    "text/markdown": ".md",
    "text/event-stream": ".sse",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "text/html": ".html",
    "application/json": ".json",
}
_SNAPSHOTS = {
    "experiment_snapshot": ".md",
    "framework_snapshot": ".md",
    "corpus_manifest": ".json",
}
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME = rf"[A-Za-z0-9._-]{{1,{NAME_MAX}}}"
_ENDING = r"\.(?:json|md|sse|jsonl|html|txt|bin)"
_PATH = re.compile(
    rf"data/PROJECT_CHRONOLOG_(?:{_NAME})?\.jsonl|data/session/(?:"
    r"(?:experiment|framework)_snapshot(?:\.[1-9][0-9]*)?\.md|"
    rf"corpus_manifest(?:\.[1-9][0-9]*)?\.json|files/[0-9]{{3,}}_{_NAME}|"
    r"sessions/[0-9]{4,}/SESSION_CHRONOLOG\.jsonl|fault_recovery/FAULTS\.jsonl|"
    rf"llm_archive/[0-9]{{8,}}\.(?:request{_ENDING}|response{_ENDING}(?:\.gz)?)|"
    rf"(?:analysis_results|system_state)/[0-9]{{8,}}{_ENDING})"
)
_CHRONOLOG: dict[str, tuple[str, ...]] = {
    "session_open": ("run",),
    "intent": ("attempt", "call", "model", "replicate", "stage"),
    "outcome": ("duration_ms", "first_byte_ms", "intent", "status"),
    "reuse": ("calls",),
    "savepoint": ("complete", "stage"),
    "session_close": ("run", "status"),
}
_FAULTS: dict[str, tuple[str, ...]] = {
    "session_open": ("changed", "on_unknown", "previous", "run"),
    "intent": ("after", "attempt", "call", "replicate"),
    "outcome": ("http_status", "intent", "reason", "status", "streaming"),
    "reuse": ("outcomes",),
    "session_close": ("reason", "run"),
}
_PROJECT: dict[str, tuple[str, ...]] = {
    "session_open": ("previous", "run", "session"),
    "session_close": (
        "answered", "cost_usd", "failed", "reused", "run", "session", "status", "unknown",
    ),
}  # fmt: skip
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
Copy = tuple[str, dict[str, Any]]
"""path and content reference"""


def is_derived(path: str) -> bool:
    """Return whether a path is one that a file of the session folder or a chronolog may have."""
    return _PATH.fullmatch(path) is not None


def suffix_of(media: str) -> str:
    """Return the suffix for a media type."""
    kind = media_type(media)
    if kind.endswith("+json"):
        return ".json"
    return _SUFFIX.get(kind) or (".txt" if kind.startswith("text/") else ".bin")


def plain_name(text: str) -> str:
    """Return text as it may stand in a path, at most 96 characters."""
    return _ODD.sub("-", text)[:NAME_MAX]


def project_path(session: str) -> str:
    """Return the path of the list of a session's project."""
    return f"data/PROJECT_CHRONOLOG_{plain_name(session.partition('/')[0]).lower()}.jsonl"


def chronolog_path(run: int) -> str:
    """Return the path of the list of a run."""
    return f"{FOLDER}sessions/{run:04d}/SESSION_CHRONOLOG.jsonl"


def frozen_copies(body: dict[str, Any]) -> Iterator[Copy]:
    """Yield the copies of what the newest run of a session froze."""
    seen: dict[str, int] = {}
    for entry in body["frozen"]:
        role = entry["role"]
        k = seen[role] = seen.get(role, 0) + 1
        if role == "file":
            yield f"{FOLDER}files/{k:03d}_{plain_name(entry['name'])}", entry["content"]
        else:
            number = f".{k}" if k > 1 else ""
            yield f"{FOLDER}{role}{number}{_SNAPSHOTS[role]}", entry["content"]


def copies(index: int, p: dict[str, Any], intent: int | None, of_call: bool) -> Iterator[Copy]:
    """Yield the copies that a statement gives.

    `intent` is the index of an outcome's intent; `of_call` says that a witness is of an outcome.
    """
    kind, b = p["type"], p["body"]
    if kind == "intent" and "request" in b:
        yield _archived(index, "request", b["request"], {})
    elif kind == "outcome" and "response" in b and intent is not None:
        yield _archived(intent, "response", b["response"], b.get("response_headers", {}))
    elif kind == "savepoint":
        yield f"{FOLDER}system_state/{index:08d}{suffix_of(b['state']['media_type'])}", b["state"]
    elif kind == "witness":
        raw = {} if of_call else b.get("raw", {})
        if "request" in raw:
            yield _archived(index, "request", raw["request"], {})
        if "response" in raw:
            yield _archived(index, "response", raw["response"], raw.get("response_headers", {}))
        if "output_hash" in b["output"]:
            ref = b["output"]["output_hash"]
            yield f"{FOLDER}analysis_results/{index:08d}{suffix_of(ref['media_type'])}", ref


def _archived(index: int, what: str, ref: dict[str, Any], headers: dict[str, str]) -> Copy:
    packed = ".gz" if headers.get("content-encoding", "").lower() == "gzip" else ""
    suffix = suffix_of(ref["media_type"])
    return f"{FOLDER}llm_archive/{index:08d}.{what}{suffix}{packed}", ref


def chronolog_line(index: int, p: dict[str, Any], intent: int | None) -> bytes:
    """Return the line of a statement in the list of its run."""
    return _line(_CHRONOLOG[p["type"]], index, p, intent, ())


def project_line(index: int, p: dict[str, Any]) -> bytes:
    """Return the line of a session_open or session_close in the list of its project."""
    return _line(_PROJECT[p["type"]], index, p, None, ())


def fault_line(
    index: int, p: dict[str, Any], intent: int | None, outcomes: Sequence[int]
) -> bytes | None:
    """Return the line of a statement in the list of faults, or None if it is none."""
    kind, b = p["type"], p["body"]
    listed = (
        kind == "reuse"
        or (kind == "session_open" and b["run"] > 1)
        or (kind == "intent" and b["attempt"] > 1)
        or (kind == "outcome" and b["status"] != "answered")
        or (kind == "session_close" and b["status"] == "interrupted")
    )
    return _line(_FAULTS[kind], index, p, intent, outcomes) if listed else None


def _line(
    members: Sequence[str],
    index: int,
    p: dict[str, Any],
    intent: int | None,
    outcomes: Sequence[int],
) -> bytes:
    b = p["body"]
    call = b.get("call", {})
    own = {
        **b,
        "call": call["digest"].hex() if call else None,
        "replicate": call.get("replicate"),
        "intent": intent,
        "outcomes": [one for one in outcomes if one <= SAFE_INTEGER_MAX],
        "session": p.get("session"),
        "index": index,
    }
    found: dict[str, Any] = {"at": p["created_at"], "event": p["type"]}
    for name in ("index", *members):
        value = own.get(name)
        if value is not None and not (type(value) is int and value > SAFE_INTEGER_MAX):
            found[name] = value
    parts = [f'"{name}":{_value(found[name])}' for name in sorted(found)]
    return ("{" + ",".join(parts) + "}\n").encode()


def _value(value: Any) -> str:
    """Return the RFC 8785 form of a number, of text, or of what holds text under ASCII names."""
    return canonical_number(value) if type(value) is float else _encode(value)
