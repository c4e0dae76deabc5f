"""Parts of Inspect logs made to order: events and samples as Inspect AI writes them."""

from __future__ import annotations

from typing import Any

START = "2025-09-23T08:10:00.000000-04:00"
END = "2025-09-23T08:10:02.500000-04:00"


def model_event(uuid: str = "event-1", **changes: Any) -> dict[str, Any]:
    """A model call as Inspect records it for an OpenAI provider."""
    message = {"id": f"message-{uuid}", "role": "assistant", "content": "4"}
    event: dict[str, Any] = {
        "uuid": uuid,
        "event": "model",
        "timestamp": START,
        "completed": END,
        "working_time": 2.0,
        "model": "openai/gpt-4o-mini",
        "input": [{"role": "user", "content": "2 + 2?"}],
        "tools": [],
        "config": {},
        "output": {
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "usage": {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6},
        },
        "call": {
            "request": {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": "2 + 2?"}],
            },
            "response": {
                "id": "chatcmpl-1",
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "4"},
                    }
                ],
                "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
            },
        },
    }
    return {**event, **changes}


def sample(*events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A sample with some events and a correct score."""
    document: dict[str, Any] = {
        "id": 1,
        "epoch": 1,
        "events": list(events),
        "scores": {"match": {"value": "C", "explanation": "it is 4"}},
        "attachments": {},
    }
    return {**document, **changes}
