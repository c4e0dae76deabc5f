"""The output that an answer of a protocol says (specs/13 section 5)."""

from __future__ import annotations

from collections.abc import Callable

from .answer_choices import Parts, choices, only_choice, text_of
from .json_parts import Value

_THINKING = ("thinking", "redacted_thinking")


def _is_something(value: Value | None) -> bool:
    """Tell whether a member is there, and neither null nor empty."""
    return value is not None and value.raw() not in (b"null", b"[]", b"{}", b'""')


def _chat(whole: Value) -> str | None:
    choice = only_choice(whole)
    message = None if choice is None else choice.one("message")
    if message is None:
        return None
    content, *calls = message.get("content", "tool_calls", "function_call")
    return None if any(map(_is_something, calls)) else text_of(content)


def _completions(whole: Value) -> str | None:
    choice = only_choice(whole)
    return None if choice is None else text_of(choice.one("text"))


def _typed(array: Value | None, text: str, *others: str) -> str | None:
    """Return the joined texts of objects of a type, None if there is anything but these types."""
    if array is None or array.kind != "array":
        return None
    found = []
    for one in array.elements():
        kind, said = one.get("type", "text")
        name = text_of(kind)
        piece = text_of(said)
        if name == text and piece is not None:
            found.append(piece)
        elif name not in others:
            return None
    return "".join(found)


def _messages(whole: Value) -> str | None:
    return _typed(whole.one("content"), "text", *_THINKING)


def _responses(whole: Value) -> str | None:
    output = whole.one("output")
    if output is None or output.kind != "array":
        return None
    found = []
    for item in output.elements():
        kind, content = item.get("type", "content")
        name = text_of(kind)
        if name == "message":
            text = _typed(content, "output_text")
            if text is None:
                return None
            found.append(text)
        elif name != "reasoning":
            return None
    return "".join(found)


def _chat_streamed(parts: Parts) -> str | None:
    found = []
    for choice in choices(parts):
        if choice is None:
            return None
        delta = choice.one("delta")
        if delta is None:
            continue
        content, *calls = delta.get("content", "tool_calls", "function_call")
        if any(map(_is_something, calls)):
            return None
        found.append(text_of(content) or "")
    return "".join(found)


def _completions_streamed(parts: Parts) -> str | None:
    found = []
    for choice in choices(parts):
        if choice is None:
            return None
        found.append(text_of(choice.one("text")) or "")
    return "".join(found)


def _messages_streamed(parts: Parts) -> str | None:
    found = []
    for part in parts():
        kind, delta, block = part.get("type", "delta", "content_block")
        name = text_of(kind)
        if name == "content_block_start":
            of = None if block is None else text_of(block.one("type"))
            if of not in ("text", *_THINKING):
                return None
        elif name == "content_block_delta" and delta is not None:
            of, text = (text_of(one) for one in delta.get("type", "text"))
            found.append(text or "" if of == "text_delta" else "")
    return "".join(found)


def _responses_streamed(parts: Parts) -> str | None:
    last = None
    for part in parts():
        kind, response = part.get("type", "response")
        if text_of(kind) == "response.completed":
            last = response
    return None if last is None else _responses(last)


OUTPUT: dict[str, Callable[[Value], str | None]] = {
    "chat": _chat,
    "completions": _completions,
    "messages": _messages,
    "responses": _responses,
}
OUTPUT_STREAMED: dict[str, Callable[[Parts], str | None]] = {
    "chat": _chat_streamed,
    "completions": _completions_streamed,
    "messages": _messages_streamed,
    "embeddings": lambda parts: None,
    "responses": _responses_streamed,
}
