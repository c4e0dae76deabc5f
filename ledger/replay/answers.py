"""What an answer of a known protocol says, for comparing it with another one (specs/13 section 5).

The readers of `ledger.capture` take from an exchange whatever can be said of it; these take only
what both programs read alike, so that a recorded answer and one of today can be compared by anyone.

>>> body = b'{"choices":[{"message":{"content":"42"}}],"model":"m","system_fingerprint":"fp"}'
>>> found = read_answer("chat", body)
>>> found.output.data, found.environment
(b'42', b'{"model":"m","system_fingerprint":"fp"}')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from ledger.capture import sse
from ledger.errors import FormatError, RecordError
from ledger.formats.call import canonical, read_ijson
from ledger.formats.observation import OBSERVATION_TOKENS_MAX, Observation, Raw
from ledger.model.archive import JSON, TEXT, Media, canonical_json
from ledger.replay.levels import Seen

__all__ = ["NAMING", "read_answer"]

NAMING: Final = ("id", "created", "created_at", "completed_at")
"""Members that name an answer and are not what it says."""

_STREAM_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_CALLS = ("tool_calls", "function_call")
_NOTHING: tuple[object, ...] = (None, [], {}, "")
_THINKING = ("thinking", "redacted_thinking")

_Map = dict[str, Any]


_Tokens = list[tuple[str, float]]


class _Said(NamedTuple):
    output: Media | None = None
    tokens: _Tokens | None = None


def read_answer(protocol: str, body: bytes) -> Seen:
    """Return what a body without content encoding says; nothing for what is not understood.

    `protocol` is one of `chat`, `completions`, `messages`, `embeddings`, `responses`.
    """
    if body.startswith(_STREAM_STARTS):
        parts = [part for part in map(_object, _data(body)) if part is not None]
        said = _STREAMS[protocol](parts) if parts and protocol in _STREAMS else _Said()
        return Seen(said.output, _observation(said, None), _environment(parts))
    answer = _object(body)
    if answer is None:
        return Seen()
    said = _WHOLE[protocol](answer)
    return Seen(said.output, _observation(said, _raw(answer)), _environment([answer]))


def _data(body: bytes) -> Iterable[bytes]:
    return (event.data.encode() for event in sse.events(body, unfinished=False))


def _object(body: bytes) -> _Map | None:
    try:
        value = read_ijson(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _raw(answer: _Map) -> Raw | None:
    try:
        data = canonical({name: value for name, value in answer.items() if name not in NAMING})
    except FormatError:
        return None
    return Raw(sha256(data).digest(), len(data))


def _environment(parts: Sequence[_Map]) -> bytes | None:
    for part in parts:
        found = {name: _text(part.get(name)) for name in ("model", "system_fingerprint")}
        if all(found.values()):
            return canonical(found)
    return None


def _observation(said: _Said, raw: Raw | None) -> Observation | None:
    tokens = said.tokens
    if not tokens or len(tokens) > OBSERVATION_TOKENS_MAX:
        return None if raw is None else Observation(raw=raw)
    texts, numbers = zip(*tokens, strict=True)
    return Observation(token_texts=texts, logprobs=numbers, raw=raw)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _maps(value: object) -> list[_Map] | None:
    """An array of objects, None for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    return value


def _media(text: str | None) -> Media | None:
    return Media(text.encode(), TEXT) if text else None


def _map(value: object) -> _Map:
    return value if isinstance(value, dict) else {}


def _only_choice(answer: _Map) -> _Map | None:
    choices = _maps(answer.get("choices"))
    return choices[0] if choices is not None and len(choices) == 1 else None


def _chat(answer: _Map) -> _Said:
    choice = _only_choice(answer)
    if choice is None:
        return _Said()
    message = _map(choice.get("message"))
    calls = any(message.get(name) not in _NOTHING for name in _CALLS)
    output = None if calls else _media(_text(message.get("content")))
    return _Said(output, _tokens(_chat_pairs(choice)))


def _chat_pairs(choice: _Map) -> list[Any]:
    """What a choice says of its tokens: pairs, whatever they hold."""
    content = _map(choice.get("logprobs")).get("content")
    found = map(_map, content if isinstance(content, list) else ())
    return [(one.get("token"), one.get("logprob")) for one in found]


def _completion_pairs(choice: _Map) -> list[Any]:
    logprobs = _map(choice.get("logprobs"))
    both = logprobs.get("tokens"), logprobs.get("token_logprobs")
    texts, numbers = (one if isinstance(one, list) else [] for one in both)
    return list(zip_longest(texts, numbers))


def _tokens(pairs: list[Any]) -> _Tokens | None:
    """Token texts with finite numbers; None where there are none, or others."""
    good = all(isinstance(text, str) and _is_number(number) for text, number in pairs)
    if not pairs or not good:
        return None
    try:
        Observation(logprobs=[float(number) for _, number in pairs[:OBSERVATION_TOKENS_MAX]])
    except FormatError:
        return None  # a number that an observation cannot hold
    return [(text, float(number)) for text, number in pairs]


def _completion(answer: _Map) -> _Said:
    choice = _only_choice(answer)
    if choice is None:
        return _Said()
    return _Said(_media(_text(choice.get("text"))), _tokens(_completion_pairs(choice)))


def _message(answer: _Map) -> _Said:
    blocks = _maps(answer.get("content"))
    if not blocks:
        return _Said()
    texts = []
    for block in blocks:
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
        elif block.get("type") not in _THINKING:
            return _Said()
    return _Said(_media("".join(texts)))


def _embeddings(answer: _Map) -> _Said:
    data = answer.get("data")
    if not isinstance(data, list) or not data:
        return _Said()
    try:
        return _Said(Media(canonical_json(data), JSON))
    except RecordError:
        return _Said()


def _response(answer: _Map) -> _Said:
    items = _maps(answer.get("output"))
    texts: list[str] = []
    for item in items or ():
        if item.get("type") == "reasoning":
            continue
        parts = _maps(item.get("content")) if item.get("type") == "message" else None
        if parts is None:
            return _Said()
        for part in parts:
            if part.get("type") != "output_text" or not isinstance(part.get("text"), str):
                return _Said()
            texts.append(part["text"])
    return _Said(_media("".join(texts)))


def _choices(parts: Sequence[_Map]) -> list[_Map] | None:
    """The choices of all parts, None if one is malformed or of another answer than the first."""
    found: list[_Map] = []
    for part in parts:
        choices = part.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            index = choice.get("index") if isinstance(choice, dict) else None
            if not _is_number(index) or index != 0:
                return None
            found.append(choice)
    return found


def _chat_stream(parts: Sequence[_Map]) -> _Said:
    choices = _choices(parts)
    if choices is None:
        return _Said()
    deltas = [_map(choice.get("delta")) for choice in choices]
    calls = any(delta.get(name) not in _NOTHING for delta in deltas for name in _CALLS)
    text = "".join(_text(delta.get("content")) or "" for delta in deltas)
    pairs = [pair for choice in choices for pair in _chat_pairs(choice)]
    return _Said(None if calls else _media(text), _tokens(pairs))


def _completion_stream(parts: Sequence[_Map]) -> _Said:
    choices = _choices(parts)
    if choices is None:
        return _Said()
    pairs = [pair for choice in choices for pair in _completion_pairs(choice)]
    return _Said(_media("".join(_text(one.get("text")) or "" for one in choices)), _tokens(pairs))


def _message_stream(parts: Sequence[_Map]) -> _Said:
    texts = []
    for part in parts:
        if part.get("type") == "content_block_start":
            if _map(part.get("content_block")).get("type") not in ("text", *_THINKING):
                return _Said()
        elif part.get("type") == "content_block_delta":
            delta = _map(part.get("delta"))
            if delta.get("type") == "text_delta" and isinstance(delta.get("text"), str):
                texts.append(delta["text"])
    return _Said(_media("".join(texts)))


def _response_stream(parts: Sequence[_Map]) -> _Said:
    last = next((one for one in reversed(parts) if one.get("type") == "response.completed"), {})
    return _response(_map(last.get("response")))


_WHOLE: dict[str, Callable[[_Map], _Said]] = {
    "chat": _chat,
    "completions": _completion,
    "messages": _message,
    "embeddings": _embeddings,
    "responses": _response,
}
_STREAMS: dict[str, Callable[[Sequence[_Map]], _Said]] = {
    "chat": _chat_stream,
    "completions": _completion_stream,
    "messages": _message_stream,
    "responses": _response_stream,
}
