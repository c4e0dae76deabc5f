"""A GenAI span as the keywords of a witness (specs/03), by current and by older attribute names.

| attribute, newest name first | field |
|---|---|
| `gen_ai.operation.name`; `llm.request.type`; `traceloop.span.kind` | `operation` |
| `gen_ai.provider.name`; `gen_ai.system`; `llm.vendor` | `model_provider`, as stated |
| `gen_ai.request.model`; `llm.request.model` | `requested_model` |
| `gen_ai.response.model`; `llm.response.model` | `actual_model` |
| `gen_ai.response.id`, `gen_ai.response.finish_reasons` | `request_id`, `finish_reason` |
| `gen_ai.usage.input_tokens`; `….prompt_tokens`; `llm.usage.…` | `prompt_tokens` |
| `gen_ai.usage.output_tokens`; `….completion_tokens`; `llm.usage.…` | `output_tokens` |
| `gen_ai.request.temperature`, `….top_p`, `….seed`, …; `llm.request.…` | `replay` |
| `gen_ai.tool.name`, `gen_ai.tool.call.arguments`, `gen_ai.tool.call.result` | `tools` |
| the attributes of `OTHERS` | `parameters`, under their own names |
| messages (`ledger.capture.otlp.messages`) | `prompt`, `output` |
| start, and end less start | `occurred_at`, `execution_time_ms` |
| span and trace id | `source.event_id`, `source.sample_id` |

A span that kept no content, which is the default of OpenTelemetry, has the empty prompt `[]`.
"""

from __future__ import annotations

import re
from typing import Any

from ledger.capture import fitting
from ledger.capture.otlp.messages import read_messages, with_details
from ledger.capture.otlp.spans import Span
from ledger.errors import ImportSourceError
from ledger.formats.values import COUNT_MAX, format_time
from ledger.model.fields import WitnessFields

__all__ = ["FORMAT", "error_of", "is_operation", "source_of", "span_fields"]

FORMAT = "otlp"
OTHERS = (
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.output.type",
    "gen_ai.request.choice.count",
    "gen_ai.request.encoding_formats",
    "gen_ai.request.frequency_penalty",
    "gen_ai.request.presence_penalty",
    "gen_ai.request.stop_sequences",
    "gen_ai.tool.call.id",
    "gen_ai.tool.type",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "server.address",
    "server.port",
)
MARKS = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.system",
    "gen_ai.tool.name",
    "llm.request.type",
    "llm.request.model",
)
"""A span is a GenAI span if it has one of these, or is an agent or a tool to OpenLLMetry."""
_KINDS = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "agent": "invoke_agent",
    "tool": "execute_tool",
}
_OPERATION = re.compile(r"[a-z][a-z0-9_]{0,63}")


def is_operation(span: Span) -> bool:
    """Tell whether a span is an AI operation."""
    kind = span.attributes.get("traceloop.span.kind")
    return kind in ("agent", "tool") or any(mark in span.attributes for mark in MARKS)


def source_of(span: Span) -> dict[str, Any]:
    """Return the place in the log, as the map of specs/03 §1.10."""
    found = {"format": FORMAT, "event_id": span.span_id, "sample_id": span.trace_id}
    return {key: value for key, value in found.items() if value}


def error_of(span: Span) -> tuple[str | None, str | None]:
    """Return kind and text of the error that a span ended with, both None without one."""
    kind = fitting.text(span.attributes.get("error.type"))
    text = span.message or None
    for name, values in span.events:
        if name == "exception":
            kind = kind or fitting.text(values.get("exception.type"))
            text = text or fitting.text(values.get("exception.message"))
    return (kind or "error", text) if kind or span.failed else (None, None)


def span_fields(span: Span) -> WitnessFields:
    """Return the keywords for `witness`.

    Raises `ImportSourceError` `source_unreadable` for a span that does not say when it was.
    """
    if span.start_ns is None:
        raise ImportSourceError("source_unreadable", "the span has no startTimeUnixNano")
    known = with_details(span)
    operation = _operation(span, known)
    said = read_messages(span, known)
    found: dict[str, Any] = {
        "operation": operation,
        "prompt": said.prompt,
        "output": said.output,
        "vantage": "imported",
        "source": source_of(span),
        "occurred_at": format_time(span.start_ns // 1000),
        "parameters": fitting.parameters({key: known[key] for key in OTHERS if key in known}),
        "retrieved_atom_ids": fitting.names([known.get("gen_ai.data_source.id")]),
        "system_fingerprint": fitting.name(
            _of(
                known,
                "openai.response.system_fingerprint",
                "gen_ai.openai.response.system_fingerprint",
            )
        ),
        "deployment_region": fitting.name(
            known.get("cloud.region") or span.resource.get("cloud.region")
        ),
        **_model(known),
        **_answer(known, said.finish_reason),
        **_replay(known),
        **_tools(known, said.calls),
    }
    if span.end_ns is not None and span.end_ns >= span.start_ns:
        found["execution_time_ms"] = (span.end_ns - span.start_ns) / 1e6
    if operation == "execute_tool":
        found["prompt"] = found["prompt"] or found.get("tool_parameters")
        found["output"] = found["output"] or found.get("tool_results")
    for name in ("prompt", "output"):
        if not isinstance(found[name], str | dict | list):
            found[name] = None if found[name] is None else [found[name]]
    found["prompt"] = [] if found["prompt"] is None else found["prompt"]
    fields: WitnessFields = {key: one for key, one in found.items() if one is not None}  # type: ignore[assignment]
    return fields


def _of(known: dict[str, Any], *names: str) -> Any:
    return next((known[name] for name in names if known.get(name) is not None), None)


def _operation(span: Span, known: dict[str, Any]) -> str:
    stated = known.get("gen_ai.operation.name")
    if isinstance(stated, str) and _OPERATION.fullmatch(stated):
        return stated
    kind = _of(known, "llm.request.type", "traceloop.span.kind")
    if kind not in _KINDS and "gen_ai.tool.name" in known:
        kind = "tool"
    return _KINDS.get(str(kind), "chat")


def _model(known: dict[str, Any]) -> dict[str, Any]:
    requested = fitting.name(_of(known, "gen_ai.request.model", "llm.request.model"))
    actual = fitting.name(_of(known, "gen_ai.response.model", "llm.response.model"))
    found: dict[str, Any] = {
        "model": actual or requested or "unknown",
        "requested_model": requested,
        "actual_model": actual,
    }
    provider = fitting.name(_of(known, "gen_ai.provider.name", "gen_ai.system", "llm.vendor"))
    if provider:
        found.update(model_provider=provider, provider_source="stated")
    return found


def _answer(known: dict[str, Any], reason: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, names in {
        "prompt_tokens": ("input_tokens", "prompt_tokens"),
        "output_tokens": ("output_tokens", "completion_tokens"),
        "tokens_used": ("total_tokens",),
    }.items():
        old = [f"{start}.usage.{name}" for start in ("gen_ai", "llm") for name in names]
        found[field] = fitting.count(_whole(_of(known, *old)))
    counts = [found["prompt_tokens"], found["output_tokens"]]
    if sum(count or 0 for count in counts) > COUNT_MAX:
        found.update(prompt_tokens=None, output_tokens=None)
    elif any(count is not None for count in counts):
        found |= {"token_source": "provider"}
    reasons = known.get("gen_ai.response.finish_reasons")
    stated = set(map(str, reasons)) if isinstance(reasons, list) else {reasons}
    if stated == {None} or not stated:
        stated = {_of(known, "gen_ai.response.finish_reason", "llm.response.finish_reason")}
    found["finish_reason"] = fitting.name(stated.pop()) if len(stated) == 1 else None
    found["finish_reason"] = found["finish_reason"] or reason
    found["request_id"] = fitting.name(_of(known, "gen_ai.response.id", "llm.response.id"))
    return found


def _replay(known: dict[str, Any]) -> dict[str, Any]:
    def asked(name: str) -> Any:
        return _of(known, f"gen_ai.request.{name}", f"llm.request.{name}", f"llm.{name}")

    seed = _of(known, "gen_ai.request.seed", "gen_ai.openai.request.seed")
    return {
        "replay_seed": fitting.integer(_whole(seed)),
        "temperature": fitting.amount(asked("temperature")),
        "top_p": fitting.ratio(asked("top_p")),
        "top_k": fitting.count(_whole(asked("top_k"))),
        "max_tokens": fitting.count(_whole(asked("max_tokens"))),
    }


def _tools(known: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    called = fitting.name(_of(known, "gen_ai.tool.name", "traceloop.entity.name"))
    if called and ("gen_ai.tool.name" in known or known.get("traceloop.span.kind") == "tool"):
        return {
            "tool_ids": [called],
            "tool_parameters": _content(known.get("gen_ai.tool.call.arguments")),
            "tool_results": _content(known.get("gen_ai.tool.call.result")),
        }
    names = fitting.names(call.get("name") for call in calls)
    return {"tool_ids": names, "tool_parameters": calls} if names else {}


def _content(value: Any) -> Any:
    """Return a value of an attribute as content: JSON text as what it says."""
    if isinstance(value, str):
        said = fitting.parse_json(value)
        return said if isinstance(said, dict | list) else value
    return value if value is None or isinstance(value, dict | list) else [value]


def _whole(value: Any) -> Any:
    """Return a float without fraction as the integer that it is; some SDKs have no integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
