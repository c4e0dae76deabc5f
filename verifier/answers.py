"""What an answer of a protocol says: output, tokens, environment (specs/13 section 5).

Whatever the bytes are, reading them raises nothing: what is not understood says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .answer_choices import Parts, only_choice, text_of
from .answer_texts import OUTPUT, OUTPUT_STREAMED
from .answer_tokens import tokens_of, tokens_streamed
from .calls import CALL_BODY_MAX_BYTES
from .event_stream import event_data, is_stream
from .jcs import canonical, canonical_string
from .json_parts import Value, top, without
from .observation import Observation, raw_of

ANSWER_MAX_BYTES = 268435456
"""A body, decoded, that is longer than this is not looked into."""

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
NAMES_OF_AN_ANSWER = ("id", "created", "created_at", "completed_at")
_KEPT_MAX = 1 << 20


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
    tokens = tokens_of(protocol, only_choice(whole))
    seen = Observation(raw=raw_of(without(whole, *NAMES_OF_AN_ANSWER)))
    if tokens is not None:
        seen = seen._replace(token_texts=tuple(tokens[0]), logprobs=tuple(tokens[1]))
    environment = _environment(whole)
    if protocol == "embeddings":
        data = whole.one("data")
        if data is not None and data.kind == "array" and next(data.elements(), None) is not None:
            return Answer(data.raw(), JSON, seen, environment)
        return Answer(None, None, seen, environment)
    text = OUTPUT[protocol](whole)
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
    text = OUTPUT_STREAMED[protocol](parts)
    seen = None
    tokens = tokens_streamed(protocol, parts)
    if tokens is not None:
        seen = Observation(token_texts=tuple(tokens[0]), logprobs=tuple(tokens[1]))
    environment = next(filter(None, map(_environment, parts())), None)
    output = text.encode() if text else None
    return Answer(output, TEXT if text else None, seen, environment)


def _environment(whole: Value) -> bytes | None:
    """Return the environment that an answer names."""
    model, fingerprint = (text_of(one) for one in whole.get("model", "system_fingerprint"))
    if not model or not fingerprint:
        return None
    return environment_of(model, fingerprint)


def environment_of(model: str, fingerprint: str) -> bytes:
    """Return the environment that a model and its fingerprint are."""
    names = b'{"model":' + canonical_string(model)
    return names + b',"system_fingerprint":' + canonical_string(fingerprint) + b"}"
