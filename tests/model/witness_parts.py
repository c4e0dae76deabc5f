"""Witness bodies made to order, and what the strict reader says to them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ledger.errors import RecordError
from ledger.formats.content import refer
from ledger.model import from_body

REF = refer(b"hello", "text/plain")[0].to_cbor()
ABSENT = object()


def full() -> dict[str, Any]:
    """A witness body with every field of specs/03."""
    source = {"format": "inspect-eval", "event_id": "e", "sample_id": "1", "epoch": 1}
    return {
        "version": 1,
        "operation": "chat",
        "model": {
            "model_id": "m-2",
            "model_provider": "openai",
            "provider_source": "endpoint",
            "weights_hash": bytes(32),
            "requested_model": "m",
            "actual_model": "m-2",
            "vendor": "v",
            "api_version": "1",
            "model_build_date": "2024-02-29",
            "deployment_region": "eu",
            "system_fingerprint": "fp",
        },
        "data": {
            "prompt_hash": REF,
            "prompt_tokens": 10,
            "prompt_template": REF,
            "context_snapshot_id": "s",
            "context_atom_ids": ["a"],
            "retrieved_atom_ids": ["b"],
            "prompt_variables": REF,
            "context_snapshot": REF,
        },
        "tools": {"tool_ids": ["t"], "tool_parameters": REF, "tool_results_hash": REF},
        "uncertainty": {
            "confidence_score": 0.9,
            "confidence_band": "B",
            "confidence_method": "logprobs",
            "ece_score": 0.1,
            "entropy": 0.5,
            "top_k_probs": [
                {"token": "x", "probability": 0.75},
                {"token": "", "probability": 0.25},
            ],
            "top_k_position": 0,
        },
        "replay": {
            "replay_seed": -1,
            "temperature": 0.0,
            "top_p": 1.0,
            "top_k": 1,
            "max_tokens": 5,
            "other_params": {"stop": ["a"], "bias": None},
            "engine": "openai",
            "environment": REF,
            "observation": REF,
        },
        "output": {
            "output_hash": REF,
            "output_tokens": 5,
            "total_tokens": 15,
            "token_source": "provider",
            "finish_reason": "stop",
        },
        "meta": {
            "writer": "w",
            "task_criticality": "routine",
            "domain": "d",
            "kappa_threshold": 0.7,
            "kappa_gate_passed": True,
        },
        "temporal": {"occurred_at": "2025-01-02T03:04:05.000006Z", "execution_time_ms": 1.5},
        "cost": {
            "response_time_ms": 2.5,
            "tokens_used": 15,
            "cost_usd": 0.01,
            "price_table": "p/1",
        },
        "capture": {"vantage": "imported", "attempts": 1, "request_id": "r", "source": source},
        "raw": {
            "request": REF,
            "response": REF,
            "request_headers": {"content-type": "application/json"},
            "response_headers": {"x-request-id": "r"},
        },
    }


def minimal() -> dict[str, Any]:
    """A witness body with nothing that is optional."""
    return {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": "m"},
        "data": {"prompt_hash": REF},
        "output": {},
        "meta": {"writer": "w", "task_criticality": "low_stakes", "kappa_threshold": 0.6},
        "capture": {"vantage": "manual"},
    }


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with fields set or, when `ABSENT`, removed; `a__b` names field b of group a."""
    result = copy.deepcopy(body)
    for path, value in changes.items():
        *groups, field = path.split("__")
        target = result
        for group in groups:
            target = target[group]
        if value is ABSENT:
            del target[field]
        else:
            target[field] = value
    return result


def refused(body: dict[str, Any]) -> RecordError:
    with pytest.raises(RecordError) as caught:
        from_body("witness", body)
    return caught.value
