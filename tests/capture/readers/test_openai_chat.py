"""Chat completions: what a body says, streamed or not, in the fields of a witness."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ledger.model.build import witness
from tests.capture.readers.bodies import (
    CHAT,
    CHAT_REQUEST,
    OPENAI,
    STREAM,
    post,
    prompt_of,
    stream,
    value_of,
)

URL = f"{OPENAI}/chat/completions"


def answer(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**CHAT, "choices": [{**choice, **more}]}


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None, **more}
    heads = {key: CHAT[key] for key in ("id", "created", "model", "system_fingerprint")}
    return {**heads, "object": "chat.completion.chunk", "choices": [choice], "usage": None}


def test_an_exchange_fills_the_witness() -> None:
    """Everything that the bodies and the address say."""
    ChatCompletion.model_validate(CHAT)
    reading = post(URL, CHAT_REQUEST, CHAT)
    assert (reading.operation, reading.is_operation) == ("chat", True)
    assert (reading.provider, reading.model) == ("openai", "gpt-4o-2024-08-06")
    assert reading.response_id == CHAT["id"]
    assert prompt_of(reading) == CHAT_REQUEST["messages"]
    record, _ = witness(operation=reading.operation, **reading.fields)
    assert record.model.model_dump(exclude_none=True) == {
        "model_id": "gpt-4o-2024-08-06",
        "model_provider": "openai",
        "provider_source": "endpoint",
        "requested_model": "gpt-4o",
        "actual_model": "gpt-4o-2024-08-06",
        "api_version": "v1",
        "model_build_date": "2024-08-06",
        "system_fingerprint": "fp_fc9f1d7035",
    }
    assert reading.fields["output"] == "4"
    assert record.output.finish_reason == "stop"
    assert (record.data.prompt_tokens, record.output.output_tokens) == (1119, 110)
    assert record.output.token_source == "provider"
    assert record.replay is not None
    assert (record.replay.replay_seed, record.replay.max_tokens) == (7, 10)


def test_each_billed_token_is_counted_once() -> None:
    """The parts that the provider nests add up to its totals."""
    reading = post(URL, CHAT_REQUEST, CHAT)
    assert reading.usage == {
        "input_tokens": 95,
        "cache_read_tokens": 1024,
        "output_tokens": 10,
        "output_reasoning_tokens": 100,
    }
    assert sum(reading.usage.values()) == CHAT["usage"]["total_tokens"]
    assert reading.price_context == {"service_tier": "default"}


def test_structured_output_is_text_with_its_schema_among_the_parameters() -> None:
    """The answer is not parsed: it is recorded as the model wrote it."""
    schema = {"type": "json_schema", "json_schema": {"name": "sum", "schema": {"type": "object"}}}
    request = {**CHAT_REQUEST, "response_format": schema}
    reading = post(URL, request, answer({"role": "assistant", "content": '{"sum": 4}'}))
    assert reading.fields["output"] == '{"sum": 4}'
    assert reading.fields["parameters"] == {"response_format": schema}


CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
    {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
]


def test_calls_and_results_of_tools() -> None:
    """Calls are those of the answer; results those that came after the model's last message."""
    old = [{"id": "c0", "type": "function", "function": {"name": "old", "arguments": "{}"}}]
    messages = [
        *CHAT_REQUEST["messages"],
        {"role": "assistant", "content": None, "tool_calls": old},
        {"role": "tool", "tool_call_id": "c0", "content": "old result"},
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a.txt"}]},
    ]
    message = {"role": "assistant", "content": None, "tool_calls": [CALLS[1]]}
    body = answer(message, finish_reason="tool_calls")
    ChatCompletion.model_validate(body)
    reading = post(URL, {**CHAT_REQUEST, "messages": messages}, body)
    assert reading.fields["tool_ids"] == ["run", "add"]
    called = [{"id": "c2", "name": "run", "arguments": "ls"}]
    assert value_of(reading.fields["tool_parameters"]) == called
    assert value_of(reading.fields["tool_results"]) == [
        {"id": "c1", "content": "4"},
        {"id": "c2", "content": [{"type": "text", "text": "a.txt"}]},
    ]
    assert value_of(reading.fields["output"]) == message
    witness(**reading.fields)


def test_results_of_tools_that_nobody_named_are_left_to_the_prompt() -> None:
    """A record of results needs to say of which tools."""
    messages = [{"role": "tool", "tool_call_id": "c1", "content": "4"}]
    reading = post(URL, {**CHAT_REQUEST, "messages": messages}, CHAT)
    assert not any(key.startswith("tool_") for key in reading.fields)


def test_a_refusal_is_the_whole_message() -> None:
    """There is no text to take, so the message is the output."""
    message = {"role": "assistant", "content": None, "refusal": "No."}
    assert value_of(post(URL, CHAT_REQUEST, answer(message)).fields["output"]) == message


def test_an_error_leaves_what_the_request_says() -> None:
    """With an error status nothing of the answer is taken."""
    error = {"error": {"message": "Rate limit", "type": "rate_limit_error", "code": None}}
    reading = post(URL, CHAT_REQUEST, error, status=429)
    assert (reading.operation, reading.is_operation, reading.usage) == ("chat", True, {})
    assert reading.model == "gpt-4o"
    assert "output" not in reading.fields
    assert post(URL, CHAT_REQUEST, CHAT, status=500).fields == reading.fields


def test_reasoning_beside_the_completion_is_a_unit_of_its_own() -> None:
    """Some servers do not count reasoning in `completion_tokens`; their total says so."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 35,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    reading = post("https://api.x.ai/v1/chat/completions", CHAT_REQUEST, {**CHAT, "usage": usage})
    assert reading.usage == {"input_tokens": 10, "output_tokens": 5, "output_reasoning_tokens": 20}
    assert reading.fields["output_tokens"] == 5


STREAMED = [
    {**chunk({}), "choices": [], "id": "", "model": "", "prompt_filter_results": []},
    chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk({"content": "It is "}),
    chunk({"content": "4."}),
    chunk({"reasoning_content": "two and two"}),
    chunk({}, finish_reason="stop"),
    {**chunk({}), "choices": [], "usage": CHAT["usage"], "service_tier": "flex"},
]


def test_a_stream_reads_like_the_answer_it_makes() -> None:
    """Text joined, usage of the last chunk, heads of the first that has them."""
    for one in STREAMED[1:]:
        ChatCompletionChunk.model_validate(one)
    reading = post(
        URL, {**CHAT_REQUEST, "stream": True}, stream(STREAMED, done=True), headers=STREAM
    )
    assert reading.fields["output"] == "It is 4."
    assert reading.fields["finish_reason"] == "stop"
    assert reading.fields["actual_model"] == CHAT["model"]
    assert reading.response_id == CHAT["id"]
    assert reading.usage["cache_read_tokens"] == 1024
    assert reading.price_context == {"service_tier": "flex"}
    assert reading.fields["parameters"] == {"stream": True}


def test_a_stream_is_known_without_its_media_type() -> None:
    """Servers that call it something else are read all the same."""
    reading = post(URL, CHAT_REQUEST, stream(STREAMED))
    assert reading.fields["output"] == "It is 4."


def test_a_cut_stream_gives_what_came() -> None:
    """No end, no usage, and the last event cut in the middle."""
    body = stream(STREAMED[:4])
    reading = post(URL, CHAT_REQUEST, body[:-20], headers=STREAM)
    assert reading.fields["output"] == "It is "
    assert reading.usage == {}
    assert "finish_reason" not in reading.fields


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "without index"])
def test_tool_calls_come_in_pieces(repeated: bool, indexed: bool) -> None:
    """Arguments are joined by index; some servers repeat names and ids, or leave out the index."""
    pieces = []
    for number, (call_id, name, arguments) in enumerate(
        [("c1", "add", ['{"a"', ": 2}"]), ("c2", "sub", ["{}"])]
    ):
        for place, piece in enumerate(arguments):
            head = place == 0 or (repeated and indexed)
            call: dict[str, Any] = {"function": {"arguments": piece}}
            if indexed:
                call["index"] = number
            if head:
                call |= {"id": call_id, "type": "function"}
                call["function"]["name"] = name
            pieces.append(chunk({"role": "assistant", "content": None, "tool_calls": [call]}))
    reading = post(URL, CHAT_REQUEST, stream(pieces), headers=STREAM)
    assert reading.fields["tool_ids"] == ["add", "sub"]
    assert value_of(reading.fields["tool_parameters"]) == [
        {"id": "c1", "name": "add", "arguments": '{"a": 2}'},
        {"id": "c2", "name": "sub", "arguments": "{}"},
    ]


def test_audio_of_a_stream_is_joined() -> None:
    """Data and transcript are pieces, id and expiry are not."""
    parts = [
        {"audio": {"id": "audio_1", "transcript": "It "}},
        {"audio": {"data": "AAAA"}},
        {"audio": {"data": "BBBB", "transcript": "is."}},
        {"audio": {"expires_at": 1741569999}},
    ]
    reading = post(URL, CHAT_REQUEST, stream([chunk(part) for part in parts]), headers=STREAM)
    assert value_of(reading.fields["output"]) == {
        "audio": {
            "id": "audio_1",
            "transcript": "It is.",
            "data": "AAAABBBB",
            "expires_at": 1741569999,
        }
    }
