"""Reading an OpenAI exchange: what fits is taken, what does not is absent, nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.capture.readers.openai_chat import read_exchange
from ledger.errors import LedgerError
from ledger.model import Witness
from ledger.model.archive import Media
from ledger.model.build import witness

MESSAGES = [{"role": "user", "content": "2 + 2?"}]
REQUEST: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": MESSAGES,
    "temperature": 0,
    "top_p": 0.5,
    "seed": 7,
    "max_completion_tokens": 10,
    "stop": ["\n"],
    "n": 1,
    "user": "someone",
}
LOGPROBS = [
    {
        "token": "4",
        "logprob": -0.1,
        "bytes": [52],
        "top_logprobs": [
            {"token": "4", "logprob": -0.1, "bytes": [52]},
            {"token": "5", "logprob": -3.0, "bytes": [53]},
        ],
    }
]
RESPONSE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "4", "refusal": None},
            "logprobs": {"content": LOGPROBS},
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}


def built(request: Any, response: Any) -> Witness:
    fields: dict[str, Any] = {"model": "m", "prompt": "p", **read_exchange(request, response)}
    return witness(**fields)[0]


@pytest.mark.parametrize("raw", [False, True], ids=["parsed", "bytes"])
def test_an_exchange_fills_the_witness(raw: bool) -> None:
    """Everything that the bodies say about the call, the same from bytes and from parsed JSON."""
    request: Any = json.dumps(REQUEST).encode() if raw else REQUEST
    response: Any = json.dumps(RESPONSE) if raw else RESPONSE
    fields = read_exchange(request, response)
    assert fields["prompt"] == MESSAGES
    assert fields["output"] == "4"
    assert fields["request"] == (Media(request, "application/json") if raw else REQUEST)
    record = built(request, response)
    assert record.model.model_id == record.model.actual_model == "gpt-4o-mini-2024-07-18"
    assert record.model.requested_model == "gpt-4o-mini"
    assert record.model.system_fingerprint == "fp_1"
    assert record.model.model_provider is None
    assert record.replay is not None
    assert record.replay.model_dump(exclude_none=True) == {
        "replay_seed": 7,
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 10,
        "other_params": {"stop": ["\n"], "n": 1},
    }
    assert (record.data.prompt_tokens, record.output.output_tokens) == (5, 1)
    assert record.output.token_source == "provider"
    assert record.output.finish_reason == "stop"
    assert record.capture.request_id == "chatcmpl-1"
    assert record.uncertainty is not None
    assert record.uncertainty.confidence_method == "logprobs"
    assert record.uncertainty.top_k_position == 0


def test_tool_calls_become_the_tools_group() -> None:
    """The output is then the message as JSON; arguments are archived as the model wrote them."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
        {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{broken"}},
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"finish_reason": "tool_calls", "message": message}
    fields = read_exchange(REQUEST, {**RESPONSE, "choices": [choice]})
    assert fields["tool_ids"] == ["add"]
    assert fields["tool_parameters"] == [
        {"id": "c1", "name": "add", "arguments": '{"a": 2}'},
        {"id": "c2", "name": "add", "arguments": "{broken"},
    ]
    assert fields["output"] == message


def test_several_choices_are_one_output_without_certainty() -> None:
    """With n > 1 no single answer speaks for the call."""
    choices = [RESPONSE["choices"][0], RESPONSE["choices"][0]]
    fields = read_exchange(REQUEST, {**RESPONSE, "choices": choices})
    assert fields["output"] == choices
    assert fields["finish_reason"] == "stop"
    assert "logprobs" not in fields


def test_an_error_body_leaves_the_output_absent() -> None:
    """What was asked is recorded, and the raw answer."""
    error = {"error": {"message": "rate limit", "type": "rate_limit"}}
    record = built(REQUEST, error)
    assert record.model.model_id == "gpt-4o-mini"
    assert record.output.is_empty()
    assert record.raw is not None
    assert record.raw.response is not None


@pytest.mark.parametrize(
    "body",
    [None, b"", b"\xff", b"data: {}\n\n", "[]", "1", "NaN", [], {}, b"[" * 100_000, b"[1e999]"],
)
def test_a_body_that_is_not_understood_leaves_fields_absent(body: Any) -> None:
    """Bytes of any kind are archived as they came."""
    fields = read_exchange(body, body)
    assert not fields.keys() - {"request", "response"}
    if isinstance(body, bytes):
        assert isinstance(fields["request"], Media)
        assert fields["request"].data == body
    witness(**{"model": "m", "prompt": "p", **fields})


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": "hot"},
        {"temperature": -1},
        {"temperature": 10**400},
        {"top_p": 2},
        {"seed": 2**63},
        {"seed": True},
        {"max_completion_tokens": -1},
        {"model": "a\nb"},
        {"model": "m" * 300},
        {"stop": ["\ud800"]},
        {"response_format": {"blake3": "x"}},
        {"response_format": {"schema": "x" * 100_000}},
    ],
    ids=lambda change: ascii(change)[:40],
)
def test_a_value_that_does_not_fit_is_absent(change: dict[str, Any]) -> None:
    """One odd value does not lose the call."""
    record = built({**REQUEST, **change}, RESPONSE)
    assert record.output.finish_reason == "stop"


def test_text_without_utf8_is_kept_as_json() -> None:
    """A cut emoji in prompt or answer is archived as the escape that it was."""
    cut = "\ud83d"
    response = json.loads(json.dumps(RESPONSE))
    response["choices"][0]["message"]["content"] = cut
    request = {**REQUEST, "messages": [{"role": "user", "content": cut}]}
    _, contents = witness(**read_exchange(request, response))
    assert any(item.data == b'[{"content":"\\ud83d","role":"user"}]' for item in contents)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_stands_in_a_body_the_only_error_is_the_ledgers(data: st.DataObject) -> None:
    """Any value anywhere in a well-formed exchange: a witness, or a `LedgerError`."""
    request, response = json.loads(json.dumps([REQUEST, RESPONSE]))
    for _ in range(data.draw(st.integers(1, 3))):
        target: Any = data.draw(st.sampled_from([request, response]))
        while True:
            keys = list(target) if isinstance(target, dict) else list(range(len(target)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(target[key], dict | list) and data.draw(st.booleans()):
                target = target[key]
                continue
            target[key] = data.draw(_json)
            break
    try:
        built(request, response)
    except LedgerError:
        pytest.fail("a value of JSON is always absent or recorded")
