"""A streamed answer reads like the same answer without a stream, however it was cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.build import witness
from tests.capture.readers.bodies import (
    ANTHROPIC,
    CHAT,
    CHAT_REQUEST,
    MESSAGE,
    MESSAGES_REQUEST,
    OPENAI,
    RESPONSE,
    RESPONSES_REQUEST,
    STREAM,
    post,
    stream,
)

words = st.text(max_size=20)
names = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
values = st.dictionaries(names, st.integers() | words | st.none(), max_size=3)


def pieces(draw: st.DrawFn, text: str) -> list[str]:
    """A text cut at any places; at least one piece, of which some may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def wire(draw: st.DrawFn, events: list[dict[str, Any]], *, named: bool) -> bytes:
    """Events with any of the line ends that a server may use, and comments between them."""
    body = stream(events, named=named, done=not named)
    if draw(st.booleans()):
        body = body.replace(b"\n\n", b"\n\n: keep-alive\n\n")
    return body.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))


@st.composite
def chats(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A chat completion with one or two choices, and a stream of it with the choices mixed."""
    heads = {key: CHAT[key] for key in ("id", "created", "model", "system_fingerprint")}
    choices, deltas = [], []
    for index in range(draw(st.integers(1, 2))):
        text = draw(st.none() | words)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        mine: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": None}}]
        if text is not None:
            mine += [{"delta": {"content": piece}} for piece in pieces(draw, text)]
        refusal = draw(st.none() | words)
        if refusal:
            message["refusal"] = refusal
            mine += [{"delta": {"refusal": piece}} for piece in pieces(draw, refusal)]
        called = draw(st.lists(st.tuples(names, values), max_size=2))
        for number, (name, arguments) in enumerate(called):
            written = json.dumps(arguments)
            function = {"name": name, "arguments": written}
            call = {"id": f"c{number}", "type": "function", "function": function}
            message.setdefault("tool_calls", []).append(call)
            head = {**call, "index": number, "function": {"name": name, "arguments": ""}}
            mine.append({"delta": {"tool_calls": [head]}})
            mine += [
                {"delta": {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}}
                for piece in pieces(draw, written)
            ]
        choice: dict[str, Any] = {"index": index, "message": message, "finish_reason": "stop"}
        tokens = [
            {"token": one, "logprob": -0.5, "bytes": None, "top_logprobs": []}
            for one in draw(st.lists(words, max_size=3))
        ]
        if tokens:
            choice["logprobs"] = {"content": tokens}
            mine += [{"delta": {}, "logprobs": {"content": [token]}} for token in tokens]
        mine.append({"delta": {}, "finish_reason": "stop"})
        choices.append(choice)
        deltas.append([{"index": index, **one} for one in mine])
    mixed = [one for several in deltas for one in several]
    if draw(st.booleans()):
        mixed = sorted(mixed, key=lambda one: int(one["index"]), reverse=True)
    events = [{**heads, "object": "chat.completion.chunk", "choices": [one]} for one in mixed]
    events.append({**heads, "choices": [], "usage": CHAT["usage"], "service_tier": "default"})
    return {**CHAT, "choices": choices}, wire(draw, events, named=False)


@st.composite
def messages(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An Anthropic message of any blocks, and its events."""
    blocks: list[dict[str, Any]] = []
    first = {**MESSAGE, "content": [], "usage": {**MESSAGE["usage"], "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": first}]
    for index in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["text", "thinking", "tool_use"]))
        if kind == "tool_use":
            block = {"type": kind, "id": f"t{index}", "name": draw(names), "input": draw(values)}
            begun: dict[str, Any] = {**block, "input": {}}
            member, delta = "partial_json", "input_json_delta"
            text = json.dumps(block["input"])
        else:
            text = draw(words)
            block = {"type": kind, kind: text}
            begun = {**block, kind: ""}
            member, delta = kind, f"{kind}_delta"
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        for piece in pieces(draw, text):
            change = {"type": delta, member: piece}
            events.append({"type": "content_block_delta", "index": index, "delta": change})
        events.append({"type": "content_block_stop", "index": index})
        blocks.append(block)
    end = {"stop_reason": MESSAGE["stop_reason"], "stop_sequence": None}
    counts = {"output_tokens": MESSAGE["usage"]["output_tokens"]}
    events += [{"type": "message_delta", "delta": end, "usage": counts}, {"type": "message_stop"}]
    return {**MESSAGE, "content": blocks}, wire(draw, events, named=True)


@st.composite
def responses(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A response of any items, and its events; the last one may be without the items."""
    items: list[dict[str, Any]] = []
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for index in range(draw(st.integers(1, 3))):
        text = draw(words)
        if draw(st.booleans()):
            part = {"type": "output_text", "text": text}
            item: dict[str, Any] = {"type": "message", "role": "assistant", "content": [part]}
            start: dict[str, Any] = {**item, "content": []}
            kind, at = "response.output_text.delta", {"content_index": 0}
        else:
            item = {"type": "function_call", "call_id": "c", "name": "add", "arguments": text}
            start = {**item, "arguments": ""}
            kind, at = "response.function_call_arguments.delta", {}
        added = {"type": "response.output_item.added", "output_index": index, "item": start}
        events.append(added)
        events += [
            {"type": kind, "output_index": index, **at, "delta": piece}
            for piece in pieces(draw, text)
        ]
        items.append(item)
    whole = {**RESPONSE, "output": items}
    given = whole if draw(st.booleans()) else {**whole, "output": []}
    events.append({"type": "response.completed", "response": given})
    return whole, wire(draw, events, named=True)


def same(url: str, request: dict[str, Any], whole: dict[str, Any], body: bytes) -> None:
    streamed = post(url, request, body, headers=STREAM)
    assert streamed == post(url, request, whole)
    witness(operation=streamed.operation, **streamed.fields)


@settings(max_examples=100, deadline=None)
@given(chats())
def test_a_chat(both: tuple[dict[str, Any], bytes]) -> None:
    same(f"{OPENAI}/chat/completions", CHAT_REQUEST, *both)


@settings(max_examples=100, deadline=None)
@given(messages())
def test_an_anthropic_message(both: tuple[dict[str, Any], bytes]) -> None:
    same(f"{ANTHROPIC}/messages", MESSAGES_REQUEST, *both)


@settings(max_examples=100, deadline=None)
@given(responses())
def test_a_response(both: tuple[dict[str, Any], bytes]) -> None:
    same(f"{OPENAI}/responses", RESPONSES_REQUEST, *both)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        chats().map(lambda both: (f"{OPENAI}/chat/completions", CHAT_REQUEST, both[1])),
        messages().map(lambda both: (f"{ANTHROPIC}/messages", MESSAGES_REQUEST, both[1])),
        responses().map(lambda both: (f"{OPENAI}/responses", RESPONSES_REQUEST, both[1])),
    ),
    st.floats(0, 1),
)
def test_a_stream_cut_anywhere_is_a_record(
    call: tuple[str, dict[str, Any], bytes], share: float
) -> None:
    """Also in the middle of an event, or of a character."""
    url, request, body = call
    reading = post(url, request, body[: int(len(body) * share)], headers=STREAM)
    witness(operation=reading.operation, **reading.fields)
