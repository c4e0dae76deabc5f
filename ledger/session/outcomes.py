"""What became of a request, by the table of specs/10 section 4. Pure.

>>> decide(429, None)
Verdict(status='failed', reason='http_status', http_status=429, streaming=None)
>>> decide(200, "closed").status, decide(200, "interrupted").status
('answered', 'unknown')
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Broken", "Streaming", "Verdict", "decide"]

Streaming = Literal["complete", "closed", "interrupted", "error"]
Broken = Literal["not_sent", "timeout", "disconnected", "abandoned"]


class Verdict(NamedTuple):
    """The fields of an `outcome` that depend on each other."""

    status: Literal["answered", "failed", "unknown"]
    reason: str | None
    http_status: int | None
    streaming: Streaming | None


def decide(
    http_status: int | None, streaming: Streaming | None, broken: Broken | None = None
) -> Verdict:
    """Judge what came back; `broken` says how an exchange ended that was not whole."""
    known = http_status if http_status is not None and 100 <= http_status <= 599 else None
    if broken == "not_sent":
        return Verdict("failed", "not_sent", None, None)
    if broken is not None:
        return Verdict("unknown", broken, known, None)
    if known is None:  # an answer, but none of HTTP
        return Verdict("unknown", "disconnected", None, None)
    if not 200 <= known <= 299:
        return Verdict("failed", "http_status", known, None)
    if streaming in ("interrupted", "error"):
        return Verdict("unknown", "stream", known, streaming)
    return Verdict("answered", None, known, streaming)
