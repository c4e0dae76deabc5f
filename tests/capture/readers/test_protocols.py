"""Which protocol a call spoke, whether it was an operation, and the smaller protocols."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import Completion, CreateEmbeddingResponse

from ledger.capture import readers
from ledger.model.archive import Media
from ledger.model.build import witness
from tests.capture.readers.bodies import (
    CHAT,
    CHAT_REQUEST,
    COMPLETION,
    COMPLETION_REQUEST,
    EMBEDDINGS,
    EMBEDDINGS_REQUEST,
    MESSAGE,
    MESSAGES_REQUEST,
    OPENAI,
    RESPONSE,
    RESPONSES_REQUEST,
    STREAM,
    post,
    prompt_of,
    stream,
    value_of,
)

LOCAL = "http://localhost:8000"
SPEECH = {"model": "tts-1", "input": "Hello", "voice": "alloy"}
EXCHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "chat": ("/v1/chat/completions", CHAT_REQUEST, CHAT, "chat"),
    "completion": ("/v1/completions", COMPLETION_REQUEST, COMPLETION, "text_completion"),
    "responses": ("/v1/responses", RESPONSES_REQUEST, RESPONSE, "chat"),
    "embeddings": ("/v1/embeddings", EMBEDDINGS_REQUEST, EMBEDDINGS, "embeddings"),
    "messages": ("/v1/messages", MESSAGES_REQUEST, MESSAGE, "chat"),
}


def test_embeddings() -> None:
    """The vectors are the output, and only input is billed."""
    CreateEmbeddingResponse.model_validate(EMBEDDINGS)
    reading = post(f"{OPENAI}/embeddings", EMBEDDINGS_REQUEST, EMBEDDINGS)
    assert reading.operation == "embeddings"
    assert prompt_of(reading) == "The food was delicious."
    assert value_of(reading.fields["output"]) == EMBEDDINGS["data"]
    assert reading.fields["parameters"] == {"encoding_format": "float"}
    assert reading.fields["prompt_tokens"] == 8
    assert reading.usage == {"input_tokens": 8}
    several = {**EMBEDDINGS_REQUEST, "input": ["a", "b"]}
    assert prompt_of(post(f"{OPENAI}/embeddings", several, EMBEDDINGS)) == ["a", "b"]


def test_a_text_completion() -> None:
    """Its lists of tokens become log-probabilities like those of a chat."""
    Completion.model_validate(COMPLETION)
    reading = post(f"{OPENAI}/completions", COMPLETION_REQUEST, COMPLETION)
    assert reading.operation == "text_completion"
    assert (prompt_of(reading), reading.fields["output"]) == ("Say this is a test", "\n\nThis")
    assert reading.fields["finish_reason"] == "length"
    assert reading.usage == {"input_tokens": 5, "output_tokens": 2}
    record, _ = witness(operation=reading.operation, **reading.fields)
    assert record.uncertainty is not None
    assert record.uncertainty.top_k_position == 1
    assert record.uncertainty.top_k_probs is not None
    assert [one.token for one in record.uncertainty.top_k_probs] == ["This", "A"]


def test_with_its_prompt_in_it_an_output_has_no_certainty() -> None:
    """The first token of an echoed prompt has no probability."""
    body = json.loads(json.dumps(COMPLETION))
    body["choices"][0]["logprobs"]["token_logprobs"][0] = None
    reading = post(f"{OPENAI}/completions", {**COMPLETION_REQUEST, "echo": True}, body)
    assert "logprobs" not in reading.fields
    assert reading.fields["output"] == "\n\nThis"


def test_a_streamed_text_completion() -> None:
    """Text and token lists are joined."""
    choice = COMPLETION["choices"][0]
    chunks = [
        {
            **COMPLETION,
            "usage": None,
            "choices": [
                {
                    "index": 0,
                    "text": token,
                    "finish_reason": None if number == 0 else "length",
                    "logprobs": {
                        key: [values[number]] for key, values in choice["logprobs"].items()
                    },
                }
            ],
        }
        for number, token in enumerate(["\n\n", "This"])
    ]
    chunks.append({**COMPLETION, "choices": []})
    url = f"{OPENAI}/completions"
    got = post(url, COMPLETION_REQUEST, stream(chunks, done=True), headers=STREAM)
    assert got == post(url, COMPLETION_REQUEST, COMPLETION)


@pytest.mark.parametrize("kind", EXCHANGES)
@pytest.mark.parametrize("base", [LOCAL, "http://10.0.0.7/proxy/openai", "https://llm.example.org"])
def test_the_protocol_does_not_depend_on_the_host(kind: str, base: str) -> None:
    """Any compatible server is understood; who serves there is then not known."""
    path, request, answer, operation = EXCHANGES[kind]
    reading = post(base + path, request, answer)
    assert reading.operation == operation
    assert reading.provider is None
    assert "model_provider" not in reading.fields
    assert reading.fields == {
        key: value
        for key, value in post(OPENAI + path.removeprefix("/v1"), request, answer).fields.items()
        if key not in ("model_provider", "provider_source")
    }


@pytest.mark.parametrize("kind", EXCHANGES)
def test_an_unusual_path_leaves_the_shape_of_the_answer(kind: str) -> None:
    """A gateway with paths of its own is understood by what comes back."""
    _, request, answer, operation = EXCHANGES[kind]
    assert post(f"{LOCAL}/ask", request, answer).operation == operation


def test_a_stream_on_an_unusual_path() -> None:
    """Its first event says what it is."""
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "4"}},
    ]
    reading = post(f"{LOCAL}/ask", MESSAGES_REQUEST, stream(events, named=True))
    assert (reading.operation, reading.fields["output"]) == ("chat", "4")


def test_bedrock_and_vertex_carry_anthropic_messages() -> None:
    """The body says the version of the protocol, the path the model, the host the region."""
    request = {key: value for key, value in MESSAGES_REQUEST.items() if key != "model"}
    model = "anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    bedrock = post(
        f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{model}/invoke",
        {"anthropic_version": "bedrock-2023-05-31", **request},
        b"\x00\x00\x01\x00binary events",
    )
    assert (bedrock.operation, bedrock.provider) == ("chat", "aws.bedrock")
    assert bedrock.fields["model"] == "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert bedrock.fields["deployment_region"] == "eu-west-1"
    assert "model_build_date" not in bedrock.fields
    vertex = post(
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/"
        "anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        {"anthropic_version": "vertex-2023-10-16", **request},
        MESSAGE,
    )
    assert (vertex.provider, vertex.fields["deployment_region"]) == ("gcp.vertex_ai", "us-east5")
    assert vertex.fields["requested_model"] == "claude-sonnet-4-5@20250929"
    assert vertex.fields["model"] == "claude-sonnet-4-5-20250929"


def test_a_post_of_unknown_shape_is_an_operation_all_the_same() -> None:
    """Its bodies are prompt and output, and its model is the one that a body names, or unknown."""
    reading = post(f"{OPENAI}/audio/speech", SPEECH, b"ID3\x04mp3")
    assert (reading.operation, reading.is_operation) == ("http_request", True)
    assert reading.fields["model"] == "tts-1"
    assert reading.fields["prompt"] == Media(json.dumps(SPEECH).encode(), "application/json")
    assert reading.fields["output"] == Media(b"ID3\x04mp3", "application/octet-stream")
    nothing = post(f"{LOCAL}/x", b"", b"", status=204)
    assert (nothing.fields["model"], nothing.model) == ("unknown", None)
    assert nothing.fields["prompt"] == Media(b"", "application/octet-stream")
    assert "output" not in nothing.fields
    witness(operation=reading.operation, **reading.fields)
    witness(operation=nothing.operation, **nothing.fields)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/chat/completions/chatcmpl-1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/files"),
        ("POST", "/v1/uploads/u/parts"),
        ("POST", "/v1/batches"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/fine_tuning/jobs"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("POST", "/v1/vector_stores"),
    ],
)
def test_what_asks_no_model_is_no_operation(method: str, path: str) -> None:
    """Lists, files, jobs and counts are recorded as calls only."""
    assert not post(
        OPENAI.removesuffix("/v1") + path, {"input": "x"}, {}, method=method
    ).is_operation


def test_a_known_protocol_is_an_operation_on_whatever_path() -> None:
    """A proxy may put its protocols below any folder."""
    assert post(f"{LOCAL}/files/v1/chat/completions", CHAT_REQUEST, CHAT).is_operation


def test_bodies_that_are_too_large_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt is then the body as it is, and the path says the protocol."""
    monkeypatch.setattr(readers, "PARSE_MAX_BYTES", 200)
    request = {**CHAT_REQUEST, "messages": [{"role": "user", "content": "x" * 200}]}
    body = json.dumps(request).encode()
    reading = post(f"{OPENAI}/chat/completions", body, CHAT)
    assert (reading.operation, reading.fields["model"]) == ("chat", "unknown")
    assert reading.fields["prompt"] == Media(body, "application/octet-stream")
    assert "output" not in reading.fields
    assert reading.usage == {}
    unknown = post(f"{OPENAI}/audio/speech", SPEECH, b"x" * 201)
    assert unknown.fields["output"] == Media(b"x" * 201, "application/octet-stream")


@pytest.mark.parametrize(
    ("model", "date"),
    [
        ("gpt-4o-2024-08-06", "2024-08-06"),
        ("claude-sonnet-4-5-20250929", "2025-09-29"),
        ("claude-sonnet-4-5@20250929", "2025-09-29"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "2024-10-22"),
        ("gpt-4o", None),
        ("gpt-4-0613", None),
        ("model-2024-02-30", None),
        ("model-20241301", None),
        ("m-2024-08-06-preview", None),
    ],
)
def test_the_build_date_is_the_one_in_the_name_of_the_model_that_answered(
    model: str, date: str | None
) -> None:
    """Of the name that was asked for it is not taken: an alias may answer with another model."""
    url = f"{OPENAI}/chat/completions"
    reading = post(url, CHAT_REQUEST, {**CHAT, "model": model})
    assert reading.fields.get("model_build_date") == date
    silent = {key: value for key, value in CHAT.items() if key != "model"}
    asked = post(url, {**CHAT_REQUEST, "model": model}, silent)
    assert "model_build_date" not in asked.fields
    assert asked.model == model
