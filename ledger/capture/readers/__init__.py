"""Readers of exchanges: which protocol a call spoke, and what it said; pure, no I/O (specs/03).

| protocol | path ends with | and the body has |
|---|---|---|
| chat completions | `/chat/completions` | `messages` |
| text completions | `/completions` | `prompt` |
| responses | `/responses` | `input` or `prompt` |
| embeddings | `/embeddings` | `input` |
| Anthropic messages | `/messages` | `messages` |

Otherwise the shape of the answer decides, then `anthropic_version` in the request, and at last the
request is read as one of no known protocol: never the host, so that any compatible server is
understood. The host only says who was called (`endpoint`). The build date of a model is the date
that the name of the answering model ends with.

A streamed answer is put together first and read like any other. Bodies above `PARSE_MAX_BYTES` are
not parsed. What is malformed leaves its field absent; for an answer with an error status the
reading is what the request says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from ledger.capture import fitting, sse
from ledger.capture.exchange import Request
from ledger.capture.readers import (
    anthropic_messages,
    endpoint,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
    unknown,
)
from ledger.capture.readers.reading import Fields, Reader, Reading, document, merged, put
from ledger.model.archive import BYTES, JSON, Media

__all__ = ["PARSE_MAX_BYTES", "Reading", "begun_id", "read"]

PARSE_MAX_BYTES = 64 << 20

_BY_PATH: tuple[tuple[str, tuple[str, ...], Reader], ...] = (
    ("/chat/completions", ("messages",), openai_chat),
    ("/completions", ("prompt",), openai_completions),
    ("/responses", ("input", "prompt"), openai_responses),
    ("/embeddings", ("input",), openai_embeddings),
    ("/messages", ("messages",), anthropic_messages),
)
_BY_MARK: dict[str, Reader] = {
    "chat.completion": openai_chat,
    "chat.completion.chunk": openai_chat,
    "message": anthropic_messages,
    "message_start": anthropic_messages,
    "response": openai_responses,
    "response.created": openai_responses,
    "text_completion": openai_completions,
}
_NO_OPERATION = re.compile(
    r"/(?:batches|files|fine_tuning|uploads)(?:/|$)"
    r"|/(?:assistants|cancel|containers|conversations|count_tokens|input_tokens|threads|tokenize"
    r"|vector_stores)$"
)
_DATED = re.compile(
    r"[-@](20[0-9]{2})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2}))(?:-v[0-9:]{1,8})?$"
)
_EVENTS = "text/event-stream"
_STREAM_STARTS = (b"data:", b"event:", b":", b"id:", b"retry:")
_CONTENTS = ("prompt", "output", "tool_parameters", "tool_results")


class _Body(NamedTuple):
    """A body as JSON: one value, or the values of its events; neither of one that is not JSON."""

    value: dict[str, Any]
    events: list[dict[str, Any]] | None
    media: Media | None


def read(
    request: Request,
    body: bytes | None,
    http_status: int | None = None,
    response_headers: Mapping[str, str] | None = None,
) -> Reading:
    """Return what a request and its answer say.

    `body` is the answer's without content encoding, None when there is none or it cannot be
    decoded; `http_status` None means that the answer is taken as it is.
    """
    sent = {name.lower(): value for name, value in request.headers}
    got = {name.lower(): value for name, value in (response_headers or {}).items()}
    where = endpoint.of(request.url, sent, got)
    asked = _parse(request.body, "")
    answered = _parse(body, got.get("content-type", ""))
    if http_status is not None and not 200 <= http_status <= 299:
        answered = _Body({}, None, None)
    reader = _choose(where.path, asked, answered, unread=len(request.body) > PARSE_MAX_BYTES)
    answer = answered.value if answered.events is None else reader.assemble(answered.events)
    fields = merged(reader.read_request(asked.value), reader.read_answer(answer))
    if reader is unknown:
        fields |= {"prompt": asked.media} | ({"output": answered.media} if answered.media else {})
    _name(fields, where)
    _archivable(fields, request.body)
    return Reading(
        operation=reader.OPERATION,
        is_operation=_is_operation(request.method, where.path, reader),
        fields=fields,
        usage=reader.billed(answer),
        provider=where.provider,
        model=None if fields["model"] == "unknown" else fields["model"],
        response_id=fields.get("request_id"),
        price_context=reader.price_context(answer),
    )


def begun_id(request: Request, body: bytes | None) -> str | None:
    """Return the id of a streamed answer of which only this part came, None when it names none.

    Only of responses: they are what a provider keeps. `body` is without content encoding.
    """
    if not body or len(body) > PARSE_MAX_BYTES:
        return None
    if not endpoint.of(request.url, {}, {}).path.endswith("/responses"):
        return None
    return openai_responses.begun_id(fitting.parse_json(event.data) for event in sse.events(body))


def _parse(body: bytes | None, content_type: str) -> _Body:
    if not body:
        return _Body({}, None, None)
    if len(body) > PARSE_MAX_BYTES:
        return _Body({}, None, Media(body, BYTES))
    if "event-stream" in content_type.lower() or body.startswith(_STREAM_STARTS):
        found = [fitting.parse_json(event.data) for event in sse.events(body)]
        return _Body({}, [one for one in found if isinstance(one, dict)], Media(body, _EVENTS))
    value = fitting.parse_json(body)
    return _Body(fitting.as_map(value), None, Media(body, BYTES if value is None else JSON))


def _choose(path: str, asked: _Body, answered: _Body, *, unread: bool) -> Reader:
    for suffix, members, reader in _BY_PATH:
        if path.endswith(suffix) and (unread or any(key in asked.value for key in members)):
            return reader
    first = answered.events[0] if answered.events else answered.value
    for member in ("object", "type"):
        mark = first.get(member)
        if isinstance(mark, str) and mark in _BY_MARK:
            return _BY_MARK[mark]
    if fitting.name(asked.value.get("anthropic_version")) and "messages" in asked.value:
        return anthropic_messages
    if "input" in asked.value and _has_embeddings(answered.value):
        return openai_embeddings
    return unknown


def _has_embeddings(answered: dict[str, Any]) -> bool:
    data = fitting.as_list(answered.get("data"))
    return bool(data) and fitting.as_map(data[0]).get("object") == "embedding"


def _is_operation(method: str, path: str, reader: Reader) -> bool:
    return method.upper() == "POST" and (reader is not unknown or not _NO_OPERATION.search(path))


def _name(fields: Fields, where: endpoint.Endpoint) -> None:
    """Set which model it was, and who served it."""
    if "requested_model" not in fields:
        put(fields, "requested_model", where.model)
    actual = fields.get("actual_model")
    fields["model"] = actual or fields.get("requested_model") or "unknown"
    put(fields, "model_build_date", _date(actual))
    put(fields, "api_version", where.api_version)
    if where.region:
        fields["deployment_region"] = where.region
    if where.provider:
        fields |= {"model_provider": where.provider, "provider_source": "endpoint"}


def _date(model: str | None) -> str | None:
    found = _DATED.search(model or "")
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _archivable(fields: Fields, body: bytes) -> None:
    """Turn contents into bytes; without a prompt that can be one, it is the request body."""
    for key in _CONTENTS:
        if isinstance(fields.get(key), dict | list):
            fields[key] = document(fields[key])
    for key in [key for key in _CONTENTS if key in fields and fields[key] is None]:
        del fields[key]
    fields.setdefault("prompt", Media(body, BYTES))
