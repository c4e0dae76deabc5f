"""The statements of cross-model operations in a few words, and their ratings (specs/12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.cli.output import Part
from ledger.cli.session_words import usd
from ledger.cli.text import counted
from ledger.model.derive import band

__all__ = [
    "BAND_STYLES",
    "STATUS_STYLES",
    "SUMMARIES",
    "TYPES",
    "confidence",
    "milliseconds",
    "model",
    "operation_title",
    "rating",
]

BAND_STYLES = {"A": "green", "B": "yellow", "C": "red"}
STATUS_STYLES = {
    "verified": "green",
    "combined": "green",
    "outside": "yellow",
    "interrupted": "yellow",
    "failed": "bold red",
}
TYPES = {
    "insight": "cyan",
    "transfer": "cyan",
    "execution": "cyan",
    "provenance": "blue",
    "cross_model": "bold blue",
}
"""Styles of the types of statements."""


def operation_title(body: Mapping[str, Any]) -> str:
    """Return the operation that a body is of, as `review/1`."""
    return f"{body['operation']['name']}/{body['operation']['number']}"


def model(said: Mapping[str, Any]) -> str:
    """Return a model with its version, where that says more."""
    version = said.get("model_version")
    return str(said["model_id"]) if version is None else f"{said['model_id']} ({version})"


def confidence(score: float | None) -> Part:
    """Return a confidence with its band; empty for None."""
    if score is None:
        return ""
    letter = band(score)
    return f"{letter} {score:.2f}", BAND_STYLES[letter]


def rating(body: Mapping[str, Any]) -> list[Part]:
    """Return confidence and quality, each after two spaces, where they are there."""
    parts: list[Part] = []
    if "confidence" in body:
        parts += ["  ", confidence(body["confidence"])]
    if "quality" in body:
        parts.append(f"  quality {body['quality']:.2f}")
    return parts


def milliseconds(amount: float) -> str:
    """Return a duration as people say it.

    >>> milliseconds(12.0), milliseconds(2500.0), milliseconds(125000.0)
    ('12 ms', '2.5 s', '2 min 5 s')
    """
    if amount < 1000:
        return f"{amount:.0f} ms"
    if amount < 60_000:
        return f"{amount / 1000:.1f} s"
    minutes, seconds = divmod(round(amount / 1000), 60)
    return f"{minutes:,} min {seconds} s"


def checked(checks: list[Mapping[str, Any]]) -> str:
    """Return how many of some checks passed."""
    passed = sum(check["passed"] is True for check in checks)
    return f"{passed} of {counted(len(checks), 'check')} passed"


def _title(body: Mapping[str, Any]) -> list[Part]:
    return [operation_title(body), (f"  {body['label']}  ", "dim")]


def _model_stage(body: Mapping[str, Any]) -> list[Part]:
    parts = [*_title(body), str(body["model_id"]), *rating(body)]
    if "cost_usd" in body["usage"]:
        parts.append((f"  {usd(body['usage']['cost_usd'])}", "dim"))
    return parts


def _transfer(body: Mapping[str, Any]) -> list[Part]:
    hop = f"{body['source']['model_id']} → {body['target']['model_id']}"
    parts: list[Part] = [*_title(body), hop, *rating(body)]
    if "checks" in body:
        failed = not all(check["passed"] for check in body["checks"])
        parts.append((f"  {checked(body['checks'])}", "yellow" if failed else ""))
    return parts


def _provenance(body: Mapping[str, Any]) -> list[Part]:
    steps = [str(step["stage"]) for step in body["steps"]]
    shown = " → ".join(steps) if len(steps) <= 4 else f"{len(steps)} stages"
    parts: list[Part] = [operation_title(body), f"  {shown}"]
    if "interactions" in body:
        parts.append(f", {counted(len(body['interactions']), 'interaction')}")
    return parts


def _cross_model(body: Mapping[str, Any]) -> list[Part]:
    models = [part["model_id"] for part in (*body["insights"], *body["executions"])]
    hops = list(dict.fromkeys(models))
    shown = " → ".join(hops) if len(hops) <= 4 else counted(len(hops), "model")
    parts: list[Part] = [operation_title(body), f"  {shown}"]
    quality, cost = body.get("quality", {}), body["cost"]
    if "confidence" in body:
        parts += ["  ", confidence(body["confidence"])]
    if "overall" in quality:
        parts.append(f"  quality {quality['overall']:.2f}")
    if "preservation" in quality:
        parts.append(f", {quality['preservation']:.0%} preserved")
    if "total_usd" in cost:
        parts.append(f"  {usd(cost['total_usd'])}")
    if "reduction_percent" in cost:
        parts.append((f" ({reduction(cost['reduction_percent'])})", "dim"))
    return parts


def reduction(percent: float) -> str:
    """Return by how much less, or more, than otherwise was paid."""
    return f"{abs(percent):.1f} % {'less' if percent >= 0 else 'more'}"


SUMMARIES: Mapping[str, Callable[[Mapping[str, Any]], list[Part]]] = {
    "insight": _model_stage,
    "transfer": _transfer,
    "execution": _model_stage,
    "provenance": _provenance,
    "cross_model": _cross_model,
}
