"""Answers in the protocols of specs/13 section 5, and what is to be read in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ledger.formats.call import canonical
from tools.vectors.body import Body
from tools.vectors.replaying import Seen
from tools.vectors.telling import JSON

MODEL = "gpt-4o-mini-2024-07-18"
ASKED: Body = {"role": "user", "content": "What is 6 times 7?"}
CHAT = json.dumps({"model": "gpt-4o-mini", "messages": [ASKED]}).encode()
COMPLETION = b'{"model":"gpt-4o-mini","prompt":"What is 6 times 7?"}'
EMBEDDING = b'{"model":"embed","input":"What is 6 times 7?"}'
RESPONSES = b'{"model":"gpt-4o-mini","input":"What is 6 times 7?"}'
_NAMED = ("id", "created", "created_at", "completed_at")


def chat(text: str, tokens: Sequence[tuple[str, float]] | None = None, identity: str = "1",
         fingerprint: str | None = "fp_1", **choice: Any) -> Seen:  # fmt: skip
    """Return an answer of chat completions."""
    one: Body = {"index": 0, "message": {"role": "assistant", "content": text}} | choice
    if tokens is not None:
        one["logprobs"] = {"content": [{"token": t, "logprob": p} for t, p in tokens]}
    body = _head(identity, fingerprint) | {"choices": [one]}
    return _read(body, text, tokens, fingerprint)


def completion(text: str, tokens: Sequence[tuple[str, float]] | None = None,
               identity: str = "1") -> Seen:  # fmt: skip
    """Return an answer of text completions."""
    one: Body = {"index": 0, "text": text}
    if tokens is not None:
        one["logprobs"] = {"tokens": [t for t, _ in tokens],
                           "token_logprobs": [p for _, p in tokens]}  # fmt: skip
    body = _head(identity, None) | {"choices": [one]}
    return _read(body, text, tokens, None)


def messages(text: str, identity: str = "1") -> Seen:
    """Return an answer of messages, in two blocks after what was thought."""
    blocks = [{"type": "thinking", "thinking": "Six sevens."}]
    blocks += [{"type": "text", "text": part} for part in (text[:1], text[1:])]
    return _read({"id": identity, "model": "claude", "content": blocks}, text, None, None)


def responses(text: str, identity: str = "1") -> Seen:
    """Return an answer of responses, after what was reasoned."""
    content = [{"type": "output_text", "text": text}]
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": content}]
    body: Body = {"id": identity, "created_at": 1, "completed_at": int(identity), "output": output}
    return _read(body, text, None, None)


def embeddings(numbers: Sequence[float]) -> Seen:
    """Return an answer of embeddings."""
    data = [{"object": "embedding", "index": 0, "embedding": list(numbers)}]
    seen = _read({"object": "list", "data": data}, "", None, None)
    return Seen(**seen.__dict__ | {"output": canonical(data), "media": JSON})


def chat_stream(*parts: str, fingerprint: str | None = "fp_1", identity: str = "1") -> Seen:
    """Return a stream of chat completions, of which nothing is the raw output."""
    head = _head(identity, fingerprint)
    lines = [head | {"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    response = b"".join(b"data: " + canonical(line) + b"\n\n" for line in lines)
    text = "".join(parts).encode()
    return Seen(output=text, response=response + b"data: [DONE]\n\n",
                environment=_environment(fingerprint))  # fmt: skip


def messages_stream(*parts: str) -> Seen:
    """Return a stream of messages."""
    events: list[Body] = [{"type": "message_start", "message": {"id": "1", "content": []}}]
    events.append({"type": "content_block_start", "index": 0,
                   "content_block": {"type": "text", "text": ""}})  # fmt: skip
    events += [{"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": part}} for part in parts]  # fmt: skip
    events.append({"type": "message_stop"})
    response = b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + canonical(event) + b"\n\n"
        for event in events
    )
    return Seen(output="".join(parts).encode(), response=response)


def _head(identity: str, fingerprint: str | None) -> Body:
    head: Body = {"id": f"chatcmpl-{identity}", "created": int(identity), "model": MODEL}
    return head if fingerprint is None else head | {"system_fingerprint": fingerprint}


def _environment(fingerprint: str | None) -> Body | None:
    return None if fingerprint is None else {"model": MODEL, "system_fingerprint": fingerprint}


def _read(body: Body, text: str, tokens: Sequence[tuple[str, float]] | None,
          fingerprint: str | None) -> Seen:  # fmt: skip
    return Seen(
        output=text.encode(),
        texts=None if tokens is None else [token for token, _ in tokens],
        logprobs=None if tokens is None else [logprob for _, logprob in tokens],
        raw=canonical({name: one for name, one in body.items() if name not in _NAMED}),
        environment=_environment(fingerprint),
        response=json.dumps(body).encode(),
    )
