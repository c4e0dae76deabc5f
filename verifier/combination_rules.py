"""The chain of an operation and its combination, against the stages (specs/12 sections 5 to 8).

Each gives at most one finding of each code, which names all that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .chain import TAG_EXECUTION, TAG_INSIGHT, TAG_PROVENANCE, TAG_TRANSFER
from .derivations import Named, added, differing, mean, micros, total
from .part_ground import AWAY, GONE, STAGES, Part, PartGround
from .part_tables import Chain, Stage, Whole
from .statement import STAGE_TYPES

_TAGS = {"insight": TAG_INSIGHT, "transfer": TAG_TRANSFER, "execution": TAG_EXECUTION}
_GROUPS = ("insights", "transfers", "executions")


class CombinationRules:
    """Judges the provenances and cross_models of the first package."""

    def __init__(self, ground: PartGround) -> None:
        self._ground = ground

    def take_chain(
        self, position: int, body: dict[str, Any], parts: Sequence[Part], row: Chain
    ) -> None:
        """Judge a provenance: its steps are its parents, and stand in their order."""
        wrong: list[str] = []
        missing: list[str] = []
        labels = self._ground.names
        for at, (step, part) in enumerate(zip(body["steps"], parts, strict=True)):
            name = f"step {at} ({step['stage']} {step['label']})"
            if part.tag == GONE:
                missing.append(name)
            if not part.told:
                continue
            where = f"{name}: {self._ground.where(part)}"
            if part.tag != _TAGS[step["stage"]]:
                wrong.append(f"{where} is of another type")
                continue
            if not self._joined(part, row):
                self._same_operation(part, row, where, wrong)
                if part.row.label != labels.of(step["label"]):
                    wrong.append(f"{where} has another label")
        self._ground.tell("part_mismatch", position, wrong)
        self._ground.tell(
            "part_missing", position, [f"{name} is not in the log" for name in missing]
        )
        self._order(position, parts)

    def _joined(self, part: Part, row: Chain | Whole) -> bool:
        """Return whether a stage was run in another ledger or session."""
        return not part.own or part.row.session != row.session

    def _same_operation(self, part: Part, row: Chain | Whole, where: str, wrong: list[str]) -> None:
        if not part.own or part.row.operation != row.operation:
            wrong.append(f"{where} belongs to another operation")

    def _order(self, position: int, parts: Sequence[Part]) -> None:
        """Check that each stage stands behind those that it has as parents."""
        places = {part.place: at for at, part in enumerate(parts)}
        wrong = []
        last = -1
        for at, part in enumerate(parts):
            if part.own and part.place >= 0:
                if part.place < last:
                    wrong.append(f"step {at} is older than an own step before it")
                last = max(last, part.place)
            if part.tag not in STAGES:
                continue
            for place in part.row.outside:
                if at <= places.get(place, -1):
                    wrong.append(f"step {at} stands before its parent, step {places[place]}")
        self._ground.tell("stage_order", position, wrong)

    def take_whole(
        self, position: int, body: dict[str, Any], parts: Sequence[Part], row: Whole
    ) -> None:
        """Judge a cross_model: its parts, what it repeats of them, and what follows from them."""
        wrong: list[str] = []
        missing: list[str] = []
        groups: list[list[Part]] = []
        first = 0
        for group, kind in zip(_GROUPS, STAGE_TYPES, strict=True):
            some = list(parts[first : first + len(body[group])])
            for at, (part, said) in enumerate(zip(some, body[group], strict=True)):
                self._part(f"{group}[{at}]", _TAGS[kind], part, said, row, wrong, missing)
            groups.append(some)
            first += len(some)
        self._chain(parts, row, wrong, missing)
        self._ground.tell("part_mismatch", position, wrong)
        self._ground.tell(
            "part_missing", position, [f"{name} is not in the log" for name in missing]
        )
        if all(
            part.tag == _TAGS[kind]
            for kind, some in zip(STAGE_TYPES, groups, strict=True)
            for part in some
        ):
            rows = [[part.row for part in some] for some in groups]
            self._ground.refuse(position, differing(_derived(body, rows)))

    def _part(
        self,
        name: str,
        tag: int,
        part: Part,
        said: dict[str, Any],
        row: Whole,
        wrong: list[str],
        missing: list[str],
    ) -> None:
        """Check one stage of a combination against what is repeated of it."""
        if part.tag == GONE:
            missing.append(name)
        if not part.told:
            return
        where = f"{name}: {self._ground.where(part)}"
        if part.tag != tag:
            wrong.append(f"{where} is of another type")
            return
        if not self._joined(part, row):
            self._same_operation(part, row, where, wrong)
        stage: Stage = part.row
        if tag == TAG_TRANSFER:
            own = (stage.completeness, stage.passed, stage.failed)
            told = (said.get("completeness"), said["passed"], said["failed"])
        else:
            names = self._ground.names
            own = (None, stage.model, stage.version)
            told = (None, names.of(said["model_id"]), names.of(said.get("model_version")))
        if (stage.confidence, stage.quality, *own) != (
            said.get("confidence"),
            said.get("quality"),
            *told,
        ):
            wrong.append(f"{where} says otherwise of itself")

    def _chain(
        self, parts: Sequence[Part], row: Whole, wrong: list[str], missing: list[str]
    ) -> None:
        """Check that the stages are those of the provenance, in its order."""
        last = parts[-1]
        if last.tag == GONE:
            missing.append("the provenance")
        if not last.told:
            return
        where = f"the last parent, {self._ground.where(last)},"
        if last.tag != TAG_PROVENANCE:
            wrong.append(f"{where} is not a provenance")
            return
        self._same_operation(last, row, where, wrong)
        chain: Chain = last.row
        tags = dict(zip(chain.parents, chain.tags, strict=True))
        tags.update({one.place: one.tag for one in parts if one.tag in STAGES})
        wanted = [
            place
            for tag in (TAG_INSIGHT, TAG_TRANSFER, TAG_EXECUTION)
            for place in chain.parents
            if tags[place] == tag
        ]
        if wanted != [one.place for one in parts[:-1]]:
            wrong.append("not the stages of its provenance, in their order")

    def row(self, tag: int, package: int, kid: int, p: dict[str, Any]) -> Chain | Whole:
        """Return the row of a provenance or cross_model of a package."""
        names, body = self._ground.names, p["body"]
        session, named = names.of(p.get("session")), body["operation"]
        operation = names.of(f"{session} {named['number']} {named['name']}")
        if tag == TAG_PROVENANCE:
            places = tuple([self._ground.place(package, one) for one in p["parents"]])
            tags = tuple([_TAGS[step["stage"]] for step in body["steps"]])
            return Chain(tag, kid, session, operation, places, tags)
        cost = body["cost"]
        return Whole(
            tag,
            kid,
            session,
            operation,
            cost["operations"],
            cost["priced"],
            cost.get("total_usd"),
            cost.get("tokens"),
        )

    def dropped(self, operation: int, parts: Sequence[Part]) -> list[int]:
        """Return the positions of an operation's stages that a cross_model leaves out."""
        held = {one.place for one in parts}
        last = parts[-1]
        if last.tag == TAG_PROVENANCE:
            held &= {*last.row.parents}
        # What stands before this in the first package has its position as its place.
        return [at for at in self._ground.operations.stages(operation) if at not in held]


def away(parts: Sequence[Part]) -> bool:
    """Return whether a part of a chain or combination is not at hand."""
    return any(part.tag == AWAY for part in parts)


def _derived(body: dict[str, Any], groups: Sequence[Sequence[Stage]]) -> list[Named]:
    """Return the numbers of a combination that follow from its stages."""
    stages = [stage for group in groups for stage in group]
    cost, quality = body["cost"], body.get("quality", {})
    tokens = [stage.tokens for stage in stages if stage.tokens is not None]
    scores = [stage.confidence for stage in stages if stage.confidence is not None]
    breakdown, components = cost.get("breakdown", {}), quality.get("components", {})
    numbers: list[Named] = [
        ("cost.operations", sum(stage.operations for stage in stages), cost["operations"]),
        ("cost.priced", sum(stage.priced for stage in stages), cost["priced"]),
        ("cost.tokens", added(tokens), cost.get("tokens")),
        ("confidence", min(scores, default=None), body.get("confidence")),
        ("started_at", min(stage.started for stage in stages), micros(body["started_at"])),
        ("ended_at", max(stage.ended for stage in stages), micros(body["ended_at"])),
    ]
    for kind, group in zip(STAGE_TYPES, groups, strict=True):
        costs = [stage.cost for stage in group if stage.cost is not None]
        rated = [stage.quality for stage in group if stage.quality is not None]
        numbers.append((f"cost.breakdown.{kind}", total(costs), breakdown.get(kind)))
        numbers.append((f"quality.components.{kind}", mean(rated), components.get(kind)))
    return numbers
