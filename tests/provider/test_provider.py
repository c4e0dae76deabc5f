"""The loopback provider, as the official SDKs see it, without any ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel

from tests.helpers.provider import Provider, serial_of

HI: Any = [{"role": "user", "content": "hi"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="test", max_retries=0) as one:
        yield one


@pytest.fixture
def other(provider: Provider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.root, api_key="test", max_retries=0) as one:
        yield one


def ask(client: openai.OpenAI, model: str = "demo", **more: Any) -> str:
    answer = client.chat.completions.create(model=model, messages=HI, **more)
    return str(answer.choices[0].message.content)


def asked_stream(client: openai.OpenAI, model: str = "demo") -> list[str]:
    with client.chat.completions.create(model=model, messages=HI, stream=True) as stream:
        return [chunk.choices[0].delta.content or "" for chunk in stream]


def test_each_call_has_its_own_number_and_is_in_the_journal(
    provider: Provider, client: openai.OpenAI
) -> None:
    assert [serial_of(ask(client)) for _ in range(3)] == [1, 2, 3]
    journal = provider.journal()
    assert [(one.serial, one.path, one.model, one.status) for one in journal] == [
        (number, "/v1/chat/completions", "demo", 200) for number in (1, 2, 3)
    ]
    assert provider.paid() == 3
    assert list(provider.paid_by_digest().values()) == [3]


def test_the_same_request_and_number_have_the_same_answer(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        with (
            Provider(tmp_path / name) as one,
            openai.OpenAI(base_url=one.base_url, api_key="x") as sdk,
        ):
            texts.append(ask(sdk))
    assert texts[0] == texts[1]


def test_chat_as_a_stream_with_usage(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model="demo", messages=HI, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert serial_of(text) == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 16
    assert {chunk.system_fingerprint for chunk in chunks} == {"fp_loopback_1"}


def test_chat_with_tools_logprobs_several_choices_and_structured_output(
    client: openai.OpenAI,
) -> None:
    class Answer(BaseModel):
        answer: str

    called = client.chat.completions.create(
        model="demo", messages=HI, tools=[TOOL], tool_choice="required"
    ).choices[0]
    assert called.finish_reason == "tool_calls"
    assert called.message.tool_calls
    likely = client.chat.completions.create(
        model="demo", messages=HI, n=2, logprobs=True, top_logprobs=2
    )
    assert len(likely.choices) == 2
    assert likely.choices[0].logprobs is not None
    assert likely.choices[0].logprobs.content is not None
    assert len(likely.choices[0].logprobs.content[0].top_logprobs) == 2
    parsed = client.chat.completions.parse(model="demo", messages=HI, response_format=Answer)
    assert parsed.choices[0].message.parsed is not None
    assert serial_of(parsed.choices[0].message.parsed.answer) == 3


def test_responses_whole_and_as_a_stream(client: openai.OpenAI) -> None:
    assert serial_of(client.responses.create(model="demo", input="hi").output_text) == 1
    with client.responses.stream(model="demo", input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert serial_of(final.output_text) == 2
    assert final.usage is not None
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_a_response_is_kept(provider: Provider, client: openai.OpenAI) -> None:
    """It is given again under its id, whole and as a stream from the start, for nothing."""
    made = client.responses.create(model="demo", input="hi")
    assert client.responses.retrieve(made.id) == made
    events = list(client.responses.retrieve(made.id, stream=True))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    other = client.responses.create(model="demo", input="hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(other.id)
    assert provider.paid() == 2
    assert [entry.status for entry in provider.journal()] == [200, 200, 200, 200, 404]


def test_responses_with_a_tool(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "name": "find", "parameters": {}, "strict": False}
    with client.responses.stream(
        model="demo", input="hi", tools=[tool], tool_choice="required"
    ) as stream:
        [called] = stream.get_final_response().output
    assert called.type == "function_call"


def test_embeddings_and_models(provider: Provider, client: openai.OpenAI) -> None:
    made = client.embeddings.create(model="demo", input=["one", "two"])
    assert [serial_of(one.embedding) for one in made.data] == [1, 1]
    plain = client.embeddings.create(model="demo", input="one", encoding_format="float")
    assert serial_of(plain.data[0].embedding) == 2
    assert [one.id for one in client.models.list()] == ["demo-1"]
    assert provider.paid() == 2
    assert [one.paid for one in provider.journal()] == [True, True, False]


def test_messages_whole_as_a_stream_and_with_a_tool(other: anthropic.Anthropic) -> None:
    given: Any = {"model": "demo", "max_tokens": 99, "messages": HI}
    [block] = other.messages.create(**given).content
    assert block.type == "text"
    assert serial_of(block.text) == 1
    with other.messages.stream(**given) as stream:
        kinds = [event.type for event in stream]
        assert serial_of(stream.get_final_text()) == 2
    assert kinds[-1] == "message_stop"
    tool = {"name": "find", "input_schema": {"type": "object"}}
    with other.messages.stream(**given, tools=[tool], tool_choice={"type": "any"}) as stream:
        [block] = stream.get_final_message().content
    assert block.type == "tool_use"
    assert serial_of(block.input) == 3


def test_the_older_completions(client: openai.OpenAI) -> None:
    assert serial_of(client.completions.create(model="demo", prompt="hi").choices[0].text) == 1
    with client.completions.create(model="demo", prompt="hi", stream=True) as stream:
        assert serial_of("".join(chunk.choices[0].text for chunk in stream)) == 2


def test_asynchronous_clients(provider: Provider) -> None:
    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="x") as sdk:
            answers = [sdk.responses.create(model="demo", input=str(n)) for n in range(8)]
            return [one.output_text for one in await asyncio.gather(*answers)]

    assert sorted(map(serial_of, asyncio.run(run()))) == list(range(1, 9))


@pytest.mark.parametrize("fault", ["429", "500", "529", "hang_up"])
def test_a_refusal_costs_nothing_and_the_sdk_asks_again(provider: Provider, fault: str) -> None:
    provider.faults(fault)
    with openai.OpenAI(base_url=provider.base_url, api_key="x", max_retries=1) as sdk:
        assert serial_of(ask(sdk)) == 1
    assert [(one.paid, one.fault) for one in provider.journal()] == [(False, fault), (True, None)]


@pytest.mark.parametrize("fault", ["drop_before", "drop_midway"])
def test_a_lost_answer_was_paid(provider: Provider, client: openai.OpenAI, fault: str) -> None:
    provider.faults(fault)
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        ask(client)
    assert provider.paid() == 1


@pytest.mark.parametrize(
    ("fault", "texts"), [("end_early", True), ("error_event", False), ("drop_midway", False)]
)
def test_a_stream_that_is_cut(
    provider: Provider, client: openai.OpenAI, fault: str, texts: bool
) -> None:
    provider.faults(fault)
    if texts:  # the SDK of OpenAI takes the end of the body for the end of the answer
        assert serial_of("".join(asked_stream(client))) == 1
    else:
        with pytest.raises((openai.APIError, httpx2.TransportError)):
            asked_stream(client)
    assert provider.paid() == 1


def test_faults_of_other_protocols_streams(
    provider: Provider, client: openai.OpenAI, other: anthropic.Anthropic
) -> None:
    provider.faults("error_event", "error_event", "end_early")
    with client.responses.create(model="demo", input="hi", stream=True) as events:
        assert [event.type for event in events][-1] == "error"
    for _ in range(2):
        given: Any = {"model": "demo", "max_tokens": 9, "messages": HI, "stream": True}
        kinds: list[str] = []
        try:
            with other.messages.create(**given) as stream:
                kinds += [event.type for event in stream]
        except anthropic.APIError as error:
            kinds.append(type(error).__name__)
        assert kinds[-1] != "message_stop"


def test_faults_by_the_name_of_the_model(provider: Provider, client: openai.OpenAI) -> None:
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(client, "demo!500x2")
    assert serial_of(ask(client, "demo!500x2")) == 1
    for _ in range(3):
        with pytest.raises(openai.BadRequestError):
            ask(client, "demo!400")
    assert provider.paid() == 1


@pytest.mark.parametrize("fault", ["die", "die_midway"])
def test_its_death_loses_no_count_and_no_port(
    provider: Provider, client: openai.OpenAI, fault: str
) -> None:
    address = provider.base_url
    assert serial_of(ask(client)) == 1
    provider.faults(fault)
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        ask(client)
    assert provider.died() == 1
    assert provider.paid() == 2
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    provider.start()
    assert provider.base_url == address
    assert serial_of(ask(client)) == 3


def test_the_gate_lets_one_chunk_through_at_a_time(
    provider: Provider, client: openai.OpenAI
) -> None:
    provider.control(gate=True, chunks=3)
    with client.chat.completions.create(model="demo", messages=HI, stream=True) as stream:
        chunks = iter(stream)
        seen = [next(chunks)]
        while len(seen) < 3:
            provider.until_waiting()
            provider.advance()
            seen.append(next(chunks))
        provider.until_waiting()
        provider.control(gate=False)
        seen += chunks
    assert serial_of("".join(chunk.choices[0].delta.content or "" for chunk in seen)) == 1


def test_a_stalled_answer_is_paid_and_comes_when_it_is_let_go(provider: Provider) -> None:
    provider.faults("stall")

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="x") as sdk:
            task = asyncio.create_task(sdk.responses.create(model="demo", input="hi"))
            await asyncio.to_thread(provider.until_waiting)
            assert provider.paid() == 1
            assert not task.done()
            provider.advance()
            return (await task).output_text

    assert serial_of(asyncio.run(run())) == 1


def test_a_stalled_answer_that_nobody_waits_for_any_more_is_given_up(
    provider: Provider, client: openai.OpenAI
) -> None:
    provider.faults("stall_midway")
    with pytest.raises((openai.APITimeoutError, httpx2.TimeoutException)):
        ask(client, timeout=0.3)
    provider.until(lambda: provider.state()["waiting"] == 0, "nobody waiting")
    assert serial_of(ask(client)) == 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_encoded_bodies(provider: Provider, client: openai.OpenAI, encoding: str) -> None:
    provider.control(encoding=encoding)
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=HI)
    assert raw.headers["content-encoding"] == encoding
    assert serial_of(raw.parse().choices[0].message.content) == 1
    assert serial_of("".join(asked_stream(client))) == 2


def test_what_answers_say_of_the_provider(provider: Provider, client: openai.OpenAI) -> None:
    provider.control(fingerprint="fp_other", version="2027", region="West Europe")
    raw = client.chat.completions.with_raw_response.create(model="demo!ok", messages=HI)
    answer = raw.parse()
    assert (answer.model, answer.system_fingerprint) == ("demo-2027", "fp_other")
    assert raw.headers["x-request-id"] == "req_loopback_000001"
    assert raw.headers["x-ratelimit-remaining-requests"] == "99999"
    assert raw.headers["x-ms-region"] == "West Europe"
    assert "set-cookie" in raw.headers


def test_orders_that_it_does_not_know_are_refused(provider: Provider) -> None:
    for path, value in [
        ("/control", {"faults": ["burn"]}),
        ("/control", {"colour": "red"}),
        ("/v1/chat/completions", ["no object"]),
    ]:
        assert httpx2.post(provider.root + path, json=value).status_code == 400
    assert httpx2.post(provider.root + "/v1/other", json={}).status_code == 404
    assert provider.paid() == 0
