"""What went in and what came out of a GenAI span, in all the ways that it has been written.

| where | since |
|---|---|
| attributes `gen_ai.input.messages`, `gen_ai.output.messages` | current; values or JSON text |
| attribute `gen_ai.system_instructions`, beside the messages | current |
| the same on the event `gen_ai.client.inference.operation.details` | current |
| events `gen_ai.user.message`, `….system.…`, `….assistant.…`, `….tool.…`, `gen_ai.choice` | 1.28 |
| events `gen_ai.content.prompt`, `gen_ai.content.completion` | 1.26 |
| attributes `gen_ai.prompt`, `gen_ai.completion` | 1.26 |
| attributes `gen_ai.prompt.N.role`, `gen_ai.completion.N.content`, … | OpenLLMetry |
| attributes `llm.prompts.N.role`, `llm.completions.N.content`, … | OpenLLMetry before 0.14 |
| attributes `traceloop.entity.input`, `traceloop.entity.output` | OpenLLMetry, agents and tools |

The first one in this order that says something counts. A prompt with system instructions apart is
an object of both. An output that is one message of text is that text.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ledger.capture import fitting
from ledger.capture.otlp.spans import Span

__all__ = ["Said", "read_messages", "with_details"]

_DETAILS = "gen_ai.client.inference.operation.details"
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_INDEXED = {
    "in": re.compile(r"(?:gen_ai\.prompt|llm\.prompts)\.(\d{1,9})\.(.+)"),
    "out": re.compile(r"(?:gen_ai\.completion|llm\.completions)\.(\d{1,9})\.(.+)"),
}
_FLAT_CALL = re.compile(r"(tool_calls\.\d{1,9}|function_call)\.(name|arguments|id)")


class Said(NamedTuple):
    """Prompt, output, the tools that the output asks for, and why the output ended."""

    prompt: Any
    output: Any
    calls: list[dict[str, Any]]
    finish_reason: str | None


def with_details(span: Span) -> dict[str, Any]:
    """Return the attributes of a span and of the event that holds its details."""
    found: dict[str, Any] = {}
    for name, values in span.events:
        if name == _DETAILS:
            found.update(values)
    return {**found, **span.attributes}


def read_messages(span: Span, known: dict[str, Any]) -> Said:
    """Return what a span says was said; `known` is what `with_details` gives."""
    prompt = _first(
        _with_instructions(known),
        _events_in(span),
        _content_event(span, "gen_ai.content.prompt", "gen_ai.prompt"),
        _parsed(known.get("gen_ai.prompt")),
        _indexed(known, "in"),
        _parsed(known.get("traceloop.entity.input")),
    )
    output = _first(
        _parsed(known.get("gen_ai.output.messages")),
        _choices(span),
        _content_event(span, "gen_ai.content.completion", "gen_ai.completion"),
        _parsed(known.get("gen_ai.completion")),
        _indexed(known, "out"),
        _parsed(known.get("traceloop.entity.output")),
    )
    messages = [one for one in fitting.as_list(output) if isinstance(one, dict)]
    calls = [call for message in messages for call in _calls(message)]
    text = None if calls else _text(output)
    return Said(prompt, output if text is None else text, calls, _reason(messages))


def _first(*found: Any) -> Any:
    return next((one for one in found if one not in (None, "", [], {})), None)


def _parsed(value: Any) -> Any:
    """Return what JSON text says, and anything else as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        said = fitting.parse_json(value)
        return value if said is None else said
    return value


def _with_instructions(known: dict[str, Any]) -> Any:
    messages = _parsed(known.get("gen_ai.input.messages"))
    instructions = _parsed(known.get("gen_ai.system_instructions"))
    if instructions in (None, "", []):
        return messages
    return {"system_instructions": instructions, "messages": messages or []}


def _events_in(span: Span) -> list[dict[str, Any]]:
    found = []
    for name, values in span.events:
        match = _EVENT.fullmatch(name)
        if match:
            found.append({"role": match[1], **_message(values)})
    return found


def _choices(span: Span) -> list[dict[str, Any]]:
    return [
        {"role": "assistant", **_message(values)}
        for name, values in span.events
        if name == "gen_ai.choice"
    ]


def _message(values: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a message event; its body may be in one of them, as JSON."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        said = _parsed(value)
        if key in ("gen_ai.event.content", "message") and isinstance(said, dict):
            found.update(said)
        elif key not in ("gen_ai.system", "gen_ai.provider.name", "event.name"):
            found[key] = said
    return found


def _content_event(span: Span, event: str, attribute: str) -> Any:
    said = [_parsed(values.get(attribute)) for name, values in span.events if name == event]
    return said[0] if len(said) == 1 else said


def _indexed(known: dict[str, Any], way: str) -> list[dict[str, Any]]:
    messages: dict[int, dict[str, Any]] = {}
    for key, value in known.items():
        match = _INDEXED[way].fullmatch(key)
        if match:
            messages.setdefault(int(match[1]), {})[match[2]] = value
    return [messages[number] for number in sorted(messages)]


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls of a message as id, name and arguments."""
    found = []
    for part in fitting.as_list(message.get("parts")):
        if fitting.as_map(part).get("type") == "tool_call":
            found.append({key: part.get(key) for key in ("id", "name", "arguments")})
    for call in fitting.as_list(message.get("tool_calls")):
        given = fitting.as_map(call)
        said = {**given, **fitting.as_map(given.get("function"))}
        found.append({key: said.get(key) for key in ("id", "name", "arguments")})
    flat: dict[str, dict[str, Any]] = {}
    for key, value in message.items():
        match = _FLAT_CALL.fullmatch(key)
        if match:
            flat.setdefault(match[1], {})[match[2]] = value
    return [*found, *(flat[key] for key in sorted(flat))]


def _text(output: Any) -> str | None:
    """Return the text of an output that is nothing but one message of text."""
    if isinstance(output, str):
        return fitting.text(output)
    if not (isinstance(output, list) and len(output) == 1 and isinstance(output[0], dict)):
        return None
    parts = output[0].get("parts")
    if parts is None:
        return fitting.text(output[0].get("content"))
    if len(fitting.as_list(parts)) == 1 and fitting.as_map(parts[0]).get("type") == "text":
        return fitting.text(parts[0].get("content"))
    return None


def _reason(messages: list[dict[str, Any]]) -> str | None:
    reasons = {fitting.name(message.get("finish_reason")) for message in messages}
    return reasons.pop() if len(reasons) == 1 else None
