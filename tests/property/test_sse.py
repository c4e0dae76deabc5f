"""Event streams: the verdict does not depend on how the network cuts them; nothing raises."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from ledger.capture.sse import EndOfStream, Event, events

NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
CHUNKS = st.builds(
    lambda text: (None, json.dumps({"object": "chat.completion.chunk", "delta": text})), TEXT
)
OTHERS = st.tuples(
    st.none() | st.sampled_from(["ping", "message_start", "content_block_delta"]),
    st.builds(lambda text: json.dumps({"text": text}), TEXT),
)
ENDS = st.sampled_from(
    [
        ((None, "[DONE]"), "complete"),
        (("message_stop", '{"type":"message_stop"}'), "complete"),
        ((None, '{"type": "response.completed"}'), "complete"),
        (("response.failed", "{}"), "error"),
        (("error", "{}"), "error"),
    ]
)


def written(found, newline):
    lines = []
    for name, data in found:
        lines += [f"event: {name}"] if name else []
        lines += [": keep-alive", f"data: {data}", ""]
    return (newline.join(lines) + newline).encode()


@st.composite
def streams(draw):
    """Return body, where its end event ends, and the verdict."""
    newline = draw(NEWLINES)
    end, verdict = draw(ENDS)
    body = written([*draw(st.lists(CHUNKS | OTHERS, max_size=8)), end], newline)
    return body, verdict


def cut(draw, body):
    places = draw(st.lists(st.integers(0, len(body)), max_size=12).map(sorted))
    edges = [0, *places, len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


@given(streams(), st.booleans(), st.data())
def test_any_cut_of_a_stream_gives_the_same_verdict_at_its_end_and_not_before(
    stream, encoded, data
):
    body, verdict = stream
    sent = gzip.compress(body) if encoded else body
    seen = EndOfStream(["gzip"] if encoded else [])
    pieces = [piece for piece in cut(data.draw, sent) if piece]
    for piece in pieces[:-1]:
        got = seen.feed(piece)
        # A line may end with CR alone, so the LF of the very last CRLF is not waited for.
        assert got is None or encoded or pieces[-1] == b"\n"
    assert seen.feed(pieces[-1]) == verdict
    assert seen.whole
    assert seen.finish() == verdict


@given(st.binary(max_size=300), st.sampled_from([[], ["gzip"], ["deflate"], ["br"]]), st.data())
@example(b"\r\r\n\ndata", [], None)
def test_arbitrary_bytes_never_raise(body, codings, data):
    seen = EndOfStream(codings)
    for piece in cut(data.draw, body) if data else [body]:
        seen.feed(piece)
    assert seen.finish() in ("complete", "error", "interrupted")
    for event in events(body):
        event.data.encode()


@given(st.lists(CHUNKS | OTHERS, max_size=8), NEWLINES)
def test_events_are_read_as_they_were_written(found, newline):
    assert list(events(written(found, newline))) == [Event(*one) for one in found]
