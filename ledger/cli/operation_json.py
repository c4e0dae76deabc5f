"""An operation as JSON: what was computed about it, and what its statements say."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ledger.cli.describe import plain
from ledger.operations import Finding, OperationReport, StagePart
from ledger.operations.figures import figures

__all__ = ["listed", "whole"]


def listed(report: OperationReport) -> dict[str, Any]:
    """Return an operation as one line of a list."""
    found = figures(report)
    return {
        "session": report.name.session,
        "name": report.name.name,
        "number": report.name.number,
        "index": report.first_index,
        "id": None if report.combined is None else report.combined.id,
        "models": list(report.models),
        "stages": {} if found is None else dict(found.stages),
        "state": report.state,
        "cost_usd": None if found is None else found.cost_usd,
        "quality": None if found is None else found.quality,
        "preservation": None if found is None else found.preservation,
        "status": None if report.computed is None else report.computed.status,
        "sound": report.sound,
    }


def whole(report: OperationReport) -> dict[str, Any]:
    """Return everything about an operation."""
    found = figures(report)
    provenance = None if report.provenance is None else report.provenance
    combined = None if report.combined is None else report.combined
    chain: Any = None
    if provenance is not None:
        chain = {"index": provenance.index, "id": provenance.id, "body": provenance.payload.body}
    combination: Any = None
    if combined is not None:
        combination = {"index": combined.index, "id": combined.id, "body": combined.payload.body}
    computed: Any = None
    if report.computed is not None:
        computed = asdict(report.computed)
        computed["trust_chain"] = [
            {"kid": kid, "name": name} for kid, name in report.computed.trust_chain
        ]
    answer = {
        **listed(report),
        "parts": [_part(part) for part in report.parts],
        "figures": None if found is None else asdict(found),
        "provenance": chain,
        "cross_model": combination,
        "computed": computed,
        "findings": [_finding(one) for one in report.findings],
        "not_judged": [asdict(one) for one in report.not_judged],
    }
    shown: dict[str, Any] = plain(answer)
    return shown


def _part(part: StagePart) -> dict[str, Any]:
    return {
        "stage": part.kind,
        "label": part.label,
        "id": part.parent.id,
        "leaf_hash": part.parent.leaf_hash,
        "ledger": part.parent.ledger,
        "state": part.state,
        "joined": part.joined,
        "index": part.index,
        "body": part.body,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "severity": one.severity,
        "axis": one.axis,
        "code": one.code,
        "index": one.index,
        "id": one.id,
        "message": one.message,
        "expected": one.expected or None,
        "actual": one.actual or None,
    }
