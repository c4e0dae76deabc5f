"""Billed units of an answer, each counted once (specs/03 §1.9): what providers nest, taken apart.

| unit | OpenAI and compatible servers | Anthropic |
|---|---|---|
| `input_tokens` | `prompt_tokens` or `input_tokens`, without the following | `input_tokens` |
| `cache_read_tokens` | `cached_tokens` of the details | `cache_read_input_tokens` |
| `cache_write_tokens` | `cache_write_tokens` of the details | `cache_creation_input_tokens` |
| `cache_write_5m_tokens`, `cache_write_1h_tokens` | | the same by `cache_creation` |
| `input_audio_tokens` | `audio_tokens` of the details | |
| `output_tokens` | `completion_tokens` or `output_tokens`, without the following | the same |
| `output_reasoning_tokens` | `reasoning_tokens` of the details | `thinking_tokens` of the details |
| `output_audio_tokens` | `audio_tokens` of the details | |
| `web_searches` | `tool_usage.web_search.num_requests` | `server_tool_use.web_search_requests` |

Details of which there are none are left out. Nothing at all is returned where the parts do not add
up, where cached and audio tokens may be the same ones, or where another model worked along (image
generation): a cost that is known to be incomplete is worse than none. Tools that are billed without
being counted in the answer, such as file search, are not seen here.

Some servers count reasoning on top of `completion_tokens` (their `total_tokens` says so); it is a
unit of its own here in both cases.

>>> details = {"prompt_tokens_details": {"cached_tokens": 30}}
>>> openai({"prompt_tokens": 100, "completion_tokens": 5, **details})
{'input_tokens': 70, 'cache_read_tokens': 30, 'output_tokens': 5}
"""

from __future__ import annotations

from typing import Any

from ledger.capture.fitting import as_map, count


def openai(
    usage: dict[str, Any], tools: dict[str, Any] | None = None, *, with_output: bool = True
) -> dict[str, int]:
    """Return the units of an OpenAI `usage` and `tool_usage`; `with_output` false: embeddings."""
    entry = _counted(usage, "prompt_tokens", "input_tokens")
    out = _counted(usage, "completion_tokens", "output_tokens")
    if entry is None or (out is None and with_output):
        return {}
    inside = as_map(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    outside = as_map(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    cached = _counted(inside, "cached_tokens")
    if cached is None:  # DeepSeek and Moonshot name it so, beside the counts
        cached = _counted(usage, "prompt_cache_hit_tokens", "cached_tokens")
    units = {
        "cache_read_tokens": cached or 0,
        "cache_write_tokens": _counted(inside, "cache_write_tokens") or 0,
        "input_audio_tokens": _counted(inside, "audio_tokens") or 0,
    }
    if units["input_audio_tokens"] and units["cache_read_tokens"]:
        return {}
    found = {"input_tokens": entry - sum(units.values()), **units}
    if out is not None:
        found |= _openai_output(entry, out, outside, count(usage.get("total_tokens")))
    tools = tools or {}
    if count(as_map(tools.get("image_gen")).get("total_tokens")):
        return {}
    found["web_searches"] = _counted(as_map(tools.get("web_search")), "num_requests") or 0
    return _checked(found)


def _openai_output(
    entry: int, out: int, details: dict[str, Any], total: int | None
) -> dict[str, int]:
    reasoning = _counted(details, "reasoning_tokens") or 0
    audio = _counted(details, "audio_tokens") or 0
    beside = reasoning > 0 and total == entry + out + reasoning
    return {
        "output_tokens": out - audio - (0 if beside else reasoning),
        "output_reasoning_tokens": reasoning,
        "output_audio_tokens": audio,
    }


def anthropic(usage: dict[str, Any]) -> dict[str, int]:
    """Return the units of an Anthropic `usage`."""
    entry, out = _counted(usage, "input_tokens"), _counted(usage, "output_tokens")
    if entry is None or out is None:
        return {}
    written = _counted(usage, "cache_creation_input_tokens") or 0
    by_age = as_map(usage.get("cache_creation"))
    short = _counted(by_age, "ephemeral_5m_input_tokens") or 0
    long = _counted(by_age, "ephemeral_1h_input_tokens") or 0
    thinking = _counted(as_map(usage.get("output_tokens_details")), "thinking_tokens") or 0
    found = {
        "input_tokens": entry,
        "cache_read_tokens": _counted(usage, "cache_read_input_tokens") or 0,
        "cache_write_tokens": written - short - long,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "output_tokens": out - thinking,
        "output_reasoning_tokens": thinking,
        "web_searches": _counted(as_map(usage.get("server_tool_use")), "web_search_requests") or 0,
    }
    return _checked(found)


def _counted(values: dict[str, Any], *names: str) -> int | None:
    for name in names:
        found = count(values.get(name))
        if found is not None:
            return found
    return None


def _checked(found: dict[str, int]) -> dict[str, int]:
    if any(value < 0 for value in found.values()):
        return {}
    kept = ("input_tokens", "output_tokens")
    return {unit: value for unit, value in found.items() if value or unit in kept}
