"""Rules on a provenance: which parts, in which order, under which names (specs/12 section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.formats.payload import STAGE_TYPES
from ledger.operations.report import Judged
from ledger.operations.statements import Resolved, Seen, Statements

__all__ = ["chain_findings", "is_joined", "missing_parts"]


def chain_findings(statements: Statements, seen: Seen) -> Iterator[Judged]:
    """What is wrong with the parts that a provenance names."""
    parents = statements.parents(seen)
    yield from missing_parts(seen, parents)
    for place, (one, step) in enumerate(zip(parents, seen.body["steps"], strict=True)):
        if one.kind is None:
            if one.state != "missing":
                yield seen.not_judged("part_mismatch", f"part {place} is {one.state}")
        elif one.kind not in STAGE_TYPES or one.kind != step["stage"]:
            yield seen.finding(
                "part_mismatch", f"the type of part {place}", step["stage"], one.kind
            )
        elif one.body is not None and not is_joined(seen, one):
            if one.body["operation"] != seen.body["operation"]:
                yield seen.finding(
                    "part_mismatch",
                    f"part {place} is of another operation",
                    _name(seen.body["operation"]),
                    _name(one.body["operation"]),
                )
            if one.body["label"] != step["label"]:
                yield seen.finding(
                    "part_mismatch", f"the label of part {place}", one.body["label"], step["label"]
                )
    yield from _order(seen, parents)


def missing_parts(seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    """Parts that are named and are not in the log."""
    for place, one in enumerate(parents):
        if one.state == "missing":
            yield seen.finding("part_missing", f"part {place}, {one.parent.id}, is not in the log")


def is_joined(seen: Seen, part: Resolved) -> bool:
    """Whether a part was run elsewhere: in another ledger or another session."""
    return not part.own or (
        part.seen is not None and part.seen.payload.session != seen.payload.session
    )


def _order(seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    places = {one.parent.leaf_hash: place for place, one in enumerate(parents)}
    highest = -1
    for place, one in enumerate(parents):
        if one.index is not None:
            if one.index < highest:
                yield seen.finding(
                    "stage_order", f"part {place} stands before one at {highest}", None, one.index
                )
            highest = max(highest, one.index)
        if one.seen is None:
            if one.state != "missing":
                yield seen.not_judged("stage_order", f"part {place} is {one.state}")
            continue
        for parent in one.seen.payload.parents:
            if places.get(parent.leaf_hash, -1) > place:
                yield seen.finding("stage_order", f"part {place} comes before a parent of it")


def _name(operation: dict[str, object]) -> str:
    return f"{operation['name']}/{operation['number']}"
