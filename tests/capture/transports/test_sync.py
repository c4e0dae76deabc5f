"""What a session is told of the requests of a synchronous client, over real sockets."""

from __future__ import annotations

import gzip
import importlib
import io
import threading

import pytest

from ledger.capture.exchange import Response, decode_body, header
from ledger.capture.transports import core, sync_client
from ledger.errors import SessionError
from tests.capture.fake_session import PLACE
from tests.capture.transports.serving import serving
from tests.capture.transports.streams import (
    CHAT,
    CHAT_REQUEST,
    COMPLETION,
    DONE,
    MESSAGES,
    RESPONSES,
    event,
    typed,
)


@pytest.fixture
def client(session, flavour):
    with sync_client(session, flavour=flavour) as made:
        yield made


@pytest.fixture
def errors(flavour):
    return importlib.import_module(flavour)


def play(*chunks, end=True, **headers):
    """Stream the chunks, then end the body, or drop the connection."""

    def answer(exchange):
        exchange.head(**headers)
        for chunk in chunks:
            exchange.chunk(chunk)
        if end:
            exchange.end()
        else:
            exchange.drop()

    return answer


def step(*chunks, **headers):
    """Stream the chunks, each after the test has asked for it."""

    def answer(exchange):
        exchange.head(**headers)
        for chunk in chunks:
            exchange.wait()
            exchange.chunk(chunk)
        exchange.end()

    return answer


def keep(answer, taken):
    """Take what comes, also of an answer that ends with an error."""
    for chunk in answer.iter_raw():
        taken.append(chunk)


def whole(body=COMPLETION, status=200, **headers):
    return lambda exchange: exchange.whole(body, status, **headers)


def test_a_request_and_its_answer_are_told_as_they_were_on_the_wire(client, session):
    token = PLACE.set("here")
    with serving(whole(x_request_id="r1")) as served:
        answer = client.post(f"{served.url}/v1/chat?a=b%20c", json=CHAT_REQUEST)
    PLACE.reset(token)
    assert answer.status_code == 200
    assert answer.content == COMPLETION
    assert answer.headers["x-request-id"] == "r1"
    assert "vif_reused" not in answer.extensions
    call = session.call
    assert call.place == "here"
    assert (call.request.method, call.request.body) == ("POST", served.requests[0].body)
    assert call.request.url == f"{served.url}/v1/chat?a=b%20c"
    assert header(call.request.headers, "content-type") == "application/json"
    assert (call.outcome, call.how) == ("responded", None)
    assert call.response.body == COMPLETION
    assert header(call.response.headers, "x-request-id") == "r1"
    assert 0 <= call.first_byte_ms <= call.duration_ms


def test_the_body_is_kept_with_its_content_encoding(client, session):
    packed = gzip.compress(COMPLETION)
    with serving(whole(packed, content_encoding="gzip")) as served:
        answer = client.post(served.url, json=CHAT_REQUEST)
    assert answer.content == COMPLETION
    assert session.call.response.body == packed
    assert decode_body(session.call.response) == COMPLETION


@pytest.mark.parametrize("status", [301, 400, 429, 503])
def test_another_status_is_told_with_its_body_even_if_it_looks_like_a_stream(
    client, session, status
):
    with serving(whole(b"data: x\n\n", status, content_type="text/event-stream")) as served:
        answer = client.get(served.url)
    assert (answer.status_code, answer.content) == (status, b"data: x\n\n")
    assert (session.call.outcome, session.call.how) == ("responded", None)
    assert session.call.response.http_status == status


@pytest.mark.parametrize("size", [0, 1])
def test_what_is_sent_from_a_generator_or_a_file_is_read_before_and_sent_whole(
    client, session, size
):
    with serving(whole(b"{}")) as served:
        client.post(served.url, content=(b"ab" for _ in range(size)))
        client.post(served.url, files={"file": ("a.txt", io.BytesIO(b"x" * size))})
    assert [call.request.body for call in session.calls] == [one.body for one in served.requests]
    assert session.calls[0].request.body == b"ab" * size
    assert b'filename="a.txt"' in session.calls[1].request.body


def test_each_hop_of_a_redirect_is_a_call_of_its_own(session, flavour):
    with (
        serving(whole(b"", 307, location="/there"), whole(b"{}")) as served,
        sync_client(session, flavour=flavour, follow_redirects=True) as client,
    ):
        assert client.post(f"{served.url}/here", json=CHAT_REQUEST).status_code == 200
    assert [call.request.url for call in session.calls] == [
        f"{served.url}/here",
        f"{served.url}/there",
    ]
    assert [call.response.http_status for call in session.calls] == [307, 200]
    assert session.calls[0].request.body == session.calls[1].request.body


def test_a_call_that_may_not_be_made_is_not_sent(client, session):
    session.refusal = SessionError("budget_exceeded", "no money left")
    with serving(whole()) as served, pytest.raises(SessionError) as refused:
        client.post(served.url, json=CHAT_REQUEST)
    assert refused.value is session.refusal
    assert refused.value.__cause__ is None
    assert served.requests == []


def test_an_answer_that_is_not_recorded_is_not_handed_over(client, session):
    session.failure = SessionError("capture_failed", "the disk is full")
    with serving(whole()) as served, pytest.raises(SessionError, match="the disk is full"):
        client.post(served.url, json=CHAT_REQUEST)
    assert len(served.requests) == 1


# Streams


@pytest.mark.parametrize("chunks", [CHAT, RESPONSES, MESSAGES, [b"data: a\n\n", b"data: b\n\n"]])
@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8"])
def test_a_stream_is_passed_on_and_told_whole(client, session, chunks, kind):
    with (
        serving(play(*chunks, content_type=kind)) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        taken = list(answer.iter_raw())
    assert b"".join(taken) == b"".join(chunks) == session.call.response.body
    assert (session.call.outcome, session.call.how) == ("responded", "complete")


def test_each_chunk_is_handed_on_before_the_next_one_is_sent(client, session):
    with (
        serving(step(*CHAT)) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        chunks = answer.iter_raw()
        for expected in CHAT:
            assert session.call.outcome is None
            served.proceed()  # the provider sends nothing without it
            assert next(chunks) == expected
        assert session.call.how == "complete"
        assert next(chunks, None) is None


def test_a_caller_that_sees_the_end_event_knows_that_it_is_recorded(client, session):
    session.failure = SessionError("capture_failed", "the disk is full")
    taken = []
    with (
        serving(play(*CHAT)) as served,
        pytest.raises(SessionError, match="the disk is full"),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        keep(answer, taken)
    assert taken == CHAT[:-1]


def test_a_stream_without_end_event_raises_at_its_end_when_it_is_not_recorded(client, session):
    session.failure = SessionError("capture_failed", "the disk is full")
    taken = []
    with (
        serving(play(b'{"a":1}\n', b'{"a":2}\n', content_type="application/x-ndjson")) as served,
        pytest.raises(SessionError, match="the disk is full"),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        keep(answer, taken)
    assert taken == [b'{"a":1}\n', b'{"a":2}\n']


def test_an_error_event_is_told_as_error(client, session):
    failed = typed("error", error={"type": "overloaded_error", "message": "no"})
    with (
        serving(play(MESSAGES[0], failed)) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        assert answer.read() == MESSAGES[0] + failed
    assert (session.call.outcome, session.call.how) == ("responded", "error")


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_a_stream_that_the_caller_closes_is_told_as_far_as_it_was_taken(client, session, seen):
    with (
        serving(step(*CHAT)) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        served.proceed(seen)
        chunks = answer.iter_raw()
        taken = [next(chunks) for _ in range(seen)]
    assert (session.call.outcome, session.call.how) == ("responded", "closed")
    assert session.call.response.body == b"".join(taken)


def interrupted(served, answer):
    served.proceed()
    chunks = answer.iter_raw()
    assert next(chunks) == CHAT[0]
    raise KeyboardInterrupt


def test_a_stream_that_ctrl_c_closes_is_abandoned(client, session):
    with (
        serving(step(*CHAT)) as served,
        pytest.raises(KeyboardInterrupt),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        interrupted(served, answer)
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")
    assert session.call.response.body == CHAT[0]


def test_a_stream_that_is_closed_while_ctrl_c_is_handled_is_closed(client, session):
    with serving(step(*CHAT)) as served:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            with client.stream("POST", served.url, json=CHAT_REQUEST) as answer:
                served.proceed()
                next(answer.iter_raw())
    assert (session.call.outcome, session.call.how) == ("responded", "closed")


def test_a_dropped_connection_is_told_and_raised_unchanged(client, session, errors):
    taken = []
    with (
        serving(play(*CHAT[:2], end=False)) as served,
        pytest.raises(errors.RemoteProtocolError),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        keep(answer, taken)
    assert taken == CHAT[:2]
    assert (session.call.outcome, session.call.how) == ("responded", "interrupted")
    assert session.call.response.body == b"".join(CHAT[:2])


def test_a_stream_that_ends_without_its_end_event_is_interrupted(client, session):
    with serving(play(*CHAT[:2])) as served:
        client.post(served.url, json=CHAT_REQUEST)
    assert (session.call.outcome, session.call.how) == ("responded", "interrupted")


def test_what_follows_the_end_event_is_handed_on(client, session):
    with serving(play(*RESPONSES, DONE)) as served:
        assert client.post(served.url, json=CHAT_REQUEST).content == b"".join([*RESPONSES, DONE])
    assert session.call.response.body == b"".join(RESPONSES)


def test_an_encoded_stream_is_held_until_its_own_end_and_read_by_the_client(client, session):
    packed = gzip.compress(b"".join(CHAT))
    chunks = [packed[:10], packed[10:-6], packed[-6:-3], packed[-3:]]
    with (
        serving(step(*chunks, content_encoding="gzip")) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        raw = answer.iter_raw()
        served.proceed()
        assert next(raw) == chunks[0]
        served.proceed(3)
        assert next(raw) == chunks[1]
        assert session.call.how == "complete"
        assert list(raw) == chunks[2:]
    assert session.call.response.body == packed
    session.remember()
    assert client.post("http://nowhere.invalid", json=CHAT_REQUEST).content == b"".join(CHAT)


def test_an_end_event_before_a_dropped_connection_still_counts(client, session, errors):
    packed = gzip.compress(b"".join(CHAT))
    taken = []
    with (
        serving(play(packed[:-8], end=False, content_encoding="gzip")) as served,
        pytest.raises(errors.RemoteProtocolError),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        keep(answer, taken)
    assert taken == [packed[:-8]]
    assert (session.call.outcome, session.call.how) == ("responded", "complete")


def test_an_answer_of_another_type_is_a_stream_if_one_was_asked_for(client, session):
    with (
        serving(step(*CHAT, content_type="text/plain")) as served,
        client.stream("POST", served.url, json={**CHAT_REQUEST, "stream": True}) as answer,
    ):
        served.proceed()
        assert next(answer.iter_raw()) == CHAT[0]
    assert session.call.how == "closed"


def test_json_is_no_stream_even_if_one_was_asked_for(client, session):
    with serving(whole()) as served:
        client.post(served.url, json={**CHAT_REQUEST, "stream": True})
    assert (session.call.outcome, session.call.how) == ("responded", None)


# Requests without an answer


def test_a_connection_that_cannot_be_made_is_not_sent(client, session, errors):
    with serving(whole()) as served:
        pass
    with pytest.raises(errors.ConnectError):
        client.post(served.url, json=CHAT_REQUEST)
    assert (session.call.outcome, session.call.how) == ("broke", "not_sent")
    assert session.call.response is None


def test_a_url_that_cannot_be_asked_is_not_sent(client, session, errors):
    with pytest.raises(errors.UnsupportedProtocol):
        client.get("ftp://127.0.0.1/")
    assert (session.call.outcome, session.call.how) == ("broke", "not_sent")


def test_an_answer_that_does_not_come_is_a_timeout(client, session, errors):
    with (
        serving(lambda exchange: exchange.wait()) as served,
        pytest.raises(errors.ReadTimeout),
    ):
        client.post(served.url, json=CHAT_REQUEST, timeout=0.2)
    assert (session.call.outcome, session.call.how) == ("broke", "timeout")
    assert session.call.response is None


def test_a_stream_that_stalls_is_interrupted(client, session, errors):
    def stall(exchange):
        exchange.head()
        exchange.chunk(CHAT[0])
        exchange.wait()

    with serving(stall) as served, pytest.raises(errors.ReadTimeout):
        client.post(served.url, json=CHAT_REQUEST, timeout=0.2)
    assert (session.call.outcome, session.call.how) == ("responded", "interrupted")
    assert session.call.response.body == CHAT[0]


def test_a_body_that_is_cut_off_is_disconnected_and_kept(client, session, errors):
    def cut(exchange):
        exchange.head(content_type="application/json")
        exchange.chunk(b'{"half":')
        exchange.drop()

    with serving(cut) as served, pytest.raises(errors.RemoteProtocolError):
        client.post(served.url, json=CHAT_REQUEST)
    assert (session.call.outcome, session.call.how) == ("broke", "disconnected")
    assert session.call.response.body == b'{"half":'


def test_a_failure_to_record_is_raised_instead_of_the_lost_connection(client, session, errors):
    session.failure = SessionError("capture_failed", "the disk is full")
    with (
        serving(lambda exchange: exchange.drop()) as served,
        pytest.raises(SessionError, match="the disk is full") as raised,
    ):
        client.post(served.url, json=CHAT_REQUEST)
    assert isinstance(raised.value.__cause__, errors.RemoteProtocolError)


def test_ctrl_c_is_not_kept_from_stopping_the_program(session, flavour, errors, caplog):
    def interrupt(request):
        raise KeyboardInterrupt

    client = sync_client(session, flavour=flavour, transport=errors.MockTransport(interrupt))
    with pytest.raises(KeyboardInterrupt):
        client.get("http://x.example/")
    assert (session.call.outcome, session.call.how) == ("broke", "abandoned")
    session.failure = SessionError("capture_failed", "the disk is full")
    with pytest.raises(KeyboardInterrupt):
        client.get("http://x.example/")
    assert "the disk is full" in caplog.text


def test_too_large_bodies_are_refused(client, session, monkeypatch):
    monkeypatch.setattr(core, "BODY_MAX_BYTES", 10)
    with serving(whole(b"x" * 11), play(b"data: 1\n\n", b"data: 2\n\n")) as served:
        with pytest.raises(SessionError, match="answer has more than 10 bytes"):
            client.get(served.url)
        with pytest.raises(SessionError) as raised:
            client.get(served.url)
        with pytest.raises(SessionError, match="request has more"):
            client.post(served.url, content=b"x" * 11)
    assert raised.value.code == "call_too_large"
    assert [(one.outcome, one.how) for one in session.calls] == [
        ("broke", "disconnected"),
        ("responded", "interrupted"),
    ]
    assert len(served.requests) == 2


def test_a_websocket_is_refused(client, session):
    with pytest.raises(SessionError, match="websocket"):
        client.get("http://127.0.0.1:9/", headers={"upgrade": "websocket"})
    assert session.calls == []


# Recorded answers


@pytest.mark.parametrize("answer", [play(*CHAT), whole(x_request_id="r", content_type="a/b")])
def test_a_recorded_answer_is_the_same_bytes_without_a_request(client, session, answer):
    with serving(answer) as served:
        first = client.post(served.url, json=CHAT_REQUEST)
        session.remember()
        again = client.post(served.url, json=CHAT_REQUEST)
        assert len(served.requests) == 1
    assert again.extensions["vif_reused"] is True
    assert again.headers == first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert session.calls[1].outcome is None


def test_a_recorded_answer_keeps_its_content_encoding(client, session):
    session.archive[b""] = Response(200, (("content-encoding", "gzip"),), gzip.compress(COMPLETION))
    with client.stream("GET", "http://nowhere.invalid/") as answer:
        assert b"".join(answer.iter_bytes()) == COMPLETION


def test_a_recorded_stream_that_was_closed_early_does_not_pass_for_a_whole_one(client, session):
    with (
        serving(step(*CHAT)) as served,
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        served.proceed()
        chunks = answer.iter_raw()
        assert next(chunks) == CHAT[0]
    session.remember()
    with client.stream("POST", served.url, json=CHAT_REQUEST) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == CHAT[0]
    with (
        pytest.raises(SessionError, match="ends here, where the caller closed"),
        client.stream("POST", served.url, json=CHAT_REQUEST) as answer,
    ):
        answer.read()
    assert len(served.requests) == 1


# Clients


def test_a_client_keeps_the_options_of_the_library(session, flavour, errors):
    inner = errors.MockTransport(lambda request: errors.Response(200, json={"at": "inner"}))
    mounted = errors.MockTransport(lambda request: errors.Response(200, json={"at": "mounted"}))
    client = sync_client(
        session,
        flavour=flavour,
        transport=inner,
        mounts={"http://mounted.example": mounted, "http://unmounted.example": None},
        base_url="http://base.example/v1/",
        headers={"x-a": "1"},
        timeout=3,
    )
    assert isinstance(client, errors.Client)
    assert client.timeout == errors.Timeout(3)
    assert client.get("models").json() == {"at": "inner"}
    assert client.get("http://mounted.example/").json() == {"at": "mounted"}
    assert client.get("http://unmounted.example/").json() == {"at": "inner"}
    assert [call.request.url for call in session.calls] == [
        "http://base.example/v1/models",
        "http://mounted.example/",
        "http://unmounted.example/",
    ]
    assert header(session.calls[0].request.headers, "x-a") == "1"


def test_requests_through_a_proxy_of_the_environment_are_recorded(session, flavour, monkeypatch):
    with serving(whole(b"{}")) as served:
        monkeypatch.setenv("HTTP_PROXY", served.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with sync_client(session, flavour=flavour) as client:
            assert client.get("http://far.example/a").status_code == 200
        assert served.requests[0].path == "http://far.example/a"
    assert session.call.request.url == "http://far.example/a"


def test_calls_of_many_threads_do_not_mix(client, session):
    def echo(exchange):
        exchange.head()
        exchange.chunk(event(exchange.body.decode()))
        exchange.end()

    with serving(echo) as served:

        def ask(number):
            text = f"question {number}"
            assert client.post(served.url, content=text).content == event(text)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(session.calls) == 8
    for call in session.calls:
        assert call.response.body == event(call.request.body.decode())


def test_without_flavour_it_is_a_client_of_httpx2(session):
    httpx2 = pytest.importorskip("httpx2")
    with sync_client(session) as client:
        assert isinstance(client, httpx2.Client)


def test_a_flavour_that_there_is_not_is_a_mistake(session):
    with pytest.raises(TypeError, match="flavour is httpx2 or httpx"):
        sync_client(session, flavour="requests")
