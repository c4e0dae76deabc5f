"""Answers as providers stream them, event by event."""

from __future__ import annotations

import json

CHAT_REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def event(data, name=None):
    lines = [f"event: {name}"] if name else []
    text = data if isinstance(data, str) else json.dumps(data)
    return "\n".join([*lines, f"data: {text}", "", ""]).encode()


def chat_chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return event(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }
    )


DONE = event("[DONE]")
CHAT = [chat_chunk("Hel"), chat_chunk("lo"), DONE]

COMPLETION = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "c",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def typed(kind, **members):
    return event({"type": kind, **members}, kind)


MESSAGES = [
    typed("message_start", message={**MESSAGE, "content": [], "stop_reason": None}),
    typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}),
    typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo"}),
    typed("content_block_stop", index=0),
    typed(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 2},
    ),
    typed("message_stop"),
]

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "error": None,
}
RESPONSES = [
    typed("response.created", sequence_number=0, response=RESPONSE),
    typed(
        "response.output_text.delta",
        sequence_number=1,
        item_id="i",
        output_index=0,
        content_index=0,
        delta="Hello",
        logprobs=[],
    ),
    typed("response.completed", sequence_number=2, response=RESPONSE),
]
