"""The official SDKs, recorded, against the loopback provider and its faults."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ledger.capture.exchange import decode_body
from ledger.capture.transports import async_client, sync_client
from tests.helpers.provider import module_provider, serial_of

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")

__all__ = ["module_provider"]

ASK = {"model": "demo", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def provider(module_provider):
    yield module_provider
    module_provider.control(encoding=None, gate=False)


@pytest.fixture
def client(session, provider):
    with openai.OpenAI(
        base_url=provider.base_url, api_key="k", http_client=sync_client(session)
    ) as made:
        yield made


def chat(client):
    return client.chat.completions.create(**ASK).choices[0].message.content


def chat_stream(client):
    stream = client.chat.completions.create(**ASK, stream=True)
    return "".join(part.choices[0].delta.content or "" for part in stream if part.choices)


def responses(client):
    return client.responses.create(model="demo", input="Hi").output_text


def responses_stream(client):
    with client.responses.stream(model="demo", input="Hi") as stream:
        return stream.get_final_response().output_text


def embeddings(client):
    return client.embeddings.create(model="demo", input="Hi").data[0].embedding


def messages(client):
    other = anthropic.Anthropic(
        base_url=str(client.base_url).removesuffix("/v1/"),
        api_key="k",
        http_client=client._client,
    )
    return other.messages.create(**ASK, max_tokens=100).content[0].text


def messages_stream(client):
    other = anthropic.Anthropic(
        base_url=str(client.base_url).removesuffix("/v1/"),
        api_key="k",
        http_client=client._client,
    )
    with other.messages.stream(**ASK, max_tokens=100) as stream:
        return stream.get_final_text()


ASKS = [chat, chat_stream, responses, responses_stream, embeddings, messages, messages_stream]
STREAMS = [chat_stream, responses_stream, messages_stream]


@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("ask", ASKS)
def test_each_way_of_asking_is_paid_once_and_given_again(client, session, provider, ask, encoding):
    provider.control(encoding=encoding)
    paid = provider.paid()
    first = ask(client)
    call = session.call
    assert call.outcome == "responded"
    assert call.how == ("complete" if ask in STREAMS else None)
    session.remember()
    assert ask(client) == first
    assert provider.paid() == paid + 1
    if ask is not embeddings:
        assert serial_of(first) == provider.journal()[-1].serial
    assert decode_body(call.response)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("fault", ["429", "500", "hang_up", "drop_before"])
def test_what_the_sdk_asks_again_is_a_second_call(client, session, provider, ask, fault):
    provider.faults(fault)
    assert ask(client)
    first, second = session.calls
    expected = ("responded", None) if fault.isdigit() else ("broke", "disconnected")
    assert (first.outcome, first.how) == expected
    assert second.outcome == "responded"
    assert first.request.body == second.request.body


@pytest.mark.parametrize("ask", STREAMS)
@pytest.mark.parametrize(
    ("fault", "how"),
    [("drop_midway", "interrupted"), ("end_early", "interrupted"), ("error_event", "error")],
)
def test_a_stream_that_goes_wrong(client, session, provider, ask, fault, how):
    provider.faults(fault)
    with contextlib.suppress(Exception):  # what an SDK makes of it is its own
        ask(client)
    assert (session.call.outcome, session.call.how) == ("responded", how)
    assert session.call.response.body


def test_tokens_are_handed_on_while_the_provider_holds_the_next_ones(client, session, provider):
    provider.control(gate=True)
    stream = client.chat.completions.create(**ASK, stream=True)
    taken = []
    for part in stream:
        taken.append(part)
        assert session.call.outcome is None
        provider.until_waiting()
        provider.advance()
        if len(taken) == 3:
            break
    stream.close()
    assert session.call.how == "closed"
    provider.advance(1000)


def test_asynchronously(session, provider):
    async def work():
        async with openai.AsyncOpenAI(
            base_url=provider.base_url, api_key="k", http_client=async_client(session)
        ) as client:

            async def ask(number):
                answer = await client.chat.completions.create(
                    model="demo", messages=[{"role": "user", "content": f"Hi {number}"}]
                )
                return serial_of(answer.choices[0].message.content)

            return await asyncio.gather(*map(ask, range(8)))

    paid = provider.paid()
    assert len(set(asyncio.run(work()))) == 8
    assert provider.paid() == paid + 8
    assert [call.outcome for call in session.calls] == ["responded"] * 8
