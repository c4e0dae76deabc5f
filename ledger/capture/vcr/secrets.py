"""A cassette without the credentials in it: what `ledger.capture.redaction` does, for exchanges.

Headers that carry credentials lose their value whatever it looks like, URLs their secret
parameters. A compressed or Base64 body is looked into; if it has to be changed it is kept decoded,
without its `content-encoding`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

from ledger.capture import fitting
from ledger.capture.exchange import Response, content_encodings, decode_body
from ledger.capture.redaction import (
    Secret,
    blank,
    is_secret_header,
    redact_document,
    redact_text,
    redact_url,
    shown,
)
from ledger.capture.vcr.cassette import LISTS, Member, body_value, header_pairs, is_json, members
from ledger.capture.vcr.yaml_values import write_members
from ledger.errors import ImportSourceError

__all__ = ["redacted_copy", "secrets_in"]


def secrets_in(file: BinaryIO) -> list[Secret]:
    """Return where a cassette holds credentials."""
    found = list[Secret]()
    for _ in _clean(file, found):
        pass
    return found


def redacted_copy(file: BinaryIO) -> BinaryIO:
    """Return a copy of a cassette without its credentials, for the caller to close.

    Raises `ImportSourceError` `source_secrets` if one is left in it.
    """
    with ExitStack() as on_error:
        copy = on_error.enter_context(tempfile.TemporaryFile())
        if is_json(file):
            document: dict[str, Any] = {}
            for name, value, is_item in _clean(file, []):
                if is_item:
                    document.setdefault(name, []).append(value)
                else:
                    document[name] = value
            copy.write(json.dumps(document, indent=2).encode())
        else:
            write_members(_clean(file, []), copy)
        if secrets_in(copy):
            raise ImportSourceError(
                "source_secrets", "a credential cannot be taken out of the file"
            )
        on_error.pop_all()
        return copy


def _clean(file: BinaryIO, found: list[Secret]) -> Iterator[Member]:
    number = 0
    for name, value, is_item in members(file):
        if name in LISTS and is_item:
            number += 1
            yield name, _interaction(value, f"interaction {number}", found), True
        else:
            yield name, redact_document(value, shown(name), found), is_item


def _interaction(item: Any, place: str, found: list[Secret]) -> Any:
    if not isinstance(item, dict):
        return redact_document(item, place, found)
    cleaned = {}
    for key, value in item.items():
        if key in ("request", "response") and isinstance(value, dict):
            cleaned[key] = _message(value, f"{place} {key}", found)
        else:
            cleaned[key] = redact_document(value, f"{place} {shown(key)}", found)
    return cleaned


def _message(message: dict[str, Any], place: str, found: list[Secret]) -> dict[str, Any]:
    cleaned = {}
    for key, value in message.items():
        if key == "headers":
            cleaned[key] = _headers(value, place, found)
        elif key in ("uri", "url") and isinstance(value, str):
            cleaned[key] = redact_url(value, f"{place} {key}", found)
        else:
            cleaned[key] = redact_document(value, f"{place} {key}", found)
    plain = _hidden(message, f"{place} body", found)
    if plain is not None:
        cleaned.pop("content", None)
        cleaned["body"] = plain if "uri" in message else {"string": plain}
        cleaned["headers"] = _headers(
            _without_coding(message.get("headers")), place, list[Secret]()
        )
    return cleaned


def _headers(headers: Any, place: str, found: list[Secret]) -> Any:
    if isinstance(headers, dict):
        return {
            name: blank(value, f"{place} header {shown(str(name))}", name, found)
            if is_secret_header(str(name))
            else redact_document(value, f"{place} header {shown(str(name))}", found)
            for name, value in headers.items()
        }
    if isinstance(headers, list):
        return [
            [pair[0], blank(pair[1], f"{place} header {shown(str(pair[0]))}", str(pair[0]), found)]
            if isinstance(pair, list) and len(pair) == 2 and is_secret_header(str(pair[0]))
            else redact_document(pair, f"{place} header", found)
            for pair in headers
        ]
    return redact_document(headers, f"{place} headers", found)


def _hidden(message: dict[str, Any], place: str, found: list[Secret]) -> str | bytes | None:
    """Return the readable body without credentials, if they were hidden by an encoding."""
    try:
        body, is_text = body_value(message)
    except ImportSourceError:
        return None
    pairs = header_pairs(message.get("headers"))
    wrapped = "base64_string" in fitting.as_map(message.get("body"))
    chunked = isinstance(message.get("body"), list)
    if (is_text and not chunked) or not (content_encodings(pairs) or wrapped or chunked):
        return None
    decoded = decode_body(Response(200, pairs, body))
    cleaned, hits = redact_text(decoded if decoded is not None else body)
    if not hits:
        return None
    found += [Secret(place, hit.kind) for hit in hits]
    try:
        return cleaned.decode()
    except UnicodeDecodeError:
        return cleaned


def _without_coding(headers: Any) -> Any:
    if isinstance(headers, dict):
        return {
            name: one for name, one in headers.items() if str(name).lower() != "content-encoding"
        }
    return headers
