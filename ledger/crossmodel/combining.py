"""Provenance and combination of an operation, made from its stages (specs/12 §5 and §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.crossmodel.joined import JoinedStage
from ledger.crossmodel.said import Said
from ledger.drafts import Archived, Draft, ParentLike
from ledger.errors import SessionError
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.model import OperationId, Provenance, Step, Trace
from ledger.model.combine import combine, order
from ledger.reader import Entry

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation

__all__ = ["Combination", "combined_drafts", "in_order"]

Part = Entry | JoinedStage


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
        steps = tuple(
            Step(stage=_kind(part), label=_label(part))  # type: ignore[arg-type]  # one of three
            for part in self._parts
        )
        said, operation = self._said, OperationId(**self._operation.id_body())
        parents = [_parent(part) for part in self._parts]
        provenance = Provenance(
            operation=operation,
            steps=steps,
            interactions=tuple(said.interactions(parents)) or None,
            data=tuple(said.data) or None,
            claims=said.claims,
        )
        return combined_drafts(
            operation,
            [(_kind(part), _body(part)) for part in self._parts],
            parents,
            provenance,
            {"trace": Trace(**self._operation.trace), **said.whole},
            contents,
        )


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
    body = combine(operation, parts, **whole)
    ends = Draft("provenance", provenance, tuple(parents), tuple(contents))
    ordered = [parents[place] for place in order([kind for kind, _ in parts])]
    return [ends, Draft("cross_model", body, (*ordered, ends))]


def _kind(part: Part) -> str:
    return part.kind if isinstance(part, JoinedStage) else part.payload.type


def _label(part: Part) -> str:
    return part.label if isinstance(part, JoinedStage) else str(part.payload.body["label"])


def _body(part: Part) -> Mapping[str, Any]:
    return part.body if isinstance(part, JoinedStage) else part.payload.body


def _parent(part: Part) -> Parent:
    return part.parent if isinstance(part, JoinedStage) else Parent(part.id, part.leaf_hash)
