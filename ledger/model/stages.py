"""The stages of a cross-model operation: insight, transfer, execution (specs/12 §2 to §4).

What a stage says about its parents, such as that a transfer's content is its source's output, is
checked by whoever has them. `ledger.model.combine` makes stages from their sources.
"""

from __future__ import annotations

from typing import Self

from pydantic import ValidationInfo, model_validator

from ledger.model import crossnumbers
from ledger.model.base import Body, Group
from ledger.model.operation import (
    Atoms,
    CarriedAtoms,
    Checks,
    Metadata,
    OperationId,
    Rated,
    Spanned,
    Trace,
    Usage,
)
from ledger.model.values import Amount, Count, Label, Name, Ratio, Ref


class Stage(Rated, Spanned, Body):
    """What every stage says, whatever its type.

    The last `made_with` of its parents are what it was made with; it builds on those before.
    """

    operation: OperationId
    label: Label
    made_with: Count
    usage: Usage
    metadata: Metadata | None = None
    trace: Trace | None = None


class Insight(Stage):
    """What a model found out (specs/12 §2)."""

    model_id: Name
    model_version: Name | None = None
    output: Ref
    context: Ref | None = None
    atoms: Atoms | None = None


class Execution(Insight):
    """What a model did with what it was handed (specs/12 §4); its fields are an insight's."""


class Party(Group):
    """One of the two models of a transfer, and what it was or will be given."""

    model_id: Name
    model_version: Name | None = None
    context: Ref | None = None


class Transfer(Stage):
    """What was handed from one model to another (specs/12 §3)."""

    source: Party
    target: Party
    content: Ref
    delivered: Ref | None = None
    atoms: CarriedAtoms | None = None
    compression_ratio: Amount | None = None
    completeness: Ratio | None = None
    accuracy: Ratio | None = None
    checks: Checks | None = None
    latency_ms: Amount | None = None

    @model_validator(mode="after")
    def _atoms_are_of_what_was_delivered(self, info: ValidationInfo) -> Self:
        if self.atoms is not None and self.delivered is None:
            raise ValueError("atoms is there only with delivered")
        return self._after(info)

    def check_consequences(self) -> None:
        """Check the ratio, and completeness where nothing was delivered in place of the content."""
        delivered = None if self.delivered is None else self.delivered.size_bytes
        ratio = crossnumbers.compression_ratio(self.content.size_bytes, delivered)
        crossnumbers.check("compression_ratio", self.compression_ratio, ratio)
        if self.delivered is None:
            crossnumbers.check("completeness", self.completeness, crossnumbers.completeness(False))
