"""Answers of protocols: both programs read the same out of any body (specs/13 section 5)."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.replay.answers import read_answer as ledger_reads
from verifier.answers import read_answer as verifier_reads

PROTOCOLS = ["chat", "completions", "messages", "embeddings", "responses"]

TOKENS = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]}
CHAT = {
    "id": "x",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp",
    "choices": [{"index": 0, "message": {"content": "ab", "tool_calls": []}, "logprobs": TOKENS}],
}
COMPLETION = {
    "choices": [{"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-0.5, -1.0]}}],
    "model": "m",
}
MESSAGE = {"content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "ab"}]}
EMBEDDING = {"data": [{"object": "embedding", "embedding": [0.5, 1e-7]}], "model": "m"}
PART = {"type": "output_text", "text": "ab"}
RESPONSE = {"output": [{"type": "reasoning"}, {"type": "message", "content": [PART]}]}
DELTAS: list[dict[str, Any]] = [
    {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": TOKENS}], "model": "m"},
    {"choices": [{"index": 0, "delta": {"content": "b", "tool_calls": None}}]},
    {"choices": [], "model": "m", "system_fingerprint": "fp"},
]
TEXTS: list[dict[str, Any]] = [{"choices": [{"index": 0, "text": "a"}]}, {"choices": []}]
BLOCKS: list[dict[str, Any]] = [
    {"type": "content_block_start", "content_block": {"type": "text"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ab"}},
    {"type": "message_stop"},
]
COMPLETED: list[dict[str, Any]] = [{"type": "response.completed", "response": RESPONSE}]
GOOD: list[tuple[str, Any]] = [
    ("chat", CHAT),
    ("completions", COMPLETION),
    ("messages", MESSAGE),
    ("embeddings", EMBEDDING),
    ("responses", RESPONSE),
    ("chat", DELTAS),
    ("completions", TEXTS),
    ("messages", BLOCKS),
    ("responses", COMPLETED),
]
ODD = [
    None,
    "",
    "x",
    0,
    1,
    -0.25,
    True,
    False,
    [],
    {},
    [1],
    {"text": "t"},
    "thinking",
    "text",
    1e300,
]


def body_of(value: Any) -> bytes:
    """A list is a stream of its elements, anything else one JSON text."""
    if isinstance(value, list):
        return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in value)
    return json.dumps(value).encode()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def odd(rng: Random) -> Any:
    return json.loads(json.dumps(rng.choice(ODD)))


def damaged(value: Any, rng: Random) -> Any:
    """A copy in which a few places hold something else, are gone, or stand twice."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([path for path in places(value) if path] or [()])
        if not path:
            return value
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        match rng.randrange(4):
            case 0:
                del holder[path[-1]]
            case 1 if isinstance(holder, list):
                holder.append(json.loads(json.dumps(holder[path[-1]])))
            case 2 if isinstance(holder, dict):
                holder[rng.choice(["function_call", "tool_calls", "index", "id"])] = odd(rng)
            case _:
                holder[path[-1]] = odd(rng)
    return value


def said(protocol: str, body: bytes) -> tuple[Any, Any]:
    one, other = ledger_reads(protocol, body), verifier_reads(protocol, body)
    seen, also = one.observation, other.observation
    ours = None if seen is None else (seen.token_texts, seen.logprobs, seen.raw and seen.raw.sha256)
    theirs = also and (also.token_texts, also.logprobs, also.raw and bytes.fromhex(also.raw[0]))
    output = None if one.output is None else one.output.data
    if protocol == "embeddings" and output is not None and other.output is not None:
        # what is kept of a vector may be written in two ways; it is compared as a value
        output, theirs_out = json.loads(output), json.loads(other.output)
        return (output, ours, one.environment), (theirs_out, theirs, other.environment)
    return (output, ours, one.environment), (other.output, theirs, other.environment)


@pytest.mark.parametrize(("protocol", "value"), GOOD)
def test_honest_answers_say_something(protocol: str, value: Any) -> None:
    ours, theirs = said(protocol, body_of(value))
    assert ours == theirs
    assert ours[0]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(GOOD), st.randoms(use_true_random=False))
def test_damaged_answers_are_read_alike(good: tuple[str, Any], rng: Random) -> None:
    protocol, value = good
    body = body_of(damaged(value, rng))
    for name in {protocol, rng.choice(PROTOCOLS)}:
        ours, theirs = said(name, body)
        assert ours == theirs, (name, body)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GOOD), st.randoms(use_true_random=False))
def test_damaged_bytes_are_read_alike(good: tuple[str, Any], rng: Random) -> None:
    protocol, value = good
    body = bytearray(body_of(value))
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(3):
            case 0:
                body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
            case 1:
                del body[rng.randrange(len(body)) :]
                body += b" "
            case _:
                at = rng.randrange(len(body))
                body[at:at] = rng.choice(
                    [b"\r\n", b"\n\n", b"data:", b"event: x\n", b"\xef\xbb\xbf"]
                )
    ours, theirs = said(protocol, bytes(body))
    assert ours == theirs, bytes(body)
