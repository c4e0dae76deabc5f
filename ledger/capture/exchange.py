"""An HTTP exchange as it went over the wire: plain values, no I/O (specs/10 sections 3 and 4).

Bodies are kept as they were sent, content encoding included; `decode_body` undoes it.

>>> import gzip
>>> answer = Response(200, (("Content-Encoding", "gzip"),), gzip.compress(b'{"a":1}'))
>>> decode_body(answer)
b'{"a":1}'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.capture.codings import Decoder, Undecodable

__all__ = [
    "DECODED_MAX_BYTES",
    "Headers",
    "Request",
    "Response",
    "content_encodings",
    "decode_body",
    "header",
]

DECODED_MAX_BYTES = 256 << 20
"""A body that grows beyond this is kept, and not looked into."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What was sent: everything as given, so nothing of it may be shown or recorded unfiltered."""

    method: str
    url: str
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        return f"Request({self.method}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """What came back; `body` is as on the wire."""

    http_status: int
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.http_status}, {len(self.body)} bytes)"


def header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the values of a header (lower-case name) joined with ", ", or None without one."""
    values = [value for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


def content_encodings(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return the content codings in the order in which they were applied (RFC 9110 §8.4)."""
    listed = (header(headers, "content-encoding") or "").split(",")
    return [one for one in (name.strip().lower() for name in listed) if one not in ("", "identity")]


def decode_body(response: Response) -> bytes | None:
    """Return the body without content encoding, None when that cannot be undone here.

    gzip and deflate always; br and zstd where a library for them is installed. A body that is cut
    off in the middle gives what can be read of it, one larger than `DECODED_MAX_BYTES` None.
    """
    codings = content_encodings(response.headers)
    if not codings:
        return response.body
    out = bytearray()
    try:
        for piece in Decoder(codings).feed(response.body):
            out += piece
            if len(out) > DECODED_MAX_BYTES:
                return None
    except Undecodable:
        return None
    return bytes(out)
