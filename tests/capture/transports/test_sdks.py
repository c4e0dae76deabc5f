"""The official SDKs over clients that record: they work as ever, and refusals reach the caller."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading

import pytest

from ledger.capture.transports import async_client, sync_client
from ledger.errors import SessionError
from tests.capture.transports.serving import serving
from tests.capture.transports.streams import (
    CHAT,
    CHAT_REQUEST,
    COMPLETION,
    MESSAGE,
    MESSAGES,
    RESPONSES,
)
from tests.capture.transports.test_sync import play, step, whole

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")

ASK = {**CHAT_REQUEST, "max_tokens": 10}


def for_openai(session, served, flavour="httpx2", **more):
    http_client = sync_client(session, flavour=flavour)
    return openai.OpenAI(
        base_url=f"{served.url}/v1", api_key="sk-x", http_client=http_client, **more
    )


def for_anthropic(session, served, **more):
    http_client = sync_client(session)
    return anthropic.Anthropic(base_url=served.url, api_key="sk-x", http_client=http_client, **more)


def impatient(exchange):
    """Ask the SDK to come back, at once."""
    exchange.whole(b'{"error":{"message":"slow down"}}', 429, retry_after_ms="1", retry_after="0")


def test_openai_chat(session, flavour):
    with (
        serving(whole(x_request_id="req_1")) as served,
        for_openai(session, served, flavour) as client,
    ):
        answer = client.chat.completions.create(**CHAT_REQUEST)
        session.remember()
        again = client.chat.completions.create(**CHAT_REQUEST)
        assert len(served.requests) == 1
    assert answer.choices[0].message.content == "Hello"
    assert again == answer
    assert again._request_id == "req_1"
    assert json.loads(session.calls[0].request.body) == CHAT_REQUEST
    assert session.calls[0].response.body == COMPLETION


def test_openai_chat_streams_token_by_token_and_again_from_the_record(session, flavour):
    with (
        serving(step(*CHAT)) as served,
        for_openai(session, served, flavour) as client,
    ):
        served.proceed()
        stream = client.chat.completions.create(**CHAT_REQUEST, stream=True)
        parts = []
        for chunk in stream:
            assert session.calls[0].outcome is None
            parts.append(chunk.choices[0].delta.content)
            served.proceed()  # the provider sends nothing without it
        assert session.calls[0].how == "complete"
        session.remember()
        again = client.chat.completions.create(**CHAT_REQUEST, stream=True)
        assert [chunk.choices[0].delta.content for chunk in again] == parts == ["Hel", "lo"]
        assert len(served.requests) == 1


def test_openai_responses_stream(session):
    with serving(play(*RESPONSES)) as served, for_openai(session, served) as client:
        stream = client.responses.create(model="m", input="Hi", stream=True)
        kinds = [one.type for one in stream]
    assert kinds == ["response.created", "response.output_text.delta", "response.completed"]
    assert session.call.how == "complete"
    assert session.call.response.body == b"".join(RESPONSES)


def test_a_retry_of_the_sdk_is_a_second_call(session):
    with serving(impatient, whole()) as served, for_openai(session, served) as client:
        assert client.chat.completions.create(**CHAT_REQUEST).choices
    assert [call.response.http_status for call in session.calls] == [429, 200]
    assert session.calls[0].request.body == session.calls[1].request.body


def test_openai_asynchronously(session):
    async def work(served):
        client = openai.AsyncOpenAI(
            base_url=served.url, api_key="sk-x", http_client=async_client(session)
        )
        async with client:
            answer = await client.chat.completions.create(**CHAT_REQUEST)
            assert answer.choices[0].message.content == "Hello"
            stream = await client.chat.completions.create(**CHAT_REQUEST, stream=True)
            parts = []
            served.proceed()
            async for chunk in stream:
                parts.append(chunk.choices[0].delta.content)
                served.proceed()
            assert parts == ["Hel", "lo"]

    with serving(whole(), step(*CHAT)) as served:
        asyncio.run(work(served))
    assert [call.how for call in session.calls] == [None, "complete"]


def test_anthropic_messages(session):
    body = json.dumps(MESSAGE).encode()
    with (
        serving(whole(body), play(*MESSAGES)) as served,
        for_anthropic(session, served) as client,
    ):
        for _ in range(2):
            assert client.messages.create(**ASK).content[0].text == "Hello"
            with client.messages.stream(**ASK) as stream:
                assert "".join(stream.text_stream) == "Hello"
                assert stream.get_final_message().stop_reason == "end_turn"
            session.remember()
        assert len(served.requests) == 2
    assert [call.how for call in session.calls] == [None, "complete", None, None]
    assert session.calls[1].response.body == b"".join(MESSAGES)


def test_anthropic_streams_event_by_event(session):
    with serving(step(*MESSAGES)) as served, for_anthropic(session, served) as client:
        served.proceed(3)
        with client.messages.stream(**ASK) as stream:
            for text in stream.text_stream:
                assert session.call.outcome is None
                served.proceed(1 if text == "Hel" else 3)
    assert session.call.how == "complete"


def test_anthropic_asynchronously(session):
    body = json.dumps(MESSAGE).encode()

    async def work(served):
        client = anthropic.AsyncAnthropic(
            base_url=served.url, api_key="sk-x", http_client=async_client(session)
        )
        async with client:
            assert (await client.messages.create(**ASK)).content[0].text == "Hello"
            async with client.messages.stream(**ASK) as stream:
                assert "".join([text async for text in stream.text_stream]) == "Hello"

    with serving(whole(body), play(*MESSAGES)) as served:
        asyncio.run(work(served))
    assert [call.how for call in session.calls] == [None, "complete"]


def test_an_early_close_through_an_sdk_is_told_as_closed(session):
    with serving(step(*CHAT)) as served, for_openai(session, served) as client:
        served.proceed()
        with client.chat.completions.create(**CHAT_REQUEST, stream=True) as stream:
            next(stream)
    assert session.call.how == "closed"
    assert session.call.response.body == CHAT[0]


def test_a_cancelled_task_of_an_sdk_abandons_the_call(session):
    async def work(served):
        async with openai.AsyncOpenAI(
            base_url=served.url, api_key="sk-x", http_client=async_client(session)
        ) as client:
            task = asyncio.create_task(client.chat.completions.create(**CHAT_REQUEST))
            while not served.requests:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with serving(lambda exchange: exchange.wait()) as served:
        asyncio.run(work(served))
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")


# Refusals and failures


def refused(session):
    session.refusal = SessionError("budget_exceeded", "no money left", hint="raise the budget")


def failing(session):
    session.failure = SessionError("capture_failed", "the disk is full", hint="make room")


def ask_openai(session, served):
    with for_openai(session, served) as client:
        client.chat.completions.create(**CHAT_REQUEST)


def ask_anthropic(session, served):
    with for_anthropic(session, served) as client:
        client.messages.create(**ASK)


def stream_openai(session, served):
    with for_openai(session, served) as client:
        list(client.chat.completions.create(**CHAT_REQUEST, stream=True))


def stream_anthropic(session, served):
    with for_anthropic(session, served) as client, client.messages.stream(**ASK) as stream:
        stream.get_final_text()


def async_openai(session, served):
    async def work():
        async with openai.AsyncOpenAI(
            base_url=served.url, api_key="sk-x", http_client=async_client(session)
        ) as client:
            await client.chat.completions.create(**CHAT_REQUEST)

    asyncio.run(work())


def async_anthropic(session, served):
    async def work():
        async with anthropic.AsyncAnthropic(
            base_url=served.url, api_key="sk-x", http_client=async_client(session)
        ) as client:
            await client.messages.create(**ASK)

    asyncio.run(work())


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (ask_openai, whole()),
        (ask_anthropic, whole()),
        (async_openai, whole()),
        (async_anthropic, whole()),
        (stream_openai, play(*CHAT)),
        (stream_anthropic, play(*MESSAGES)),
    ],
)
@pytest.mark.parametrize("trouble", [refused, failing])
def test_an_error_of_the_ledger_reaches_the_caller_as_itself_and_is_not_retried(
    session, ask, answer, trouble
):
    trouble(session)
    asked = []
    begin = session.begin

    def counting(request):
        asked.append(request)
        return begin(request)

    session.begin = counting
    with serving(answer) as served, pytest.raises(SessionError) as raised:
        ask(session, served)
    error = session.refusal or session.failure
    assert (raised.value.code, str(raised.value)) == (error.code, str(error))
    assert raised.value.hint == error.hint
    assert len(asked) == 1
    assert len(served.requests) == (0 if trouble is refused else 1)


def test_such_an_error_can_be_sent_to_another_process(session):
    refused(session)
    with serving(whole()) as served, pytest.raises(SessionError) as raised:
        ask_anthropic(session, served)
    assert isinstance(raised.value, anthropic.AnthropicError)
    copied = pickle.loads(pickle.dumps(raised.value))
    assert type(copied) is SessionError
    assert str(copied) == str(raised.value)


def test_a_lost_connection_is_what_the_sdk_makes_of_it(session):
    with (
        serving(lambda exchange: exchange.drop()) as served,
        for_anthropic(session, served, max_retries=0) as client,
        pytest.raises(anthropic.APIConnectionError),
    ):
        client.messages.create(**ASK)
    assert (session.call.outcome, session.call.how) == ("broke", "disconnected")


def test_an_sdk_in_many_threads(session):
    with serving(whole()) as served, for_openai(session, served) as client:

        def ask(number):
            content = f"question {number}"
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": content}]
            )

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {json.loads(call.request.body)["messages"][0]["content"] for call in session.calls} == {
        f"question {number}" for number in range(8)
    }
