"""A real session over these transports: what it recorded is given again after a restart."""

from __future__ import annotations

import asyncio

import pytest

from ledger import log as ledger_log
from ledger.errors import SessionError
from tests.capture.transports.serving import serving
from tests.capture.transports.streams import CHAT, CHAT_REQUEST
from tests.capture.transports.test_sync import play, step, whole


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens a session of a ledger, in a run of its own."""
    folder, keys = tmp_path / "ledger", tmp_path / "keys"
    ledger_log.init(folder, origin="example.org/lab", keys=keys)

    def opened(**options):
        log = ledger_log.open(folder, keys=keys)
        return log.session("experiment", **options)

    return opened


def bodies(session):
    return [entry.payload.body for entry in session.log.entries()]


def test_answers_and_streams_are_given_again_in_the_next_run(opened, flavour):
    def ask(session, url):
        with session.http_client(flavour=flavour) as client:
            answer = client.post(url, json=CHAT_REQUEST)
            with client.stream("POST", f"{url}/s", json=CHAT_REQUEST) as stream:
                return answer.content, answer.headers["content-type"], b"".join(stream.iter_raw())

    with serving(whole(), play(*CHAT)) as served:
        with opened() as session:
            first = ask(session, served.url)
            assert session.counts["answered"] == 2
        session.log.close()
        with opened() as session:
            assert ask(session, served.url) == first
            assert session.counts["reused"] == 2
        assert len(served.requests) == 2


def test_asynchronously(opened, flavour):
    async def ask(url):
        async with opened() as session, session.async_http_client(flavour=flavour) as client:
            return (await client.post(url, json=CHAT_REQUEST)).content

    with serving(play(*CHAT)) as served:
        first = asyncio.run(ask(served.url))
        assert asyncio.run(ask(served.url)) == first
        assert len(served.requests) == 1


def test_a_stream_closed_early_is_given_again_as_far_as_it_went(opened, flavour):
    def begin_of(session, url, read_on=False):
        with (
            session.http_client(flavour=flavour) as client,
            client.stream("POST", url, json=CHAT_REQUEST) as stream,
        ):
            chunks = stream.iter_raw()
            taken = next(chunks)
            return b"".join([taken, *chunks]) if read_on else taken

    with serving(step(*CHAT)) as served:
        served.proceed()
        with opened() as session:
            assert begin_of(session, served.url) == CHAT[0]
        with opened() as session:
            assert begin_of(session, served.url) == CHAT[0]
        with pytest.raises(SessionError, match="where the caller closed"), opened() as session:
            begin_of(session, served.url, read_on=True)
        assert len(served.requests) == 1
