"""Stages against their parents: calls, sources, transfers, times, usage (specs/12 sections 2 to 4).

A stage gives at most one finding of each code, which names all that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from .chain import TAG_CROSS_MODEL, TAG_EXECUTION, TAG_INSIGHT, TAG_TRANSFER, TAG_WITNESS
from .derivations import Named, added, differing, micros, total
from .handing_over import HandingOver
from .part_ground import AWAY, STAGES, Part, PartGround
from .part_tables import Stage

_OWN_PACKAGE = 0
_T = TypeVar("_T")


class StageRules:
    """Judges stages of the first package, in log order, and makes their rows."""

    def __init__(self, ground: PartGround) -> None:
        self._ground = ground
        self.handing = HandingOver(ground)

    def take(
        self, position: int, p: dict[str, Any], parts: Sequence[Part], row: Stage
    ) -> tuple[Stage, bool]:
        """Judge a stage; return its row, and whether a statement that a rule needs is away.

        `row` is what the stage says by itself (`own_row`).
        """
        body = p["body"]
        made = [one for one in made_with(body, parts) if one.own]
        row = row._replace(
            sure=all(one.told for one in made),
            lacking=any(one.tag == AWAY for one in made),
            contexts=(
                *row.contexts,
                *(one.row.prompt for one in made if one.tag == TAG_WITNESS),
            ),
        )
        wrong: list[str] = []
        away = row.lacking  # of what it builds on, times alone: a stream is of one session
        if row.tag == TAG_TRANSFER:
            away |= self._source(body, parts[0], row, wrong)
        else:
            self._calls(made, row, wrong)
            if row.tag == TAG_EXECUTION:
                away |= self._transfers(position, body, parts, made, row, wrong)
        self._ground.tell("stage_mismatch", position, wrong)
        built_on = parts[: len(parts) - body["made_with"]]
        self._times(position, [one for one in built_on if one.own], row)
        numbers = _usage(body["usage"], made) if row.sure else []
        if row.tag == TAG_TRANSFER:
            numbers += _completeness(body, parts[0], row)
        self._ground.refuse(position, differing(numbers))
        return row, away

    def _calls(self, made: Sequence[Part], row: Stage, wrong: list[str]) -> None:
        """Check that a model that is named is that of one of the calls."""
        calls = [one.row.models for one in made if one.tag == TAG_WITNESS and one.row.call]
        if not calls or not row.sure:
            return
        if not any(row.model in models[:3] for models in calls):
            wrong.append("model_id is that of none of its calls")
        if row.version and not any(
            row.version in (models[0], models[2], models[3]) for models in calls
        ):
            wrong.append("model_version is that of none of its calls")

    def _source(self, body: dict[str, Any], first: Part, row: Stage, wrong: list[str]) -> bool:
        """Check a transfer against its source; return whether that is away."""
        if not first.told:
            return first.tag == AWAY
        where = self._ground.where(first)
        if first.tag not in (TAG_INSIGHT, TAG_EXECUTION):
            wrong.append(f"the first parent, {where}, is neither an insight nor an execution")
            return False
        source: Stage = first.row
        names, said = self._ground.names, body["source"]
        of = f"of the source, {where}"
        if row.output != source.output:
            wrong.append(f"content is not the output {of}")
        if names.of(said["model_id"]) != source.model:
            wrong.append(f"source.model_id is not that {of}")
        if names.of(said.get("model_version")) != source.version:
            wrong.append(f"source.model_version is not that {of}")
        if "context" in said and names.ref(said["context"]) not in source.contexts:
            if not source.sure:
                return source.lacking
            wrong.append(f"source.context is not a context {of}")
        if not {*(row.atoms or ())} <= {*(source.atoms or ())}:
            wrong.append(f"atoms that are not {of}")
        return False

    def _transfers(
        self,
        position: int,
        body: dict[str, Any],
        parts: Sequence[Part],
        made: Sequence[Part],
        row: Stage,
        wrong: list[str],
    ) -> bool:
        """Check an execution against its transfers; return whether one may be away."""
        transfers = [one for one in parts if one.tag == TAG_TRANSFER]
        if not transfers and all(one.told for one in parts):
            wrong.append("none of its parents is a transfer")
        away = any(one.tag == AWAY for one in parts)
        for one in transfers:
            told: Stage = one.row
            of = f"the target of the transfer, {self._ground.where(one)}"
            if told.model != row.model:
                wrong.append(f"model_id is not that of {of}")
            if told.version not in (0, row.version):
                wrong.append(f"model_version is not that of {of}")
            if told.target and told.target not in row.contexts and row.sure:
                wrong.append(f"none of its contexts is that of {of}")
        self.handing.check(position, body, made, transfers, row)
        return away

    def _times(self, position: int, own: Sequence[Part], row: Stage) -> None:
        for one in own:
            if one.tag in STAGES and one.row.stream == row.stream and one.row.ended > row.started:
                text = f"it started before its parent, {self._ground.where(one)}, had ended"
                self._ground.emit("stage_times", position, text)
                return

    def own_row(self, package: int, stream: int, tag: int, kid: int, p: dict[str, Any]) -> Stage:
        """Return what a stage of a package says by itself."""
        names, body = self._ground.names, p["body"]
        session = names.of(p.get("session"))
        handed, handle, target = None, -1, 0
        model = body
        if tag == TAG_TRANSFER:
            model = body["target"]
            handed = body.get("delivered", body["content"])
            handle = self._ground.shelf.handle(package, handed)
            target = names.ref(model.get("context"))
        context = names.ref(body.get("context"))
        checks = body.get("checks", ())
        passed = sum(check["passed"] for check in checks)
        usage = body["usage"]
        named = body["operation"]
        return Stage(
            tag=tag,
            kid=kid,
            session=session,
            operation=names.of(f"{session} {named['number']} {named['name']}"),
            label=names.of(body["label"]),
            stream=stream,
            model=names.of(model["model_id"]),
            version=names.of(model.get("model_version")),
            target=target,
            output=names.ref(body["content"] if tag == TAG_TRANSFER else body["output"]),
            handed=names.ref(handed),
            handle=handle,
            confidence=body.get("confidence"),
            quality=body.get("quality"),
            completeness=body.get("completeness"),
            passed=passed,
            failed=len(checks) - passed,
            operations=usage["operations"],
            priced=usage["priced"],
            cost=usage.get("cost_usd"),
            tokens=usage.get("tokens"),
            started=micros(body["started_at"]),
            ended=micros(body["ended_at"]),
            sure=False,
            lacking=False,
            contexts=(context,) if context else (),
            atoms=tuple([names.of(atom) for atom in body["atoms"]]) if "atoms" in body else None,
            outside=tuple(
                [
                    self._ground.place(package, one)
                    for one in p.get("parents", ())
                    if package != _OWN_PACKAGE or "ledger" in one
                ]
            ),
        )


def made_with(body: dict[str, Any], parents: Sequence[_T]) -> Sequence[_T]:
    """Return those of a stage's parents, the last ones, that it was made with."""
    return parents[len(parents) - body["made_with"] :]


def _usage(said: dict[str, Any], made: Sequence[Part]) -> list[Named]:
    """Return the usage that own parents inside a stage add up to, against what was recorded."""
    operations = priced = 0
    costs: list[float] = []
    tokens: list[int] = []
    for one in made:
        if one.tag == TAG_WITNESS:
            operations += 1
            priced += one.row.cost is not None
        elif one.tag == TAG_CROSS_MODEL:
            operations += one.row.operations
            priced += one.row.priced
        else:
            continue
        if one.row.cost is not None:
            costs.append(one.row.cost)
        if one.row.tokens is not None:
            tokens.append(one.row.tokens)
    return [
        ("usage.operations", operations, said["operations"]),
        ("usage.priced", priced, said["priced"]),
        ("usage.cost_usd", total(costs), said.get("cost_usd")),
        ("usage.tokens", added(tokens), said.get("tokens")),
    ]


def _completeness(body: dict[str, Any], first: Part, row: Stage) -> list[Named]:
    if "delivered" not in body or first.tag not in (TAG_INSIGHT, TAG_EXECUTION):
        return []
    known, kept = first.row.atoms, row.atoms
    if not known or kept is None:
        return [("completeness", None, body.get("completeness"))]
    if len(kept) > len(known):
        return []  # a mismatch of its own, and no ratio
    ratio = float(len(kept)) / float(len(known))
    return [("completeness", ratio, body.get("completeness"))]
