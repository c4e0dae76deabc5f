"""The data of a stream of events, `text/event-stream` of the WHATWG HTML standard (specs/13)."""

from __future__ import annotations

import re
from collections.abc import Iterator

BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")
_END = re.compile(rb"\r\n|\r|\n")


def is_stream(body: bytes) -> bool:
    """Return whether a body is a stream of events, by how it begins."""
    return body.startswith(BEGINNINGS)


def event_data(body: bytes) -> Iterator[bytes]:
    """Yield the data of each event; one that the end of the body cuts off is none."""
    data: list[bytes] = []
    start = 0
    for end in _END.finditer(body):
        line, start = body[start : end.start()], end.end()
        if not line:
            if data:
                # As the standard has it, what is not UTF-8 is replaced.
                yield b"\n".join(data).decode("utf-8", "replace").encode()
            data = []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
