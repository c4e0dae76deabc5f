"""Every rule of specs/03 §1 refuses what breaks it, with the field's path."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.model import SECRET_HEADERS, from_body, to_body
from tests.model.witness_parts import ABSENT, REF, changed, full, minimal, refused


@pytest.mark.parametrize("body", [full(), minimal()], ids=["full", "minimal"])
def test_a_witness_by_the_page_is_accepted_unchanged(body: dict[str, Any]) -> None:
    """The largest and the smallest witness come back as they are."""
    assert to_body(from_body("witness", body)) == body


ALWAYS = [
    "version",
    "operation",
    "model",
    "data",
    "output",
    "meta",
    "capture",
    "model__model_id",
    "data__prompt_hash",
    "tools__tool_ids",
    "meta__writer",
    "meta__task_criticality",
    "meta__kappa_threshold",
    "capture__vantage",
    "capture__source__format",
]


@pytest.mark.parametrize("path", ALWAYS)
def test_what_is_always_there_cannot_be_missing(path: str) -> None:
    """A field whose presence is "always" is required."""
    error = refused(changed(full(), **{path: ABSENT}))
    assert error.code == "body_invalid"
    assert path.replace("__", ".") in error.message


@pytest.mark.parametrize(
    "group",
    [
        "model",
        "data",
        "tools",
        "uncertainty",
        "replay",
        "output",
        "meta",
        "temporal",
        "cost",
        "capture",
        "raw",
        "capture__source",
        "data__prompt_hash",
    ],
)
def test_a_group_is_closed(group: str) -> None:
    """A key that the page does not name is refused in every group."""
    error = refused(changed(full(), **{f"{group}__unspecified": 1}))
    assert error.code == "body_invalid"


@pytest.mark.parametrize(
    "group", ["tools", "uncertainty", "replay", "temporal", "cost", "raw", "capture__source"]
)
def test_an_optional_group_that_is_there_is_not_empty(group: str) -> None:
    """An optional group has at least one key."""
    assert refused(changed(full(), capture__vantage="manual", **{group: {}})).code == "body_invalid"


PRESENCE = [
    {"model__provider_source": ABSENT},
    {"model__model_provider": ABSENT},
    {"uncertainty__confidence_band": ABSENT},
    {"uncertainty__confidence_method": ABSENT},
    {"uncertainty__confidence_score": ABSENT},
    {"uncertainty__top_k_position": ABSENT},
    {"uncertainty__top_k_probs": ABSENT},
    {"output__total_tokens": ABSENT},
    {"output__output_tokens": ABSENT},
    {"data__prompt_tokens": ABSENT},
    {"output__token_source": ABSENT},
    {
        "data__prompt_tokens": ABSENT,
        "output__output_tokens": ABSENT,
        "output__total_tokens": ABSENT,
    },
    {"meta__kappa_gate_passed": ABSENT},
    {"uncertainty": ABSENT},
    {"temporal__occurred_at": ABSENT},
    {"temporal": ABSENT},
    {"cost__price_table": ABSENT},
    {"cost__cost_usd": ABSENT},
]


@pytest.mark.parametrize("changes", PRESENCE, ids=lambda changes: " ".join(changes))
def test_fields_that_need_each_other_come_together(changes: dict[str, Any]) -> None:
    """Each "iff" of the page refuses both of its halves alone."""
    assert refused(changed(full(), **changes)).code == "body_invalid"


LONG_NAME = "n" * 257
TOP = [{"token": "a", "probability": 0.5}, {"token": "b", "probability": 0.5}]
VALUES = [
    ("version", 2),
    ("operation", "Chat"),
    ("operation", ""),
    ("operation", "1chat"),
    ("operation", "c" * 65),
    ("model__model_id", ""),
    ("model__model_id", LONG_NAME),
    ("model__model_id", "ü" * 129),
    ("model__model_id", "a\nb"),
    ("model__model_id", "a\x7f"),
    ("model__model_id", b"m"),
    ("model__provider_source", "unknown"),
    ("model__weights_hash", bytes(31)),
    ("model__weights_hash", "00" * 32),
    ("model__model_build_date", "2023-02-29"),
    ("model__model_build_date", "20240229"),
    ("model__model_build_date", "0000-01-01"),
    ("model__model_build_date", "2024-02-29T00:00:00Z"),
    ("model__model_build_date", "٢٠٢٤-02-29"),
    ("data__prompt_hash", {**REF, "sha256": bytes(31)}),
    ("data__prompt_hash", {**REF, "blake3": "00" * 32}),
    ("data__prompt_hash", {**REF, "size_bytes": -1}),
    ("data__prompt_hash", {**REF, "size_bytes": 2**63}),
    ("data__prompt_hash", {**REF, "size_bytes": True}),
    ("data__prompt_hash", {**REF, "media_type": ""}),
    ("data__prompt_hash", {**REF, "salted": False}),
    ("data__prompt_hash", {**REF, "salted": 1}),
    ("data__prompt_hash", b"hash"),
    ("data__prompt_tokens", -1),
    ("data__prompt_tokens", 2**63),
    ("data__prompt_tokens", 10.0),
    ("data__prompt_tokens", True),
    ("data__context_atom_ids", []),
    ("data__context_atom_ids", ["a"] * 1025),
    ("data__context_atom_ids", [""]),
    ("data__context_atom_ids", "a"),
    ("data__retrieved_atom_ids", []),
    ("tools__tool_ids", []),
    ("tools__tool_ids", ["t"] * 257),
    ("uncertainty__confidence_score", 1),
    ("uncertainty__confidence_score", 1.0000000000000002),
    ("uncertainty__confidence_score", -0.1),
    ("uncertainty__confidence_band", "D"),
    ("uncertainty__confidence_method", "guess"),
    ("uncertainty__ece_score", 1.5),
    ("uncertainty__entropy", -0.1),
    ("uncertainty__entropy", 1),
    ("uncertainty__top_k_probs", []),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 0.01}] * 21),
    ("uncertainty__top_k_probs", [{"token": "a" * 257, "probability": 0.5}]),
    ("uncertainty__top_k_probs", [{"token": "ü" * 129, "probability": 0.5}]),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 1}]),
    ("uncertainty__top_k_probs", [{"token": "a"}]),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 0.1, "rank": 1}]),
    ("uncertainty__top_k_probs", [TOP[0], {"token": "b", "probability": 0.6}]),
    ("uncertainty__top_k_probs", [*TOP, {"token": "c", "probability": 0.0000011}]),
    ("uncertainty__top_k_position", -1),
    ("replay__replay_seed", 2**63),
    ("replay__replay_seed", -(2**63) - 1),
    ("replay__temperature", 1),
    ("replay__temperature", -0.5),
    ("replay__top_p", 1.5),
    ("replay__top_k", -1),
    ("replay__top_k", 1.0),
    ("replay__max_tokens", -1),
    ("replay__other_params", {}),
    ("replay__other_params", {str(number): 1 for number in range(65)}),
    ("replay__other_params", {"": 1}),
    ("replay__other_params", {LONG_NAME: 1}),
    ("replay__other_params", {"a": 2**64}),
    ("replay__other_params", {"a": float("nan")}),
    ("replay__other_params", {"blake3": "not a reference"}),
    ("replay__other_params", {"a": [{"blake3": 1}]}),
    ("output__output_hash", "4"),
    ("output__token_source", "guess"),
    ("output__finish_reason", ""),
    ("meta__writer", ""),
    ("meta__task_criticality", "high"),
    ("meta__kappa_threshold", 1),
    ("meta__kappa_gate_passed", 1),
    ("temporal__occurred_at", "2025-01-02T03:04:05Z"),
    ("temporal__occurred_at", "2025-02-29T03:04:05.000006Z"),
    ("temporal__occurred_at", "2025-01-02T03:04:60.000006Z"),
    ("temporal__occurred_at", "2025-01-02T03:04:05.000006+00:00"),
    ("temporal__execution_time_ms", -1.0),
    ("temporal__execution_time_ms", 1),
    ("cost__response_time_ms", 1),
    ("cost__tokens_used", -1),
    ("cost__cost_usd", -0.01),
    ("cost__price_table", ""),
    ("capture__vantage", "wire"),
    ("capture__attempts", 0),
    ("capture__attempts", 10_001),
    ("capture__attempts", True),
    ("capture__request_id", ""),
    ("capture__source", {"format": "x", "epoch": -1}),
    ("raw__request_headers", {}),
    ("raw__request_headers", {f"h{number}": "" for number in range(65)}),
    ("raw__request_headers", {"Content-Type": "x"}),
    ("raw__request_headers", {"content_type": "x"}),
    ("raw__request_headers", {"h" * 65: "x"}),
    ("raw__request_headers", {"x": "v" * 4097}),
    ("raw__request_headers", {"x": "a\0b"}),
    ("raw__request_headers", {"x": 1}),
    ("raw__request_headers", {"blake3": "x"}),
]


@pytest.mark.parametrize(("path", "value"), VALUES, ids=lambda value: ascii(value)[:40])
def test_a_value_that_its_field_does_not_allow_is_refused(path: str, value: Any) -> None:
    """Types, ranges, lengths in bytes and closed choices, one by one."""
    error = refused(changed(full(), **{path: value}))
    assert error.code == "body_invalid"
    assert path.split("__")[-1].split(".")[0] in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    "path",
    [
        f"{group}__{field}"
        for group, fields in full().items()
        if isinstance(fields, dict)
        for field in fields
    ],
)
def test_null_never_stands_for_absent(path: str) -> None:
    """A decoded null is refused in every field of every group."""
    error = refused(changed(full(), **{path: None}))
    assert error.code == "body_invalid"


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
@pytest.mark.parametrize("group", ["request_headers", "response_headers"])
def test_secret_headers_are_never_recorded(group: str, name: str) -> None:
    """A header that carries credentials is refused, and its value is not in the message."""
    error = refused(changed(full(), **{f"raw__{group}": {name: "sk-very-secret"}}))
    assert error.code == "body_invalid"
    assert name in error.message
    assert "sk-very-secret" not in error.message
