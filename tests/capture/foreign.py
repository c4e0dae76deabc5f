"""Files of other programs made to order: cassettes, traces, and an old experiment folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import yaml

KEY = "sk-" + "a1B2c3D4e5F6" * 3
DATE = "Tue, 04 Mar 2025 10:00:00 GMT"
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "2 + 2?"}]}
ANSWERED = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1741082400,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "4"}}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}
SSE = (
    b"".join(
        b"data: " + json.dumps(chunk).encode() + b"\n\n"
        for chunk in (
            {
                "id": "chatcmpl-2",
                "object": "chat.completion.chunk",
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}],
            }
            for text in ("fo", "ur")
        )
    )
    + b"data: [DONE]\n\n"
)


def interaction(**changes: Any) -> dict[str, Any]:
    """An exchange with OpenAI as vcrpy writes it: JSON out, gzip back."""
    request = {
        "method": "POST",
        "uri": "https://api.openai.com/v1/chat/completions",
        "body": json.dumps(ASKED),
        "headers": {"content-type": ["application/json"], "user-agent": ["lab/1"]},
    }
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {
            "content-type": ["application/json"],
            "content-encoding": ["gzip"],
            "date": [DATE],
            "x-request-id": ["req_1"],
        },
        "body": {"string": gzip.compress(json.dumps(ANSWERED).encode(), mtime=0)},
    }
    found = {"request": request, "response": response}
    for name, value in changes.items():
        part, _, key = name.partition("__")
        found[part] = {**found[part], key: value}
    return found


def cassette(path: Path, *interactions: dict[str, Any]) -> Path:
    """Write a cassette as YAML, or as JSON where the name says so."""
    document = {"version": 1, "interactions": list(interactions)}
    if path.suffix == ".json":
        path.write_text(json.dumps(document))
    else:
        path.write_bytes(yaml.dump(document, Dumper=yaml.SafeDumper).encode())
    return path


def value(plain: Any) -> dict[str, Any]:
    """A value as OTLP/JSON writes it."""
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item) for item in plain]}}
    if isinstance(plain, dict):
        pairs = [{"key": key, "value": value(item)} for key, item in plain.items()]
        return {"kvlistValue": {"values": pairs}}
    return {"stringValue": plain}


def attributes(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON writes them."""
    return [{"key": key, "value": value(item)} for key, item in plain.items()]


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.output_tokens": 1,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.conversation.id": "conv_1",
    "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": "2 + 2?"}]}]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "4"}],
                "finish_reason": "stop",
            }
        ]
    ),
}


def span(number: int, parent: int | None = None, **changes: Any) -> dict[str, Any]:
    """A span with GenAI attributes, an id made of a number, and a second of time."""
    start = 1_741_082_400_000_000_000 + number * 1_000_000_000
    made = {
        "traceId": "0" * 31 + "1",
        "spanId": f"{number:016x}",
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 250_000_000),
        "attributes": attributes(CHAT),
        "status": {},
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    return {**made, **changes}


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    """An export request of some spans."""
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai"}, "spans": list(spans)}
    resource = {"attributes": attributes({"service.name": "lab", "cloud.region": "eu-central-1"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def experiment(folder: Path) -> Path:
    """Make an old experiment folder, in which everything is mixed."""
    talk = [
        {"timestamp": "2025-03-04T10:00:00+00:00", "type": "workflow_event", "event": "start"},
        {"timestamp": "2025-03-04T10:00:01Z", "role": "user", "content": "2 + 2?"},
        {
            "timestamp": "2025-03-04T10:00:02Z",
            "role": "assistant",
            "content": "4",
            "model": "gpt-4o-mini",
            "tokens": {"prompt": 5, "completion": 1},
        },
        {"timestamp": "2025-03-04T10:00:03Z", "role": "user", "content": "Sure?"},
        {"timestamp": "2025-03-04T10:00:04Z", "role": "assistant", "content": "Yes."},
        {
            "timestamp": 1741082405.5,
            "prompt": "Name a prime.",
            "response": "7",
            "model": "gpt-4o",
            "tokens": 12,
        },
        {"timestamp": "2025-03-04T10:00:06Z", "request": ASKED, "response": ANSWERED},
        {"odd": 1},
    ]
    log = [
        {"timestamp": "2025-03-04T10:00:00Z", "level": "INFO", "message": "begin"},
        {"timestamp": "2025-03-04T10:00:09Z", "event": "stage_done", "stage": "extraction"},
    ]
    files: dict[str, bytes] = {
        "conversations/run_1.json": json.dumps(talk, indent=1).encode(),
        "conversations/run_1.md": b"# transcript\n",
        "logs/run.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in log),
        "results/state_001.json": b'{"stage": "extraction", "done": [1, 2]}',
        "results/table.csv": b"a,b\n1,2\n",
        "experiment.md": b"# Experiment 2\n",
        "framework/run.py": b"print('hello')\n",
        "framework/__init__.py": b"",
        "framework/util/__init__.py": b"",
        "data.bin": bytes(range(256)) * 300,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "latest").symlink_to("results/state_001.json")
    return folder
