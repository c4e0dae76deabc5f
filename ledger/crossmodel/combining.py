"""Provenance and combination of an operation, made from its stages (specs/12 §5 and §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.crossmodel.joined import JoinedStage
from ledger.drafts import Archived, Draft, ParentLike
from ledger.errors import RecordError, SessionError
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.model import Claims, CrossReplay, CrossValidation, OperationId, Provenance
from ledger.model.combine import combine, order
from ledger.reader import Entry

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation

__all__ = ["Combination", "Said", "combined_drafts", "in_order"]

Part = Entry | JoinedStage
_KEYWORDS = frozenset(
    {
        "strategy",
        "baseline_usd",
        "baseline_method",
        "trends",
        "predictions",
        "validation",
        "replay",
        "metrics",
        "analytics",
        "metadata",
    }
)


class Said:
    """What the producer says of an operation besides its stages."""

    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []
        self.claims: dict[str, Any] = {}
        self.whole: dict[str, Any] = {}
        self._interactions: list[tuple[dict[str, Any], Parent | None]] = []

    def describe(self, said: Mapping[str, Any]) -> None:
        """Take keywords of the combination; raises `TypeError` for one that there is not."""
        unknown = said.keys() - _KEYWORDS
        if unknown:
            raise TypeError(f"describe() has no keyword {min(unknown)!r}")
        self.whole.update(said)

    def interaction(
        self,
        what: dict[str, Any],
        step: Parent | None,
        *,
        checks: Sequence[Mapping[str, Any]] | None,
        metadata: Mapping[str, Any] | None,
        rating: Mapping[str, Any],
    ) -> None:
        """Take an interaction at a stage."""
        said = {**what, **rating, "checks": checks, "metadata": metadata}
        if said.get("confidence") is not None:
            said.setdefault("confidence_method", "heuristic")
        if said.get("quality") is not None:
            said.setdefault("quality_method", "stated")
        there = {name: value for name, value in said.items() if value is not None}
        self._interactions.append((there, step))

    def interactions(self, parts: Sequence[Parent]) -> list[dict[str, Any]]:
        """The interactions, with the positions of their stages."""
        places = {part.leaf_hash: place for place, part in enumerate(parts)}
        made = []
        for what, step in self._interactions:
            place = None if step is None else places.get(step.leaf_hash)
            made.append(what if place is None else {**what, "step": place})
        return made


class Combination:
    """The two statements that end an operation."""

    def __init__(self, operation: Operation, said: Said, parts: Sequence[Part]) -> None:
        self._operation = operation
        self._said = said
        self._parts = parts

    def drafts(self, contents: Sequence[Archived]) -> list[Draft]:
        """Return provenance and combination; raises `SessionError("operation_invalid")`."""
        kinds = {_kind(part) for part in self._parts}
        missing = [kind for kind in ("insight", "transfer", "execution") if kind not in kinds]
        if missing:
            raise SessionError(
                "operation_invalid",
                f"{self._operation} has no {missing[0]}",
                hint="an operation is at least an insight, a transfer and an execution",
            )
        if len(self._parts) >= PARENTS_MAX:
            raise SessionError(
                "operation_invalid",
                f"{self._operation} has {len(self._parts)} stages, at most {PARENTS_MAX - 1} "
                "are possible",
                hint="make it of several operations, one inside a stage of another",
            )
        labels = self._labels()
        steps = [
            {"stage": _kind(part), "label": label}
            for part, label in zip(self._parts, labels, strict=True)
        ]
        said, id_body = self._said, self._operation.id_body()
        parents = [_parent(part) for part in self._parts]
        fields: dict[str, Any] = {
            "operation": id_body,
            "steps": steps,
            "interactions": said.interactions(parents) or None,
            "data": said.data or None,
            "claims": Claims(**said.claims) if said.claims else None,
        }
        provenance = Provenance(**fields)
        return combined_drafts(
            OperationId(**id_body),
            [(_kind(part), _body(part)) for part in self._parts],
            parents,
            provenance,
            {"trace": self._operation.trace, **said.whole},
            contents,
        )

    def _labels(self) -> list[str]:
        """Labels by stage; a joined one has another than its own where that is taken."""
        return [
            part.label if isinstance(part, JoinedStage) else str(part.payload.body["label"])
            for part in self._parts
        ]


def in_order(own: Sequence[tuple[int, Part]], foreign: Sequence[JoinedStage]) -> list[Part]:
    """Stages in the order of their provenance.

    Those of this ledger come with their indices and stand as in the log. One of another ledger
    stands before the first that names it, and behind those that it names itself.
    """
    waiting = {part.parent.leaf_hash: part for part in foreign}
    ordered: list[Part] = []

    def put(wanted: Sequence[bytes]) -> None:
        """Put stages of other ledgers, and those behind them, each when all that it names are."""
        reached: dict[bytes, JoinedStage] = {}
        found = list(wanted)
        while found:
            part = waiting.pop(found.pop(), None)
            if part is not None:
                reached[part.parent.leaf_hash] = part
                found += [parent.leaf_hash for parent in part.parents]
        while reached:
            for leaf_hash, part in list(reached.items()):
                if not any(parent.leaf_hash in reached for parent in part.parents):
                    ordered.append(reached.pop(leaf_hash))

    for _, one in sorted(own, key=lambda pair: pair[0]):
        parents = one.parents if isinstance(one, JoinedStage) else one.payload.parents
        put([parent.leaf_hash for parent in parents])
        ordered.append(one)
    put([part.parent.leaf_hash for part in foreign])
    return ordered


def combined_drafts(
    operation: OperationId,
    parts: Sequence[tuple[str, Mapping[str, Any]]],
    parents: Sequence[ParentLike],
    provenance: Provenance,
    whole: Mapping[str, Any],
    contents: Sequence[Archived] = (),
) -> list[Draft]:
    """Provenance and combination over stages given in the order of the provenance.

    Raises `RecordError` for what the producer says of the whole.
    """
    said = dict(whole)
    for name, group in (("validation", CrossValidation), ("replay", CrossReplay)):
        if isinstance(said.get(name), Mapping):
            said[name] = group(**said[name])
    try:
        body = combine(operation, parts, **said)
    except TypeError as error:
        raise RecordError("body_invalid", f"cross_model: {error}"[:400]) from None
    ends = Draft("provenance", provenance, tuple(parents), tuple(contents))
    ordered = [parents[place] for place in order([kind for kind, _ in parts])]
    return [ends, Draft("cross_model", body, (*ordered, ends))]


def _kind(part: Part) -> str:
    return part.kind if isinstance(part, JoinedStage) else part.payload.type


def _body(part: Part) -> Mapping[str, Any]:
    return part.body if isinstance(part, JoinedStage) else part.payload.body


def _parent(part: Part) -> Parent:
    return part.parent if isinstance(part, JoinedStage) else Parent(part.id, part.leaf_hash)
