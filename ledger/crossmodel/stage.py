"""A stage of a cross-model operation, used around the calls it is made of (specs/12 §2 to §4).

    with operation.insight(quality=0.9, quality_method="rubric") as insight:
        if insight.needed:
            insight.output = ask(strong_model, paper)

What is captured in the block becomes the stage's parents by itself. The stage is durable when the
block ends; leaving it by an exception records nothing, and the calls are in the log all the same.
A stage that an earlier run recorded is not needed again: its output comes from the log, and a block
that runs all the same is answered from the archive and has to give the same output.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

from ledger.drafts import Archived, Draft, ParentLike
from ledger.errors import RecordError, SessionError
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.handover import Handover, TraceParent, tracestate
from ledger.formats.payload import PARENTS_MAX, Parent, Payload
from ledger.model import Body
from ledger.model.archive import Content, media
from ledger.model.crossnumbers import usage
from ledger.model.uncertainty import ConfidenceMethod
from ledger.reader import Entry
from ledger.session.lineage import About, At, Frame, here

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation

__all__ = ["Rating", "Stage", "StageOptions"]


class Rating(TypedDict, total=False):
    """How sure and how good something is, and where the numbers came from (specs/12 §1)."""

    confidence: float | None
    confidence_method: ConfidenceMethod | None
    """Default `heuristic`."""
    quality: float | None
    quality_method: str | None
    """Default `stated`."""


class StageOptions(Rating, total=False):
    """What all stages can be begun with."""

    parents: Sequence[ParentLike]
    """What it builds on, besides the stages that it names anyway."""
    metadata: Mapping[str, Any] | None


_OPTIONS = StageOptions.__required_keys__ | StageOptions.__optional_keys__


class Stage:
    """One stage; also `async with`. Attributes may be set until the block ends."""

    kind: ClassVar[str]

    def __init__(self, operation: Operation, label: str, options: StageOptions) -> None:
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise TypeError(f"a stage has no keyword {min(unknown)!r}")
        recorded = operation.recorded(self.kind, label)
        self.label = label
        self.confidence = options.get("confidence")
        self.confidence_method = options.get("confidence_method")
        self.quality = options.get("quality")
        self.quality_method = options.get("quality_method")
        self.metadata = options.get("metadata")
        self.needed = recorded is None
        """Whether its work has still to be done."""
        self._operation = operation
        self._recorded = recorded
        self._parents = [operation.named(parent) for parent in options.get("parents", ())]
        self._made = About()
        self._new: dict[ContentRef, bytes] = {}
        self._started: str | None = None
        self._inside: AbstractContextManager[None] | None = None

    # What it is, once it is recorded

    @property
    def entry(self) -> Entry:
        """Its statement; raises `SessionError("operation_invalid")` before it is recorded."""
        if self._recorded is None:
            raise SessionError(
                "operation_invalid",
                f"{self} is not recorded yet",
                hint="it is when its block ends; use 'with', or call record()",
            )
        return self._recorded

    @property
    def id(self) -> str:
        """Id of its statement."""
        return self.entry.id

    @property
    def leaf_hash(self) -> bytes:
        """Leaf hash of its statement."""
        return self.entry.leaf_hash

    @property
    def body(self) -> dict[str, Any]:
        """Body of its statement."""
        return self.entry.payload.body

    @property
    def parent(self) -> Parent:
        """The stage as statements of this ledger name it."""
        return Parent(self.id, self.leaf_hash)

    @property
    def content(self) -> bytes:
        """What it gave: an output, or what was handed over."""
        return self._plain(from_cbor(self._given()))

    @property
    def text(self) -> str:
        """The same as text; raises `UnicodeDecodeError` for what is not UTF-8."""
        return self.content.decode()

    def headers(self) -> dict[str, str]:
        """HTTP headers that name the stage to another process or service (specs/12 §9)."""
        trace = self.body.get("trace") or self._operation.trace
        named = Parent(self.id, self.leaf_hash, self._operation.log.genesis)
        return {
            "traceparent": TraceParent(trace["trace_id"], trace["span_id"]).header(),
            "tracestate": tracestate(named),
        }

    def handover(self) -> Handover:
        """The signed statement for another ledger, where `Operation.join` takes it."""
        return Handover(self._operation.log.genesis, self.entry.statement)

    def include(self, *statements: ParentLike) -> None:
        """Count statements that were not recorded through the session as made in the stage.

        One in another ledger counts nothing; it becomes one that the stage builds on.
        """
        for parent in map(self._operation.named, statements):
            if parent.ledger is None:
                self._made.add(parent)
            else:
                self._parents.append(parent)

    # The block

    def __enter__(self) -> Self:
        """Begin; calls made from here on belong to the stage."""
        if self._started is not None:
            raise RuntimeError("a stage is entered once")
        operation = self._operation
        self._started = operation.log.now()
        place = here(operation.session)
        inside = replace(
            place,
            stage=operation.stage_label(self),
            frame=Frame(None),
            collector=self._made,
        )
        self._inside = At(inside)
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Record the stage, unless an exception leaves it."""
        self._leave()
        if kind is None:
            self.record()

    async def __aenter__(self) -> Self:
        """As `__enter__`."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """As `__exit__`, in a thread."""
        self._leave()
        if kind is None:
            await asyncio.to_thread(self.record)

    def record(self) -> Self:
        """Append the stage, if it is not in the log yet; done by the end of its block.

        Raises `SessionError` (`operation_changed` where an earlier run recorded another output),
        `RecordError` (`stage_mismatch`, `context_mismatch`, `body_invalid`), and what `append`
        raises; the calls that were made are in the log all the same.
        """
        if self._recorded is not None:
            self._check_same()
            return self
        made = self._made.witnesses
        inside = [self._operation.log.by_id(parent.id).payload for parent in made]
        self._take_from(inside)
        before = dict.fromkeys([*self._first(), *self._parents])
        based = [parent for parent in before if parent not in made]
        named = [*based, *made]
        if len(named) > PARENTS_MAX:
            raise RecordError(
                "body_invalid",
                f"{self} rests on {len(named)} statements, at most {PARENTS_MAX} are possible",
                hint="divide its work into several stages",
            )
        body, contents = self._build([self._payload(parent) for parent in based], inside)
        draft = Draft(self.kind, body, tuple(named), tuple(contents))
        self._recorded = self._operation.append_stage(self, draft)
        return self

    def _leave(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.__exit__(None, None, None)
        if not self.needed:
            self._operation.keep_numbers(self)

    # What kinds of stages differ in

    def _first(self) -> list[Parent]:
        """The stages that it builds on."""
        return []

    def _given(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def _take_from(self, made: Sequence[Payload]) -> None:
        """Take from what it was made with what was not said."""

    def _build(
        self, based: Sequence[Payload | None], made: Sequence[Payload]
    ) -> tuple[Body, list[Archived]]:
        """Body and contents, of what it builds on (None in another ledger) and was made with."""
        raise NotImplementedError

    def _same(self) -> bool:
        """Whether what the block gave, if anything, is what was recorded."""
        raise NotImplementedError

    # Parts of bodies

    def _common(self, made: Sequence[Payload]) -> dict[str, Any]:
        """The fields that all stages have."""
        now = self._operation.log.now()
        started = min(self._started or now, now)  # a clock may be set back
        confident, rated = self.confidence is not None, self.quality is not None
        return {
            "operation": self._operation.id_body(),
            "label": self.label,
            "confidence": self.confidence,
            "confidence_method": (self.confidence_method or "heuristic") if confident else None,
            "quality": self.quality,
            "quality_method": (self.quality_method or "stated") if rated else None,
            "made_with": len(made),
            "usage": usage([(one.type, one.body) for one in made]),
            "started_at": started,
            "ended_at": now,
            "metadata": dict(self.metadata) if self.metadata else None,
            "trace": {**self._operation.trace, "span_id": secrets.token_hex(8)},
        }

    def _archive(self, content: Content | ContentRef, into: list[Archived]) -> ContentRef:
        if isinstance(content, ContentRef):
            return content
        made = media(content)
        archived = self._operation.log.archive(*made)
        into.append(archived)
        self._new[archived.ref] = made.data
        return archived.ref

    def _plain(self, ref: ContentRef) -> bytes:
        """Content that is archived, or about to be."""
        return self._new[ref] if ref in self._new else self._operation.log.content(ref)

    def _is_recorded(self, content: Content | ContentRef, field: str) -> bool:
        """Whether a content has the bytes that the recorded field refers to."""
        recorded = self.body.get(field)
        if recorded is None:
            return False
        if isinstance(content, ContentRef):
            return bool(content.to_cbor() == recorded)
        return media(content).data == self._operation.log.content(recorded)

    def _check_same(self) -> None:
        if self._started is not None and not self._same():
            raise SessionError(
                "operation_changed",
                f"{self} was recorded with another output",
                hint="use another name for the operation, or skip the block unless it is needed",
            )

    def _payload(self, parent: Parent) -> Payload | None:
        """What an own parent says; None for one in another ledger."""
        return None if parent.ledger is not None else self._operation.log.by_id(parent.id).payload

    def __str__(self) -> str:
        return f"{self.kind} {self.label} of {self._operation}"
