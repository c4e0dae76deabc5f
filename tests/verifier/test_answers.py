"""Answers of protocols, observations and environments, and levels of agreement."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier import build
from verifier import answer_tokens, answers, event_stream, levels, observation
from verifier.answers import Answer, read_answer
from verifier.errors import BadValue
from verifier.json_parts import top, without
from verifier.levels import Seen, compare
from verifier.observation import Observation, parse_environment, parse_observation

PROTOCOLS = ("chat", "completions", "messages", "embeddings", "responses")


def body(**members: Any) -> bytes:
    return json.dumps(members).encode()


def stream(*parts: Any, end: str = "\n\n") -> bytes:
    return "".join(f"data: {json.dumps(part)}{end}" for part in parts).encode()


def choice(text: Any = "hi", index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", "content": text, **more}}


def delta(text: Any, index: Any = 0, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text, **more}}]}


def block(kind: str) -> dict[str, Any]:
    return {"type": "content_block_start", "content_block": {"type": kind, "text": ""}}


def said(text: Any, kind: str = "text_delta") -> dict[str, Any]:
    return {"type": "content_block_delta", "delta": {"type": kind, "text": text}}


def message(*texts: Any, kind: str = "output_text") -> dict[str, Any]:
    return {"type": "message", "content": [{"type": kind, "text": text} for text in texts]}


def completed(*items: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"output": [*items]}}


OUTPUTS: list[tuple[str, bytes, str | None]] = [
    ("chat", body(choices=[choice("h\u00e9\n")]), "h\u00e9\n"),
    ("chat", b" \n" + body(choices=[choice()]), "hi"),
    ("chat", body(choices=[choice(), choice(index=1)]), None),
    ("chat", body(choices=[choice(index=3)]), "hi"),
    ("chat", body(choices=[]), None),
    ("chat", body(choices={"a": choice()}), None),
    ("chat", body(choices=[choice("")]), None),
    ("chat", body(choices=[choice(None)]), None),
    ("chat", body(choices=[choice(["hi"])]), None),
    ("chat", body(choices=[choice(tool_calls=[])]), "hi"),
    ("chat", body(choices=[choice(function_call=None)]), "hi"),
    ("chat", body(choices=[choice(tool_calls=[1])]), None),
    ("chat", body(choices=[choice(function_call={"name": "f"})]), None),
    ("chat", body(choices=[{"message": "hi"}]), None),
    ("chat", body(choices=["hi"]), None),
    ("chat", body(choices=[{"text": "hi"}]), None),
    ("chat", json.dumps([{"choices": [choice()]}]).encode(), None),
    ("chat", b'{"choices":[{"message":{"content":"\\ud800"}}]}', None),
    ("chat", b'{"choices":[{"message":{"content":"a","content":"b"}}]}', None),
    ("chat", b'\xef\xbb\xbf{"choices":[{"message":{"content":"a"}}]}', None),
    ("chat", b"", None),
    ("chat", stream(delta("h"), delta(None), delta("i"), {"choices": [], "usage": 1}), "hi"),
    ("chat", stream(delta("h"), delta("i", index=1)), None),
    ("chat", stream(delta("h"), {"choices": [{"delta": {"content": "i"}}]}), None),
    ("chat", stream(delta("h"), delta("i", tool_calls=[])), "hi"),
    ("chat", stream(delta("h"), delta("i", function_call={})), "hi"),
    ("chat", stream(delta("h"), delta("i", tool_calls=[{}])), None),
    ("chat", stream(delta("h"), "no object", ["x"], {"choices": [{"index": 0}]}), "h"),
    ("chat", stream(delta("h")) + b"data: [DONE]\n\n", "h"),
    ("chat", stream(delta("")), None),
    ("chat", b": a comment\n\n" + stream(delta("h")), "h"),
    ("chat", b"data: not JSON\n\n" + stream(delta("h")), "h"),
    ("completions", body(choices=[{"text": "hi"}]), "hi"),
    ("completions", body(choices=[{"text": ""}]), None),
    ("completions", body(choices=[choice()]), None),
    ("completions", body(choices=[{"text": "a"}, {"text": "b"}]), None),
    ("completions", stream(*({"choices": [{"index": 0, "text": t}]} for t in "hi")), "hi"),
    ("completions", stream({"choices": [{"index": 2, "text": "h"}]}), None),
    ("messages", body(content=[{"type": "text", "text": "h"}, {"type": "thinking"},
                               {"type": "redacted_thinking"}, {"type": "text", "text": "i"}]),
     "hi"),
    ("messages", body(content=[{"type": "text", "text": "h"}, {"type": "tool_use"}]), None),
    ("messages", body(content=[{"type": "text"}]), None),
    ("messages", body(content=[{"type": "thinking", "thinking": "h"}]), None),
    ("messages", body(content=[]), None),
    ("messages", body(content="hi"), None),
    ("messages", body(content=["hi"]), None),
    ("messages", stream(block("thinking"), said("x", "thinking_delta"), block("text"), said("h"),
                        said("i"), {"type": "message_stop"}), "hi"),
    ("messages", stream(block("text"), said("h"), block("tool_use")), None),
    ("messages", stream(block("text"), said("h"), {"type": "content_block_start"}), None),
    ("messages", stream(said(7), said("h")), "h"),
    ("embeddings", body(data=[{"embedding": [1.0, 2.50]}]), '[{"embedding":[1,2.5]}]'),
    ("embeddings", body(data=[]), None),
    ("embeddings", body(data={}), None),
    ("embeddings", stream({"data": [1]}), None),
    ("responses", body(output=[{"type": "reasoning"}, message("h", "i"), message("!")]), "hi!"),
    ("responses", body(output=[message("h"), {"type": "function_call"}]), None),
    ("responses", body(output=[message("h", kind="refusal")]), None),
    ("responses", body(output=[message(7)]), None),
    ("responses", body(output=[{"type": "message"}]), None),
    ("responses", body(output=[message()]), None),
    ("responses", body(output={}), None),
    ("responses", stream(completed(message("x")), {"type": "other"}, completed(message("hi"))),
     "hi"),
    ("responses", stream({"type": "response.failed", "response": {}}), None),
    ("responses", stream({"type": "response.completed"}), None),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "raw", "output"), OUTPUTS)
def test_output(protocol: str, raw: bytes, output: str | None) -> None:
    """What an answer says is read as the page has it, or not at all."""
    found = read_answer(protocol, raw)
    assert found.output == (None if output is None else output.encode())
    assert (found.media_type is None) is (output is None)
    if protocol == "embeddings" and output is not None:
        assert found.media_type == "application/json"


def logged(*pairs: Any, **more: Any) -> bytes:
    """An answer of chat completions with tokens."""
    content = [{"token": t, "logprob": p} for t, p in pairs]
    return body(choices=[{**choice(), "logprobs": {"content": content, **more}}])


TOKENS: list[tuple[str, bytes, Any]] = [
    ("chat", logged(("a", -1), ("b", -0.5)), (("a", "b"), (-1.0, -0.5))),
    ("chat", logged(("a", -1), ("b", None)), None),
    ("chat", logged(("a", -1), (7, -0.5)), None),
    ("chat", logged(), None),
    ("chat", body(choices=[{**choice(), "logprobs": None}]), None),
    ("chat", body(choices=[{**choice(), "logprobs": {"content": [[]]}}]), None),
    ("messages", logged(("a", -1)), None),
    ("chat", body(choices=[choice(tool_calls=[]) | {"logprobs": {"content": [
        {"token": "a", "logprob": 0}]}}]), (("a",), (0.0,))),
    ("chat", stream(*({"choices": [{"index": 0, "delta": {"content": t}, "logprobs": {
        "content": [{"token": t, "logprob": -2}]}}]} for t in "ab")), (("a", "b"), (-2.0, -2.0))),
    ("chat", stream(delta("a")), None),
    ("chat", stream({"choices": [{"index": 0, "logprobs": {"content": [{"token": "a"}]}}]}), None),
    ("completions", body(choices=[{"text": "ab", "logprobs": {
        "tokens": ["a", "b"], "token_logprobs": [-1, -2]}}]), (("a", "b"), (-1.0, -2.0))),
    ("completions", body(choices=[{"text": "ab", "logprobs": {
        "tokens": ["a", "b"], "token_logprobs": [-1]}}]), None),
    ("completions", body(choices=[{"text": "ab", "logprobs": {
        "tokens": ["a", "b"], "token_logprobs": [None, -1]}}]), None),
    ("completions", body(choices=[{"text": "ab", "logprobs": {"tokens": ["a"]}}]), None),
    ("completions", stream({"choices": [{"index": 0, "text": "a", "logprobs": {
        "tokens": ["a"], "token_logprobs": [-1]}}]}), (("a",), (-1.0,))),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "raw", "tokens"), TOKENS)
def test_tokens(protocol: str, raw: bytes, tokens: Any) -> None:
    """Tokens and log-probabilities are there together, or not at all."""
    seen = read_answer(protocol, raw).observation or Observation()
    expected = (None, None) if tokens is None else tokens
    assert (seen.token_texts, seen.logprobs, seen.token_ids) == (*expected, None)
    if seen != Observation():
        assert parse_observation(seen.document()) == seen


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_raw_output_is_what_the_answer_says(protocol: str) -> None:
    """Names of an answer are no part of its raw output; all else is."""
    plain = {"model": "m", "z": [1.5, {"id": 7}], "\u00e9": None}
    names = {"id": "a", "created": 1, "created_at": 2, "completed_at": 3}
    raw = rfc8785.dumps(plain)
    wanted = Observation(raw=(build.sha(raw).hex(), len(raw)))
    assert read_answer(protocol, body(**plain)).observation == wanted
    assert read_answer(protocol, body(**names, **plain)).observation == wanted
    assert read_answer(protocol, body(**names)).observation == Observation(
        raw=(build.sha(b"{}").hex(), 2)
    )
    assert read_answer(protocol, stream(plain)).observation is None


def test_environment_of_an_answer() -> None:
    """Model and fingerprint are an environment if both are there; of a stream the first."""
    both = {"model": "m\u00e9", "system_fingerprint": "f"}
    wanted = rfc8785.dumps(both)
    assert read_answer("chat", body(**both, x=1)).environment == wanted
    assert read_answer("chat", body(model="m")).environment is None
    assert read_answer("chat", body(**{**both, "model": ""})).environment is None
    assert read_answer("chat", body(**{**both, "system_fingerprint": None})).environment is None
    found = read_answer("chat", stream({"model": "m"}, both, {**both, "model": "other"}))
    assert found.environment == wanted
    assert parse_environment(wanted) == both


EVENTS = [
    (b"data: a\n\ndata:b\n\n", [b"a", b"b"]),
    (b"data: a\r\n\r\ndata:  b\r\rdata: c\n\n", [b"a", b" b", b"c"]),
    (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
    (b"event: x\nid: 1\nretry: 5\n: no\nother: y\ndata: a\n\n", [b"a"]),
    (b"event: x\n\ndata:\n\n\n\n", [b""]),
    (b"data: a\n\ndata: cut off\n", [b"a"]),
    (b"data: a", []),
    (b"data: \xff\n\n", ["\ufffd".encode()]),
    (b"Data: a\n data: b\n\n", []),
]


@pytest.mark.parametrize(("raw", "data"), EVENTS)
def test_events(raw: bytes, data: list[bytes]) -> None:
    """A stream is taken apart as the standard has it."""
    assert [*event_stream.event_data(raw)] == data


def test_what_is_a_stream() -> None:
    """A body is a stream by how it begins."""
    for raw in (b"data:", b"event: x", b"id:1", b"retry:", b": hello"):
        assert event_stream.is_stream(raw)
    for raw in (b"", b" data:", b"Data:", b"{}", b"\xef\xbb\xbfdata:", b"dat"):
        assert not event_stream.is_stream(raw)


def test_bounds_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long or has too many tokens is not looked into."""
    monkeypatch.setattr(answer_tokens, "OBSERVATION_TOKENS_MAX", 2)
    seen = read_answer("chat", logged(("a", -1), ("b", -1), ("c", -1))).observation
    assert seen is not None
    assert seen.token_texts is None
    monkeypatch.setattr(answers, "CALL_BODY_MAX_BYTES", 10)
    assert read_answer("chat", body(choices=[choice()])) == Answer()
    monkeypatch.setattr(answers, "ANSWER_MAX_BYTES", 10)
    assert read_answer("chat", stream(delta("h"))) == Answer()
    deep = b'{"choices":' + b"[" * 70 + b"]" * 70 + b"}"
    assert read_answer("chat", deep) == Answer()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, width=16)
    | st.text(max_size=4) | st.sampled_from(["text", "message", "output_text", "\\", '"', "]}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "text", "type", "delta", "index", "data",
                         "output", "logprobs", "token", "logprob", "tokens", "response", "id"])
        | st.text(max_size=2), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(value=JSON_VALUES, streamed=st.booleans(), cut=st.integers(0, 40))
@settings(max_examples=400, deadline=None)
def test_nothing_raises(value: Any, streamed: bool, cut: int) -> None:
    """Whatever an answer holds, reading it raises nothing."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        value = None
    raw = stream(value, value) if streamed else json.dumps(value).encode()
    for protocol in PROTOCOLS:
        read_answer(protocol, raw)
        read_answer(protocol, raw[: len(raw) - cut])


@given(value=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=5))
@settings(max_examples=300, deadline=None)
def test_parts_agree_with_a_parser(value: dict[str, Any]) -> None:
    """Values looked at where they stand are those that a parser finds."""
    try:
        text = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return
    parsed = json.loads(text)
    for name, _, member in top(text).members():
        inner = parsed[json.loads(name)]
        assert json.loads(member.raw()) == inner
        assert member.string() == (inner if isinstance(inner, str) else None)
        if isinstance(inner, list):
            assert [json.loads(one.raw()) for one in member.elements()] == inner
    wanted = {k: v for k, v in parsed.items() if k != "id"}
    assert json.loads(b"".join(without(top(text), "id"))) == wanted


# -- documents ---------------------------------------------------------------------------------

RAW = {"sha256": "0f" * 32, "size_bytes": 12}


@pytest.mark.parametrize(
    "value",
    [
        {"token_ids": [0, 2**32 - 1]}, {"token_texts": ["", "\u20ac\n\"\\"]},
        {"logprobs": [0, -0.5, -1e-9, 1e300]}, {"raw": RAW}, {"token_ids": []},
        {"logprobs": [-1.5], "raw": RAW, "token_ids": [1], "token_texts": ["a"]},
        {"raw": RAW, "token_texts": ["]}"]},
    ],
)  # fmt: skip
def test_observations(value: dict[str, Any]) -> None:
    """Observations in the form of the page are read, and written the same."""
    data = rfc8785.dumps(value)
    found = parse_observation(data)
    assert found.document() == data
    assert list(found.token_ids or ()) == value.get("token_ids", [])


BAD_OBSERVATIONS = [
    b"", b"{}", b"[]", b"null", b"{", b'{"token_ids":[1],}', b'{"token_ids":[1]}\n',
    b'{"token_ids": [1]}', b'{"token_ids":[1.5]}', b'{"token_ids":[-1]}', b'{"token_ids":[1e3]}',
    b'{"token_ids":[4294967296]}', b'{"token_ids":[01]}', b'{"token_ids":["1"]}',
    b'{"token_ids":{}}', b'{"token_ids":null}', b'{"token_ids":[1],"token_texts":["a","b"]}',
    b'{"token_texts":["a"],"token_ids":[1]}', b'{"token_ids":[1],"token_ids":[1]}',
    b'{"token_texts":[1]}', b'{"token_texts":["\\u0061"]}', b'{"token_texts":["\\ud800"]}',
    b'{"token_texts":["\xff"]}', b'{"logprobs":[null]}', b'{"logprobs":[-1.0]}',
    b'{"logprobs":[-0]}', b'{"logprobs":[1e999]}', b'{"logprobs":[true]}', b'{"logprobs":[NaN]}',
    b'{"raw":{}}', b'{"raw":{"sha256":"0f","size_bytes":1}}', b'{"more":1}',
    b'{"raw":{"sha256":"' + b"0F" * 32 + b'","size_bytes":1}}',
    b'{"raw":{"sha256":"' + b"0f" * 32 + b'","size_bytes":-1}}',
    b'{"raw":{"sha256":"' + b"0f" * 32 + b'","size_bytes":9007199254740992}}',
    b'{"raw":{"size_bytes":1,"sha256":"' + b"0f" * 32 + b'"}}',
    b'{"logprobs":[-1]"token_ids":[1]}', b'{,"token_ids":[1]}',
]  # fmt: skip


@pytest.mark.parametrize("data", BAD_OBSERVATIONS)
def test_what_is_no_observation(data: bytes) -> None:
    """Anything else is refused."""
    with pytest.raises(BadValue):
        parse_observation(data)


@pytest.mark.parametrize(
    "value",
    [
        {}, {"a": "x", "b": 2**53 - 1, "c": -(2**53) + 1, "d": True, "e": {"f": False, "g": ""}},
        {"\u00e9": {}}, {str(n): n for n in range(64)}, {"a": {str(n): n for n in range(1024)}},
    ],
)  # fmt: skip
def test_environments(value: dict[str, Any]) -> None:
    """Environments in the form of the page are read."""
    assert parse_environment(rfc8785.dumps(value)) == value


BAD_ENVIRONMENTS = [
    b"", b"[]", b'"x"', b'{"a":1.5}', b'{"a":null}', b'{"a":[]}', b'{"a":{"b":{}}}', b'{"a": 1}',
    b'{"a":{"b":null}}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":9007199254740992}',
    b'{"a":-0}', b'{"a":1}{', b'{"a":1e3}',
    rfc8785.dumps({str(n): n for n in range(65)}),
    rfc8785.dumps({"a": {str(n): n for n in range(1025)}}),
]  # fmt: skip


@pytest.mark.parametrize("data", BAD_ENVIRONMENTS)
def test_what_is_no_environment(data: bytes) -> None:
    """Anything else is refused."""
    with pytest.raises(BadValue):
        parse_environment(data)


def test_bounds_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is too large is refused before it is read."""
    most = observation.OBSERVATION_TOKENS_MAX
    assert len(parse_observation(b'{"token_ids":[' + b"1," * (most - 1) + b"1]}").token_ids or ()) \
        == most  # fmt: skip
    with pytest.raises(BadValue):
        parse_observation(b'{"token_ids":[' + b"1," * most + b"1]}")
    monkeypatch.setattr(observation, "OBSERVATION_MAX_BYTES", 10)
    with pytest.raises(BadValue, match="more than 10 bytes"):
        parse_observation(b'{"token_ids":[1]}')
    with pytest.raises(BadValue, match="more than 10 bytes"):
        parse_environment(b'{"abcdefg":1}')


# -- levels ------------------------------------------------------------------------------------

A = Observation((1, 2), ("a", "b"), (-1.0, -2.0), ("aa", 1))


def states(found: levels.Comparison) -> str:
    letters = {"match": "m", "differs": "d", "not_observable": "o"}
    return "".join(letters[found.levels[level]] for level in levels.LEVELS[1:])


LEVELS: list[tuple[Seen, Seen, float, str]] = [
    (Seen(b"x", "t", A, b"e"), Seen(b"x", "t", A, b"e"), 0.0, "mmmm"),
    (Seen(b"x", "t", A, b"e"), Seen(b"y", "t", A, b"e"), 0.0, "dddd"),
    (Seen(b"x", "t", A, b"e"), Seen(b"x", "t", A, b"f"), 0.0, "mmmd"),
    (Seen(b"x", "t", A, None), Seen(b"x", "t", A, b"f"), 0.0, "mmmo"),
    (Seen(), Seen(), 0.0, "oooo"),
    (Seen(b"x", "t"), Seen(b"y", "t"), 0.0, "dooo"),
    (Seen(None, None, A, b"e"), Seen(b"x", "t", A, b"e"), 0.0, "ommm"),
    (Seen(None, None, A), Seen(None, None, A._replace(token_ids=(1, 3))), 0.0, "oddo"),
    (Seen(None, None, A), Seen(None, None, A._replace(token_ids=None)), 0.0, "ommo"),
    (Seen(None, None, A._replace(token_ids=None, token_texts=None)), Seen(None, None, A), 0.0,
     "oomo"),
    (Seen(None, None, A), Seen(None, None, A._replace(logprobs=(-1.0, -2.5))), 0.5, "ommo"),
    (Seen(None, None, A), Seen(None, None, A._replace(logprobs=(-1.0, -2.5))), 0.4, "omdo"),
    (Seen(None, None, A), Seen(None, None, A._replace(logprobs=(-1.0,))), 9.0, "omdo"),
    (Seen(None, None, A, b"e"), Seen(None, None, A._replace(raw=("ab", 1)), b"e"), 0.0, "ommd"),
    (Seen(b'{"a":1}', "application/json"), Seen(b'{"a": 1.0}', "x/y+json"), 0.0, "mooo"),
    (Seen(b'{"a":1}', "application/json"), Seen(b'{"a": 1.0}', "text/plain"), 0.0, "dooo"),
    (Seen(b'{"a":1', "application/json"), Seen(b'{"a": 1', "application/json"), 0.0, "dooo"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "epsilon", "wanted"), LEVELS)
def test_levels(a: Seen, b: Seen, epsilon: float, wanted: str) -> None:
    """Each level is judged where both sides can be seen, and none matches after one differs."""
    assert states(compare(a, b, epsilon)) == wanted
    assert states(compare(b, a, epsilon)) == wanted


def test_differences() -> None:
    """First differences and the largest difference are told where something was compared."""
    b = A._replace(token_ids=(1,), logprobs=(-1.0, -2.75), raw=("ab", 1))
    found = compare(Seen(b"\xc3\xa9x", "t", A, b"e"), Seen(b"\xc3\xa9y", "t", b, b"f"), 1.0)
    assert found.first_difference == {"character": 1, "token": 1}
    assert found.logprob_difference == 0.75
    assert (found.raw_identical, found.environment_identical) == (False, False)
    found = compare(Seen(b"\xff", "t", A), Seen(b"\xfe", "t", A), 0.0)
    assert found.first_difference is None
    assert (found.logprob_difference, found.raw_identical) == (0.0, True)
    assert found.environment_identical is None
    empty = Observation(logprobs=())
    assert compare(Seen(None, None, empty), Seen(None, None, empty), 0.0).logprob_difference is None
    far = [Seen(None, None, Observation(logprobs=(x,))) for x in (1.7e308, -1.7e308)]
    found = compare(far[0], far[1], 1.0)
    assert (found.logprob_difference, found.levels["logprobs"]) == (None, "differs")


@given(a=st.text(max_size=6), b=st.text(max_size=6), same=st.text(max_size=3))
def test_first_character(a: str, b: str, same: str) -> None:
    """The first differing character is counted in code points."""
    a, b = same + a, same + b
    try:
        raw = a.encode(), b.encode()
    except UnicodeEncodeError:
        return
    if a != b:
        pairs = zip(a, b, strict=False)
        wanted = next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
        assert levels.first_character(*raw) == wanted


def test_first_character_far_away() -> None:
    """Long texts are compared piece by piece."""
    long = "\u00e9" * 100_000
    assert levels.first_character((long + "a").encode(), (long + "b").encode()) == 100_000
    assert levels.first_character(long.encode(), (long + "b").encode()) == 100_000
    assert levels.first_character(long.encode() + b"\xff", long.encode()) is None


def test_levels_reached() -> None:
    """The level reached is the last that matches."""
    assert levels.reached({"archive": "match", "text": "not_observable", "tokens": "match"}) == (
        "tokens"
    )
    assert levels.reached({"archive": "differs"}) == "none"
    assert levels.lowest(["bits", "text", "tokens"]) == "text"
    assert levels.lowest(["none", "archive"]) == "none"
    assert levels.lowest([]) is None
