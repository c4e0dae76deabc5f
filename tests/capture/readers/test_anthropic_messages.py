"""Anthropic messages: blocks, events and usage in the fields of a witness."""

from __future__ import annotations

from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from ledger.model.build import witness
from tests.capture.readers.bodies import (
    ANTHROPIC,
    MESSAGE,
    MESSAGES_REQUEST,
    STREAM,
    post,
    prompt_of,
    stream,
    value_of,
)

URL = f"{ANTHROPIC}/messages"
SENT = (("Anthropic-Version", "2023-06-01"),)
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 2}}


def test_a_message_fills_the_witness() -> None:
    """Thinking is not the output; the prompt has the system text."""
    Message.model_validate(MESSAGE)
    reading = post(URL, MESSAGES_REQUEST, MESSAGE, sent=SENT)
    assert (reading.operation, reading.provider) == ("chat", "anthropic")
    assert reading.model == "claude-sonnet-4-5-20250929"
    assert prompt_of(reading) == {
        "messages": MESSAGES_REQUEST["messages"],
        "system": "Answer with a number.",
    }
    assert reading.fields["output"] == "4"
    assert reading.fields["finish_reason"] == "end_turn"
    assert reading.fields["api_version"] == "2023-06-01"
    assert reading.fields["model_build_date"] == "2025-09-29"
    assert reading.fields["parameters"] == {
        "stop_sequences": ["\n\n"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    record, _ = witness(operation=reading.operation, **reading.fields)
    assert record.output.total_tokens == 2601


def test_prompt_tokens_are_all_that_went_in_and_units_are_counted_once() -> None:
    """The provider counts three parts of the prompt apart; writing is billed by its lifetime."""
    reading = post(URL, MESSAGES_REQUEST, MESSAGE)
    assert reading.fields["prompt_tokens"] == 50 + 248 + 1800
    assert reading.usage == {
        "input_tokens": 50,
        "cache_read_tokens": 1800,
        "cache_write_5m_tokens": 148,
        "cache_write_1h_tokens": 100,
        "output_tokens": 503,
    }
    assert reading.price_context == {}


def test_what_the_price_depends_on() -> None:
    """Service tier and speed other than the standard ones, and searches."""
    usage = {
        **MESSAGE["usage"],
        "service_tier": "priority",
        "speed": "fast",
        "inference_geo": "us",
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "output_tokens_details": {"thinking_tokens": 500},
    }
    reading = post(URL, MESSAGES_REQUEST, {**MESSAGE, "usage": usage})
    assert reading.price_context == {"service_tier": "priority", "speed": "fast"}
    assert reading.usage["web_searches"] == 2
    assert (reading.usage["output_tokens"], reading.usage["output_reasoning_tokens"]) == (3, 500)
    assert reading.fields["output_tokens"] == 503
    assert reading.fields["deployment_region"] == "us"


def test_calls_and_results_of_tools() -> None:
    """Results are those that came after the model's last message, with the names of their calls."""
    messages = [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": [CALL, {**CALL, "id": "toolu_2", "name": "sub"}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": "no",
                    "is_error": True,
                },
                {"type": "text", "text": "go on"},
            ],
        },
    ]
    blocks = [{"type": "text", "text": "I add."}, CALL]
    body = {**MESSAGE, "content": blocks, "stop_reason": "tool_use"}
    Message.model_validate(body)
    reading = post(URL, {**MESSAGES_REQUEST, "messages": messages}, body)
    assert reading.fields["tool_ids"] == ["add", "sub"]
    assert value_of(reading.fields["tool_parameters"]) == [
        {"id": "toolu_1", "name": "add", "arguments": {"a": 2}}
    ]
    assert value_of(reading.fields["tool_results"]) == [
        {"id": "toolu_2", "content": "no", "is_error": True}
    ]
    assert value_of(reading.fields["output"]) == blocks
    witness(**reading.fields)


def test_text_in_several_blocks_is_one_text() -> None:
    """As an answer with citations has it."""
    blocks = [{"type": "text", "text": "It is "}, {"type": "text", "text": "4.", "citations": []}]
    reading = post(URL, MESSAGES_REQUEST, {**MESSAGE, "content": blocks})
    assert reading.fields["output"] == "It is 4."


def test_an_error_leaves_what_the_request_says() -> None:
    """With an error status nothing of the answer is taken."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reading = post(URL, MESSAGES_REQUEST, error, status=529)
    assert (reading.model, reading.usage) == ("claude-sonnet-4-5", {})
    assert "output" not in reading.fields


EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            **MESSAGE,
            "content": [],
            "stop_reason": None,
            "usage": {**MESSAGE["usage"], "output_tokens": 1},
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "ping"},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Two and two."},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "signature_delta", "signature": "EqQB"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "4"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 503},
    },
    {"type": "message_stop"},
]


def test_a_stream_reads_like_the_answer_it_makes() -> None:
    """Usage is that of the start, with the counts that later events put in its place."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for event in EVENTS:
        if event["type"] != "ping":
            adapter.validate_python(event)
    asked = {**MESSAGES_REQUEST, "stream": True}
    assert post(URL, asked, stream(EVENTS, named=True), headers=STREAM) == post(URL, asked, MESSAGE)


def test_a_cut_stream_has_no_count_of_its_output() -> None:
    """The count of the first event is not that of the answer."""
    reading = post(URL, MESSAGES_REQUEST, stream(EVENTS[:8], named=True), headers=STREAM)
    assert reading.fields["output"] == "4"
    assert reading.fields["prompt_tokens"] == 2098
    assert not {"output_tokens", "finish_reason"} & reading.fields.keys()
    assert reading.usage == {}


def test_input_of_a_tool_comes_in_pieces_of_json() -> None:
    """Joined and parsed; cut off in the middle it stays the text that came."""
    start = {**CALL, "input": {}}
    pieces = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in ("", '{"a"', ": 2}")
    ]
    begun = {"type": "content_block_start", "index": 0, "content_block": start}
    for taken, arguments in ((0, {}), (2, '{"a"'), (3, {"a": 2})):
        body = stream([EVENTS[0], begun, *pieces[:taken]], named=True)
        reading = post(URL, MESSAGES_REQUEST, body, headers=STREAM)
        assert value_of(reading.fields["tool_parameters"]) == [
            {"id": "toolu_1", "name": "add", "arguments": arguments}
        ]
