"""Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tools.provider.answers import Asked, Json


def frame(kind: str, **more: object) -> bytes:
    """Return one server-sent event of that name."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def message(asked: Asked) -> Json:
    """Return a message."""
    block = _block(asked)
    return _head(asked) | {
        "content": [block],
        "stop_reason": "end_turn" if block["type"] == "text" else "tool_use",
        "usage": _usage(asked, asked.output_tokens),
    }


def message_events(asked: Asked) -> Iterator[bytes]:
    """Yield a message as a stream."""
    yield frame("message_start", message=_head(asked) | {"content": [], "usage": _usage(asked, 1)})
    block = _block(asked)
    if block["type"] == "text":
        yield frame("content_block_start", index=0, content_block={"type": "text", "text": ""})
        deltas: list[Json] = [{"type": "text_delta", "text": part} for part in asked.parts()]
    else:
        yield frame("content_block_start", index=0, content_block=block | {"input": {}})
        given = json.dumps(block["input"])
        deltas = [
            {"type": "input_json_delta", "partial_json": part} for part in (given[:9], given[9:])
        ]
    yield frame("ping")
    for delta in deltas:
        yield frame("content_block_delta", index=0, delta=delta)
    yield frame("content_block_stop", index=0)
    stop = "end_turn" if block["type"] == "text" else "tool_use"
    yield frame(
        "message_delta",
        delta={"stop_reason": stop, "stop_sequence": None},
        usage=_usage(asked, asked.output_tokens),
    )
    yield frame("message_stop")


def _head(asked: Asked) -> Json:
    return {
        "id": asked.ident("msg_"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _block(asked: Asked) -> Json:
    tool = asked.tool()
    if tool is None:
        return {"type": "text", "text": asked.text()}
    name, arguments = tool
    return {
        "type": "tool_use",
        "id": asked.ident("toolu_"),
        "name": name,
        "input": json.loads(arguments),
    }


def _usage(asked: Asked, output_tokens: int) -> Json:
    return {
        "input_tokens": asked.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
