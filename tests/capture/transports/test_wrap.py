"""Existing clients made to record: their settings stay, and they themselves are as before."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys

import pytest

from ledger.capture.transports import async_client, sync_client, wrap
from ledger.errors import SessionError
from tests.capture.fake_session import FakeSession
from tests.capture.transports.serving import serving
from tests.capture.transports.streams import CHAT, CHAT_REQUEST, MESSAGE
from tests.capture.transports.test_sync import play, whole

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")

ASK = {**CHAT_REQUEST, "max_tokens": 10}


def test_an_openai_client_keeps_its_settings_and_the_original_does_not_record(session):
    with serving(whole()) as served:
        original = openai.OpenAI(
            base_url=f"{served.url}/v9",
            api_key="sk-x",
            timeout=7,
            max_retries=5,
            default_headers={"x-a": "1"},
            organization="org",
        )
        wrapped = wrap(session, original)
        assert type(wrapped) is openai.OpenAI
        assert (wrapped.timeout, wrapped.max_retries) == (7, 5)
        assert wrapped.base_url == original.base_url
        wrapped.chat.completions.create(**CHAT_REQUEST)
        assert len(session.calls) == 1
        original.chat.completions.create(**CHAT_REQUEST)
        assert len(session.calls) == 1
        wrapped.close()
        original.chat.completions.create(**CHAT_REQUEST)
        original.close()
    assert {one.headers["x-a"] for one in served.requests} == {"1"}
    assert {one.headers["openai-organization"] for one in served.requests} == {"org"}
    assert {one.path for one in served.requests} == {"/v9/chat/completions"}


def test_a_wrapped_client_outlives_the_last_name_of_the_original(session):
    with serving(whole()) as served:
        wrapped = wrap(session, openai.OpenAI(base_url=served.url, api_key="sk-x"))
        gc.collect()
        wrapped.chat.completions.create(**CHAT_REQUEST)
        del wrapped
        gc.collect()
    assert session.call.outcome == "responded"


def test_clients_of_the_sdks(session):
    body = json.dumps(MESSAGE).encode()

    async def work(served):
        async with openai.AsyncOpenAI(base_url=served.url, api_key="sk-x") as original:
            client = wrap(session, original)
            stream = await client.chat.completions.create(**CHAT_REQUEST, stream=True)
            assert [one async for one in stream]
        async with anthropic.AsyncAnthropic(base_url=served.url, api_key="sk-x") as original:
            client = wrap(session, original)
            assert (await client.messages.create(**ASK)).content
            await client.close()
            assert (await original.messages.create(**ASK)).content

    with serving(play(*CHAT), whole(body)) as served:
        asyncio.run(work(served))
        with anthropic.Anthropic(base_url=served.url, api_key="sk-x") as original:
            assert wrap(session, original).messages.create(**ASK).content
        with openai.AzureOpenAI(
            azure_endpoint=served.url, api_key="k", api_version="2024-06-01"
        ) as original:
            wrap(session, original).chat.completions.create(**CHAT_REQUEST)
    assert [call.outcome for call in session.calls] == ["responded"] * 4
    assert "/deployments/m/chat/completions?api-version=2024-06-01" in session.calls[3].request.url


def test_the_transports_that_a_client_was_given_are_kept(session, flavour):
    library = importlib.import_module(flavour)
    inner = library.MockTransport(lambda request: library.Response(200, json={"at": "inner"}))
    mounted = library.MockTransport(lambda request: library.Response(200, json={"at": "mounted"}))
    original = library.Client(
        transport=inner,
        mounts={"http://mounted.example": mounted},
        base_url="http://base.example",
        cookies={"c": "1"},
        headers={"x-a": "1"},
        auth=("me", "secret"),
    )
    seen = []
    original.event_hooks = {"request": [seen.append], "response": []}
    with wrap(session, original) as wrapped:
        assert wrapped.get("/a").json() == {"at": "inner"}
        assert wrapped.get("http://mounted.example/").json() == {"at": "mounted"}
        wrapped.headers["x-a"] = "2"
        wrapped.cookies.set("d", "2")
        wrapped.event_hooks["request"].clear()
    assert len(seen) == 2
    sent = dict(session.calls[0].request.headers)
    assert (sent["x-a"], sent["cookie"]) == ("1", "c=1")
    assert sent["authorization"].startswith("Basic ")
    assert original.headers["x-a"] == "1"
    assert dict(original.cookies) == {"c": "1"}
    assert original.get("/a").json() == {"at": "inner"}
    assert len(session.calls) == 2
    assert len(seen) == 3


def test_a_client_that_is_open_can_be_wrapped_and_a_closed_one_stays_closed(session, flavour):
    library = importlib.import_module(flavour)
    with (
        serving(whole()) as served,
        library.Client() as original,
        wrap(session, original) as wrapped,
    ):
        wrapped.get(served.url)
    with pytest.raises(RuntimeError, match="closed"):
        wrap(session, original).get(served.url)


def test_an_asynchronous_client(session, flavour):
    library = importlib.import_module(flavour)

    async def work(served):
        async with library.AsyncClient() as original:
            async with wrap(session, original) as wrapped:
                await wrapped.get(served.url)
            await original.get(served.url)

    with serving(whole()) as served:
        asyncio.run(work(served))
    assert session.call.outcome == "responded"


def test_a_client_that_another_session_records_changes_over(session, flavour):
    earlier = FakeSession()
    with (
        serving(whole()) as served,
        sync_client(earlier, flavour=flavour) as client,
        wrap(session, client) as wrapped,
    ):
        wrapped.get(served.url)
        assert (len(earlier.calls), len(session.calls)) == (0, 1)
        client.get(served.url)
        assert (len(earlier.calls), len(session.calls)) == (1, 1)


class Holder:
    """A client of the simplest kind."""

    def __init__(self, client):
        self._client = client

    def ask(self, url):
        return self._client.get(url)


def test_an_object_that_keeps_a_client(session, flavour):
    library = importlib.import_module(flavour)
    with serving(whole()) as served, library.Client() as client:
        original = Holder(client)
        assert wrap(session, original).ask(served.url).status_code == 200
        assert original.ask(served.url).status_code == 200
    assert len(session.calls) == 1


def test_an_object_whose_parts_would_go_on_sending_unrecorded_is_refused(session, flavour):
    with importlib.import_module(flavour).Client() as client:
        original = Holder(client)
        original.chat = Holder(client)
        with pytest.raises(TypeError, match="http_client"):
            wrap(session, original)
        original.chat = Holder(original)
        with pytest.raises(TypeError, match="http_client"):
            wrap(session, original)


@pytest.mark.parametrize("other", [None, 1, "x", object(), openai.OpenAI, Holder(None)])
def test_everything_else_is_refused_by_naming_what_is_accepted(session, other):
    with pytest.raises(TypeError, match="openai or anthropic, an httpx2 or httpx Client"):
        wrap(session, other)


def test_a_library_that_is_not_there_is_named_with_what_to_install(session, monkeypatch):
    for name in ("httpx", "httpx2"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"ledger.capture.transports.{name}_binding", False)
    with pytest.raises(SessionError, match="httpx2 is not installed") as raised:
        sync_client(session)
    assert raised.value.code == "capture_failed"
    assert raised.value.hint == 'pip install "vif-ledger[capture]"'
    with pytest.raises(SessionError, match="httpx is not installed") as raised:
        async_client(session, flavour="httpx")
    assert raised.value.hint == "pip install httpx"


def test_without_httpx2_it_is_a_client_of_httpx(session, monkeypatch):
    httpx = pytest.importorskip("httpx")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "ledger.capture.transports.httpx2_binding", False)
    with sync_client(session) as client:
        assert isinstance(client, httpx.Client)


def test_a_library_that_keeps_its_transports_elsewhere_is_an_error(session, flavour, monkeypatch):
    library = importlib.import_module(flavour)
    monkeypatch.setattr(library.Client, "_init_transport", lambda *args, **kw: None)
    with pytest.raises(SessionError, match="transport of") as raised:
        sync_client(session, flavour=flavour)
    assert raised.value.code == "capture_failed"


def test_importing_the_transports_imports_no_http_library():
    import subprocess

    code = (
        "import sys, ledger.capture.transports;"
        "assert not {'httpx', 'httpx2', 'anyio', 'openai', 'anthropic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
