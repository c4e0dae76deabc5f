"""Replays in a few words, for listings (specs/13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.cli.output import Part

__all__ = ["SUMMARIES", "TYPES"]

TYPES = {"replay": "green", "replay_operation": "bold green"}


def _replay(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [f"{body['engine']}  reached {body['level']}"]
    run = body["run"]
    if run["of"] > 1:
        parts.append((f"  run {run['number']} of {run['of']}", "dim"))
    if not body["success"]:
        parts.append((f"  not {body['wanted']}: {body['reason']}", "yellow"))
    return parts


def _operation(body: Mapping[str, Any]) -> list[Part]:
    name = body["operation"]
    said = (f"  {body['message']}", "" if body["success"] else "yellow")
    return [f"{name['name']}/{name['number']}", said]


SUMMARIES: dict[str, Callable[[Mapping[str, Any]], list[Part]]] = {
    "replay": _replay,
    "replay_operation": _operation,
}
