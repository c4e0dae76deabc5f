"""Derived numbers computed again: of stages from their parents, of the whole from its parts (§7).

Everything is made by `ledger.model.crossnumbers`, the same functions that make a body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger.errors import RecordError
from ledger.model import crossnumbers, to_body
from ledger.model.crossnumbers import STAGE_TYPES
from ledger.model.derive import band
from ledger.operations.report import Judged
from ledger.operations.stages import made_with
from ledger.operations.statements import Resolved, Seen, Statements

__all__ = ["stage_numbers", "whole_numbers"]

_CODE = "derivation_mismatch"
Body = Mapping[str, Any]


def stage_numbers(statements: Statements, seen: Seen) -> Iterator[Judged]:
    """Numbers of a stage that differ from what its parents make them."""
    parents = statements.parents(seen)
    yield from _usage(seen, parents)
    if seen.payload.type == "transfer":
        yield from _transfer(seen, parents[0])


def whole_numbers(seen: Seen, parts: Mapping[str, Sequence[Body]] | None) -> Iterator[Judged]:
    """Numbers of a `cross_model` that differ; `parts` by type are None when not all are known."""
    if parts is None:
        yield seen.not_judged(_CODE, "a part is not at hand")
    else:
        yield from _from_parts(seen, parts)
    yield from _from_itself(seen)


def _usage(seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    counting: list[tuple[str, Body] | None] = []
    for one in made_with(seen, parents):
        if not one.own:
            counting.append(None)
        elif one.kind is None or (one.kind in ("witness", "cross_model") and one.body is None):
            yield seen.not_judged(_CODE, "a parent is not at hand")
            return
        else:
            counting.append((one.kind, one.body or {}))
    try:
        expected = to_body(crossnumbers.usage(counting))
    except RecordError:
        expected = {}  # more operations than a count can say
    yield from _compare_all(seen, "usage", seen.body["usage"], expected)


def _transfer(seen: Seen, source: Resolved) -> Iterator[Judged]:
    body = seen.body
    delivered = body.get("delivered")
    size = None if delivered is None else delivered["size_bytes"]
    ratio = crossnumbers.compression_ratio(body["content"]["size_bytes"], size)
    yield from _compare(seen, "compression_ratio", body.get("compression_ratio"), ratio)
    atoms = len(body["atoms"]) if "atoms" in body else None
    known: int | None = None
    if delivered is not None and atoms is not None:
        if source.kind is None or source.body is None:
            yield seen.not_judged(_CODE, f"its source is {source.state}")
            return
        carried = source.body.get("atoms")
        if carried is not None and not set(body["atoms"]) <= set(carried):
            return  # others than its source has, which is found elsewhere
        known = None if carried is None else len(carried)
    expected = crossnumbers.completeness(delivered is not None, atoms, known)
    yield from _compare(seen, "completeness", body.get("completeness"), expected)


def _from_parts(seen: Seen, parts: Mapping[str, Sequence[Body]]) -> Iterator[Judged]:
    body = seen.body
    stages = [part for kind in STAGE_TYPES for part in parts[kind]]
    spent = [part["usage"] for part in stages]
    cost, quality = body["cost"], body.get("quality", {})
    for name in ("operations", "priced"):
        expected = crossnumbers.counted(usage[name] for usage in spent)
        yield from _compare(seen, f"cost.{name}", cost[name], expected)
    tokens = crossnumbers.counted(usage.get("tokens") for usage in spent)
    yield from _compare(seen, "cost.tokens", cost.get("tokens"), tokens)
    costs = {
        kind: crossnumbers.total(part["usage"].get("cost_usd") for part in parts[kind])
        for kind in STAGE_TYPES
    }
    yield from _compare_all(seen, "cost.breakdown", cost.get("breakdown", {}), costs)
    means = {
        kind: crossnumbers.mean(part.get("quality") for part in parts[kind]) for kind in STAGE_TYPES
    }
    yield from _compare_all(seen, "quality.components", quality.get("components", {}), means)
    confidence = crossnumbers.smallest(part.get("confidence") for part in stages)
    yield from _compare(seen, "confidence", body.get("confidence"), confidence)
    started = min(part["started_at"] for part in stages)
    ended = max(part["ended_at"] for part in stages)
    yield from _compare(seen, "started_at", body["started_at"], started)
    yield from _compare(seen, "ended_at", body["ended_at"], ended)


def _from_itself(seen: Seen) -> Iterator[Judged]:
    """Numbers that follow from the same body alone."""
    body = seen.body
    cost, quality, replay = body["cost"], body.get("quality", {}), body.get("replay", {})
    confidence = body.get("confidence")
    expected_band = None if confidence is None else band(confidence)
    yield from _compare(seen, "confidence_band", body.get("confidence_band"), expected_band)
    numbers = crossnumbers.of_components(quality.get("components", {}))
    for name, value in numbers.items():
        yield from _compare(seen, f"quality.{name}", quality.get(name), value)
    followed = crossnumbers.of_cost(
        cost.get("breakdown", {}), cost.get("tokens"), cost.get("baseline_usd"), numbers
    )
    for name, value in followed.items():
        yield from _compare(seen, f"cost.{name}", cost.get(name), value)
    rate = crossnumbers.success_rate(replay.get("runs"), replay.get("succeeded"))
    yield from _compare(seen, "replay.success_rate", replay.get("success_rate"), rate)
    spent = crossnumbers.duration_ms(body["started_at"], body["ended_at"])
    yield from _compare(seen, "duration_ms", body["duration_ms"], spent)


def _compare_all(
    seen: Seen, where: str, recorded: Body, expected: Mapping[str, object]
) -> Iterator[Judged]:
    for name in dict.fromkeys((*expected, *recorded)):
        yield from _compare(seen, f"{where}.{name}", recorded.get(name), expected.get(name))


def _compare(seen: Seen, name: str, recorded: object, expected: object) -> Iterator[Judged]:
    if recorded != expected:
        yield seen.finding(_CODE, name, expected, recorded)
