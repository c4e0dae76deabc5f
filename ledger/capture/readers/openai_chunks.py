"""Puts the chunks of a streamed chat completion together: the answer as it is without a stream.

| in the chunks | in the answer |
|---|---|
| `choices[].delta`, by `index`: text members | joined |
| `delta.tool_calls[]`, by `index` | `id`, `type` and `name` once; `arguments` (or `input`) joined |
| `delta.function_call`, `delta.audio` | in the same way |
| `choices[].logprobs` | token lists joined |
| `choices[].finish_reason`, `usage`, `service_tier` | the last one that is there |
| `id`, `model`, `system_fingerprint`, `created` | the first one that is there |

A stream that was cut gives the answer as far as it came. Some servers repeat `id`, `role` and
`name` in every chunk, or leave out the index of a tool call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers.pieces import Parts

FIRST = ("id", "model", "system_fingerprint", "created")
LAST = ("usage", "service_tier")


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the chat completion that chunks make."""
    answer = Parts(object="chat.completion")
    choices = answer.row("choices")
    for part in parts:
        take_heads(answer, part)
        for choice in map(fitting.as_map, fitting.as_list(part.get("choices"))):
            held = choices.at(index_of(choice))
            held["index"] = index_of(choice)
            message = held.part("message")
            _take_delta(message, fitting.as_map(choice.get("delta")))
            for kind, tokens in fitting.as_map(choice.get("logprobs")).items():
                if isinstance(tokens, list):
                    held.part("logprobs").extend(kind, tokens)
            if choice.get("finish_reason"):
                held["finish_reason"] = choice["finish_reason"]
    return answer.whole()


def take_heads(answer: Parts, part: dict[str, Any]) -> None:
    """Take the members that are said of the whole answer."""
    for key in FIRST:
        answer.first(key, part.get(key))
    for key in LAST:
        if part.get(key):
            answer[key] = part[key]


def index_of(value: dict[str, Any], missing: int = 0) -> int:
    """Return the `index` that a part belongs to."""
    found = fitting.count(value.get("index"))
    return missing if found is None else found


def _take_delta(message: Parts, delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key == "role":
            message.first(key, value)
        elif key == "tool_calls":
            for call in map(fitting.as_map, fitting.as_list(value)):
                _take_call(message, call)
        elif key == "function_call":
            _take_function(message.part(key), fitting.as_map(value))
        elif key == "audio":
            _take_audio(message.part(key), fitting.as_map(value))
        elif isinstance(value, str):
            message.grow(key, value)
        elif isinstance(value, list):
            message.extend(key, value)
        elif value is None:
            message.setdefault(key, None)
        else:
            message[key] = value


def _take_call(message: Parts, call: dict[str, Any]) -> None:
    calls = message.row("tool_calls")
    held = calls.at(index_of(call, len(calls) if call.get("id") else max(0, len(calls) - 1)))
    held.first("id", call.get("id"))
    held.first("type", call.get("type"))
    for kind in ("function", "custom"):
        if isinstance(call.get(kind), dict):
            _take_function(held.part(kind), call[kind])


def _take_function(held: Parts, function: dict[str, Any]) -> None:
    held.first("name", function.get("name"))
    for key in ("arguments", "input"):
        value = function.get(key)
        if isinstance(value, str):
            held.grow(key, value)
        elif value is not None:
            held[key] = value


def _take_audio(held: Parts, audio: dict[str, Any]) -> None:
    for key, value in audio.items():
        if key in ("data", "transcript"):
            held.grow(key, value)
        else:
            held.first(key, value)
