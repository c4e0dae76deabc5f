"""Reads an OpenAI chat-completions exchange into the fields of a witness; pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model`, `model` |
| request `messages`, canonical JSON | `prompt` |
| `temperature`, `top_p`, `top_k`, `seed`, `max_completion_tokens` or `max_tokens` | `replay` |
| the parameters of `OTHER_PARAMETERS` | `parameters` |
| response `choices[0].message.content` | `output`, as text |
| … with tool calls, without text, or with several choices | `output`, as canonical JSON |
| `choices[0].finish_reason` | `finish_reason` |
| `choices[0].logprobs.content` | `logprobs` |
| `choices[0].message.tool_calls` | `tool_ids`, `tool_parameters` |
| `usage` | token counts, `token_source` `provider`, `tokens_used` |
| `id`, `system_fingerprint` | `request_id`, `system_fingerprint` |

Raw bodies are archived whatever they say. A body that is not understood, or a value that does not
fit its field, leaves the field absent; the only error is a `LedgerError`.
"""

from __future__ import annotations

from typing import Any, TypedDict

from ledger.capture import fitting
from ledger.errors import RecordError
from ledger.formats.values import COUNT_MAX
from ledger.model.archive import BYTES, JSON, Media
from ledger.model.confidence import read_logprobs
from ledger.model.fields import Given
from ledger.model.groups import TokenSource

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
    fields: ExchangeFields = {}
    _set(fields, "request", _body(request))
    _set(fields, "response", _body(response))
    _read_request(fields, asked)
    _read_answer(fields, answered)
    _set(fields, "model", fields.get("actual_model") or fields.get("requested_model"))
    return fields


def _set(fields: ExchangeFields, key: str, value: object) -> None:
    if value is not None:
        fields[key] = value  # type: ignore[literal-required]


def _parsed(body: Document) -> Any:
    return fitting.parse_json(body) if isinstance(body, bytes | str) else body


def _body(body: Document) -> Given | None:
    """Return a body for the archive: bytes as they came, with the media type that they have."""
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes):
        return Media(body, JSON if fitting.parse_json(body) is not None else BYTES)
    return body


def _read_request(fields: ExchangeFields, asked: dict[str, Any]) -> None:
    _set(fields, "requested_model", fitting.name(asked.get("model")))
    if fitting.as_list(asked.get("messages")):
        _set(fields, "prompt", asked["messages"])
    _set(fields, "replay_seed", fitting.integer(asked.get("seed")))
    _set(fields, "temperature", fitting.amount(asked.get("temperature")))
    _set(fields, "top_p", fitting.ratio(asked.get("top_p")))
    _set(fields, "top_k", fitting.count(asked.get("top_k")))
    limit = asked.get("max_completion_tokens")
    _set(fields, "max_tokens", fitting.count(asked.get("max_tokens") if limit is None else limit))
    others = {key: asked[key] for key in OTHER_PARAMETERS if key in asked}
    _set(fields, "parameters", fitting.parameters(others))


def _read_answer(fields: ExchangeFields, answered: dict[str, Any]) -> None:
    _set(fields, "actual_model", fitting.name(answered.get("model")))
    _set(fields, "system_fingerprint", fitting.name(answered.get("system_fingerprint")))
    _set(fields, "request_id", fitting.name(answered.get("id")))
    usage = fitting.as_map(answered.get("usage"))
    _set(fields, "prompt_tokens", fitting.count(usage.get("prompt_tokens")))
    _set(fields, "output_tokens", fitting.count(usage.get("completion_tokens")))
    _set(fields, "tokens_used", fitting.count(usage.get("total_tokens")))
    if fields.get("prompt_tokens", 0) + fields.get("output_tokens", 0) > COUNT_MAX:
        del fields["prompt_tokens"], fields["output_tokens"]
    if "prompt_tokens" in fields or "output_tokens" in fields:
        _set(fields, "token_source", "provider")
    choices = [choice for choice in fitting.as_list(answered.get("choices")) if choice]
    if len(choices) == 1:
        _read_choice(fields, fitting.as_map(choices[0]))
    elif choices:
        # Several answers to one request: all of them are the output, and no one of them is certain.
        _set(fields, "output", choices)
        reasons = {fitting.name(fitting.as_map(choice).get("finish_reason")) for choice in choices}
        if len(reasons) == 1:
            _set(fields, "finish_reason", reasons.pop())


def _read_choice(fields: ExchangeFields, choice: dict[str, Any]) -> None:
    _set(fields, "finish_reason", fitting.name(choice.get("finish_reason")))
    message = fitting.as_map(choice.get("message"))
    called = _tool_calls(message)
    text = fitting.text(message.get("content"))
    if text is not None and not called:
        _set(fields, "output", text)
    elif message:
        _set(fields, "output", message)
    names = fitting.names(call["name"] for call in called)
    if names:
        _set(fields, "tool_ids", names)
        _set(fields, "tool_parameters", called)
    content = fitting.as_map(choice.get("logprobs")).get("content")
    try:
        if content and read_logprobs(content):
            _set(fields, "logprobs", content)
    except RecordError:
        pass  # numbers that are no log-probabilities say nothing about certainty


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
