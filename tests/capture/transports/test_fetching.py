"""OpenAI's SDK, a stream that breaks off, and its answer fetched in the next run: paid once."""

from __future__ import annotations

import asyncio

import pytest

from tests.capture.transports.test_session import bodies, opened
from tests.helpers.provider import provider, serial_of

openai = pytest.importorskip("openai")

__all__ = ["opened", "provider"]

ASK = {"model": "demo", "input": "Hi", "background": True, "store": True, "stream": True}


def text_of(events):
    return "".join(one.delta for one in events if one.type == "response.output_text.delta")


def ask(session, provider, flavour):
    with openai.OpenAI(
        base_url=provider.base_url, api_key="k", http_client=session.http_client(flavour=flavour)
    ) as client:
        return list(client.responses.create(**ASK))


async def ask_async(session, provider, flavour):
    http_client = session.async_http_client(flavour=flavour)
    async with openai.AsyncOpenAI(
        base_url=provider.base_url, api_key="k", http_client=http_client
    ) as client:
        return [one async for one in await client.responses.create(**ASK)]


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("concurrent", [False, True], ids=["sync", "async"])
def test_a_stream_that_broke_off_is_fetched_whole(opened, provider, flavour, concurrent, encoding):
    """The caller gets every event, from the first to the last; then the record has them."""

    def run(**options):
        with opened(**options) as session:
            if concurrent:
                return asyncio.run(ask_async(session, provider, flavour))
            return ask(session, provider, flavour)

    provider.control(encoding=encoding)
    provider.faults("drop_midway")
    with pytest.raises(Exception, match=r"(?i)peer|incomplete|connection"):
        run()
    events = run(on_unknown="fetch")
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert serial_of(text_of(events)) == 1
    assert run() == events
    assert [entry.method for entry in provider.journal()] == ["POST", "GET"]
    assert provider.paid() == 1


def test_an_answer_that_is_not_kept_is_the_callers_to_decide(opened, provider):
    """The 404 is shown as it came; asked for anew it is only when the session is told to."""
    provider.faults("drop_midway")
    with opened() as session, pytest.raises(Exception, match=r"(?i)peer|incomplete|connection"):
        ask(session, provider, None)
    provider.start()  # it remembers nothing
    with opened(on_unknown="fetch") as session, pytest.raises(openai.NotFoundError):
        ask(session, provider, None)
    with opened(on_unknown="retry") as session:
        assert serial_of(text_of(ask(session, provider, None))) == 2
        sent = [one for one in bodies(session) if "attempt" in one]
    assert [one.get("fetches") is not None for one in sent] == [False, True, False]
    assert provider.paid() == 2
