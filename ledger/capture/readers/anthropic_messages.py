"""Reads an Anthropic messages exchange; pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model` |
| request `messages`; with `system`: both | `prompt`, canonical JSON |
| `temperature`, `top_p`, `top_k`, `max_tokens` | `replay` |
| the parameters of `OTHER_PARAMETERS` | `parameters` |
| `tool_result` blocks after the model's last message | `tool_results`, `tool_ids` by their ids |
| response `content`, all text but for thinking | `output`: the text |
| … with blocks of other kinds | `output`: the blocks as canonical JSON |
| blocks of kind `tool_use`, `server_tool_use`, `mcp_tool_use` | `tool_ids`, `tool_parameters` |
| `stop_reason`, `id` | `finish_reason`, `request_id` |
| `usage.inference_geo` | `deployment_region` |
| `usage` | token counts, below |

`prompt_tokens` is what went into the model: `input_tokens` + `cache_read_input_tokens` +
`cache_creation_input_tokens`, since the provider counts its three parts apart; `output_tokens` is
the provider's, thinking included.
"""

from __future__ import annotations

from typing import Any

from ledger.capture import fitting
from ledger.capture.readers import usage
from ledger.capture.readers.anthropic_events import assemble
from ledger.capture.readers.reading import (
    Fields,
    put,
    put_calls,
    put_others,
    put_results,
    put_sampling,
    put_tokens,
)

__all__ = ["OPERATION", "assemble", "billed", "price_context", "read_answer", "read_request"]

OPERATION = "chat"
OTHER_PARAMETERS = (
    "anthropic_version",
    "context_management",
    "inference_geo",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "thinking",
    "tool_choice",
)
THINKING = ("thinking", "redacted_thinking")


def read_request(asked: dict[str, Any]) -> Fields:
    """Return what the request body says."""
    fields: Fields = {}
    put(fields, "requested_model", fitting.name(asked.get("model")))
    messages = fitting.as_list(asked.get("messages"))
    if messages:
        both = {"messages": messages, "system": asked.get("system")}
        fields["prompt"] = both if asked.get("system") else messages
        _read_results(fields, [fitting.as_map(message) for message in messages])
    put_sampling(fields, asked, asked.get("max_tokens"))
    put_others(fields, asked, OTHER_PARAMETERS)
    return fields


def _blocks(value: object) -> list[dict[str, Any]]:
    return [block for block in fitting.as_list(value) if isinstance(block, dict)]


def _kind(block: dict[str, Any]) -> str:
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def _read_results(fields: Fields, messages: list[dict[str, Any]]) -> None:
    said = [number for number, one in enumerate(messages) if one.get("role") == "assistant"]
    names = {
        call["id"]: call["name"]
        for number in said
        for call in _calls(_blocks(messages[number].get("content")))
        if isinstance(call["id"], str)
    }
    returned = [
        {
            "id": block.get("tool_use_id"),
            "content": block.get("content"),
            **({"is_error": True} if block.get("is_error") is True else {}),
        }
        for message in messages[said[-1] + 1 if said else 0 :]
        for block in _blocks(message.get("content"))
        if _kind(block) == "tool_result"
    ]
    put_results(fields, returned, names)


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return what the answer says."""
    fields: Fields = {}
    put(fields, "actual_model", fitting.name(answered.get("model")))
    put(fields, "request_id", fitting.name(answered.get("id")))
    put(fields, "finish_reason", fitting.name(answered.get("stop_reason")))
    blocks = _blocks(answered.get("content"))
    said = [block for block in blocks if _kind(block) not in THINKING]
    texts = [fitting.text(block.get("text")) for block in said if _kind(block) == "text"]
    if blocks:
        joined = [text for text in texts if text is not None]
        whole = len(joined) == len(said) and said
        fields["output"] = "".join(joined) if whole else blocks
    put_calls(fields, _calls(blocks))
    counts = fitting.as_map(answered.get("usage"))
    geo = fitting.name(counts.get("inference_geo"))
    put(fields, "deployment_region", None if geo == "not_available" else geo)
    _read_tokens(fields, counts)
    return fields


def _calls(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"id": block.get("id"), "name": block["name"], "arguments": block.get("input")}
        for block in blocks
        if _kind(block).endswith("tool_use") and block.get("name")
    ]


def _read_tokens(fields: Fields, counts: dict[str, Any]) -> None:
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    known = [fitting.count(counts.get(part)) for part in parts]
    prompt = None if known[0] is None else sum(part or 0 for part in known)
    output = fitting.count(counts.get("output_tokens"))
    total = None if prompt is None or output is None else prompt + output
    put_tokens(fields, prompt, output, total)


def billed(answered: dict[str, Any]) -> dict[str, int]:
    """Return the billed units, each counted once."""
    return usage.anthropic(fitting.as_map(answered.get("usage")))


def price_context(answered: dict[str, Any]) -> dict[str, str]:
    """Return service tier and speed of the answer, where they are not the standard ones."""
    counts = fitting.as_map(answered.get("usage"))
    found = {key: fitting.name(counts.get(key)) for key in ("service_tier", "speed")}
    return {key: value for key, value in found.items() if value and value != "standard"}
