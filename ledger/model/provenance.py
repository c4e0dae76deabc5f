"""The chain of an operation: its stages in order, and what else passed (specs/12 §5)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ledger.model.base import Body, Group
from ledger.model.groups import NotEmpty
from ledger.model.operation import Checks, Metadata, OperationId, Rated
from ledger.model.values import Array, Count, Digest, Label, Name, Ref

STEPS_MAX = 255
LISTED_MAX = 64

StageType = Literal["insight", "transfer", "execution"]


class Step(Group):
    """A stage by its type and label."""

    stage: StageType
    label: Label


def _once(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if len({(step.stage, step.label) for step in steps}) != len(steps):
        raise ValueError("no two steps have one stage and label")
    return steps


class Interaction(Rated):
    """Something that passed between two models and is not a transfer, such as a review."""

    source: Name
    target: Name
    type: Label
    content: Ref
    step: Count | None = None
    metadata: Metadata | None = None
    checks: Checks | None = None


class DataItem(Group):
    """Something that went in from outside the models."""

    role: Label
    name: Name
    content: Ref


class Claims(Group):
    """What somebody else's system said about its own verification."""

    chain_verified: bool | None = None
    lineage_verified: bool | None = None
    trust_chain: (
        Annotated[tuple[Digest, ...], Array, Field(min_length=1, max_length=LISTED_MAX)] | None
    ) = None
    status: Literal["verified", "outside", "failed"] | None = None


class Provenance(Body):
    """The stages of an operation in order (specs/12 §5)."""

    operation: OperationId
    steps: Annotated[
        tuple[Step, ...], Array, Field(min_length=1, max_length=STEPS_MAX), AfterValidator(_once)
    ]
    interactions: (
        Annotated[tuple[Interaction, ...], Array, Field(min_length=1, max_length=LISTED_MAX)] | None
    ) = None
    data: (
        Annotated[tuple[DataItem, ...], Array, Field(min_length=1, max_length=LISTED_MAX)] | None
    ) = None
    claims: Annotated[Claims, NotEmpty] | None = None

    @model_validator(mode="after")
    def _interactions_are_at_a_step(self) -> Self:
        for interaction in self.interactions or ():
            if interaction.step is not None and interaction.step >= len(self.steps):
                raise ValueError("the step of an interaction is a position in steps")
        return self
