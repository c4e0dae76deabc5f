"""OpenAI's responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

from tools.provider.answers import CREATED, Asked, Json


def response(asked: Asked, status: str = "completed") -> Json:
    """Return a response; one that is not completed has neither output nor usage."""
    done = status == "completed"
    return {
        "id": asked.ident("resp_"),
        "object": "response",
        "created_at": CREATED + asked.serial,
        "status": status,
        "background": asked.body.get("background", False),
        "error": None,
        "incomplete_details": None,
        "instructions": asked.body.get("instructions"),
        "max_output_tokens": asked.body.get("max_output_tokens"),
        "metadata": {},
        "model": asked.model,
        "output": [_item(asked)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": asked.body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": asked.body.get("store", True),
        "temperature": asked.body.get("temperature", 1.0),
        "text": asked.body.get("text", {"format": {"type": "text"}}),
        "tool_choice": asked.body.get("tool_choice", "auto"),
        "tools": asked.body.get("tools", []),
        "top_p": asked.body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(asked) if done else None,
        "user": None,
    }


def response_events(asked: Asked) -> Iterator[bytes]:
    """Yield a response as a stream of named, numbered events."""
    numbers = count()

    def frame(kind: str, **more: object) -> bytes:
        event = {"type": kind, "sequence_number": next(numbers), **more}
        return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()

    whole = _item(asked)
    where = {"item_id": whole["id"], "output_index": 0}
    empty: Json = {"status": "in_progress"} | ({"content": []} if "content" in whole else {})
    yield frame("response.created", response=response(asked, "in_progress"))
    yield frame("response.in_progress", response=response(asked, "in_progress"))
    yield frame("response.output_item.added", output_index=0, item=whole | empty)
    if "content" in whole:
        where |= {"content_index": 0}
        [part] = whole["content"]
        yield frame("response.content_part.added", **where, part=part | {"text": ""})
        for piece in asked.parts():
            yield frame("response.output_text.delta", **where, delta=piece, logprobs=[])
        yield frame("response.output_text.done", **where, text=part["text"], logprobs=[])
        yield frame("response.content_part.done", **where, part=part)
    else:
        arguments = whole["arguments"]
        for piece in (arguments[:9], arguments[9:]):
            yield frame("response.function_call_arguments.delta", **where, delta=piece)
        yield frame(
            "response.function_call_arguments.done",
            **where,
            name=whole["name"],
            arguments=arguments,
        )
    yield frame("response.output_item.done", output_index=0, item=whole)
    yield frame("response.completed", response=response(asked))


def _item(asked: Asked) -> Json:
    tool = asked.tool()
    if tool is not None:
        return {
            "type": "function_call",
            "id": asked.ident("fc_"),
            "call_id": asked.ident("call_"),
            "name": tool[0],
            "arguments": tool[1],
            "status": "completed",
        }
    part = {"type": "output_text", "text": asked.text(), "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": asked.ident("msg_"),
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _usage(asked: Asked) -> Json:
    return {
        "input_tokens": asked.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": asked.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked.input_tokens + asked.output_tokens,
    }
