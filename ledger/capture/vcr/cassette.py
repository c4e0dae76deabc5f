"""A VCR cassette as HTTP exchanges (vcrpy, format version 1).

    interactions:
    - request:
        body: '{"model": …}'            text, !!binary, or null
        headers: {accept: ['*/*']}      a list, or one value
        method: POST
        uri: https://…
      response:
        body: {string: …}               text, !!binary for what is not UTF-8 (such as gzip)
        headers: {content-encoding: [gzip]}
        status: {code: 200, message: OK}
    version: 1

The same as JSON is read too, and so are `base64_string` for `string`, the shape of older vcrpy for
HTTPX (`status_code`, `content`), `parsed_body` for JSON that was taken out of its text, and the
cassettes of Ruby's VCR (`http_interactions`, `recorded_at`). Format version 0 is not.

A body that is text while its headers name a content encoding was decoded before it was recorded;
the header is then left out, so that body and headers agree.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from ledger.capture import fitting, strict_json
from ledger.capture.exchange import Headers, Request, Response, decode_body, header
from ledger.capture.vcr.yaml_values import read_members
from ledger.errors import ImportSourceError

__all__ = ["LISTS", "Exchange", "body_value", "exchange", "header_pairs", "interactions", "members"]

LISTS = ("interactions", "http_interactions")
Member = tuple[str, Any, bool]


@dataclass(frozen=True, slots=True)
class Exchange:
    """An interaction of a cassette; `decoded` is the response body without content encoding."""

    number: int
    request: Request
    response: Response
    decoded: bytes | None
    time: datetime | None


def members(file: BinaryIO) -> Iterator[Member]:
    """Yield the members of a cassette, those of its lists item by item, as `read_members` does."""
    if not is_json(file):
        yield from read_members(file)
        return
    file.seek(0)
    document = strict_json.whole(file)
    if not isinstance(document, dict):
        raise ImportSourceError("source_unsupported", "not an object: no cassette")
    for name, value in document.items():
        if isinstance(value, list):
            for item in value:
                yield name, item, True
        else:
            yield name, value, False


def is_json(file: BinaryIO) -> bool:
    """Tell whether a cassette is JSON."""
    file.seek(0)
    return file.read(64).removeprefix(strict_json.BYTE_ORDER_MARK).lstrip().startswith(b"{")


def interactions(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Yield number, from 1, and value of each interaction of a file.

    Raises `ImportSourceError` `source_unreadable`, and `source_unsupported` for another format.
    """
    number, found = 0, False
    for name, value, is_item in members(file):
        if name in LISTS:
            found = found or is_item or value in (None, [])
            if is_item:
                number += 1
                yield number, value
        elif name == "version" and value != 1:
            raise ImportSourceError("source_unsupported", "a cassette of another version than 1")
    if not found:
        raise ImportSourceError("source_unsupported", "no interactions: no cassette")


def exchange(number: int, item: Any) -> Exchange:
    """Return an interaction as what went over the wire.

    Raises `ImportSourceError` `source_unreadable` where a part is missing or of another kind.
    """
    found = fitting.as_map(item)
    sent, got = fitting.as_map(found.get("request")), fitting.as_map(found.get("response"))
    method, url = sent.get("method"), sent.get("uri")
    if not isinstance(method, str) or not isinstance(url, str):
        raise ImportSourceError("source_unreadable", "the request has no method or uri")
    status = fitting.as_map(got.get("status")).get("code", got.get("status_code"))
    code = int(status) if isinstance(status, str) and status.isdecimal() else status
    if type(code) is not int or not 100 <= code <= 599:
        raise ImportSourceError("source_unreadable", "the response has no status")
    headers = header_pairs(got.get("headers"))
    body, is_text = body_value(got)
    if is_text:
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
    request = Request(method.upper(), url, header_pairs(sent.get("headers")), body_value(sent)[0])
    response = Response(code, headers, body)
    return Exchange(number, request, response, decode_body(response), _time(found, headers))


def header_pairs(value: Any) -> Headers:
    """Return headers as pairs: of a map of lists, a map of values, or a list of pairs."""
    pairs = []
    named = value.items() if isinstance(value, dict) else fitting.as_list(value)
    for pair in named:
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str):
            for one in pair[1] if isinstance(pair[1], list) else [pair[1]]:
                text = one.decode("latin-1") if isinstance(one, bytes) else one
                if isinstance(text, str | int):
                    pairs.append((pair[0], str(text)))
    return tuple(pairs)


def body_value(message: dict[str, Any]) -> tuple[bytes, bool]:
    """Return the body of a request or response, and whether it was recorded as text.

    Raises `ImportSourceError` `source_unreadable` for a body of another kind.
    """
    body = message.get("body", message.get("content"))
    if body is None and "parsed_body" in message:
        text = json.dumps(message["parsed_body"], ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass"), True
    if isinstance(body, dict):
        if isinstance(body.get("base64_string"), str):
            try:
                return base64.b64decode(body["base64_string"]), False
            except (binascii.Error, ValueError):
                raise ImportSourceError("source_unreadable", "a body is not Base64") from None
        body = body.get("string")
    if isinstance(body, list):  # an iterator of chunks
        chunks = [body_value({"body": chunk}) for chunk in body]
        return b"".join(chunk for chunk, _ in chunks), all(is_text for _, is_text in chunks)
    if body is None:
        return b"", True
    if isinstance(body, bytes):
        return body, False
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass"), True
    if isinstance(body, int | float):  # YAML reads a body that is a number as one
        return str(body).encode(), True
    raise ImportSourceError("source_unreadable", "a body is neither text nor bytes")


def _time(item: dict[str, Any], headers: Headers) -> datetime | None:
    for text in (item.get("recorded_at"), header(headers, "date")):
        if not isinstance(text, str):
            continue
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                found = read(text)
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            if found.tzinfo is not None:
                return found
    return None
