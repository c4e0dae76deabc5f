"""What a session is told of the requests of an asynchronous client, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import importlib
import threading
from contextlib import asynccontextmanager
from importlib.util import find_spec

import anyio
import pytest

from ledger.capture.transports import async_client
from ledger.errors import SessionError
from tests.capture.fake_session import PLACE
from tests.capture.transports.serving import WAIT_SECONDS, serving
from tests.capture.transports.streams import CHAT, CHAT_REQUEST, COMPLETION
from tests.capture.transports.test_sync import play, step, whole

# Trio warns of what httpx itself leaves to the garbage collector when a stream is closed early.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")


@pytest.fixture
def errors(flavour):
    return importlib.import_module(flavour)


@pytest.fixture(params=["asyncio", *(["trio"] if find_spec("trio") else [])])
def run(request):
    """Run a coroutine function under each event loop that there is."""

    def run(work):
        try:
            anyio.run(work, backend=request.param)
        finally:
            gc.collect()

    return run


@pytest.fixture
def asked(session, flavour):
    """Return a context manager: a server with a script, and a client."""

    @asynccontextmanager
    async def asked(*script):
        with serving(*script) as served:
            async with async_client(session, flavour=flavour) as client:
                yield served, client

    return asked


async def until(event):
    """Wait for a thread without keeping the loop from running."""
    while not event.is_set():
        await anyio.sleep(0.005)


def test_a_request_and_its_answer_are_told_as_they_were_on_the_wire(asked, session, run):
    packed = gzip.compress(COMPLETION)

    async def body():
        yield b'{"a":'
        yield b"1}"

    async def work():
        async with asked(whole(packed, content_encoding="gzip")) as (served, client):
            PLACE.set("here")
            answer = await client.post(served.url, content=body())
            assert answer.json()["id"] == "c1"
            assert served.requests[0].body == b'{"a":1}'

    run(work)
    assert session.call.place == "here"
    assert session.call.request.body == b'{"a":1}'
    assert (session.call.outcome, session.call.how) == ("responded", None)
    assert session.call.response.body == packed


def test_blocking_work_of_the_session_leaves_the_loop_running(asked, session, run):
    session.begin_gate = threading.Event()

    async def work():
        async with asked(whole()) as (served, client), anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, served.url)
            await until(session.begun)
            session.begin_gate.set()

    run(work)
    assert session.call.outcome == "responded"


def test_each_chunk_is_handed_on_before_the_next_one_is_sent(asked, session, run):
    async def work():
        async with (
            asked(step(*CHAT)) as (served, client),
            client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
        ):
            chunks = answer.aiter_raw()
            for expected in CHAT:
                assert session.call.outcome is None
                served.proceed()  # the provider sends nothing without it
                assert await anext(chunks) == expected
            assert session.call.how == "complete"
            assert await anext(chunks, None) is None

    run(work)
    assert session.call.response.body == b"".join(CHAT)


def test_a_caller_that_sees_the_end_event_knows_that_it_is_recorded(asked, session, run):
    session.failure = SessionError("capture_failed", "the disk is full")
    taken = []

    async def work():
        async with (
            asked(play(*CHAT)) as (served, client),
            client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
        ):
            async for chunk in answer.aiter_raw():
                taken.append(chunk)

    with pytest.raises(SessionError, match="the disk is full"):
        run(work)
    assert taken == CHAT[:-1]


@pytest.mark.parametrize("seen", [0, 1])
def test_a_stream_that_the_caller_closes_is_told_as_far_as_it_was_taken(asked, session, run, seen):
    async def work():
        async with (
            asked(step(*CHAT)) as (served, client),
            client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
        ):
            served.proceed(seen)
            chunks = answer.aiter_raw()
            for _ in range(seen):
                await anext(chunks)

    run(work)
    assert (session.call.outcome, session.call.how) == ("responded", "closed")
    assert session.call.response.body == b"".join(CHAT[:seen])


def test_a_dropped_connection_is_told_and_raised_unchanged(asked, session, run, errors):
    taken = []

    async def work():
        async with (
            asked(play(*CHAT[:2], end=False)) as (served, client),
            client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
        ):
            async for chunk in answer.aiter_raw():
                taken.append(chunk)

    with pytest.raises(errors.RemoteProtocolError):
        run(work)
    assert taken == CHAT[:2]
    assert (session.call.outcome, session.call.how) == ("responded", "interrupted")


@pytest.mark.parametrize("status", [200, 503])
def test_a_body_that_is_cut_off_is_disconnected_and_kept(asked, session, run, errors, status):
    def cut(exchange):
        exchange.head(status, content_type="application/json")
        exchange.chunk(b'{"half":')
        exchange.drop()

    async def work():
        async with asked(cut) as (served, client):
            await client.post(served.url, json=CHAT_REQUEST)

    with pytest.raises(errors.RemoteProtocolError):
        run(work)
    assert (session.call.outcome, session.call.how) == ("broke", "disconnected")
    assert session.call.response.body == b'{"half":'


def test_a_connection_that_cannot_be_made_is_not_sent(asked, session, run, errors):
    async def work():
        async with asked(whole()) as (_, client):
            with serving(whole()) as gone:
                pass
            await client.post(gone.url, json=CHAT_REQUEST)

    with pytest.raises(errors.ConnectError):
        run(work)
    assert (session.call.outcome, session.call.how) == ("broke", "not_sent")


def test_a_failure_to_record_is_raised_instead_of_the_answer(asked, session, run):
    session.failure = SessionError("capture_failed", "the disk is full")

    async def work():
        async with asked(whole()) as (served, client):
            await client.post(served.url, json=CHAT_REQUEST)

    with pytest.raises(SessionError, match="the disk is full"):
        run(work)


def test_a_call_that_may_not_be_made_is_not_sent(asked, session, run):
    session.refusal = SessionError("budget_exceeded", "no money left")

    async def work():
        async with asked(whole()) as (served, client):
            with pytest.raises(SessionError) as refused:
                await client.post(served.url, json=CHAT_REQUEST)
            assert refused.value is session.refusal
            assert served.requests == []

    run(work)


@pytest.mark.parametrize("answer", [play(*CHAT), whole(x_request_id="r")])
def test_a_recorded_answer_is_the_same_bytes_without_a_request(asked, session, run, answer):
    async def work():
        async with asked(answer) as (served, client):
            first = await client.post(served.url, json=CHAT_REQUEST)
            session.remember()
            again = await client.post(served.url, json=CHAT_REQUEST)
            assert len(served.requests) == 1
            assert again.extensions["vif_reused"] is True
            assert again.headers == first.headers
            assert (again.status_code, again.content) == (first.status_code, first.content)

    run(work)
    assert session.calls[1].outcome is None


def test_a_recorded_stream_that_was_closed_early_does_not_pass_for_a_whole_one(asked, session, run):
    async def work():
        async with asked(step(*CHAT)) as (served, client):
            async with client.stream("POST", served.url, json=CHAT_REQUEST) as answer:
                served.proceed()
                await anext(answer.aiter_raw())
            session.remember()
            await client.post(served.url, json=CHAT_REQUEST)

    with pytest.raises(SessionError, match="ends here, where the caller closed"):
        run(work)


# Cancellation


def waits(exchange):
    exchange.wait()


def cancelled_at(asked, session, run, script, reached):
    """Cancel a request at a moment that `reached` waits for, by the scope and by the task."""

    async def work():
        async with asked(script) as (served, client), anyio.create_task_group() as tasks:

            async def ask():
                async with client.stream("POST", served.url, json=CHAT_REQUEST) as answer:
                    async for _ in answer.aiter_raw():
                        served.taken.set()

            served.taken = threading.Event()
            tasks.start_soon(ask)
            await reached(served)
            tasks.cancel_scope.cancel()

    run(work)
    assert session.settled.wait(WAIT_SECONDS)


def test_a_task_that_is_cancelled_while_it_waits_abandons_the_call(asked, session, run):
    async def reached(served):
        while not served.requests:
            await anyio.sleep(0.005)

    cancelled_at(asked, session, run, waits, reached)
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")
    assert session.call.response is None


def test_a_task_that_is_cancelled_in_the_middle_of_a_stream_abandons_the_call(asked, session, run):
    def stall(exchange):
        exchange.head()
        exchange.chunk(CHAT[0])
        exchange.wait()

    async def reached(served):
        await until(served.taken)

    cancelled_at(asked, session, run, stall, reached)
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")
    assert session.call.response.body == CHAT[0]


def test_a_task_that_is_cancelled_in_the_middle_of_a_body_abandons_the_call(asked, session, run):
    sent = threading.Event()

    def stall(exchange):
        exchange.head(content_type="application/json")
        exchange.chunk(b"{")
        sent.set()
        exchange.wait()

    async def reached(served):
        await until(sent)
        await anyio.sleep(0.05)

    cancelled_at(asked, session, run, stall, reached)
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")


def test_a_task_that_is_cancelled_before_it_sends_has_not_sent(asked, session, run):
    session.begin_gate = threading.Event()

    async def reached(served):
        await until(session.begun)
        threading.Timer(0.1, session.begin_gate.set).start()

    cancelled_at(asked, session, run, whole(), reached)
    assert (session.call.outcome, session.call.how) == ("broke", "not_sent")


def test_cancelling_the_task_itself_is_recorded_as_well(session, flavour):
    """asyncio's own `Task.cancel`, which no scope of anyio shields from, also a second time."""

    async def work():
        with serving(waits) as served:
            async with async_client(session, flavour=flavour) as client:
                for moment in ("begin", "answer"):
                    session.begun.clear()
                    session.settled.clear()
                    session.begin_gate = threading.Event()
                    task = asyncio.create_task(client.get(served.url))
                    await until(session.begun)
                    if moment == "answer":
                        session.begin_gate.set()
                        while not served.requests:
                            await asyncio.sleep(0.005)
                    task.cancel()
                    await asyncio.sleep(0)
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                    assert task.cancelled()
                    session.begin_gate.set()
                    await until(session.settled)

    asyncio.run(work())
    assert [(call.outcome, call.how) for call in session.calls] == [
        ("broke", "not_sent"),
        ("broke", "abandoned"),
    ]


def test_a_cancellation_goes_before_a_failure_to_record(session, flavour, caplog):
    session.failure = SessionError("capture_failed", "the disk is full")

    async def work():
        with serving(waits) as served:
            async with async_client(session, flavour=flavour) as client:
                task = asyncio.create_task(client.get(served.url))
                while not served.requests:
                    await asyncio.sleep(0.005)
                task.cancel()
                await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    assert "the disk is full" in caplog.text


def test_one_client_serves_several_loops(session, flavour):
    with serving(whole()) as served:
        client = async_client(session, flavour=flavour, limits=_no_keepalive(flavour))

        async def work():
            assert (await client.get(served.url)).status_code == 200

        asyncio.run(work())
        asyncio.run(work())
        asyncio.run(client.aclose())
    assert [call.outcome for call in session.calls] == ["responded"] * 2


def _no_keepalive(flavour):
    return importlib.import_module(flavour).Limits(max_keepalive_connections=0)
