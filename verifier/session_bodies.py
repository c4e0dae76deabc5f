"""The bodies of the six session types, as tables (specs/10 sections 2 to 6 and 8)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from .content import looks_like_ref
from .errors import BadValue
from .fields import headers, iff
from .urls import check_url
from .values import (
    Check,
    amount,
    array,
    boolean,
    closed,
    count,
    digest,
    integer,
    label,
    matching,
    name,
    one_of,
    prose,
)

RUN_MAX = 1_000_000
REPLICATE_MAX = 1_000_000
ATTEMPT_MAX = 10_000
FROZEN_MAX = 512
REUSE_MAX = 256
CALL_KEY_BYTES = 32
ROLES = ("experiment_snapshot", "framework_snapshot", "corpus_manifest", "file")
_METHOD = re.compile(r"[A-Z]{1,16}")
_REASONS = ("http_status", "not_sent", "timeout", "disconnected", "stream", "abandoned", "killed")
_TABLE = {
    "answered": frozenset((None,)),
    "failed": frozenset(("http_status", "not_sent")),
    "unknown": frozenset(("timeout", "disconnected", "stream", "abandoned", "killed")),
}
_KILLED = frozenset(("status", "reason"))


def _ascending(items: Check) -> Check:
    """Return the check of an array of entries, unique and ascending by role and name."""

    def one(v: Any) -> None:
        items(v)
        # UTF-8 keeps the order of code points, so text compares as its bytes do.
        if any(a >= b for a, b in pairwise([(item["role"], item["name"]) for item in v])):
            raise BadValue("not in bytewise order of role and name, or one twice")

    return Check(one)


@Check
def _url(v: Any) -> None:
    prose(v)
    check_url(v)


@Check
def _call_key(v: Any) -> None:
    looks_like_ref(v)
    if v.get("size_bytes") != CALL_KEY_BYTES:
        raise BadValue(f"not a reference to {CALL_KEY_BYTES} bytes")


def _open_rule(m: Any) -> None:
    iff("previous" in m, m["run"] > 1, "previous")
    if "changed" in m and m["run"] == 1:
        raise BadValue("changed in the first run")


def _intent_rule(m: Any) -> None:
    iff("after" in m, m["attempt"] > 1, "after")
    if "fetches" in m and m.get("after") != "unknown":
        raise BadValue("fetches, and not after unknown")
    if m.get("request", {}).get("size_bytes") == 0:
        raise BadValue("request: a body of no bytes is none")


def _outcome_rule(m: Any) -> None:
    """Refuse what the table of section 4 does not name."""
    status, reason = m["status"], m.get("reason")
    if reason not in _TABLE[status]:
        raise BadValue(f"reason {reason} with status {status}")
    code, streaming = m.get("http_status"), m.get("streaming")
    if status == "answered":
        if code is None or not 200 <= code <= 299:
            raise BadValue("answered without an http_status from 200 to 299")
        if streaming not in (None, "complete", "closed"):
            raise BadValue(f"answered, and streaming {streaming}")
    elif streaming not in (("interrupted", "error") if reason == "stream" else (None,)):
        raise BadValue(f"streaming {streaming} with reason {reason}")
    if reason == "http_status" and (code is None or 200 <= code <= 299):
        raise BadValue("reason http_status without an http_status that refuses")
    if reason == "not_sent" and code is not None:
        raise BadValue("an http_status, though nothing was sent")
    if "decoded" in m and "response" not in m:
        raise BadValue("decoded without a response")
    if reason == "killed" and m.keys() != _KILLED:
        raise BadValue("reason killed with more than status and reason")


def _close_rule(m: Any) -> None:
    iff("reason" in m, m["status"] == "interrupted", "reason")


_role = one_of(*ROLES)
SESSION_BODIES: dict[str, Check] = {
    "session_open": closed(
        {
            "run": integer(1, RUN_MAX),
            "writer": name,
            "on_unknown": one_of("ask", "retry", "fetch"),
            "environment": looks_like_ref,
            "frozen": _ascending(
                array(
                    closed({"role": _role, "name": name, "content": looks_like_ref}), 0, FROZEN_MAX
                )
            ),
        },
        {
            "previous": one_of("complete", "interrupted", "killed"),
            "changed": _ascending(
                array(
                    closed(
                        {
                            "role": _role,
                            "name": name,
                            "change": one_of("added", "removed", "altered"),
                        }
                    ),
                    1,
                    FROZEN_MAX,
                )
            ),
            "budget_usd": amount,
            "call_key": _call_key,
        },
        rule=_open_rule,
    ),
    "intent": closed(
        {
            "call": closed({"digest": digest, "replicate": integer(1, REPLICATE_MAX)}),
            "attempt": integer(1, ATTEMPT_MAX),
            "method": matching(_METHOD),
            "url": _url,
        },
        {
            "after": one_of("failed", "unknown"),
            "request": looks_like_ref,
            "request_headers": headers,
            "fetches": name,
            "model": name,
            "stage": label,
            "reserved_usd": amount,
        },
        rule=_intent_rule,
    ),
    "outcome": closed(
        {"status": one_of(*_TABLE)},
        {
            "reason": one_of(*_REASONS),
            "http_status": integer(100, 599),
            "response": looks_like_ref,
            "response_headers": headers,
            "decoded": closed({"sha256": digest, "size_bytes": count}),
            "streaming": one_of("complete", "closed", "interrupted", "error"),
            "response_id": name,
            "first_byte_ms": amount,
            "duration_ms": amount,
        },
        rule=_outcome_rule,
    ),
    "reuse": closed({"calls": integer(1, REUSE_MAX)}),
    "savepoint": closed({"stage": label, "complete": boolean, "state": looks_like_ref}),
    "session_close": closed(
        {
            "run": integer(1, RUN_MAX),
            "status": one_of("complete", "interrupted"),
            "answered": count,
            "failed": count,
            "unknown": count,
            "reused": count,
            "unpriced": count,
        },
        {"reason": name, "cost_usd": amount},
        rule=_close_rule,
    ),
}
"""Type -> check of its body; each raises BadValue (`body_invalid`)."""


def check_session_envelope(p: dict[str, Any]) -> None:
    """Check what ties a checked body of these types to its payload: session, number of parents."""
    kind, body = p["type"], p["body"]
    if "session" not in p:
        raise BadValue(f"type {kind} without a session")
    given = len(p.get("parents", ()))
    if kind == "savepoint":
        return
    if kind == "session_open":
        wanted = int(body["run"] > 1)
    elif kind == "intent":
        wanted = int(body["attempt"] > 1)
    elif kind == "reuse":
        wanted = body["calls"]
    else:
        wanted = 1
    if given != wanted:
        raise BadValue(f"{given} parents, not {wanted}")


def check_salted(p: dict[str, Any], salted: bool) -> str | None:
    """Return how a checked body contradicts the ledger's choice of salt (`session_invalid`)."""
    body = p["body"]
    if p["type"] == "session_open" and ("call_key" in body) is not salted:
        return f"call_key in a ledger that is {'' if salted else 'not '}salted"
    if p["type"] == "outcome" and salted and "decoded" in body:
        return "decoded in a salted ledger"
    return None
