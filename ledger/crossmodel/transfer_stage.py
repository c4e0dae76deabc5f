"""Handing an insight, or what an execution gave, to another model (specs/12 §3).

    with operation.transfer(insight, target="gpt-4o-mini") as handed:
        handed.delivered = shorten(insight.text)
        handed.check("names every author", passed=True)

Without `delivered` what is handed over is the output itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.crossmodel.stage import Stage, StageOptions
from ledger.drafts import Archived
from ledger.errors import RecordError
from ledger.formats.content import ContentRef
from ledger.formats.payload import Parent, Payload
from ledger.model import Body, Check, Party
from ledger.model.archive import Content
from ledger.model.combine import transfer

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation, Source

__all__ = ["TransferStage"]


class TransferStage(Stage):
    """What was handed from one model to another."""

    kind = "transfer"

    def __init__(
        self,
        operation: Operation,
        label: str,
        options: StageOptions,
        *,
        source: Source,
        target: str | None,
        target_version: str | None,
    ) -> None:
        super().__init__(operation, label, options)
        self.source = source
        self.target = target
        self.target_version = target_version
        self.delivered: Content | ContentRef | None = None
        """What is handed over in place of the output, such as a summary."""
        self.source_context: ContentRef | None = None
        self.target_context: Content | ContentRef | None = None
        """What the models were, or will be, given."""
        self.atoms: Sequence[str] | None = None
        """Those of the source's pieces of knowledge that are in what is delivered."""
        self.accuracy: float | None = None
        self.latency_ms: float | None = None
        self._checks: list[dict[str, Any]] = []

    def check(
        self,
        name: str,
        *,
        passed: bool,
        score: float | None = None,
        method: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Say what was examined about the transfer, and how it came out."""
        said = {"name": name, "passed": passed, "score": score, "method": method, "detail": detail}
        self._checks.append({key: value for key, value in said.items() if value is not None})

    @property
    def content(self) -> bytes:
        """What is handed over; before it is recorded, too."""
        if self._recorded is None and self.delivered is None:
            return self.source.content
        return super().content

    def _given(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.body.get("delivered", self.body["content"])
        return given

    def _same(self) -> bool:
        return self.delivered is None or self._is_recorded(self.delivered, "delivered")

    def _first(self) -> list[Parent]:
        return [self.source.parent]

    def _build(
        self, based: Sequence[Payload | None], made: Sequence[Payload]
    ) -> tuple[Body, list[Archived]]:
        if self.target is None:
            raise RecordError("body_invalid", f"{self} has no target", hint="name it: target=…")
        contents: list[Archived] = []
        said = self.source.body
        delivered = None if self.delivered is None else self._archive(self.delivered, contents)
        target_context = None
        if self.target_context is not None:
            target_context = self._archive(self.target_context, contents)
        target = Party(
            model_id=self.target, model_version=self.target_version, context=target_context
        )
        body = transfer(
            said,
            target=target,
            context=self.source_context,
            delivered=delivered,
            atoms=None if delivered is None else self._carried(said.get("atoms")),
            accuracy=self.accuracy,
            checks=tuple(Check(**one) for one in self._checks) or None,
            latency_ms=self.latency_ms,
            **self._common(made),
        )
        return body, contents

    def _carried(self, known: Sequence[str] | None) -> tuple[str, ...] | None:
        if self.atoms is None:
            return None
        strange = [atom for atom in self.atoms if atom not in (known or ())]
        if strange:
            raise RecordError(
                "stage_mismatch", f"{self} carries {strange[0]!a}, its source does not"
            )
        return tuple(self.atoms)
