"""Makes the bodies of cases: altered copies of good ones."""

from __future__ import annotations

import copy
from typing import Any

from ledger.formats import cbor
from tools.vectors import lab
from tools.vectors.case import Case

Body = dict[str, Any]

DROP = object()


def body_case(name: str, told: str, kind: str, body: Body, expect: str = "ok") -> Case:
    """Return the case of a body by itself."""
    files = {"input.bin": cbor.encode(body)}
    return Case(f"body_{name}", "body", told, expect, {"type": kind}, files)


def altered(base: Body, path: str, value: Any) -> Body:
    """Return a body with one place replaced or taken out; groups on the way are made."""
    body = copy.deepcopy(base)
    *groups, last = path.split(".")
    inner: Any = body
    for group in groups:
        inner = inner[int(group)] if isinstance(inner, list) else inner.setdefault(group, {})
    if value is DROP:
        del inner[last]
    else:
        inner[last] = value
    return body


def smallest(*changes: tuple[str, Any]) -> Body:
    """Return the smallest witness body with places replaced."""
    body = lab.witness_body()
    for path, value in changes:
        body = altered(body, path, value)
    return body


def scored(score: Any, band: str = "B", passed: Any = True) -> Body:
    """Return a witness body of criticality routine with a confidence."""
    return smallest(
        (
            "uncertainty",
            {"confidence_score": score, "confidence_band": band, "confidence_method": "verbal"},
        ),
        ("meta.kappa_gate_passed", passed),
    )
