"""Whatever stands in the bodies, reading gives a record: what does not fit is absent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.capture.readers import Reading
from ledger.model.build import witness
from tests.capture.readers.bodies import STREAM, post, stream
from tests.capture.readers.test_anthropic_messages import EVENTS
from tests.capture.readers.test_openai_chat import STREAMED
from tests.capture.readers.test_openai_responses import WHOLE, events
from tests.capture.readers.test_protocols import EXCHANGES, LOCAL

STREAMS = {"chat": STREAMED, "messages": EVENTS, "responses": events(WHOLE)}
MEMBERS = st.sampled_from(
    ["index", "output_index", "content_index", "type", "object", "id", "name", "role", "content"]
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["message", "function_call", "tool_result", "assistant", "tool", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | MEMBERS, inner)
    ),
    max_leaves=5,
)


def checked(reading: Reading) -> None:
    record, _ = witness(operation=reading.operation, **reading.fields)
    assert record.model.model_id
    assert all(type(count) is int and count >= 0 for count in reading.usage.values())


def changed(data: st.DataObject, whole: Any) -> Any:
    """A copy with any values at some places."""
    whole = json.loads(json.dumps(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        target: Any = whole
        while target:
            key = data.draw(
                st.sampled_from(list(target) if isinstance(target, dict) else range(len(target)))
            )
            if isinstance(target[key], dict | list) and data.draw(st.booleans()):
                target = target[key]
                continue
            target[key] = data.draw(json_values)
            break
    return whole


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(list(EXCHANGES)))
def test_any_value_anywhere_in_an_exchange(data: st.DataObject, kind: str) -> None:
    path, request, answer, _ = EXCHANGES[kind]
    request, answer = changed(data, [request, answer])
    checked(post(LOCAL + path, request, answer))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(list(STREAMS)))
def test_any_value_anywhere_in_a_stream(data: st.DataObject, kind: str) -> None:
    path, request, _, _ = EXCHANGES[kind]
    body = stream(changed(data, STREAMS[kind]), done=True) if kind == "chat" else b""
    if not body:
        given_events = [one for one in changed(data, STREAMS[kind]) if isinstance(one, dict)]
        body = stream(given_events, done=True)
    checked(post(LOCAL + path, request, body, headers=STREAM))


@settings(max_examples=100, deadline=None)
@given(json_values, json_values, st.sampled_from([path for path, *_ in EXCHANGES.values()]))
def test_any_json_on_any_path(request: Any, answer: Any, path: str) -> None:
    checked(post(LOCAL + path, request, answer))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(list(EXCHANGES)))
def test_any_bytes_on_any_path(request: bytes, answer: bytes, kind: str) -> None:
    path = EXCHANGES[kind][0]
    checked(post(LOCAL + path, request, answer))
    checked(post(LOCAL + path, EXCHANGES[kind][1], b"data: " + answer + b"\n\n", headers=STREAM))


@pytest.mark.parametrize("kind", EXCHANGES)
@pytest.mark.parametrize("depth", [100, 500, 900, 100_000])
def test_deep_nesting_leaves_the_body_as_it_is(kind: str, depth: int) -> None:
    """What has no canonical form is absent; a prompt that has none is the request body."""
    path, request, answer, _ = EXCHANGES[kind]
    deep = "[" * depth + "]" * depth
    texts = []
    for whole in (request, answer):
        body = json.dumps({**whole, "extra": 0}).replace('"extra": 0', f'"extra": {deep}')
        texts.append(body.encode())
    checked(post(LOCAL + path, *texts))
    for member in ("messages", "input", "prompt", "choices", "output", "content", "data", "usage"):
        body = ("{" + f'"{member}": {deep}' + "}").encode()
        checked(post(LOCAL + path, body, body))
        checked(post(LOCAL + path, body, b"data: " + body + b"\n\n", headers=STREAM))


def test_indexes_of_any_size_take_no_room() -> None:
    """An index is a name, not a place in an array."""
    path, request, _, _ = EXCHANGES["chat"]
    huge = [{"choices": [{"index": 2**62, "delta": {"content": "a"}}], "model": "m"}]
    assert post(LOCAL + path, request, stream(huge), headers=STREAM).fields["output"] == "a"
    path, request, _, _ = EXCHANGES["messages"]
    delta = {"type": "text_delta", "text": "a"}
    far = [{"type": "content_block_delta", "index": 2**62, "delta": delta}]
    assert post(LOCAL + path, request, stream(far), headers=STREAM).fields["output"] == "a"
