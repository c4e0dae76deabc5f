"""Reads an OpenAI embeddings exchange; pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model` |
| request `input` | `prompt`: as text, or as canonical JSON of several ones or of tokens |
| request `dimensions`, `encoding_format` | `parameters` |
| response `data` | `output`, as canonical JSON |
| `usage.prompt_tokens`, `usage.total_tokens` | `prompt_tokens`, `tokens_used` |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers import unknown, usage
from ledger.capture.readers.reading import Fields, plain, put, put_others, put_tokens
from ledger.capture.readers.reading import tier as price_context

__all__ = ["OPERATION", "assemble", "billed", "price_context", "read_answer", "read_request"]

OPERATION = "embeddings"
OTHER_PARAMETERS = ("dimensions", "encoding_format", "input_type", "truncate")


def read_request(asked: dict[str, Any]) -> Fields:
    """Return what the request body says."""
    fields = unknown.read_request(asked)
    if isinstance(asked.get("input"), str | list):
        put(fields, "prompt", plain(asked["input"]))
    put_others(fields, asked, OTHER_PARAMETERS)
    return fields


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return what the answer says."""
    fields = unknown.read_answer(answered)
    if fitting.as_list(answered.get("data")):
        fields["output"] = answered["data"]
    counts = fitting.as_map(answered.get("usage"))
    put_tokens(fields, counts.get("prompt_tokens"), None, counts.get("total_tokens"))
    return fields


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the last event: embeddings are not streamed in parts."""
    return next(iter(list(parts)[-1:]), {})


def billed(answered: dict[str, Any]) -> dict[str, int]:
    """Return the billed units."""
    return usage.openai(fitting.as_map(answered.get("usage")), with_output=False)
