"""A cross-model operation of a session: insight → transfer → execution (specs/12).

    with session.cross_model(insight="claude-opus-5", execution="gpt-4o-mini") as operation:
        with operation.insight() as insight:
            anthropic.messages.create(...)
        with operation.transfer(insight) as handed:
            handed.check("complete", passed=True)
        with operation.execute(handed) as execution:
            openai.chat.completions.create(..., messages=[..., handed.text, ...])
    operation.receipt

Each stage is durable when its block ends. When the operation's block ends, its provenance and the
`cross_model` statement that combines all parts are appended in one commit. A crash or an exception
leaves an interrupted operation; the session's next run goes on with it when it comes to the same
place: the operation of the same name and number. Safe for threads and tasks; where stages run side
by side, give them labels, since numbers are given in the order in which they begin.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from ledger.crossmodel.combining import Combination, in_order
from ledger.crossmodel.joined import JoinedStage
from ledger.crossmodel.model_stage import ExecutionStage, InsightStage, ModelStage
from ledger.crossmodel.past import OperationKey, PastOperation
from ledger.crossmodel.said import Said
from ledger.crossmodel.stage import Rating, Stage, StageOptions
from ledger.crossmodel.tracing import from_headers, trace_of
from ledger.crossmodel.transfer_stage import TransferStage
from ledger.drafts import Archived, Draft, ParentLike, Receipt
from ledger.errors import SessionError
from ledger.formats.content import ContentRef
from ledger.formats.handover import Handover
from ledger.formats.payload import Parent
from ledger.formats.values import is_label
from ledger.log import Ledger
from ledger.model.archive import Content, media
from ledger.reader import Entry
from ledger.session.lineage import At, Frame, Here, here

if TYPE_CHECKING:
    from ledger.session.session import Session

__all__ = ["Operation", "Source", "Transferred"]

Source: TypeAlias = ModelStage | JoinedStage
Transferred: TypeAlias = TransferStage | JoinedStage


class Operation:
    """One operation; made by `Session.cross_model`, also `async with`."""

    def __init__(
        self,
        session: Session,
        key: OperationKey,
        past: PastOperation,
        *,
        insight: str | None,
        execution: str | None,
        parents: Sequence[ParentLike],
        headers: Mapping[str, str] | None,
        keep_numbers: Any,
    ) -> None:
        if not is_label(key.name):
            raise SessionError(
                "operation_invalid",
                f"{key.name[:140]!a} is no name of an operation: a label of specs/00",
            )
        self.session = session
        self.name, self.number = key
        self.receipt: Receipt | Entry | None = None
        """The `cross_model` statement, once the operation is complete."""
        self._past = past
        self._models = {"insight": insight, "execution": execution}
        traced, named = from_headers(headers)
        self._parents = [self.named(parent) for parent in (*parents, *named)]
        self._keep_numbers = keep_numbers
        self._lock = threading.Lock()
        self._begun: set[tuple[str, str]] = set()
        self._parts: list[Stage | JoinedStage] = []
        self._contents: list[Archived] = []
        self._said = Said()
        self._place: Here | None = None
        self._inside: AbstractContextManager[None] | None = None
        if past.combined is not None:
            self.receipt = self.log.get(past.combined)
        recorded = (self.log.get(index).payload.body for index in past.stages.values())
        self.trace = trace_of(traced, recorded)

    # What there is to know

    @property
    def log(self) -> Ledger:
        """The ledger, with the run's own stream."""
        return self.session.log

    @property
    def needed(self) -> bool:
        """Whether it is not complete: an earlier run may have done all of it."""
        return self.receipt is None

    @property
    def parent(self) -> Parent:
        """The combining statement as others name it.

        Raises `SessionError("operation_invalid")` before it is there.
        """
        if self.receipt is None:
            raise SessionError("operation_invalid", f"{self} is not combined yet")
        return Parent(self.receipt.id, self.receipt.leaf_hash)

    @property
    def id(self) -> str:
        """Id of the combining statement; raises as `parent`."""
        return self.parent.id

    @property
    def leaf_hash(self) -> bytes:
        """Leaf hash of the combining statement; raises as `parent`."""
        return self.parent.leaf_hash

    # Stages

    def insight(
        self,
        label: str | None = None,
        *,
        model: str | None = None,
        model_version: str | None = None,
        **options: Unpack[StageOptions],
    ) -> InsightStage:
        """A stage in which a model finds something out."""
        options["parents"] = [*options.get("parents", ()), *self._parents]
        return InsightStage(
            self,
            self._label("insight", label),
            options,
            model=model or self._models["insight"],
            model_version=model_version,
        )

    def transfer(
        self,
        source: Source,
        label: str | None = None,
        *,
        target: str | None = None,
        target_version: str | None = None,
        **options: Unpack[StageOptions],
    ) -> TransferStage:
        """A stage in which an output is handed to another model, `target`."""
        return TransferStage(
            self,
            self._label("transfer", label),
            options,
            source=source,
            target=target or self._models["execution"],
            target_version=target_version,
        )

    def execute(
        self,
        *transfers: Transferred,
        label: str | None = None,
        model: str | None = None,
        model_version: str | None = None,
        **options: Unpack[StageOptions],
    ) -> ExecutionStage:
        """A stage in which a model works with what was handed to it."""
        if not transfers:
            raise TypeError("execute() needs the transfers that it works with")
        stage = ExecutionStage(
            self,
            self._label("execution", label),
            options,
            model=model or self._models["execution"],
            model_version=model_version,
        )
        stage.transfers = transfers
        return stage

    def join(
        self,
        handover: Handover | bytes | str,
        label: str | None = None,
        *,
        content: bytes | None = None,
    ) -> JoinedStage:
        """Take in a stage that was run elsewhere, in another ledger or session.

        `content` is what it gave, where that is handed on here. Raises
        `FormatError("reference_invalid")`, `RecordError`, `ContentError("content_mismatch")`.
        """
        made = handover if isinstance(handover, Handover) else Handover.read(handover)
        kind = made.payload().type
        stage = JoinedStage(self, self._label(kind, label), made)
        archived = [] if content is None else stage.take(content)
        with self._lock:
            self._contents += archived
            self._parts.append(stage)
        return stage

    # What else is said

    def interaction(
        self,
        source: str,
        target: str,
        type: str,
        content: Content | ContentRef,
        *,
        step: Stage | JoinedStage | None = None,
        checks: Sequence[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **rating: Unpack[Rating],
    ) -> None:
        """Say that something else passed between two models, such as a review (specs/12 §5)."""
        self._said.interaction(
            {
                "source": source,
                "target": target,
                "type": type,
                "content": self._keep(content),
                "checks": checks,
                "metadata": metadata,
                **rating,
            },
            step.parent if step is not None else None,
        )

    def data(self, role: str, name: str, content: Content | ContentRef) -> None:
        """Name something that went in from outside the models (data lineage, specs/12 §5)."""
        self._said.datum({"role": role, "name": name, "content": self._keep(content)})

    def claims(self, **claims: Any) -> None:
        """Repeat what another system says it has verified (specs/12 §5); it is not believed."""
        self._said.claim(claims)

    def describe(self, **said: Any) -> None:
        """Say what only the producer knows of the whole (specs/12 §6).

        Keywords: `strategy`, `baseline_usd` with `baseline_method`, `trends`, `predictions`,
        `validation`, `replay`, `metrics`, `analytics` (archived as JSON), `metadata`.
        """
        if said.get("analytics") is not None:
            said["analytics"] = self._keep(said["analytics"])
        self._said.describe(said)

    # For its stages

    def id_body(self) -> dict[str, Any]:
        """The operation as bodies name it."""
        return {"name": self.name, "number": self.number}

    def recorded(self, kind: str, label: str) -> Entry | None:
        """The stage of that type and label that is in the log already."""
        index = self._past.stages.get((kind, label))
        return None if index is None else self.log.get(index)

    def named(self, parent: ParentLike) -> Parent:
        """A statement that something builds on; one in another ledger is taken as it is."""
        if isinstance(parent, Operation | Stage | JoinedStage):
            return parent.parent
        return self.session.named_parent(parent)

    def stage_label(self, stage: Stage) -> str:
        """Under which stage of the session its calls are recorded; also for their numbers."""
        around = here(self.session).stage
        label = f"{self.name}/{self.number}/{stage.kind}/{stage.label}"
        label = label if around is None else f"{around}/{label}"
        if not is_label(label):
            raise SessionError(
                "operation_invalid",
                f"{label[:140]!a} is too long for a label",
                hint="give the operation, its stages, or the stage around it, shorter names",
            )
        return label

    def keep_numbers(self, stage: Stage) -> None:
        """Let the calls of a recorded stage keep their numbers, also when they are not asked."""
        self._keep_numbers(self.stage_label(stage))

    def append_stage(self, stage: Stage, draft: Draft) -> Entry:
        """Append a stage and make it a part; later runs find it."""
        with self._lock:
            waiting, self._contents = self._contents, []
        made = replace(draft, contents=(*draft.contents, *waiting))
        try:
            receipt = self.session.append_drafts([made])[0]
        except BaseException:
            with self._lock:
                self._contents = [*waiting, *self._contents]
            raise
        entry = self.log.get(receipt.index)
        with self._lock:
            self._past.stages[(stage.kind, stage.label)] = entry.index
            self._parts.append(stage)
        return entry

    # The block

    def __enter__(self) -> Self:
        """Begin, or go on where an earlier run was interrupted."""
        self._place = here(self.session)
        self._inside = At(replace(self._place, frame=Frame(None), collector=None))
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Combine the parts; an exception leaves the operation interrupted, to be gone on with."""
        self._leave()
        if kind is None:
            self.combine()
        elif self._place is not None:
            for part in self._parts:
                if isinstance(part, Stage):  # what was joined did not happen here
                    self._place.witnessed(part.parent)

    async def __aenter__(self) -> Self:
        """As `__enter__`."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """As `__exit__`, in a thread."""
        if kind is not None:
            self.__exit__(kind, error, None)
            return
        self._leave()
        await asyncio.to_thread(self.combine)

    def combine(self) -> Receipt | Entry:
        """Append provenance and combination, if it has not happened; done by the block's end.

        Raises `SessionError("operation_invalid")` without an insight, a transfer and an execution,
        `RecordError`, and what `append` raises.
        """
        if self.receipt is None:
            own: list[tuple[int, Entry | JoinedStage]] = [
                (index, self.log.get(index)) for index in self._past.stages.values()
            ]
            joined = [part for part in self._parts if isinstance(part, JoinedStage)]
            own += [
                (self.log.by_id(part.id).index, part) for part in joined if not part.parent.ledger
            ]
            foreign = [part for part in joined if part.parent.ledger]
            combination = Combination(self, self._said, in_order(own, foreign))
            receipts = self.session.append_drafts(combination.drafts(self._contents))
            self.receipt = receipts[-1]
            self._past.combined = receipts[-1].index
        if self._place is not None:
            self._place.witnessed(self.parent)
        return self.receipt

    def _leave(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.__exit__(None, None, None)

    def _label(self, kind: str, label: str | None) -> str:
        with self._lock:
            if label is None:
                number = 1
                while (kind, str(number)) in self._begun:
                    number += 1
                label = str(number)
            if (kind, label) in self._begun:
                raise SessionError(
                    "operation_invalid", f"{self} has two stages: {kind} {label}"[:300]
                )
            if not is_label(label):
                raise SessionError("operation_invalid", f"{label[:140]!a} is no label of specs/00")
            self._begun.add((kind, label))
        return label

    def _keep(self, content: Content | ContentRef) -> ContentRef:
        if isinstance(content, ContentRef):
            return content
        archived = self.log.archive(*media(content))
        with self._lock:
            self._contents.append(archived)
        return archived.ref

    def __str__(self) -> str:
        return f"operation {self.name}/{self.number}"
