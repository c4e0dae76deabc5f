"""An HTTP exchange as it went over the wire: plain values, no I/O (specs/10 sections 3 and 4).

Bodies are kept as they were sent, content encoding included; `decode_body` undoes it.

>>> import gzip
>>> answer = Response(200, (("Content-Encoding", "gzip"),), gzip.compress(b'{"a":1}'))
>>> decode_body(answer)
b'{"a":1}'
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

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
_PIECE_BYTES = 1 << 12

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
    body = response.body
    for coding in reversed(content_encodings(response.headers)):
        undo = _DECODERS.get(coding)
        try:
            decoded = undo(body) if undo else None
        except Exception:  # each library has errors of its own; the body stays as it came
            return None
        if decoded is None:
            return None
        body = decoded
    return body


def _inflate(body: bytes, window: int) -> bytes | None:
    out = bytearray()
    while body:
        inflater = zlib.decompressobj(window)
        out += inflater.decompress(body, DECODED_MAX_BYTES + 1 - len(out))
        if len(out) > DECODED_MAX_BYTES:
            return None
        body = inflater.unused_data  # a gzip body may have several members
        if window != _GZIP:
            break
    return bytes(out)


_GZIP, _ZLIB, _RAW = 31, 15, -15


def _deflate(body: bytes) -> bytes | None:
    try:
        return _inflate(body, _ZLIB)
    except zlib.error:
        return _inflate(body, _RAW)  # what some servers send for it


def _with_library(body: bytes, names: tuple[str, ...]) -> bytes | None:
    decoder = None
    for name in names:
        try:
            library: Any = import_module(name)
        except ImportError:
            continue
        if hasattr(library, "ZstdDecompressor"):
            decoder = library.ZstdDecompressor()
            feed = decoder.decompressobj().decompress
        elif hasattr(library, "Decompressor"):
            decoder = library.Decompressor()
            feed = getattr(decoder, "decompress", None) or decoder.process
        else:
            continue
        return _in_pieces(body, feed)
    return None


def _in_pieces(body: bytes, feed: Callable[[bytes], bytes]) -> bytes | None:
    out = bytearray()
    for at in range(0, len(body), _PIECE_BYTES):
        out += feed(body[at : at + _PIECE_BYTES])
        if len(out) > DECODED_MAX_BYTES:
            return None
    return bytes(out)


_DECODERS: dict[str, Callable[[bytes], bytes | None]] = {
    "gzip": lambda body: _inflate(body, _GZIP),
    "x-gzip": lambda body: _inflate(body, _GZIP),
    "deflate": _deflate,
    "br": lambda body: _with_library(body, ("brotli", "brotlicffi")),
    "zstd": lambda body: _with_library(body, ("zstandard",)),
}
