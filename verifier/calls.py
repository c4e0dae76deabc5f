"""The identity of a call: the digest of its request (specs/10 section 7)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .jcs import canonical, canonical_string

IDENTITY_HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")
CALL_BODY_MAX_BYTES = 67108864
BOUNDARY = b"vif-boundary"
_BOUNDARY = re.compile(r"[0-9A-Za-z '()+_,\-./:=?]{1,70}")

Pieces = Callable[[], Iterator[bytes]]


def call_digest(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: tuple[int, Pieces] | None,
    key: bytes | None = None,
) -> bytes:
    """Return the digest of a call; `key` is the content of `call_key` in a salted ledger.

    `headers` are those recorded. `body` is its length in bytes and what yields it in pieces, so
    that only a body which may be JSON is ever held in memory.
    """
    out: Any = hashlib.sha256() if key is None else hmac.new(key, digestmod=hashlib.sha256)
    out.update(b"{")
    if body is not None:
        _put_body(out, headers.get("content-type"), *body)
    named = [(name, headers[name]) for name in IDENTITY_HEADERS if name in headers]
    parts = [canonical_string(name) + b":" + canonical_string(value) for name, value in named]
    out.update(b'"headers":{' + b",".join(parts) + b'},"method":' + canonical_string(method))
    out.update(b',"url":' + canonical_string(url) + b"}")
    digest: bytes = out.digest()
    return digest


def _put_body(out: Any, content_type: str | None, size: int, pieces: Pieces) -> None:
    """Hash the member `body` or `body_sha256`, and the comma after it."""
    media = None if content_type is None else media_type(content_type)
    if size <= CALL_BODY_MAX_BYTES and (
        media is None or media == "application/json" or media.endswith("+json")
    ):
        raw = b"".join(pieces())
        text = canonical(raw)
        if text is not None:
            out.update(b'"body":')
            out.update(text)
            out.update(b",")
            return
        digest = hashlib.sha256(raw)
    else:
        boundary = boundary_of(content_type or "") if media == "multipart/form-data" else b""
        digest = hashlib.sha256()
        for piece in replaced(pieces(), boundary) if boundary else pieces():
            digest.update(piece)
    out.update(b'"body_sha256":"' + digest.hexdigest().encode() + b'",')


def media_type(content_type: str) -> str:
    """Return the media type in a content-type, in lower case and without its parameters."""
    return content_type.split(";", 1)[0].strip(" \t").lower()


def boundary_of(content_type: str) -> bytes:
    """Return the boundary in a content-type, empty if there is none that counts."""
    for part in content_type.split(";")[1:]:
        name, equals, value = part.strip(" \t").partition("=")
        if not equals or name.lower() != "boundary":
            continue
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        return value.encode() if _BOUNDARY.fullmatch(value) else b""
    return b""


def replaced(pieces: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """Yield a body with each occurrence of the boundary, from left to right, replaced."""
    rest = b""
    for piece in pieces:
        *before, rest = (rest + piece).split(boundary)
        for part in before:
            yield part + BOUNDARY
        # What is left has no occurrence, but its end may be the beginning of one.
        keep = len(boundary) - 1
        if len(rest) > keep:
            yield rest[: len(rest) - keep]
            rest = rest[len(rest) - keep :]
    yield rest
