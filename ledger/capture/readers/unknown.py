"""Reads an exchange of no known protocol: what went out is the prompt, what came back the output.

| in the exchange | field |
|---|---|
| `model` of a JSON body, where it has one | `requested_model`, `actual_model` |
| `id` of the answer, where it has one | `request_id` |
| request body, as it is | `prompt` |
| response body, as it is | `output` |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers.reading import Fields, put
from ledger.capture.readers.reading import tier as price_context

__all__ = ["OPERATION", "assemble", "billed", "price_context", "read_answer", "read_request"]

OPERATION = "http_request"


def read_request(asked: dict[str, Any]) -> Fields:
    """Return the model that was asked for."""
    fields: Fields = {}
    put(fields, "requested_model", fitting.name(asked.get("model")))
    return fields


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return the model that answered, and the answer's id."""
    fields: Fields = {}
    put(fields, "actual_model", fitting.name(answered.get("model")))
    put(fields, "request_id", fitting.name(answered.get("id")))
    return fields


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the first event that names a model, since there is no telling what the rest means."""
    return next((part for part in parts if fitting.name(part.get("model"))), {})


def billed(answered: dict[str, Any]) -> dict[str, int]:
    """Return nothing: what an unknown protocol counts is not known."""
    return {}
