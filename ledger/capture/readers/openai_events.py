"""Puts the events of a streamed OpenAI response together: the response as it is without a stream.

The last event of a whole stream has the whole response, which is then the answer. A stream that
was cut, or a server whose last event has no output, gives what the events before it said:

| event `response.…` | what it says |
|---|---|
| `created`, `in_progress`, `completed`, … | the response, in `response` |
| `output_item.added`, `output_item.done` | an item, by `output_index` |
| `content_part.added`, `content_part.done` | a part of an item, by `content_index` |
| `output_text.delta`, `refusal.delta`, `reasoning_text.delta` | text of such a part |
| `reasoning_summary_text.delta` | text of a summary, by `summary_index` |
| `function_call_arguments.delta`, `mcp_call_arguments.delta` | text of an item |
| `custom_tool_call_input.delta` | the same |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers.pieces import Row

_IN_PART = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
_IN_ITEM = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the response that events make."""
    response: dict[str, Any] = {}
    items = Row()
    for part in parts:
        kind = part.get("type")
        if isinstance(part.get("response"), dict):
            response = {**response, **part["response"]}
        elif isinstance(kind, str):
            _take(items, kind, part)
    if not fitting.as_list(response.get("output")) and len(items):
        response["output"] = items.whole()
    return response


def begun_id(parts: Iterable[object]) -> str | None:
    """Return the id that the first `response.created` gives the response, None without one."""
    for part in map(fitting.as_map, parts):
        if part.get("type") == "response.created":
            return fitting.name(fitting.as_map(part.get("response")).get("id"))
    return None


def _take(items: Row, kind: str, part: dict[str, Any]) -> None:
    at = _index(part, "output_index")
    if kind in ("response.output_item.added", "response.output_item.done"):
        items.put(at, fitting.as_map(part.get("item")))
    elif kind in ("response.content_part.added", "response.content_part.done"):
        found = fitting.as_map(part.get("part"))
        items.at(at).row("content").put(_index(part, "content_index"), found)
    elif kind in _IN_PART:
        item_kind, row, part_kind, member = _IN_PART[kind]
        items.at(at).first("type", item_kind)
        held = items.at(at).row(row).at(_index(part, f"{row}_index"))
        held.first("type", part_kind)
        held.grow(member, part.get("delta"))
        held.extend("logprobs", part.get("logprobs"))
    elif kind in _IN_ITEM:
        item_kind, member = _IN_ITEM[kind]
        items.at(at).first("type", item_kind)
        items.at(at).grow(member, part.get("delta"))


def _index(part: dict[str, Any], name: str) -> int:
    return fitting.count(part.get(name)) or 0
