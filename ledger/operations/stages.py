"""Rules on stages: whose model, whose output, which transfer, what time (specs/12 §2 to §4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger.formats.payload import STAGE_TYPES
from ledger.operations.report import Judged
from ledger.operations.statements import Resolved, Seen, Statements

__all__ = ["contexts_of", "made_with", "stage_findings"]

_IDS = ("model_id", "requested_model", "actual_model")
_VERSIONS = ("model_id", "actual_model", "system_fingerprint")
_SOURCES = ("insight", "execution")


def stage_findings(statements: Statements, seen: Seen) -> Iterator[Judged]:
    """What contradicts what, of a stage that has the shape of its page."""
    parents = statements.parents(seen)
    if seen.payload.type == "transfer":
        yield from _source(statements, seen, parents[0])
    else:
        yield from _calls(seen, parents)
    if seen.payload.type == "execution":
        yield from _targets(statements, seen, parents)
    yield from _times(seen, parents[: len(parents) - seen.body["made_with"]])


def contexts_of(statements: Statements, seen: Seen) -> tuple[list[Mapping[str, Any]], bool]:
    """The contexts of an insight or execution, and whether these are all of them."""
    own = [one for one in made_with(seen, statements.parents(seen)) if one.own]
    found: list[Mapping[str, Any]] = []
    if "context" in seen.body:
        found.append(seen.body["context"])
    found += [
        one.body["data"]["prompt_hash"]
        for one in own
        if one.kind == "witness" and one.body is not None
    ]
    return found, not any(_may_be_witness(one) for one in own)


def made_with(seen: Seen, parents: Sequence[Resolved]) -> Sequence[Resolved]:
    """The parents of a stage that happened inside of it: the last ones (specs/12 section 1)."""
    return parents[len(parents) - seen.body["made_with"] :]


def _may_be_witness(parent: Resolved) -> bool:
    """Whether an own parent is not known well enough to say what it adds."""
    return parent.kind is None or (parent.kind == "witness" and parent.body is None)


def _calls(seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    own = [one for one in made_with(seen, parents) if one.own]
    bodies = [one.body for one in own if one.kind == "witness" and one.body is not None]
    calls = [body["model"] for body in bodies if body["operation"] != "execute_tool"]
    unknown = any(_may_be_witness(one) for one in own)
    for field, names in (("model_id", _IDS), ("model_version", _VERSIONS)):
        value = seen.body.get(field)
        known = {call[name] for call in calls for name in names if name in call}
        if value is None or value in known:
            continue
        if unknown:
            yield seen.not_judged("stage_mismatch", "a call is not at hand")
        elif calls:
            yield seen.finding(
                "stage_mismatch", f"no call of it is of this {field}", sorted(known), value
            )


def _source(statements: Statements, seen: Seen, source: Resolved) -> Iterator[Judged]:
    if source.kind is None or (source.kind in _SOURCES and source.body is None):
        yield seen.not_judged("stage_mismatch", f"its source is {source.state}")
        return
    if source.kind not in _SOURCES or source.seen is None:
        yield seen.finding(
            "stage_mismatch", "its first parent is no source", "insight or execution", source.kind
        )
        return
    made, party = source.seen.body, seen.body["source"]
    for field in ("model_id", "model_version"):
        if party.get(field) != made.get(field):
            yield seen.finding(
                "stage_mismatch", f"source.{field}", made.get(field), party.get(field)
            )
    if seen.body["content"] != made["output"]:
        yield seen.finding(
            "stage_mismatch",
            "its content is not the output of its source",
            made["output"],
            seen.body["content"],
        )
    if "context" in party:
        yield from _given(statements, seen, source.seen, party["context"], "source.context")
    strange = [atom for atom in seen.body.get("atoms", ()) if atom not in made.get("atoms", ())]
    if strange:
        yield seen.finding("stage_mismatch", "an atom that its source has not", None, strange[0])


def _given(
    statements: Statements, seen: Seen, stage: Seen, context: Mapping[str, Any], name: str
) -> Iterator[Judged]:
    """A context that is named is one of those that a stage had, as a whole reference."""
    contexts, complete = contexts_of(statements, stage)
    if context in contexts:
        return
    if complete:
        yield seen.finding("stage_mismatch", f"{name} is none that the model had", None, context)
    else:
        yield seen.not_judged("stage_mismatch", "a call is not at hand")


def _targets(statements: Statements, seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    transfers = [one for one in parents if one.kind == "transfer"]
    if not transfers:
        if any(one.kind is None for one in parents):
            yield seen.not_judged("stage_mismatch", "a parent is not at hand")
        else:
            yield seen.finding("stage_mismatch", "no transfer is among its parents")
    for one in transfers:
        if one.body is None:
            continue  # its own finding is enough
        target = one.body["target"]
        for field in ("model_id", "model_version"):
            if field in target and target[field] != seen.body.get(field):
                yield seen.finding(
                    "stage_mismatch",
                    f"{field} is not that of the target of the transfer at {one.index}",
                    target[field],
                    seen.body.get(field),
                )
        if "context" in target:
            where = f"target.context of the transfer at {one.index}"
            yield from _given(statements, seen, seen, target["context"], where)


def _times(seen: Seen, parents: Sequence[Resolved]) -> Iterator[Judged]:
    for one in parents:
        if one.seen is None or one.body is None or one.kind not in STAGE_TYPES:
            continue
        same = one.seen.payload.stream_id == seen.payload.stream_id
        # All times have one form, so text compares as time.
        if same and seen.body["started_at"] < one.body["ended_at"]:
            yield seen.finding(
                "stage_times",
                f"began before the {one.kind} at {one.index} had ended",
                one.body["ended_at"],
                seen.body["started_at"],
            )
