"""Event streams: their events, and the moment at which their protocol says that they are over.

Lines and fields follow the WHATWG rules for `text/event-stream`; what tells the end of a stream
(specs/10 §4, `streaming`):

| protocol | known by | complete | error |
|---|---|---|---|
| any | | data begins with `[DONE]` | event or `type` `error`; a member `error` in the data |
| OpenAI chat, completions | `chat.completion.chunk`, `text_completion` | `[DONE]` | |
| OpenAI responses | `response.…` | `….completed`, `….incomplete` | `….failed` |
| Anthropic messages | `message_start` | `message_stop` | |
| other | | the end of the body | |

A stream of a protocol that has an end event is `interrupted` when its body ends without it.

>>> list(events(b'event: ping\\r\\ndata: {}\\r\\n\\r\\n: note\\ndata: a\\ndata: b\\n\\n'))
[Event(event='ping', data='{}'), Event(event=None, data='a\\nb')]
>>> end = EndOfStream()
>>> end.feed(b"data: [DO"), end.feed(b"NE]\\n"), end.feed(b"\\n")
(None, None, 'complete')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ledger.capture.codings import Decoder, Undecodable

__all__ = ["LINE_MAX_BYTES", "EndOfStream", "Event", "Verdict", "events"]

LINE_MAX_BYTES = 16 << 20
"""Of a line, and of the data of one event, no more than this is looked at while it streams."""

Verdict = Literal["complete", "error"]

_LINE_END = re.compile(rb"[\r\n]")
_BOM = b"\xef\xbb\xbf"
_ENDS: dict[str, Verdict] = {
    "error": "error",
    "message_stop": "complete",
    "response.completed": "complete",
    "response.failed": "error",
    "response.incomplete": "complete",
}
_PROTOCOL_EVENTS = ("message_start", "response.")
_PROTOCOL_DATA = (
    '"chat.completion.chunk"',
    '"text_completion"',
    '"message_start"',
    '"response.created"',
)


class Event(NamedTuple):
    """One event: its name, None when it has none, and its data lines joined with a newline."""

    event: str | None
    data: str


def events(body: bytes, *, unfinished: bool = True) -> Iterator[Event]:
    """Yield the events of a whole body without content encoding.

    The last one is also given when the body ends before the blank line that closes it, unless
    `unfinished` is False; its data may then be cut off. Nothing raises: bytes that are not UTF-8
    become U+FFFD.
    """
    parser = _Parser(limit=len(body) + 1)
    yield from parser.feed(body)
    if unfinished:
        yield from parser.finish()


class EndOfStream:
    """Watches the raw bytes of a stream as they arrive; never raises, and keeps at most one event.

    `content_encodings` are the codings in the order in which they were applied; one that cannot be
    undone here leaves only the end of the body to judge by. `framed` is False for a stream that has
    no events (lines of JSON): it too is over when its body ends.
    """

    def __init__(self, content_encodings: Iterable[str] = (), *, framed: bool = True) -> None:
        self._decoder = Decoder(content_encodings) if framed else None
        self._parser = _Parser(LINE_MAX_BYTES)
        self._must_end = False
        self._verdict: Verdict | None = None

    def feed(self, chunk: bytes) -> Verdict | None:
        """Take the next bytes; from the end event on return what it said, before it None."""
        if self._decoder is not None:
            try:
                for piece in self._decoder.feed(chunk):
                    self._look(self._parser.feed(piece))
            except Undecodable:
                self._decoder = None
        return self._verdict

    @property
    def whole(self) -> bool:
        """Tell whether the end event was seen and nothing of the content encoding is missing."""
        return self._verdict is not None and (self._decoder is None or self._decoder.finished)

    def finish(self) -> Literal["complete", "error", "interrupted"]:
        """Return how the stream ended, when its body ended here as HTTP says it should."""
        if self._decoder is not None:
            self._look(self._parser.finish())
        return self._verdict or ("interrupted" if self._must_end else "complete")

    def _look(self, found: Iterable[Event]) -> None:
        for event in found:
            if self._verdict is None:
                self._verdict = _verdict(event)
                self._must_end = self._must_end or _has_end_event(event)


def _verdict(event: Event) -> Verdict | None:
    name, data = event
    if name in _ENDS:
        return _ENDS[name]
    if data.startswith("[DONE]"):
        return "complete"
    # Parsing every event would cost more than passing it on: only those that may say the end.
    if '"error"' in data or ('"type"' in data and any(f'"{end}"' in data for end in _ENDS)):
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if isinstance(value, dict):
            if value.get("error"):
                return "error"
            said = value.get("type")
            return _ENDS.get(said) if isinstance(said, str) else None
    return None


def _has_end_event(event: Event) -> bool:
    name, data = event
    if name is not None and name.startswith(_PROTOCOL_EVENTS):
        return True
    return any(mark in data for mark in _PROTOCOL_DATA)


class _Parser:
    """Splits bytes into events; of a line or an event longer than `limit` the rest is dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._after_cr = False
        self._first = True
        self._event: str | None = None
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete."""
        start = 0
        for found in _LINE_END.finditer(chunk):
            at = found.start()
            if self._after_cr and at == start and chunk[at] == 0x0A:
                self._after_cr, start = False, at + 1
                continue
            self._keep(chunk, start, at)
            self._after_cr, start = chunk[at] == 0x0D, at + 1
            yield from self._end_line()
        if start < len(chunk):
            self._after_cr = False
            self._keep(chunk, start, len(chunk))

    def finish(self) -> Iterator[Event]:
        """Yield the event that the end of the body leaves open."""
        if self._line:
            yield from self._end_line()
        yield from self._end_event()

    def _keep(self, chunk: bytes, start: int, end: int) -> None:
        room = self._limit - len(self._line)
        self._line += memoryview(chunk)[start : min(end, start + room)]

    def _end_line(self) -> Iterator[Event]:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            yield from self._end_event()
            return
        field, _, value = line.partition(b":")
        if field == b"event":
            self._event = value.removeprefix(b" ").decode(errors="replace") or None
        elif field == b"data" and self._size + len(value) <= self._limit:
            self._size += len(value) + 1
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))

    def _end_event(self) -> Iterator[Event]:
        event, data = self._event, self._data
        self._event, self._data, self._size = None, [], 0
        if event is not None or data:
            yield Event(event, "\n".join(data))
