"""Where a stream of each protocol ends, and what its events are."""

from __future__ import annotations

import gzip
import importlib.util
import zlib

import pytest

from ledger.capture import sse
from ledger.capture.sse import EndOfStream, Event, events

CHAT = b'data: {"object":"chat.completion.chunk","choices":[]}\n\n'
RESPONSES = b'event: response.created\ndata: {"type":"response.created"}\n\n'
MESSAGES = b'event: message_start\ndata: {"type":"message_start"}\n\n'
PLAIN = b"data: hello\n\n"
ENDS = {
    "chat": (CHAT, b"data: [DONE]\n\n", "complete"),
    "chat, error": (CHAT, b'data: {"error":{"message":"overloaded"}}\n\n', "error"),
    "responses": (
        RESPONSES,
        b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
        "complete",
    ),
    "responses without names": (
        b'data: {"type":"response.created"}\n\n',
        b'data: {"type": "response.incomplete"}\n\n',
        "complete",
    ),
    "responses, incomplete": (RESPONSES, b"event: response.incomplete\ndata: {}\n\n", "complete"),
    "responses, failed": (RESPONSES, b"event: response.failed\ndata: {}\n\n", "error"),
    "responses, error": (RESPONSES, b'event: error\ndata: {"type":"error"}\n\n', "error"),
    "messages": (MESSAGES, b'event: message_stop\ndata: {"type":"message_stop"}\n\n', "complete"),
    "messages, error": (MESSAGES, b'event: error\ndata: {"type":"error","error":{}}\n\n', "error"),
    "other": (PLAIN, b"data: [DONE]\n\n", "complete"),
}


@pytest.fixture(params=ENDS.values(), ids=ENDS)
def stream(request):
    return request.param


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_the_end_event_is_seen_where_it_ends_however_the_bytes_are_cut(stream, newline, size):
    start, end, verdict = (
        part.replace(b"\n", newline) if type(part) is bytes else part for part in stream
    )
    body = b"\xef\xbb\xbf: a comment" + newline + start + b"id: 1" + newline + newline + end
    seen = EndOfStream()
    for at in range(0, len(body), size):
        got = seen.feed(body[at : at + size])
        left = body[at + size :]
        # A line may end with CR alone, so the LF of the very last CRLF is not waited for.
        over = not left or (left == b"\n" and newline == b"\r\n")
        assert got == (verdict if over else None)
    assert seen.whole
    assert seen.finish() == verdict
    assert seen.feed(b"event: error\ndata: {}\n\n") == verdict


@pytest.mark.parametrize("start", [CHAT, RESPONSES, MESSAGES])
def test_a_protocol_with_an_end_event_is_interrupted_without_it(start):
    seen = EndOfStream()
    assert seen.feed(start) is None
    assert seen.finish() == "interrupted"


@pytest.mark.parametrize("body", [b"", PLAIN, b"event: ping\n\n", b"no stream at all"])
def test_other_streams_are_complete_when_their_body_ends(body):
    seen = EndOfStream()
    assert seen.feed(body) is None
    assert seen.finish() == "complete"


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n"])
def test_an_end_event_needs_no_blank_line_when_the_body_ends_with_it(end):
    seen = EndOfStream()
    assert seen.feed(CHAT + end) is None
    assert seen.finish() == "complete"


@pytest.mark.parametrize(
    "data",
    [
        b'{"object":"chat.completion.chunk","choices":[{"delta":{"content":"[DONE]"}}]}',
        b'{"type":"content_block_delta","delta":{"text":"\\"type\\": \\"message_stop\\""}}',
        b'{"type":"response.created","response":{"error":null,"type":"error"}}',
        b'{"error":null}',
        b'{"type":["message_stop"]}',
        b'{"type":"message_stop"',
        b'["type","message_stop"]',
        b'{"error":' + b"[" * 100_000,
    ],
)
def test_words_of_the_end_inside_an_answer_are_not_the_end(data):
    assert EndOfStream().feed(b"data: " + data + b"\n\n") is None


def test_a_stream_of_json_lines_has_no_events():
    seen = EndOfStream(framed=False)
    assert seen.feed(b'{"error":"x"}\ndata: [DONE]\n\n') is None
    assert seen.finish() == "complete"


def raw_deflate(body):
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(body) + deflater.flush()


@pytest.mark.parametrize(
    ("codings", "encode"),
    [
        (["gzip"], gzip.compress),
        (["x-gzip"], lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:]) + b"\0\0"),
        (["deflate"], zlib.compress),
        (["deflate"], raw_deflate),
        (["identity", "deflate", "gzip"], lambda body: gzip.compress(zlib.compress(body))),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_encoded_streams_are_judged_by_what_they_decode_to(codings, encode, size):
    body = encode(CHAT + b"data: [DONE]\n\n")
    seen = EndOfStream(codings)
    for at in range(0, len(body), size):
        seen.feed(body[at : at + size])
    assert seen.whole
    assert seen.finish() == "complete"


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize(
    ("coding", "names"),
    [("br", ("brotli", "brotlicffi")), ("zstd", ("backports.zstd", "zstandard"))],
)
def test_codings_of_other_libraries_are_undone_where_the_library_is(coding, names, size):
    name = next((name for name in names if importlib.util.find_spec(name.partition(".")[0])), None)
    body = CHAT + b"data: [DONE]\n\n"
    seen = EndOfStream([coding])
    if name is None:
        assert seen.feed(body) is None
        assert seen.finish() == "complete"
        return
    packed = importlib.import_module(name).compress(body)
    for at in range(0, len(packed), size):
        seen.feed(packed[at : at + size])
    assert seen.whole
    assert seen.finish() == "complete"
    assert EndOfStream([coding]).feed(packed[:-1]) in (None, "complete")


def test_an_encoded_stream_is_not_whole_before_its_own_end():
    body = gzip.compress(CHAT + b"data: [DONE]\n\n")
    seen = EndOfStream(["gzip"])
    assert seen.feed(body[:-8]) == "complete"
    assert not seen.whole
    seen.feed(body[-8:])
    assert seen.whole


@pytest.mark.parametrize("codings", [["gzip"], ["deflate"], ["compress"], ["br"], ["zstd"]])
def test_bytes_that_cannot_be_decoded_are_judged_by_the_end_of_the_body(codings):
    seen = EndOfStream(codings)
    assert seen.feed(b"\xff\xfe data: [DONE]\n\n" * 3) is None
    assert seen.finish() == "complete"


def test_a_line_without_end_does_not_grow_memory(monkeypatch):
    monkeypatch.setattr(sse, "LINE_MAX_BYTES", 1000)
    seen = EndOfStream()
    for _ in range(100):
        assert seen.feed(b"data: " + b"x" * 1000) is None
    assert len(seen._parser._line) == 1000
    assert seen.feed(b"\n\ndata: [DONE]\n\n") == "complete"


def test_an_event_of_many_lines_does_not_grow_memory_and_its_name_still_counts(monkeypatch):
    monkeypatch.setattr(sse, "LINE_MAX_BYTES", 1000)
    seen = EndOfStream()
    seen.feed(b"event: response.completed\n")
    for _ in range(100):
        assert seen.feed(b"data: " + b"x" * 500 + b"\n") is None
    assert sum(map(len, seen._parser._data)) <= 1000
    assert seen.feed(b"\n") == "complete"


def test_events_have_the_fields_that_the_standard_gives_them():
    body = (
        b"\xef\xbb\xbf:comment\r\nevent: a\r\ndata:one\r\ndata: two\r\nid: 7\r\nretry: 1\r\n\r\n"
        b"data\ndata:\n\nevent: only a name\n\nunknown: x\n\ndata: {\xff}\r\rdata:  spaced"
    )
    assert list(events(body)) == [
        Event("a", "one\ntwo"),
        Event(None, "\n"),
        Event("only a name", ""),
        Event(None, "{�}"),
        Event(None, " spaced"),
    ]


def test_events_of_any_length_are_read_whole(monkeypatch):
    monkeypatch.setattr(sse, "LINE_MAX_BYTES", 10)
    text = "x" * 1000
    assert list(events(f"data: {text}\n\n".encode())) == [Event(None, text)]
