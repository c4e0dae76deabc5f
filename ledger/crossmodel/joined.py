"""A stage that was run elsewhere: in another ledger or session (specs/12 section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.drafts import Archived
from ledger.errors import ContentError, RecordError
from ledger.formats.content import SALT_BYTES, ContentRef, check, from_cbor
from ledger.formats.handover import Handover
from ledger.formats.payload import STAGE_TYPES
from ledger.model import from_body
from ledger.store import INLINE_MAX_BYTES

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation

__all__ = ["JoinedStage"]


class JoinedStage:
    """What another process, service or ledger recorded, as a part of this operation."""

    def __init__(self, operation: Operation, label: str, handover: Handover) -> None:
        payload = handover.payload()
        if payload.type not in STAGE_TYPES:
            raise RecordError("body_invalid", f"a {payload.type} is no stage that can be joined")
        from_body(payload.type, payload.body)
        self.kind = payload.type
        self.label = label
        self.body: dict[str, Any] = payload.body
        own = handover.genesis == operation.log.genesis
        named = handover.parent()
        self.parent = named._replace(ledger=None) if own else named
        self.parents = payload.parents
        self._operation = operation
        self._given: bytes | None = None

    @property
    def id(self) -> str:
        """Id of its statement."""
        return self.parent.id

    @property
    def ref(self) -> ContentRef:
        """Of what it gave: an output, or what was handed over."""
        name = "output" if self.kind != "transfer" else "delivered"
        return from_cbor(self.body.get(name) or self.body["content"])

    @property
    def content(self) -> bytes:
        """What it gave; raises `ContentError("content_missing")` if it was not handed over too."""
        if self._given is not None:
            return self._given
        try:
            return self._operation.log.content(self.ref)
        except ContentError as error:
            raise ContentError(
                error.code,
                f"what {self} gave is not here",
                hint="hand it over too: join(…, content=…)",
            ) from None

    @property
    def text(self) -> str:
        """The same as text; raises `UnicodeDecodeError` for what is not UTF-8."""
        return self.content.decode()

    def take(self, content: bytes) -> list[Archived]:
        """Take what it gave, to be archived here too.

        Raises `ContentError("content_mismatch")` if it is not what the statement refers to, and for
        a statement of a ledger whose references are salted otherwise than here.
        """
        ref = self.ref
        if self.parent.ledger is None:  # it is in this archive, under whatever salt
            if content != self._operation.log.content(ref):
                raise ContentError("content_mismatch", f"this is not what {self} gave")
            return []
        if ref.salted or self._operation.log.salted:
            raise ContentError(
                "content_mismatch",
                f"{self}: content of a salted ledger cannot be taken in by another one",
            )
        check(ref, content)
        self._given = content
        if len(content) > INLINE_MAX_BYTES - SALT_BYTES:
            self._operation.log.archive(content, ref.media_type)
            return [Archived(ref, None)]
        return [Archived(ref, content)]

    def __str__(self) -> str:
        return f"{self.kind} {self.label} of {self._operation}, joined"
