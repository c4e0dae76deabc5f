"""An object of a conversation or log as the keywords of a witness, where it is a model call.

| the object has | read as |
|---|---|
| `request` and `response`, objects (bodies, or objects with `body`) | the exchange, by `readers` |
| … `response` as text | the request by `readers`, the text as output |
| one of `PROMPTS` and one of `OUTPUTS` | prompt and output |

| member | field |
|---|---|
| `model`, `model_name`, `model_id`, `engine` | `model`, `requested_model` |
| `provider` | `model_provider`, as stated |
| `usage` or `tokens`: object; `tokens`: number; `prompt_tokens`, … | token counts |
| `temperature`, `top_p`, `seed`, …, also in `parameters` or `config` | `replay` |
| `latency_ms`, `duration_ms`, `response_time_ms` | `response_time_ms` |
| `latency_s`, `duration_s`, `elapsed`, in seconds | the same |
| `id`, `request_id` | `request_id` |
| one of `TIMES`; `created` of the answer | `occurred_at` |

A time is RFC 3339 or seconds or milliseconds since 1970. One without an offset from UTC counts only
if the caller says which offset is meant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timezone
from typing import Any

from ledger.capture import fitting
from ledger.capture.exchange import Request
from ledger.capture.readers import read
from ledger.errors import ImportSourceError
from ledger.formats.values import COUNT_MAX
from ledger.model.archive import JSON, Media, canonical_json

__all__ = ["call_fields", "is_call", "model_fields", "occurred_at"]

PROMPTS = ("prompt", "messages", "input", "question")
OUTPUTS = ("response", "output", "completion", "answer")
MODELS = ("model", "model_name", "model_id", "engine")
TIMES = ("timestamp", "time", "ts", "created_at", "datetime", "date", "started_at")
_SETTINGS = ("parameters", "params", "config", "settings")
_URL = re.compile(r"https?://\S{1,2000}")


def is_call(value: dict[str, Any]) -> bool:
    """Tell whether an object holds a whole model call."""
    if isinstance(value.get("request"), dict):
        return isinstance(value.get("response"), dict | str)
    return _given(value, PROMPTS) is not None and _given(value, OUTPUTS) is not None


def call_fields(value: dict[str, Any], offset: timezone | None) -> dict[str, Any]:
    """Return the keywords of a call, without its source.

    Raises `ImportSourceError` `source_unreadable` for one that does not say when it was.
    """
    request, response = value.get("request"), value.get("response")
    if isinstance(request, dict):
        fields = _exchange(value, request, response)
        answer = fitting.as_map(_body(response))
    else:
        fields = {"prompt": _content(_given(value, PROMPTS))}
        answer = {}
        fields["output"] = _content(_given(value, OUTPUTS))
    own = model_fields(value)
    if fields.get("model", "unknown") != "unknown":
        own.pop("model", None)
    fields = {**own, **{key: one for key, one in fields.items() if one is not None}}
    fields.setdefault("model", "unknown")
    fields["occurred_at"] = occurred_at(value, answer, offset)
    return fields


def model_fields(value: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords that the members beside prompt and output say."""
    found: dict[str, Any] = {}
    model = fitting.name(_given(value, MODELS))
    if model:
        found.update(model=model, requested_model=model)
    provider = fitting.name(value.get("provider"))
    if provider:
        found.update(model_provider=provider, provider_source="stated")
    settings = {
        key: one for name in _SETTINGS for key, one in fitting.as_map(value.get(name)).items()
    }
    settings.update({key: value[key] for key in value if key not in _SETTINGS})
    found.update(
        replay_seed=fitting.integer(settings.get("seed")),
        temperature=fitting.amount(settings.get("temperature")),
        top_p=fitting.ratio(settings.get("top_p")),
        top_k=fitting.count(settings.get("top_k")),
        max_tokens=fitting.count(settings.get("max_tokens")),
        request_id=fitting.name(_given(value, ("request_id", "id"))),
        finish_reason=fitting.name(_given(value, ("finish_reason", "stop_reason"))),
        response_time_ms=_milliseconds(value),
        **_tokens(value),
    )
    return {key: one for key, one in found.items() if one is not None}


def occurred_at(value: dict[str, Any], answer: dict[str, Any], offset: timezone | None) -> datetime:
    """Return when an object says that it happened; raises `ImportSourceError`."""
    floating: datetime | None = None
    for one in [
        *(value.get(name) for name in TIMES),
        answer.get("created"),
        answer.get("created_at"),
    ]:
        found = _moment(one)
        if found is not None and found.tzinfo is not None:
            return found
        floating = floating or found
    if floating is None:
        raise ImportSourceError("source_unreadable", "a call that does not say when it was")
    if offset is None:
        raise ImportSourceError("source_unreadable", "a call whose time has no offset from UTC")
    return floating.replace(tzinfo=offset)


def _given(value: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((value[name] for name in names if value.get(name) not in (None, "")), None)


def _exchange(value: dict[str, Any], request: dict[str, Any], response: Any) -> dict[str, Any]:
    asked, answered = _body(request), _body(response)
    if not isinstance(asked, dict):
        asked = request
    stated = _given(value, ("url", "endpoint")) or _given(request, ("url", "uri"))
    url = stated if isinstance(stated, str) and _URL.fullmatch(stated) else None
    sent = canonical_json(asked)
    if url is None:
        url = f"https://unknown.invalid{_path(asked, fitting.as_map(answered))}"
    got = canonical_json(answered) if isinstance(answered, dict) else None
    reading = read(Request("POST", url, (), sent), got)
    fields = {**reading.fields, "operation": reading.operation, "request": Media(sent, JSON)}
    if url.startswith("https://unknown.invalid"):
        fields.pop("api_version", None)  # of a path that was assumed
    if got is not None:
        fields["response"] = Media(got, JSON)
    elif isinstance(answered, str):
        fields["output"] = answered
    return fields


def _body(message: Any) -> Any:
    """Return the body of a message that may have headers and status around it."""
    body = message.get("body") if isinstance(message, dict) else None
    if isinstance(body, str):
        return fitting.parse_json(body) or body
    return body if isinstance(body, dict) else message


def _path(asked: dict[str, Any], answered: dict[str, Any]) -> str:
    """Return the path that a request of this shape goes to, for the choice of a reader."""
    if "messages" in asked:
        is_message = isinstance(answered.get("content"), list) or answered.get("type") == "message"
        return "/v1/messages" if is_message else "/v1/chat/completions"
    if "prompt" in asked:
        return "/v1/completions"
    return "/v1/embeddings" if isinstance(answered.get("data"), list) else "/v1/responses"


def _content(value: Any) -> Any:
    return value if value is None or isinstance(value, str | dict | list) else [value]


def _tokens(value: dict[str, Any]) -> dict[str, Any]:
    used = {**value, **fitting.as_map(value.get("tokens")), **fitting.as_map(value.get("usage"))}
    prompt = fitting.count(_given(used, ("prompt_tokens", "input_tokens", "prompt", "input")))
    output = fitting.count(
        _given(used, ("completion_tokens", "output_tokens", "completion", "output"))
    )
    total = fitting.count(_given(used, ("total_tokens", "total", "tokens")))
    found: dict[str, Any] = {"tokens_used": total}
    if (prompt or 0) + (output or 0) <= COUNT_MAX and (prompt, output) != (None, None):
        found |= {"prompt_tokens": prompt, "output_tokens": output, "token_source": "provider"}
    return found


def _milliseconds(value: dict[str, Any]) -> float | None:
    whole = fitting.amount(_given(value, ("latency_ms", "duration_ms", "response_time_ms")))
    if whole is not None:
        return whole
    seconds = fitting.amount(_given(value, ("latency_s", "duration_s", "elapsed")))
    return None if seconds is None else fitting.amount(seconds * 1000.0)


def _moment(value: Any) -> datetime | None:
    """Return a time, without offset where it has none."""
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 1e8:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
