"""The loopback server as a client sees it: OpenAI's protocol, clear refusals, no surprises."""

from __future__ import annotations

import http.client
import json
import math
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ledger.demo.model import DemoModel, Parameters
from ledger.demo.server import MAX_BODY_BYTES, ModelServer

CREATED = 1_700_000_000
MODEL = DemoModel.estimate(
    "A ledger keeps statements in order. Each statement names the one before it.\n\n"
    "A Merkle tree turns many statements into one root. “Who keeps the root, can check.”\n\n"
    "A signature says who wrote a statement, and when it was written says the ledger."
)
ASK: dict[str, Any] = {
    "model": MODEL.name,
    "messages": [{"role": "user", "content": "What is a Merkle tree?"}],
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """Run a server whose clock stands still."""
    with ModelServer(MODEL, clock=lambda: CREATED + 0.5) as running:
        yield running


def connect(server: ModelServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port(server), timeout=20)


def port(server: ModelServer) -> int:
    return int(server.base_url.split(":")[2].split("/")[0])


def send(
    server: ModelServer, body: object, path: str = "/v1/chat/completions", method: str = "POST"
) -> tuple[http.client.HTTPResponse, Any]:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(connect(server)) as connection:
        connection.request(method, path, payload)
        response = connection.getresponse()
        return response, json.loads(response.read())


def list_models(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/v1/models")
    response = connection.getresponse()
    response.read()
    return response.status


def raw(server: ModelServer, request: bytes) -> bytes:
    """Send bytes as they are and return what comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port(server)), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def events(server: ModelServer, body: object) -> list[Any]:
    with closing(connect(server)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        assert response.getheader("Content-Type", "").startswith("text/event-stream")
        blocks = response.read().decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-2]]


def test_an_answer_has_every_field_of_the_protocol(server: ModelServer) -> None:
    """The answer is the model's, with usage, fingerprint and the injected time."""
    response, body = send(server, ASK)
    expected = MODEL.generate("What is a Merkle tree?")
    assert response.status == 200
    assert body.pop("id").startswith("chatcmpl-")
    assert body == {
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL.name,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": expected.text, "refusal": None},
                "logprobs": None,
                "finish_reason": expected.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": 6,
            "completion_tokens": expected.completion_tokens,
            "total_tokens": 6 + expected.completion_tokens,
        },
        "system_fingerprint": MODEL.fingerprint,
        "service_tier": "default",
    }
    assert response.getheader("x-request-id", "").startswith("req_")
    assert response.getheader("openai-processing-ms", "").isdigit()
    assert response.getheader("openai-version") == "2020-10-01"


def test_parameters_reach_the_model(server: ModelServer) -> None:
    """Every sampling parameter of the request is the one that the answer was drawn with."""
    sampling = {"seed": 7, "temperature": 0.6, "top_p": 0.9, "top_k": 30, "stop": ["root"]}
    _, body = send(server, ASK | sampling | {"max_tokens": 9})
    expected = MODEL.generate(
        "What is a Merkle tree?", Parameters(7, 0.6, 0.9, 30, 9, stop=("root",))
    )
    assert body["choices"][0]["message"]["content"] == expected.text
    assert body["usage"]["completion_tokens"] == expected.completion_tokens
    _, newer = send(server, ASK | sampling | {"max_completion_tokens": 9})
    assert newer["choices"] == body["choices"]


def test_the_last_user_message_is_the_prompt_and_all_are_counted(server: ModelServer) -> None:
    """Content may be text or text parts; other messages are background."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": part} for part in ("A led", "ger")]},
        {"role": "assistant", "content": "Yes"},
    ]
    _, body = send(server, ASK | {"messages": messages})
    expected = MODEL.generate("A ledger", background=["Be brief.", "Yes"])
    assert body["choices"][0]["message"]["content"] == expected.text
    assert body["usage"]["prompt_tokens"] == 2 + 3 + 1


def test_logprobs_tell_the_bytes_and_the_alternatives(server: ModelServer) -> None:
    """Tokens and their bytes join to the content, with as many alternatives as asked for."""
    _, body = send(server, ASK | {"logprobs": True, "top_logprobs": 20, "temperature": 0})
    choice = body["choices"][0]
    tokens = choice["logprobs"]["content"]
    text = choice["message"]["content"]
    assert "".join(entry["token"] for entry in tokens) == text
    assert b"".join(bytes(entry["bytes"]) for entry in tokens).decode() == text
    for entry in tokens:
        assert len(entry["top_logprobs"]) == 20
        assert entry["logprob"] <= entry["top_logprobs"][0]["logprob"] < 0
        assert sum(math.exp(other["logprob"]) for other in entry["top_logprobs"]) <= 1
    ends = [o for entry in tokens for o in entry["top_logprobs"] if o["token"] == "<|end|>"]
    assert ends
    assert all(other["bytes"] is None for other in ends)


def test_a_stream_is_the_same_answer_in_pieces(server: ModelServer) -> None:
    """The pieces and their log-probabilities join to what the plain answer says."""
    asked = ASK | {"logprobs": True, "top_logprobs": 2, "seed": 3}
    _, plain = send(server, asked)
    chunks = events(server, asked | {"stream": True, "stream_options": {"include_usage": True}})
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert choices[-1]["delta"] == {}
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["stop"]
    content = "".join(choice["delta"].get("content", "") for choice in choices)
    assert content == plain["choices"][0]["message"]["content"]
    logprobs = [entry for c in choices if c["logprobs"] for entry in c["logprobs"]["content"]]
    assert logprobs == plain["choices"][0]["logprobs"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plain["usage"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_a_stream_ends_where_a_stop_sequence_cuts(server: ModelServer) -> None:
    """A cut inside a token shows in the stream as in the plain answer."""
    asked = ASK | {"stop": "tat", "seed": 1, "max_tokens": 60}
    _, plain = send(server, asked)
    chunks = events(server, asked | {"stream": True})
    content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert content == plain["choices"][0]["message"]["content"]
    assert "usage" not in chunks[0]


def test_an_http_1_0_client_gets_its_stream_until_the_connection_closes(
    server: ModelServer,
) -> None:
    """A client without chunked transfer reads plain events."""
    body = json.dumps(ASK | {"stream": True}).encode()
    head = b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = raw(server, head + body)
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\n\ndata: [DONE]\n\n")


def test_the_model_is_listed(server: ModelServer) -> None:
    """GET /v1/models names the one model."""
    response, body = send(server, b"", "/v1/models", "GET")
    assert response.status == 200
    entry = {"id": MODEL.name, "object": "model", "created": CREATED, "owned_by": "vif-ledger"}
    assert body == {"object": "list", "data": [entry]}


def test_answered_calls_are_counted_and_refused_ones_are_not(server: ModelServer) -> None:
    """The owner sees how many completions were answered, streams included."""
    assert server.calls == 0
    send(server, ASK)
    events(server, ASK | {"stream": True})
    send(server, ASK | {"n": 2})
    send(server, b"", "/v1/models", "GET")
    assert server.calls == 2


def test_one_connection_carries_many_requests_and_every_id_differs(server: ModelServer) -> None:
    """Keep-alive survives answers, streams and refusals, and equal answers have their own id."""
    ids, contents = set(), set()
    with closing(connect(server)) as connection:
        for body in (ASK, ASK | {"n": 2}, ASK | {"stream": True}, ASK):
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            used = connection.sock
            response = connection.getresponse()
            ids.add(response.getheader("x-request-id"))
            content = response.read()
            if response.status == 200 and "stream" not in body:
                contents.add(json.loads(content)["choices"][0]["message"]["content"])
            assert connection.sock is used
    assert len(ids) == 4
    assert len(contents) == 1


USER = {"role": "user", "content": "A"}
REFUSED: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"model": "gpt-x"}, 404, "model", "model_not_found"),
    ({"model": None}, 400, "model", "missing_required_parameter"),
    ({"model": 3}, 400, "model", "invalid_type"),
    ({"messages": None}, 400, "messages", "missing_required_parameter"),
    ({"messages": []}, 400, "messages", "invalid_type"),
    ({"messages": "A"}, 400, "messages", "invalid_type"),
    ({"messages": ["A"]}, 400, "messages[0]", "invalid_type"),
    ({"messages": [{"role": "king", "content": "A"}]}, 400, "messages[0].role", "invalid_value"),
    ({"messages": [{"role": [], "content": "A"}]}, 400, "messages[0].role", "invalid_value"),
    ({"messages": [USER, {"role": "user"}]}, 400, "messages[1].content", "invalid_type"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, 400, "messages[0].content",
     "invalid_value"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400,
     "messages[0].content[0]", "invalid_value"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400,
     "messages[0].content[0].text", "invalid_type"),
    ({"temperature": 2.1}, 400, "temperature", "invalid_value"),
    ({"temperature": "1"}, 400, "temperature", "invalid_type"),
    ({"top_p": -0.1}, 400, "top_p", "invalid_value"),
    ({"top_k": 1.5}, 400, "top_k", "invalid_type"),
    ({"seed": True}, 400, "seed", "invalid_type"),
    ({"seed": 2**63}, 400, "seed", "invalid_value"),
    ({"max_tokens": 0}, 400, "max_tokens", "invalid_value"),
    ({"max_completion_tokens": 5000}, 400, "max_completion_tokens", "invalid_value"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, 400, "max_tokens", "invalid_value"),
    ({"n": 2}, 400, "n", "unsupported_value"),
    ({"n": True}, 400, "n", "unsupported_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, 400, "stop", "invalid_value"),
    ({"stop": ""}, 400, "stop", "invalid_value"),
    ({"stop": [1]}, 400, "stop", "invalid_type"),
    ({"logprobs": 1}, 400, "logprobs", "invalid_type"),
    ({"top_logprobs": 3}, 400, "top_logprobs", "invalid_value"),
    ({"logprobs": True, "top_logprobs": 21}, 400, "top_logprobs", "invalid_value"),
    ({"stream": "yes"}, 400, "stream", "invalid_type"),
    ({"stream_options": {}}, 400, "stream_options", "invalid_value"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, 400, "include_usage",
     "invalid_type"),
    ({"tools": [{"type": "function"}]}, 400, "tools", "unsupported_value"),
    ({"presence_penalty": 0.5}, 400, "presence_penalty", "unsupported_value"),
    ({"temprature": 1}, 400, "temprature", "unknown_parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "status", "param", "code"), REFUSED)
def test_a_request_that_cannot_be_answered_as_asked_is_refused(
    server: ModelServer, change: dict[str, Any], status: int, param: str, code: str
) -> None:
    """The error has OpenAI's shape and names the field at fault."""
    response, body = send(server, ASK | change)
    assert response.status == status
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["type"] == "invalid_request_error"
    assert (body["error"]["param"], body["error"]["code"]) == (param, code)
    assert server.calls == 0


def test_fields_without_effect_are_accepted(server: ModelServer) -> None:
    """Nulls, defaults and notes to the provider do not get in the way."""
    nulls = dict.fromkeys(["n", "seed", "stop", "top_p", "logprobs", "tools", "stream_options"])
    response, body = send(server, ASK | nulls | {"user": "me", "presence_penalty": 0.0})
    assert response.status == 200
    assert body["choices"] == send(server, ASK)[1]["choices"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"temperature": NaN}', b"[" * 100_000, b'{"seed":' + b"9" * 5000 + b"}"],
    ids=["empty", "cut", "not utf-8", "nan", "deep", "long number"],
)
def test_a_body_that_is_not_json_is_refused(server: ModelServer, body: bytes) -> None:
    """Broken JSON of any kind is a 400 that says so."""
    response, answer = send(server, body)
    assert response.status == 400
    assert answer["error"]["code"] == "invalid_json"


def test_a_json_body_that_is_no_object_is_refused(server: ModelServer) -> None:
    """A list is JSON but not a request."""
    response, body = send(server, [ASK])
    assert response.status == 400
    assert "object" in body["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/completions", 404),
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("DELETE", "/v1/models", 501),
    ],
)
def test_wrong_paths_and_methods_are_refused(
    server: ModelServer, method: str, path: str, status: int
) -> None:
    """Whatever is not served gets an error in the same shape."""
    response, body = send(server, ASK, path, method)
    assert response.status == status
    assert path in body["error"]["message"] or method in body["error"]["message"]


@pytest.mark.parametrize("extra", [1, 3 * MAX_BODY_BYTES])
def test_a_body_over_one_mebibyte_is_refused(server: ModelServer, extra: int) -> None:
    """The client reads the 413 even if it was still sending when it was refused."""
    response, body = send(server, b" " * (MAX_BODY_BYTES + extra))
    assert response.status == 413
    assert body["error"]["code"] == "request_too_large"
    assert send(server, json.dumps(ASK).encode().ljust(MAX_BODY_BYTES))[0].status == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", b"411"),
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: x\r\n", b"400"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 1_0\r\n", b"400"),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", b"400"),
    ],
)
def test_a_request_without_a_clear_length_is_refused(
    server: ModelServer, head: bytes, status: bytes
) -> None:
    """Where the body ends must be known; the connection is closed, since it is not."""
    answer = raw(server, b"POST /v1/chat/completions HTTP/1.1\r\n" + head + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in answer
    assert b'"invalid_request_error"' in answer


def test_a_malformed_request_line_gets_a_json_error(server: ModelServer) -> None:
    """Even what is not HTTP is answered in the same shape."""
    assert b'{"error":' in raw(server, b"GET /v1/models HTTP/x\r\n\r\n")


def test_a_client_that_leaves_early_does_no_harm(
    server: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """After broken requests the server answers the next one and has printed nothing."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", port(server))) as connection:
        connection.sendall(head)
    assert send(server, ASK)[0].status == 200
    assert capfd.readouterr() == ("", "")


def test_only_the_loopback_address_is_bound(server: ModelServer) -> None:
    """The address is 127.0.0.1 with a port that the system chose."""
    assert server.base_url == f"http://127.0.0.1:{port(server)}/v1"
    assert port(server) > 0


def test_after_the_end_nothing_is_answered() -> None:
    """A kept-alive connection ends with the server, and closing twice is no error."""
    with ModelServer(MODEL) as server, closing(connect(server)) as connection:
        assert list_models(connection) == 200
        server.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            send(server, ASK)
        # Without this the client would quietly open a new connection.
        connection.auto_open = 0
        with pytest.raises((http.client.HTTPException, OSError)):
            list_models(connection)
    assert server.calls == 0


@pytest.fixture
def client(server: ModelServer) -> Iterator[Any]:
    """Connect the official SDK to the server."""
    openai = pytest.importorskip("openai", reason="the openai SDK is not installed")
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as sdk:
        yield sdk


def test_the_official_sdk_reads_an_answer(client: Any, server: ModelServer) -> None:
    """The openai package understands the answer, its log-probabilities and its headers."""
    got = client.chat.completions.with_raw_response.create(
        **ASK, seed=5, logprobs=True, top_logprobs=3, max_tokens=20, extra_body={"top_k": 40}
    )
    answer = got.parse()
    expected = MODEL.generate(
        "What is a Merkle tree?", Parameters(5, top_k=40, max_tokens=20, top_logprobs=3)
    )
    assert answer.choices[0].message.content == expected.text
    assert answer.system_fingerprint == MODEL.fingerprint
    assert answer.usage.total_tokens == expected.prompt_tokens + expected.completion_tokens
    entries = answer.choices[0].logprobs.content
    assert [(e.token, e.logprob) for e in entries] == [
        (step.token, step.logprob) for step in expected.steps
    ]
    assert all(len(entry.top_logprobs) == 3 for entry in entries)
    assert answer._request_id == got.headers["x-request-id"]
    assert answer.created == CREATED
    assert server.calls == 1


def test_the_official_sdk_reads_a_stream(client: Any) -> None:
    """The openai package joins the chunks to the same text and reads the usage at the end."""
    stream = client.chat.completions.create(
        **ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    expected = MODEL.generate("What is a Merkle tree?")
    assert content == expected.text
    assert chunks[-1].usage.completion_tokens == expected.completion_tokens
    assert chunks[-2].choices[0].finish_reason == expected.finish_reason


def test_the_official_sdk_raises_its_own_errors(client: Any) -> None:
    """Refusals arrive as the exceptions that users of the SDK already handle."""
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(**ASK | {"model": "gpt-x"})
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="supports only 1") as refused:
        client.chat.completions.create(**ASK, n=3)
    assert refused.value.param == "n"


def test_the_official_sdk_lists_the_model(client: Any) -> None:
    """models.list() shows the one model."""
    assert [model.id for model in client.models.list()] == [MODEL.name]
