"""Bodies as the providers' public API references show them, and how to send them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.capture.exchange import Request
from ledger.capture.readers import Reading, read

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"
STREAM = {"content-type": "text/event-stream; charset=utf-8"}

CHAT_REQUEST: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "Answer with a number."},
        {"role": "user", "content": "2 + 2?"},
    ],
    "temperature": 0,
    "seed": 7,
    "max_completion_tokens": 10,
}
CHAT: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "4", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 1119,
        "completion_tokens": 110,
        "total_tokens": 1229,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 100,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    "service_tier": "default",
    "system_fingerprint": "fp_fc9f1d7035",
}
RESPONSES_REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "instructions": "Answer with a number.",
    "input": "2 + 2?",
    "max_output_tokens": 300,
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "text"}},
}
RESPONSE: dict[str, Any] = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": "Answer with a number.",
    "max_output_tokens": 300,
    "model": "gpt-5-2025-08-07",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "4", "annotations": [], "logprobs": []}],
        },
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": "low", "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 0},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 123,
    },
    "user": None,
    "metadata": {},
}
MESSAGES_REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 1024,
    "system": "Answer with a number.",
    "messages": [{"role": "user", "content": "2 + 2?"}],
    "stop_sequences": ["\n\n"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}
MESSAGE: dict[str, Any] = {
    "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "Two and two.", "signature": "EqQB"},
        {"type": "text", "text": "4"},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 50,
        "cache_creation_input_tokens": 248,
        "cache_read_input_tokens": 1800,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 503,
        "service_tier": "standard",
    },
}
EMBEDDINGS_REQUEST: dict[str, Any] = {
    "model": "text-embedding-3-small",
    "input": "The food was delicious.",
    "encoding_format": "float",
}
EMBEDDINGS: dict[str, Any] = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0023064255, -0.009327292]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
COMPLETION_REQUEST: dict[str, Any] = {
    "model": "gpt-3.5-turbo-instruct",
    "prompt": "Say this is a test",
    "max_tokens": 7,
    "logprobs": 2,
}
COMPLETION: dict[str, Any] = {
    "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
    "object": "text_completion",
    "created": 1589478378,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [
        {
            "text": "\n\nThis",
            "index": 0,
            "logprobs": {
                "tokens": ["\n\n", "This"],
                "token_logprobs": [-0.25, -0.5],
                "top_logprobs": [{"\n\n": -0.25, "\n": -2.0}, {"This": -0.5, "A": -1.5}],
                "text_offset": [18, 20],
            },
            "finish_reason": "length",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


def post(
    url: str,
    request: object,
    answer: object = None,
    *,
    status: int | None = 200,
    headers: Mapping[str, str] | None = None,
    sent: tuple[tuple[str, str], ...] = (),
    method: str = "POST",
) -> Reading:
    """Read an exchange of JSON values, or of bytes as they are."""
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    got = answer if isinstance(answer, bytes | None) else json.dumps(answer).encode()
    return read(Request(method, url, sent, body), got, status, headers or {})


def stream(
    events: Iterable[Mapping[str, Any]], *, named: bool = False, done: bool = False
) -> bytes:
    """Write events as a server does: `named` with their type as name, `done` with `[DONE]`."""
    lines = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    ]
    return "".join([*lines, *(["data: [DONE]\n\n"] if done else [])]).encode()


def prompt_of(reading: Reading) -> object:
    """Return the prompt as a value: what its bytes say, or its text."""
    return value_of(reading.fields["prompt"])


def value_of(content: Any) -> object:
    """Return a content as a value."""
    return content if isinstance(content, str) else json.loads(content.data)
