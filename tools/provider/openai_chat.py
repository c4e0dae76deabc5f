"""OpenAI's chat completions, completions, embeddings and list of models."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from tools.provider.answers import CREATED, Asked, Json

DONE = b"data: [DONE]\n\n"


def frame(event: Json) -> bytes:
    """Return one server-sent event without a name."""
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def usage(asked: Asked) -> Json:
    """Return the counts of tokens."""
    return {
        "prompt_tokens": asked.input_tokens,
        "completion_tokens": asked.output_tokens,
        "total_tokens": asked.input_tokens + asked.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def chat(asked: Asked) -> Json:
    """Return a chat completion."""
    return _head(asked, "chat.completion") | {
        "choices": [_choice(asked, number) for number in range(asked.body.get("n") or 1)],
        "usage": usage(asked),
    }


def chat_events(asked: Asked) -> Iterator[bytes]:
    """Yield a chat completion as a stream; usage at its end if that was asked for."""
    head = _head(asked, "chat.completion.chunk")
    wanted = (asked.body.get("stream_options") or {}).get("include_usage")
    more: Json = {"usage": None} if wanted else {}

    def chunk(delta: Json, finish: str | None = None, logprobs: Json | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return frame(head | {"choices": [choice]} | more)

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    tool = asked.tool()
    if tool is None:
        for part in asked.parts():
            yield chunk({"content": part}, None, _logprobs(asked, [part]))
        yield chunk({}, "stop")
    else:
        call = {"index": 0, "id": asked.ident("call_"), "type": "function"}
        yield chunk({"tool_calls": [call | {"function": {"name": tool[0], "arguments": ""}}]})
        for part in (tool[1][:9], tool[1][9:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        yield chunk({}, "tool_calls")
    if wanted:
        yield frame(head | {"choices": [], "usage": usage(asked)})
    yield DONE


def completion(asked: Asked) -> Json:
    """Return a completion of the older kind."""
    choice = {"index": 0, "text": asked.text(), "logprobs": None, "finish_reason": "stop"}
    return _head(asked, "text_completion") | {"choices": [choice], "usage": usage(asked)}


def completion_events(asked: Asked) -> Iterator[bytes]:
    """Yield a completion of the older kind as a stream."""
    head = _head(asked, "text_completion")
    for part in asked.parts():
        choice = {"index": 0, "text": part, "logprobs": None, "finish_reason": None}
        yield frame(head | {"choices": [choice]})
    last = {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}
    yield frame(head | {"choices": [last]})
    yield DONE


def embeddings(asked: Asked) -> Json:
    """Return vectors."""
    given = asked.body.get("input")
    packed = asked.body.get("encoding_format") == "base64"
    count = len(given) if isinstance(given, list) and given else 1
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": asked.packed(index) if packed else asked.vector(index),
        }
        for index in range(count)
    ]
    counts = {"prompt_tokens": asked.input_tokens, "total_tokens": asked.input_tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": counts}


def models() -> Json:
    """Return the list of models, which costs nothing."""
    one = {"id": "demo-1", "object": "model", "created": CREATED, "owned_by": "loopback"}
    return {"object": "list", "data": [one]}


def _head(asked: Asked, kind: str) -> Json:
    return {
        "id": asked.ident("chatcmpl-"),
        "object": kind,
        "created": CREATED + asked.serial,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": asked.options.fingerprint,
    }


def _choice(asked: Asked, number: int) -> Json:
    message: Json = {"role": "assistant", "content": asked.text(number), "refusal": None}
    finish = "stop"
    tool = asked.tool()
    if tool is not None:
        called = {"name": tool[0], "arguments": tool[1]}
        call = {"id": asked.ident("call_"), "type": "function", "function": called}
        message |= {"content": None, "tool_calls": [call]}
        finish = "tool_calls"
    logprobs = _logprobs(asked, list(asked.parts(number)))
    return {"index": number, "message": message, "logprobs": logprobs, "finish_reason": finish}


def _logprobs(asked: Asked, tokens: list[str]) -> Json | None:
    if not asked.body.get("logprobs"):
        return None
    count = asked.body.get("top_logprobs") or 0

    def one(token: str, rank: int = 0) -> Json:
        return {
            "token": token if rank == 0 else f"other{rank}",
            "logprob": math.log(0.75) if rank == 0 else math.log(0.25 / (rank + 1)),
            "bytes": list(token.encode()) if rank == 0 else None,
        }

    content = [
        one(token) | {"top_logprobs": [one(token, rank) for rank in range(count)]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}
