"""The keywords of `ledger.model.build.witness`: every field of specs/03 by its name there.

Contents are given as values and become references: `prompt` (prompt_hash), `output` (output_hash),
`prompt_template`, `tool_parameters`, `tool_results` (tool_results_hash), `request` and `response`
(of `raw`), and those that are JSON of one shape: `prompt_variables`, `context_snapshot`,
`environment`, `observation` (`ledger.model.documents`). Three keywords are shorter than their
fields: `model` (model_id), `confidence` (confidence_score), `parameters` (other_params). Times are
text of specs/00, or an aware `datetime`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Required, TypedDict

from ledger.formats.content import ContentRef
from ledger.formats.observation import Observation
from ledger.model.archive import Content, Salt
from ledger.model.derive import Band, Criticality
from ledger.model.groups import ProviderSource, TokenSource, Vantage
from ledger.model.uncertainty import ConfidenceMethod

Given = Content | ContentRef
"""A content to archive, or the reference to one that is archived already."""


class ModelFields(TypedDict, total=False):
    """Which model (specs/03 §1.1)."""

    model: Required[str]
    model_provider: str | None
    provider_source: ProviderSource | None
    weights_hash: bytes | str | None
    requested_model: str | None
    actual_model: str | None
    vendor: str | None
    api_version: str | None
    model_build_date: str | None
    deployment_region: str | None
    system_fingerprint: str | None


class DataFields(TypedDict, total=False):
    """What went in, and by which tools (specs/03 §1.2 and §1.3)."""

    prompt: Required[Given]
    prompt_tokens: int | None
    prompt_template: Given | None
    context_snapshot_id: str | None
    context_atom_ids: Sequence[str] | None
    retrieved_atom_ids: Sequence[str] | None
    prompt_variables: Given | None
    context_snapshot: Given | None
    tool_ids: Sequence[str] | None
    tool_parameters: Given | None
    tool_results: Given | None


class OutputFields(TypedDict, total=False):
    """What came out, and how certain it is (specs/03 §1.4 and §1.6)."""

    output: Given | None
    output_tokens: int | None
    total_tokens: int | None
    token_source: TokenSource | None
    finish_reason: str | None
    confidence: float | None
    confidence_band: Band | None
    confidence_method: ConfidenceMethod | None
    logprobs: Sequence[Any] | None
    ece_score: float | None
    entropy: float | None
    top_k_probs: Sequence[Mapping[str, Any]] | None
    top_k_position: int | None


class RunFields(TypedDict, total=False):
    """How it ran and what it cost (specs/03 §1.5, §1.8 and §1.9)."""

    replay_seed: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    parameters: Mapping[str, Any] | None
    engine: str | None
    environment: Given | None
    observation: Given | Observation | None
    occurred_at: str | datetime | None
    execution_time_ms: float | None
    response_time_ms: float | None
    tokens_used: int | None
    cost_usd: float | None
    price_table: str | None
    usage: Mapping[str, int] | None
    prices: Mapping[str, float] | None


class RecordFields(TypedDict, total=False):
    """Who recorded it, where, and what went over the wire (specs/03 §1.7, §1.10 and §1.11)."""

    operation: str
    writer: str
    task_criticality: Criticality
    domain: str | None
    kappa_threshold: float | None
    kappa_gate_passed: bool | None
    vantage: Vantage
    attempts: int | None
    request_id: str | None
    source: Mapping[str, Any] | None
    request: Given | None
    response: Given | None
    request_headers: Mapping[str, str] | None
    response_headers: Mapping[str, str] | None


class WitnessFields(ModelFields, DataFields, OutputFields, RunFields, RecordFields, total=False):
    """All keywords but those that say how to build (`guess_provider`, `salt`)."""


class BuildFields(WitnessFields, total=False):
    """All keywords of `witness`."""

    guess_provider: bool
    salt: Salt | None
