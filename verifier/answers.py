"""What an answer of a protocol says: output, tokens, environment (specs/13 section 5).

Whatever the bytes are, reading them raises nothing: what is not understood says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .calls import CALL_BODY_MAX_BYTES
from .event_stream import event_data, is_stream
from .jcs import canonical, canonical_string
from .json_parts import Value, top, without
from .observation import OBSERVATION_TOKENS_MAX, Observation, raw_of

ANSWER_MAX_BYTES = 268435456
"""A body, decoded, that is longer than this is not looked into."""

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
NAMES_OF_AN_ANSWER = ("id", "created", "created_at", "completed_at")
_KEPT_MAX = 1 << 20
_THINKING = ("thinking", "redacted_thinking")

Parts = Callable[[], Iterator[Value]]
"""Yields the parts of a stream, anew each time"""
Tokens = tuple[list[str], list[float]]


class Answer(NamedTuple):
    """What an answer says, as far as it does; the media type is that of the output."""

    output: bytes | None = None
    media_type: str | None = None
    observation: Observation | None = None
    environment: bytes | None = None


def read_answer(protocol: str, body: bytes) -> Answer:
    """Return what a body, without content encoding, says in a protocol.

    Protocols are `chat`, `completions`, `messages`, `embeddings` and `responses`.
    """
    if len(body) > ANSWER_MAX_BYTES:
        return Answer()
    if is_stream(body):
        if len(body) > _KEPT_MAX:
            return _stream(protocol, lambda: _parts(body))
        kept = [*_parts(body)]
        return _stream(protocol, lambda: iter(kept))
    whole = _object(body)
    if whole is None:
        return Answer()
    tokens = _tokens_of(protocol, _only_choice(whole))
    seen = Observation(raw=raw_of(without(whole, *NAMES_OF_AN_ANSWER)))
    if tokens is not None:
        seen = seen._replace(token_texts=tuple(tokens[0]), logprobs=tuple(tokens[1]))
    environment = _environment(whole)
    if protocol == "embeddings":
        data = whole.one("data")
        if data is not None and data.kind == "array" and next(data.elements(), None) is not None:
            return Answer(data.raw(), JSON, seen, environment)
        return Answer(None, None, seen, environment)
    text = _OUTPUT[protocol](whole)
    output = text.encode() if text else None
    return Answer(output, TEXT if text else None, seen, environment)


def _object(body: bytes) -> Value | None:
    """Return an I-JSON object, None for anything else."""
    if len(body) > CALL_BODY_MAX_BYTES:
        return None
    text = canonical(body)
    return top(text) if text is not None and text.startswith(b"{") else None


def _parts(body: bytes) -> Iterator[Value]:
    for data in event_data(body):
        part = _object(data)
        if part is not None:
            yield part


def _stream(protocol: str, parts: Parts) -> Answer:
    text = _OUTPUT_STREAMED[protocol](parts)
    seen = None
    tokens = _tokens_streamed(protocol, parts)
    if tokens is not None:
        seen = Observation(token_texts=tuple(tokens[0]), logprobs=tuple(tokens[1]))
    environment = next(filter(None, map(_environment, parts())), None)
    output = text.encode() if text else None
    return Answer(output, TEXT if text else None, seen, environment)


def _environment(whole: Value) -> bytes | None:
    """Return the environment that an answer names."""
    model, fingerprint = (_text(one) for one in whole.get("model", "system_fingerprint"))
    if not model or not fingerprint:
        return None
    return environment_of(model, fingerprint)


def environment_of(model: str, fingerprint: str) -> bytes:
    """Return the environment that a model and its fingerprint are."""
    names = b'{"model":' + canonical_string(model)
    return names + b',"system_fingerprint":' + canonical_string(fingerprint) + b"}"


def _text(value: Value | None) -> str | None:
    return None if value is None else value.string()


def _only_choice(whole: Value) -> Value | None:
    """Return the one element of `choices`, None if there is none or more."""
    choices = whole.one("choices")
    if choices is None:
        return None
    found = choices.elements()
    first = next(found, None)
    return first if next(found, None) is None else None


def _chat(whole: Value) -> str | None:
    choice = _only_choice(whole)
    message = None if choice is None else choice.one("message")
    if message is None:
        return None
    content, *calls = message.get("content", "tool_calls", "function_call")
    return _text(content) if calls == [None, None] else None


def _completions(whole: Value) -> str | None:
    choice = _only_choice(whole)
    return None if choice is None else _text(choice.one("text"))


def _typed(array: Value | None, text: str, *others: str) -> str | None:
    """Return the joined texts of objects of a type, None if there is anything but these types."""
    if array is None or array.kind != "array":
        return None
    found = []
    for one in array.elements():
        kind, said = one.get("type", "text")
        name = _text(kind)
        piece = _text(said)
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
        name = _text(kind)
        if name == "message":
            text = _typed(content, "output_text")
            if text is None:
                return None
            found.append(text)
        elif name != "reasoning":
            return None
    return "".join(found)


def _choices(parts: Parts) -> Iterator[Value | None]:
    """Yield the choices of a stream that have index 0, and None for one that has not."""
    for part in parts():
        choices = part.one("choices")
        for choice in choices.elements() if choices is not None else ():
            index = choice.one("index")
            yield choice if index is not None and index.raw() == b"0" else None


def _chat_streamed(parts: Parts) -> str | None:
    found = []
    for choice in _choices(parts):
        if choice is None:
            return None
        delta = choice.one("delta")
        if delta is None:
            continue
        content, *calls = delta.get("content", "tool_calls", "function_call")
        if calls != [None, None]:
            return None
        found.append(_text(content) or "")
    return "".join(found)


def _completions_streamed(parts: Parts) -> str | None:
    found = []
    for choice in _choices(parts):
        if choice is None:
            return None
        found.append(_text(choice.one("text")) or "")
    return "".join(found)


def _messages_streamed(parts: Parts) -> str | None:
    found = []
    for part in parts():
        kind, delta, block = part.get("type", "delta", "content_block")
        name = _text(kind)
        if name == "content_block_start":
            of = None if block is None else _text(block.one("type"))
            if of not in ("text", *_THINKING):
                return None
        elif name == "content_block_delta" and delta is not None:
            of, text = (_text(one) for one in delta.get("type", "text"))
            found.append(text or "" if of == "text_delta" else "")
    return "".join(found)


def _responses_streamed(parts: Parts) -> str | None:
    last = None
    for part in parts():
        kind, response = part.get("type", "response")
        if _text(kind) == "response.completed":
            last = response
    return None if last is None else _responses(last)


def _tokens_of(protocol: str, choice: Value | None) -> Tokens | None:
    """Return the tokens of one choice with their log-probabilities, None if there are none."""
    logprobs = None if choice is None else choice.one("logprobs")
    if logprobs is None or protocol not in ("chat", "completions"):
        return None
    found: Tokens = ([], [])
    if protocol == "chat":
        content = logprobs.one("content")
        pairs = (one.get("token", "logprob") for one in _each(content))
    else:
        tokens, numbers = logprobs.get("tokens", "token_logprobs")
        if _length(tokens) != _length(numbers):
            return None
        pairs = ([t, n] for t, n in zip(_each(tokens), _each(numbers), strict=True))
    for token, number in pairs:
        text, value = _text(token), None if number is None else number.number()
        if text is None or value is None or len(found[0]) == OBSERVATION_TOKENS_MAX:
            return None
        found[0].append(text)
        found[1].append(value)
    return found if found[0] else None


def _each(array: Value | None) -> Iterator[Value]:
    return iter(()) if array is None else array.elements()


def _length(array: Value | None) -> int:
    return sum(1 for _ in _each(array))


def _tokens_streamed(protocol: str, parts: Parts) -> Tokens | None:
    found: Tokens = ([], [])
    for choice in _choices(parts):
        if choice is None:
            return None
        logprobs = choice.one("logprobs")
        if logprobs is None or logprobs.kind != "object" or _nothing(protocol, logprobs):
            continue
        more = _tokens_of(protocol, choice)
        if more is None or len(found[0]) + len(more[0]) > OBSERVATION_TOKENS_MAX:
            return None
        found[0].extend(more[0])
        found[1].extend(more[1])
    return found if found[0] else None


def _nothing(protocol: str, logprobs: Value) -> bool:
    """Return whether a part of a stream has no tokens, which is not to have wrong ones."""
    names = ("content",) if protocol == "chat" else ("tokens", "token_logprobs")
    return all(next(_each(one), None) is None for one in logprobs.get(*names))


_OUTPUT: dict[str, Callable[[Value], str | None]] = {
    "chat": _chat,
    "completions": _completions,
    "messages": _messages,
    "responses": _responses,
}
_OUTPUT_STREAMED: dict[str, Callable[[Parts], str | None]] = {
    "chat": _chat_streamed,
    "completions": _completions_streamed,
    "messages": _messages_streamed,
    "embeddings": lambda parts: None,
    "responses": _responses_streamed,
}
