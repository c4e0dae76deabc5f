"""Reads an OpenAI responses exchange; pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model` |
| request `input` alone, as text | `prompt`, as text |
| … with `instructions` or others of `GIVEN`, or as items | `prompt`, canonical JSON |
| `temperature`, `top_p`, `max_output_tokens` | `replay` |
| the parameters of `OTHER_PARAMETERS` | `parameters` |
| `…_call_output` items after the last message | `tool_results`, and `tool_ids` by their ids |
| response `output`, all text but for reasoning | `output`: the text |
| … with items of other kinds | `output`: the items as canonical JSON |
| items of kind `…_call` | `tool_ids` (`name`, or the kind of a hosted tool), `tool_parameters` |
| `logprobs` of all texts | `logprobs` |
| `incomplete_details.reason`, else `status` of an answer that is over | `finish_reason` |
| `id` | `request_id` |
| `usage` | token counts, `token_source` `provider`, `tokens_used` |
"""

from __future__ import annotations

from typing import Any

from ledger.capture import fitting
from ledger.capture.readers import usage
from ledger.capture.readers.openai_events import assemble, begun_id
from ledger.capture.readers.reading import (
    Fields,
    plain,
    put,
    put_calls,
    put_logprobs,
    put_others,
    put_results,
    put_sampling,
    put_tokens,
)
from ledger.capture.readers.reading import tier as price_context

__all__ = [
    "OPERATION",
    "assemble",
    "begun_id",
    "billed",
    "price_context",
    "read_answer",
    "read_request",
]

OPERATION = "chat"
GIVEN = ("conversation", "input", "instructions", "previous_response_id", "prompt")
OTHER_PARAMETERS = (
    "background",
    "include",
    "max_tool_calls",
    "parallel_tool_calls",
    "reasoning",
    "service_tier",
    "store",
    "stream",
    "text",
    "tool_choice",
    "top_logprobs",
    "truncation",
)
OVER = ("completed", "failed", "cancelled", "incomplete")


def read_request(asked: dict[str, Any]) -> Fields:
    """Return what the request body says."""
    fields: Fields = {}
    put(fields, "requested_model", fitting.name(asked.get("model")))
    given = {key: asked[key] for key in GIVEN if asked.get(key)}
    if given.keys() == {"input"} and isinstance(given["input"], str | list):
        put(fields, "prompt", plain(given["input"]))
    elif given:
        fields["prompt"] = given
    _read_results(fields, _items(asked.get("input")))
    put_sampling(fields, asked, asked.get("max_output_tokens"))
    put_others(fields, asked, OTHER_PARAMETERS)
    return fields


def _items(value: object) -> list[dict[str, Any]]:
    return [item for item in fitting.as_list(value) if isinstance(item, dict)]


def _kind(item: dict[str, Any]) -> str:
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def _read_results(fields: Fields, items: list[dict[str, Any]]) -> None:
    names = {call["id"]: call["name"] for call in _calls(items) if isinstance(call["id"], str)}
    said = [
        number for number, item in enumerate(items) if _kind(item) == "message" or "role" in item
    ]
    returned = [
        {"id": item.get("call_id"), "content": item.get("output")}
        for item in items[said[-1] + 1 if said else 0 :]
        if _kind(item).endswith("_call_output")
    ]
    put_results(fields, returned, names)


def _calls(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for item in items:
        kind = _kind(item)
        if kind.endswith("_call"):
            name = item.get("name") or kind.removesuffix("_call")
            arguments = item.get("arguments", item.get("input", item.get("action")))
            call_id = item.get("call_id") or item.get("id")
            found.append({"id": call_id, "name": name, "arguments": arguments})
    return found


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return what the answer says."""
    fields: Fields = {}
    put(fields, "actual_model", fitting.name(answered.get("model")))
    put(fields, "request_id", fitting.name(answered.get("id")))
    why = fitting.as_map(answered.get("incomplete_details")).get("reason")
    status = answered.get("status")
    put(fields, "finish_reason", fitting.name(why or (status if status in OVER else None)))
    items = _items(answered.get("output"))
    if items:
        _read_output(fields, items)
    put_calls(fields, _calls(items))
    counts = fitting.as_map(answered.get("usage"))
    put_tokens(
        fields, counts.get("input_tokens"), counts.get("output_tokens"), counts.get("total_tokens")
    )
    return fields


def _read_output(fields: Fields, items: list[dict[str, Any]]) -> None:
    said = [item for item in items if _kind(item) != "reasoning"]
    parts = [part for item in said for part in _items(item.get("content"))]
    texts = [fitting.text(part.get("text")) for part in parts if _kind(part) == "output_text"]
    joined = [text for text in texts if text is not None]
    only_text = all(_kind(item) == "message" for item in said) and len(joined) == len(parts)
    fields["output"] = "".join(joined) if only_text and parts else items
    tokens = [fitting.as_list(part.get("logprobs")) for part in parts]
    if only_text and all(tokens):
        put_logprobs(fields, [token for part in tokens for token in part])


def billed(answered: dict[str, Any]) -> dict[str, int]:
    """Return the billed units, each counted once."""
    tools = fitting.as_map(answered.get("tool_usage"))
    return usage.openai(fitting.as_map(answered.get("usage")), tools)
