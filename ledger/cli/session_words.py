"""The statements of sessions in a few words (specs/10), and amounts of money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.cli.output import Part
from ledger.cli.text import counted

__all__ = ["STATUS_STYLES", "SUMMARIES", "TYPES", "usd"]

STATUS_STYLES = {
    "answered": "green",
    "complete": "green",
    "failed": "yellow",
    "interrupted": "yellow",
    "open": "yellow",
    "running": "cyan",
    "killed": "red",
    "unknown": "red",
}
TYPES = {
    "session_open": "cyan",
    "intent": "dim",
    "outcome": "",
    "reuse": "dim",
    "savepoint": "cyan",
    "session_close": "cyan",
}
"""Styles of the types of statements."""


def usd(amount: float | None) -> str:
    """Return an amount of US dollars, with more digits the smaller it is; "" for None.

    >>> usd(12.5), usd(0.00042), usd(0.0)
    ('12.50 USD', '0.000420 USD', '0 USD')
    """
    if amount is None:
        return ""
    if amount == 0:
        return "0 USD"
    digits = 2 if amount >= 1 else 4 if amount >= 0.01 else 6
    return f"{amount:,.{digits}f} USD"


def _status(status: str) -> Part:
    return status, STATUS_STYLES.get(status, "")


def _session_open(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [f"run {body['run']}"]
    if "previous" in body:
        parts += [" after ", _status(str(body["previous"]))]
    if "changed" in body:
        parts.append((f"  {counted(len(body['changed']), 'file')} changed", "yellow"))
    return parts


def _intent(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [f"{body['model']}  " if "model" in body else ""]
    parts.append((f"{body['method']} {body['url']}", "dim"))
    if body["call"]["replicate"] > 1:
        parts.append(f"  replicate {body['call']['replicate']}")
    if body["attempt"] > 1:
        parts += [f"  attempt {body['attempt']} after ", _status(str(body["after"]))]
    if "fetches" in body:
        parts.append(f"  fetches {body['fetches']}")
    return parts


def _outcome(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [_status(str(body["status"]))]
    said = [str(body["http_status"])] if "http_status" in body else []
    if body.get("reason") not in (None, "http_status"):
        said.insert(0, str(body["reason"]))
    if "streaming" in body:
        said.append(f"stream {body['streaming']}")
    if "duration_ms" in body:
        said.append(f"{body['duration_ms']:.0f} ms")
    parts.append("  " + "  ".join(said) if said else "")
    return parts


def _savepoint(body: Mapping[str, Any]) -> list[Part]:
    return [str(body["stage"]), ("  complete", "green") if body["complete"] else ("  so far", "")]


def _session_close(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [f"run {body['run']} ", _status(str(body["status"]))]
    if "reason" in body:
        parts.append(f" ({body['reason']})")
    counts = [
        f"{body[name]} {name}" for name in ("answered", "failed", "unknown", "reused") if body[name]
    ]
    parts.append("  " + ", ".join(counts) if counts else "  no calls")
    if "cost_usd" in body:
        parts.append((f"  {usd(body['cost_usd'])}", "dim"))
    return parts


SUMMARIES: Mapping[str, Callable[[Mapping[str, Any]], list[Part]]] = {
    "session_open": _session_open,
    "intent": _intent,
    "outcome": _outcome,
    "reuse": lambda body: [f"{counted(body['calls'], 'recorded answer')} given again"],
    "savepoint": _savepoint,
    "session_close": _session_close,
}
