"""OpenAI responses: items, events and usage in the fields of a witness."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from ledger.model.build import witness
from tests.capture.readers.bodies import (
    OPENAI,
    RESPONSE,
    RESPONSES_REQUEST,
    STREAM,
    post,
    prompt_of,
    stream,
    value_of,
)

URL = f"{OPENAI}/responses"
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": '{"a":2}',
    "status": "completed",
}


def test_a_response_fills_the_witness() -> None:
    """Reasoning items are not the output; its tokens are a billed unit of their own."""
    Response.model_validate(RESPONSE)
    reading = post(URL, RESPONSES_REQUEST, RESPONSE)
    assert (reading.operation, reading.model) == ("chat", "gpt-5-2025-08-07")
    assert prompt_of(reading) == {"input": "2 + 2?", "instructions": "Answer with a number."}
    assert reading.fields["output"] == "4"
    assert reading.fields["finish_reason"] == "completed"
    assert reading.fields["max_tokens"] == 300
    assert reading.fields["model_build_date"] == "2025-08-07"
    assert reading.fields["parameters"] == {
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "text"}},
    }
    assert (reading.fields["prompt_tokens"], reading.fields["output_tokens"]) == (36, 87)
    assert reading.usage == {
        "input_tokens": 30,
        "cache_read_tokens": 6,
        "output_tokens": 23,
        "output_reasoning_tokens": 64,
    }
    assert reading.response_id == RESPONSE["id"]
    witness(operation=reading.operation, **reading.fields)


def test_input_alone_is_the_prompt_as_it_is() -> None:
    """Text stays text; what else the model is given belongs to the prompt."""
    assert prompt_of(post(URL, {"model": "m", "input": "hi"}, RESPONSE)) == "hi"
    continued = {"model": "m", "input": "hi", "previous_response_id": "resp_0"}
    given = {"input": "hi", "previous_response_id": "resp_0"}
    assert prompt_of(post(URL, continued, RESPONSE)) == given


def test_an_answer_that_was_cut_short_says_why() -> None:
    """The reason of the provider goes before the status."""
    body = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    assert post(URL, RESPONSES_REQUEST, body).fields["finish_reason"] == "content_filter"
    queued = {**RESPONSE, "status": "queued", "output": [], "usage": None}
    reading = post(URL, RESPONSES_REQUEST, queued)
    assert not {"finish_reason", "output"} & reading.fields.keys()


def test_calls_and_results_of_tools() -> None:
    """Functions by name, hosted tools by kind; results after the last message of the input."""
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}}
    items = [
        {"role": "user", "content": "2 + 2?"},
        {**CALL, "call_id": "call_0", "name": "sub"},
        {"type": "function_call_output", "call_id": "call_0", "output": "0"},
    ]
    body = {**RESPONSE, "output": [search, CALL]}
    reading = post(URL, {"model": "gpt-5", "input": items}, body)
    assert reading.fields["tool_ids"] == ["web_search", "add", "sub"]
    assert value_of(reading.fields["tool_parameters"]) == [
        {"id": "ws_1", "name": "web_search", "arguments": search["action"]},
        {"id": "call_1", "name": "add", "arguments": '{"a":2}'},
    ]
    assert value_of(reading.fields["tool_results"]) == [{"id": "call_0", "content": "0"}]
    assert value_of(reading.fields["output"]) == [search, CALL]


def test_log_probabilities_of_all_texts() -> None:
    """Of one text that has none, there are none."""
    token = {"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": []}
    body = copy.deepcopy(RESPONSE)
    part = body["output"][1]["content"][0]
    part["logprobs"] = [token]
    assert post(URL, RESPONSES_REQUEST, body).fields["logprobs"] == [token]
    body["output"][1]["content"].append({**part, "logprobs": []})
    reading = post(URL, RESPONSES_REQUEST, body)
    assert "logprobs" not in reading.fields
    assert reading.fields["output"] == "44"


@pytest.mark.parametrize(
    ("tools", "units"),
    [
        ({"web_search": {"num_requests": 2}}, {"web_searches": 2}),
        ({"web_search": {"num_requests": 0}, "image_gen": {"total_tokens": 0}}, {}),
    ],
)
def test_searches_are_billed_units(tools: dict[str, Any], units: dict[str, int]) -> None:
    """As the provider counts them."""
    plain = post(URL, RESPONSES_REQUEST, RESPONSE).usage
    assert post(URL, RESPONSES_REQUEST, {**RESPONSE, "tool_usage": tools}).usage == plain | units


def test_with_another_model_at_work_the_cost_is_not_known() -> None:
    """Images are made by a model with prices of its own, so that no units are better than some."""
    tools = {"image_gen": {"input_tokens": 5, "output_tokens": 100, "total_tokens": 105}}
    assert post(URL, RESPONSES_REQUEST, {**RESPONSE, "tool_usage": tools}).usage == {}


def events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a response with a reasoning item, a message and a function call."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    reasoning, message, call = whole["output"]
    text = message["content"][0]["text"]
    at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": reasoning},
        {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**message, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": part},
        *(
            {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
            for piece in text
        ),
        {
            "type": "response.output_item.added",
            "output_index": 2,
            "item": {**call, "status": "in_progress", "arguments": ""},
        },
        *(
            {
                "type": "response.function_call_arguments.delta",
                "item_id": "fc_1",
                "output_index": 2,
                "delta": piece,
            }
            for piece in ('{"a"', ":2}")
        ),
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(found)]


WHOLE = copy.deepcopy(RESPONSE)
WHOLE["output"][1]["content"][0]["text"] = "It is 4."
WHOLE["output"].append(CALL)


def test_a_stream_reads_like_the_answer_it_makes() -> None:
    """The last event has the whole response."""
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in events(WHOLE):
        adapter.validate_python(event)
    asked = {**RESPONSES_REQUEST, "stream": True}
    got = post(URL, asked, stream(events(WHOLE), named=True), headers=STREAM)
    assert got == post(URL, asked, WHOLE)


def test_a_stream_whose_last_event_has_no_output_is_put_together() -> None:
    """Items, parts and deltas by their indexes make the same text and calls."""
    given = events(WHOLE)
    given[-1] = {**given[-1], "response": {**WHOLE, "output": []}}
    got = post(URL, RESPONSES_REQUEST, stream(given, named=True), headers=STREAM)
    whole = post(URL, RESPONSES_REQUEST, WHOLE)
    assert got.fields["tool_parameters"] == whole.fields["tool_parameters"]
    assert got.usage == whole.usage
    output: Any = value_of(got.fields["output"])
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
    assert output[1]["content"][0]["text"] == "It is 4."


def test_a_cut_stream_gives_what_came() -> None:
    """Text so far, no usage, no reason for an end."""
    reading = post(URL, RESPONSES_REQUEST, stream(events(WHOLE)[:9], named=True), headers=STREAM)
    assert reading.fields["output"] == "It "
    assert not {"finish_reason", "output_tokens"} & reading.fields.keys()
    assert reading.usage == {}
