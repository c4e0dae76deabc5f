"""Reads an OpenAI chat-completions exchange into the fields of a witness; pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model`, `model` |
| request `messages`, canonical JSON | `prompt` |
| `temperature`, `top_p`, `top_k`, `seed`, `max_completion_tokens` or `max_tokens` | `replay` |
| the parameters of `OTHER_PARAMETERS` | `parameters` |
| messages of tools after the model's last message | `tool_results`, `tool_ids` by their ids |
| response `choices[0].message.content` | `output`, as text |
| … with tool calls, without text, or with several choices | `output`, as canonical JSON |
| `choices[0].finish_reason` | `finish_reason` |
| `choices[0].logprobs.content` | `logprobs` |
| `choices[0].message.tool_calls` | `tool_ids`, `tool_parameters` |
| `usage` | token counts, `token_source` `provider`, `tokens_used` |
| `id`, `system_fingerprint` | `request_id`, `system_fingerprint` |

Structured output is text of the message like any other; its schema is in `parameters`.

Raw bodies are archived whatever they say. A body that is not understood, or a value that does not
fit its field, leaves the field absent; the only error is a `LedgerError`.
"""

from __future__ import annotations

from typing import Any, TypedDict, cast

from ledger.capture import fitting
from ledger.capture.readers import usage
from ledger.capture.readers.openai_chunks import assemble
from ledger.capture.readers.reading import (
    Fields,
    merged,
    put,
    put_calls,
    put_logprobs,
    put_others,
    put_results,
    put_sampling,
    put_tokens,
)
from ledger.capture.readers.reading import tier as price_context
from ledger.model.archive import BYTES, JSON, Media
from ledger.model.fields import Given
from ledger.model.groups import TokenSource

__all__ = [
    "OPERATION",
    "OTHER_PARAMETERS",
    "Document",
    "ExchangeFields",
    "assemble",
    "billed",
    "price_context",
    "read_answer",
    "read_exchange",
    "read_request",
]

OPERATION = "chat"
OTHER_PARAMETERS = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "min_p",
    "modalities",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "service_tier",
    "stop",
    "stream",
    "tool_choice",
    "top_logprobs",
    "verbosity",
)

Document = bytes | str | dict[str, Any] | list[Any] | None
"""A body: raw bytes or text, or the JSON value that was in it; None when there was none."""


class ExchangeFields(TypedDict, total=False):
    """Keywords of `ledger.model.build.witness` that an exchange can give."""

    model: str
    requested_model: str
    actual_model: str
    system_fingerprint: str
    prompt: Given
    prompt_tokens: int
    tool_ids: list[str]
    tool_parameters: Given
    tool_results: Given
    output: Given
    output_tokens: int
    token_source: TokenSource
    finish_reason: str
    logprobs: list[Any]
    replay_seed: int
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    parameters: dict[str, Any]
    tokens_used: int
    request_id: str
    request: Given
    response: Given


def read_exchange(request: Document, response: Document = None) -> ExchangeFields:
    """Return what a request and its response say, as keywords for `witness`.

    `model` and `prompt` are there only when the bodies name them, so that a caller who knows them
    from elsewhere writes `{"model": m, "prompt": p, **read_exchange(request, response)}`. Raises
    `RecordError` `record_invalid` for a parsed body that JSON cannot say.
    """
    asked, answered = fitting.as_map(_parsed(request)), fitting.as_map(_parsed(response))
    fields: Fields = {}
    put(fields, "request", _body(request))
    put(fields, "response", _body(response))
    fields |= merged(read_request(asked), read_answer(answered))
    put(fields, "model", fields.get("actual_model") or fields.get("requested_model"))
    return cast(ExchangeFields, fields)


def _parsed(body: Document) -> Any:
    return fitting.parse_json(body) if isinstance(body, bytes | str) else body


def _body(body: Document) -> Given | None:
    """Return a body for the archive: bytes as they came, with the media type that they have."""
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes):
        return Media(body, JSON if fitting.parse_json(body) is not None else BYTES)
    return body


def read_request(asked: dict[str, Any]) -> Fields:
    """Return what the request body says."""
    fields: Fields = {}
    put(fields, "requested_model", fitting.name(asked.get("model")))
    messages = fitting.as_list(asked.get("messages"))
    if messages:
        fields["prompt"] = messages
        _read_results(fields, [fitting.as_map(message) for message in messages])
    limit = asked.get("max_completion_tokens")
    put_sampling(fields, asked, asked.get("max_tokens") if limit is None else limit)
    put_others(fields, asked, OTHER_PARAMETERS)
    return fields


def _read_results(fields: Fields, messages: list[dict[str, Any]]) -> None:
    calls = [call for message in messages for call in _tool_calls(message)]
    names = {call["id"]: call["name"] for call in calls if isinstance(call.get("id"), str)}
    said = [number for number, one in enumerate(messages) if one.get("role") == "assistant"]
    returned: list[dict[str, Any]] = []
    for message in messages[said[-1] + 1 if said else 0 :]:
        if message.get("role") == "tool":
            result = {"id": message.get("tool_call_id"), "content": message.get("content")}
            returned.append(result)
        elif message.get("role") == "function":
            returned.append({"name": message.get("name"), "content": message.get("content")})
    put_results(fields, returned, names)


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return what the answer says."""
    fields: Fields = {}
    put(fields, "actual_model", fitting.name(answered.get("model")))
    put(fields, "system_fingerprint", fitting.name(answered.get("system_fingerprint")))
    put(fields, "request_id", fitting.name(answered.get("id")))
    counts = fitting.as_map(answered.get("usage"))
    put_tokens(
        fields,
        counts.get("prompt_tokens"),
        counts.get("completion_tokens"),
        counts.get("total_tokens"),
    )
    choices = [choice for choice in fitting.as_list(answered.get("choices")) if choice]
    if len(choices) == 1:
        _read_choice(fields, fitting.as_map(choices[0]))
    elif choices:
        # Several answers to one request: all of them are the output, and no one of them is certain.
        fields["output"] = choices
        reasons = {fitting.name(fitting.as_map(choice).get("finish_reason")) for choice in choices}
        if len(reasons) == 1:
            put(fields, "finish_reason", reasons.pop())
    return fields


def _read_choice(fields: Fields, choice: dict[str, Any]) -> None:
    put(fields, "finish_reason", fitting.name(choice.get("finish_reason")))
    message = fitting.as_map(choice.get("message"))
    called = _tool_calls(message)
    text = fitting.text(message.get("content"))
    if text is not None and not called:
        fields["output"] = text
    elif message:
        fields["output"] = message
    put_calls(fields, called)
    put_logprobs(fields, fitting.as_map(choice.get("logprobs")).get("content"))


def _tool_calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calls that the model asked for, arguments as passed: the model's own JSON text."""
    found = []
    for call in fitting.as_list(message.get("tool_calls")):
        function = fitting.as_map(fitting.as_map(call).get("function"))
        if not function:
            function = fitting.as_map(fitting.as_map(call).get("custom"))
        if function.get("name"):
            arguments = function.get("arguments", function.get("input"))
            found.append({"id": call.get("id"), "name": function["name"], "arguments": arguments})
    legacy = fitting.as_map(message.get("function_call"))
    if legacy.get("name") and not found:
        found.append({"name": legacy["name"], "arguments": legacy.get("arguments")})
    return found


def billed(answered: dict[str, Any]) -> dict[str, int]:
    """Return the billed units, each counted once."""
    return usage.openai(fitting.as_map(answered.get("usage")))
