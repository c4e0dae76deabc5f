"""W3C Trace Context: who asked for an operation, and in which trace (specs/12 section 9)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.formats.handover import TraceParent, parse_traceparent, parse_tracestate
from ledger.formats.payload import Parent

__all__ = ["from_headers", "trace_of"]


def from_headers(headers: Mapping[str, str] | None) -> tuple[TraceParent | None, list[Parent]]:
    """What W3C Trace Context in the headers of a request says; names without regard to case."""
    found = {name.lower(): value for name, value in (headers or {}).items()}
    named = parse_tracestate(found.get("tracestate", ""))
    traced = parse_traceparent(found.get("traceparent", ""))
    return traced, [] if named is None else [named]


def trace_of(asked: TraceParent | None, recorded: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The trace of an operation: that of an earlier run, of who asked for it, or a new one."""
    for body in recorded:
        if "trace" in body:
            return {"trace_id": body["trace"]["trace_id"], "span_id": secrets.token_hex(8)}
    trace_id = secrets.token_hex(16) if asked is None else asked.trace_id
    return {"trace_id": trace_id, "span_id": secrets.token_hex(8)}
