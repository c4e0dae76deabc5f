"""Rules on a `cross_model`: the same parts as its chain, and what it repeats of them (specs/12 §6).

Where one of its parts is not at hand, the numbers that are made from all of them are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger.model.combine import order
from ledger.operations.chain import is_joined, missing_parts
from ledger.operations.numbers import whole_numbers
from ledger.operations.report import Judged
from ledger.operations.statements import Resolved, Seen, Statements

__all__ = ["whole_findings"]

_GROUPS = (("insight", "insights"), ("transfer", "transfers"), ("execution", "executions"))
_REPEATED = {
    "insight": ("model_id", "model_version", "confidence", "quality"),
    "transfer": ("confidence", "quality", "completeness"),
    "execution": ("model_id", "model_version", "confidence", "quality"),
}


def whole_findings(statements: Statements, seen: Seen) -> Iterator[Judged]:
    """What is wrong with a combination."""
    parents = statements.parents(seen)
    yield from missing_parts(seen, parents)
    places = [(kind, said) for kind, name in _GROUPS for said in seen.body[name]]
    parts: dict[str, list[Mapping[str, Any]]] | None = {kind: [] for kind, _ in _GROUPS}
    for place, (one, (kind, said)) in enumerate(zip(parents, places, strict=False)):
        yield from _part(seen, place, one, kind, said)
        if one.body is None or one.kind != kind:
            parts = None
        elif parts is not None:
            parts[kind].append(one.body)
    yield from _chain(statements, seen, parents, parents[-1])
    yield from whole_numbers(seen, parts)


def _part(
    seen: Seen, place: int, one: Resolved, kind: str, said: Mapping[str, Any]
) -> Iterator[Judged]:
    """A part against its place, and against what is repeated of it."""
    if one.kind is None:
        if one.state != "missing":
            yield seen.not_judged("part_mismatch", f"part {place} is {one.state}")
        return
    if one.kind != kind:
        yield seen.finding("part_mismatch", f"the type of part {place}", kind, one.kind)
        return
    if one.body is None:
        return  # its own finding is enough
    if not is_joined(seen, one) and one.body["operation"] != seen.body["operation"]:
        yield seen.finding("part_mismatch", f"part {place} is of another operation")
    expected = {name: one.body[name] for name in _REPEATED[kind] if name in one.body}
    if kind == "transfer":
        passed = [check["passed"] for check in one.body.get("checks", ())]
        expected |= {"passed": passed.count(True), "failed": passed.count(False)}
    for name in dict.fromkeys((*expected, *said)):
        if expected.get(name) != said.get(name):
            yield seen.finding(
                "part_mismatch", f"{name} of part {place}", expected.get(name), said.get(name)
            )


def _chain(
    statements: Statements, seen: Seen, parents: Sequence[Resolved], chain: Resolved
) -> Iterator[Judged]:
    """Its last parent is the chain of the same operation, over the same stages."""
    if not chain.own:
        yield seen.finding("part_mismatch", "its chain is in another ledger")
        return
    if chain.kind is None or chain.seen is None:
        if chain.state != "missing":
            yield seen.not_judged("part_mismatch", f"its chain is {chain.state}")
        return
    if chain.kind != "provenance":
        yield seen.finding("part_mismatch", "its last part", "provenance", chain.kind)
        return
    if chain.body is None:
        return
    session = chain.seen.payload.session
    if session != seen.payload.session or chain.body["operation"] != seen.body["operation"]:
        yield seen.finding("part_mismatch", "its chain is of another operation")
    stages = statements.parents(chain.seen)
    kinds = [
        one.kind or step["stage"] for one, step in zip(stages, chain.body["steps"], strict=True)
    ]
    expected = [stages[place].parent.leaf_hash for place in order(kinds)]
    named = [one.parent.leaf_hash for one in parents[:-1]]
    for place, leaf in enumerate(named):
        if leaf not in expected:
            yield seen.finding("part_mismatch", f"part {place} is none of its chain")
        elif place >= len(expected) or expected[place] != leaf:
            yield seen.finding(
                "part_mismatch", f"the place of part {place}", expected.index(leaf), place
            )
    for leaf in expected:
        if leaf not in named:
            yield seen.finding("part_mismatch", "a part of its chain is not its own", leaf)
