"""Puts the events of a streamed Anthropic message together: the message as it is without a stream.

| event | what it says |
|---|---|
| `message_start` | the message, without content |
| `content_block_start` | a block, by `index` |
| `content_block_delta` | more of a block: |
| … `text_delta`, `thinking_delta` | text to join |
| … `input_json_delta` | JSON text of `input` to join |
| … `signature_delta`, `citations_delta` | the signature; one more citation |
| `message_delta` | `stop_reason` and others, and counts of `usage` as they are by now |

The input of a tool that was cut off in the middle stays the text that came. The first event counts
the output tokens before there are any, so that a stream that was cut has no such count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers.openai_chunks import index_of
from ledger.capture.readers.pieces import Parts

_INPUT = "\0input"
"""Where the JSON text of an input grows; no name of the protocol."""


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that events make."""
    answer = Parts()
    for part in parts:
        kind = part.get("type")
        if kind == "message_start":
            answer.update(fitting.as_map(part.get("message")))
            counts = fitting.as_map(answer.get("usage"))
            answer["usage"] = {key: counts[key] for key in counts if key != "output_tokens"}
        elif kind == "content_block_start":
            block = fitting.as_map(part.get("content_block"))
            answer.row("content").put(index_of(part), block)
        elif kind == "content_block_delta":
            block_parts = answer.row("content").at(index_of(part))
            _take_delta(block_parts, fitting.as_map(part.get("delta")))
        elif kind == "message_delta":
            answer.update(_known(part.get("delta")))
            answer["usage"] = {**fitting.as_map(answer.get("usage")), **_known(part.get("usage"))}
    message = answer.whole()
    if isinstance(message.get("content"), list):
        message["content"] = [_finished(block) for block in message["content"]]
    return message


def _known(value: object) -> dict[str, Any]:
    return {key: item for key, item in fitting.as_map(value).items() if item is not None}


def _take_delta(block: Parts, delta: dict[str, Any]) -> None:
    kind = delta.get("type")
    if kind == "text_delta":
        block.first("type", "text")
        block.grow("text", delta.get("text"))
    elif kind == "thinking_delta":
        block.grow("thinking", delta.get("thinking"))
    elif kind == "input_json_delta":
        block.grow(_INPUT, delta.get("partial_json"))
    elif kind == "signature_delta":
        block["signature"] = delta.get("signature")
    elif kind == "citations_delta":
        block.extend("citations", [delta.get("citation")])


def _finished(block: Any) -> Any:
    text = block.pop(_INPUT, "") if isinstance(block, dict) else ""
    if text:
        value = fitting.parse_json(text)
        block["input"] = text if value is None else value
    return block
