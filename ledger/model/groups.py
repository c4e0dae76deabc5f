"""The groups of a witness whose rules are a table: model, data, tools, … (specs/03 §1.1 to 1.10).

Groups whose rules need more than a table are elsewhere: uncertainty in `uncertainty.py`, what was
sent and received in `raw.py`. Rules that join two groups are in `witness.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from ledger.model.base import Group, check_references
from ledger.model.derive import Criticality
from ledger.model.free import free_map
from ledger.model.values import (
    Amount,
    Count,
    Date,
    Digest,
    Integer,
    Label,
    Name,
    Names256,
    Names1024,
    Operation,
    Ratio,
    Ref,
    Time,
)

ProviderSource = Literal["stated", "endpoint", "guessed"]
TokenSource = Literal["provider", "tokenizer", "estimate"]
UNITS_MAX = 16

Vantage = Literal["transport", "hook", "manual", "imported"]


def _not_empty(group: Group) -> Group:
    if group.is_empty():
        raise ValueError("a group that is present has at least one field")
    return group


NotEmpty = AfterValidator(_not_empty)


def both_or_neither(one: str, first: object, other: str, second: object) -> None:
    """Refuse one of two fields that only mean something together."""
    if (first is None) != (second is None):
        there, gone = (other, one) if first is None else (one, other)
        raise ValueError(f"{there} needs {gone}")


class Model(Group):
    """Which model answered and who served it (specs/03 §1.1)."""

    model_id: Name
    model_provider: Name | None = None
    provider_source: ProviderSource | None = None
    weights_hash: Digest | None = None
    requested_model: Name | None = None
    actual_model: Name | None = None
    vendor: Name | None = None
    api_version: Name | None = None
    model_build_date: Date | None = None
    deployment_region: Name | None = None
    system_fingerprint: Name | None = None

    @model_validator(mode="after")
    def _provider_has_a_source(self) -> Self:
        both_or_neither(
            "provider_source", self.provider_source, "model_provider", self.model_provider
        )
        return self


class Data(Group):
    """What was given to the model (specs/03 §1.2)."""

    prompt_hash: Ref
    prompt_tokens: Count | None = None
    prompt_template: Ref | None = None
    context_snapshot_id: Name | None = None
    context_atom_ids: Names1024 | None = None
    retrieved_atom_ids: Names1024 | None = None
    prompt_variables: Ref | None = None
    context_snapshot: Ref | None = None


class Tools(Group):
    """Which tools were called, with what, and what came back (specs/03 §1.3)."""

    tool_ids: Names256
    tool_parameters: Ref | None = None
    tool_results_hash: Ref | None = None


class Replay(Group):
    """How to run the operation again (specs/03 §1.5)."""

    replay_seed: Integer | None = None
    temperature: Amount | None = None
    top_p: Ratio | None = None
    top_k: Count | None = None
    max_tokens: Count | None = None
    other_params: Annotated[dict[str, Any], PlainValidator(free_map)] | None = None
    engine: Label | None = None
    environment: Ref | None = None
    observation: Ref | None = None


class Output(Group):
    """What came out (specs/03 §1.6); the one group that may be empty, when nothing did."""

    output_hash: Ref | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    token_source: TokenSource | None = None
    finish_reason: Name | None = None


class Meta(Group):
    """Who wrote the witness and how much hangs on the operation (specs/03 §1.7)."""

    writer: Name
    task_criticality: Criticality
    domain: Name | None = None
    kappa_threshold: Ratio
    kappa_gate_passed: bool | None = None


class Temporal(Group):
    """When the operation took place and how long it ran (specs/03 §1.8)."""

    occurred_at: Time | None = None
    execution_time_ms: Amount | None = None


def _named_units(value: dict[str, Any]) -> dict[str, Any]:
    check_references(value)
    return value


_UnitCount = Field(min_length=1, max_length=UNITS_MAX)
_Units = AfterValidator(_named_units)


class Cost(Group):
    """Time, tokens and money that the caller spent (specs/03 §1.9)."""

    response_time_ms: Amount | None = None
    tokens_used: Count | None = None
    cost_usd: Amount | None = None
    price_table: Name | None = None
    usage: Annotated[dict[Operation, Count], _UnitCount, _Units] | None = None
    prices: Annotated[dict[Operation, Amount], _UnitCount, _Units] | None = None

    @model_validator(mode="after")
    def _a_cost_has_prices(self) -> Self:
        both_or_neither("price_table", self.price_table, "cost_usd", self.cost_usd)
        usage, prices = self.usage, self.prices
        if usage is not None and prices is not None and usage.keys() != prices.keys():
            raise ValueError("prices and usage must have the same keys")
        if (prices is not None) != (usage is not None and self.cost_usd is not None):
            raise ValueError("prices must be there iff usage and cost_usd are")
        return self


class Source(Group):
    """Place in the log that a statement was imported from (specs/03 §1.10)."""

    format: Name
    event_id: Name | None = None
    sample_id: Name | None = None
    epoch: Count | None = None


class Capture(Group):
    """Where the record was taken (specs/03 §1.10)."""

    vantage: Vantage
    attempts: Annotated[int, Field(ge=1, le=10_000)] | None = None
    request_id: Name | None = None
    source: Source | None = None
