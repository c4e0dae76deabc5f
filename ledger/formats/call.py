"""Which call a request is: its canonical URL and the digest of what it asks (specs/10 section 7).

    digest = SHA-256, or HMAC-SHA256 with the session's key, of the RFC 8785 form of
    {"method": ..., "url": ..., "headers": {...}, "body": JSON value  or  "body_sha256": hex}

A JSON body counts as its value, so that the order of names, white space and escapes do not make
another call; any other body counts as its bytes. What a JSON reader of one language would accept
and another refuse is not JSON here, hence the strictness of `read_ijson`.

>>> call_url("https://me:secret@API.example.org:443/v1/chat?key=abc&beta=1#top")
'https://api.example.org/v1/chat?beta=1'
>>> url = "https://api.example.org/v1/chat"
>>> one = call_digest("POST", url, {}, b'{"model": "m", "n": 1.0}')
>>> one == call_digest("POST", url, {}, b'{"n":1,"model":"m"}')
True
"""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

import rfc8785

from ledger.errors import FormatError
from ledger.formats.values import is_prose

__all__ = [
    "CALL_BODY_MAX_BYTES",
    "CALL_JSON_MAX_DEPTH",
    "IDENTITY_HEADERS",
    "SECRET_PARAMETERS",
    "call_digest",
    "call_url",
    "canonical",
    "read_ijson",
]

IDENTITY_HEADERS: Final = frozenset({"anthropic-beta", "anthropic-version", "openai-beta"})
SECRET_PARAMETERS: Final = frozenset(
    {
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "key",
        "sig",
        "signature",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
    }
)
CALL_BODY_MAX_BYTES: Final = 67_108_864
CALL_JSON_MAX_DEPTH: Final = 64
BOUNDARY: Final = b"vif-boundary"

_INTEGER_MAX: Final = 2**53 - 1
_PORTS: Final = {"http": "80", "https": "443"}
_VISIBLE: Final = re.compile(r"[!-~]*")
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE,
)
_HOST: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4})?)?"
)
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD]")
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b'"[]{}'))


def call_url(url: str) -> str:
    """Return the URL of a request in the form in which it is recorded, without credentials.

    Raises FormatError `body_invalid` for what is no http(s) URL of visible ASCII characters with a
    host, and for one that is longer than *prose* in this form. The message holds nothing of it.
    """
    found = _URL.fullmatch(url) if _VISIBLE.fullmatch(url) else None
    if found is None:
        raise FormatError("body_invalid", "not an http or https URL")
    scheme = found["scheme"].lower()
    place = _HOST.fullmatch(found["authority"].rpartition("@")[2])
    if place is None or int(place["port"] or 0) > 65535:
        raise FormatError("body_invalid", "a URL without a host and port that are understood")
    port = place["port"]
    result = f"{scheme}://{place['host'].lower()}"
    if port is not None and port != _PORTS[scheme]:
        result += f":{port}"
    result += found["path"] or "/"
    query = "&".join(one for one in (found["query"] or "").split("&") if not _is_secret(one))
    if query:
        result += f"?{query}"
    if not is_prose(result):
        raise FormatError("body_invalid", "a URL of more than 4096 bytes")
    return result


def call_digest(
    method: str,
    url: str,
    request_headers: Mapping[str, str],
    body: bytes | None,
    key: bytes | None = None,
) -> bytes:
    """Return the 32 bytes that say which call a request is.

    `url` is in the form of `call_url`, `request_headers` are as recorded, with names in lower case;
    `key` is the content of `call_key` in a salted ledger. A body of no bytes is none. Raises
    FormatError `body_invalid` for text that has no UTF-8.
    """
    identity: dict[str, Any] = {
        "method": method,
        "url": url,
        "headers": {
            name: value for name, value in request_headers.items() if name in IDENTITY_HEADERS
        },
    }
    if body:
        content_type = request_headers.get("content-type")
        try:
            if not _may_be_json(content_type):
                raise ValueError("another media type")
            identity["body"] = read_ijson(body)
        except ValueError:
            identity["body_sha256"] = sha256(_with_one_boundary(body, content_type)).hexdigest()
    text = canonical(identity)
    return sha256(text).digest() if key is None else hmac.digest(key, text, "sha256")


def canonical(value: object) -> bytes:
    """Write a JSON value in the one form of RFC 8785.

    Raises FormatError `body_invalid` for what that form cannot say: integers beyond 2^53 - 1,
    numbers that are not finite, lone surrogates, other types.
    """
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it looks for itself
    except ValueError as error:
        raise FormatError("body_invalid", f"no JSON of RFC 8785 ({type(error).__name__})") from None


def read_ijson(body: bytes) -> Any:
    """Read a JSON text that every reader understands alike; ValueError for all other bytes.

    Depth is bounded before anything recurses.
    """
    if len(body) > CALL_BODY_MAX_BYTES:
        raise ValueError(f"{len(body)} bytes")
    text = body.decode()
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    if not _is_shallow(body):
        raise ValueError("nested too deeply")
    value = json.loads(
        text,
        object_pairs_hook=_object,
        parse_constant=_refuse,
        parse_float=_float,
        parse_int=_integer,
    )
    if _SURROGATE_ESCAPE.search(body):
        _check_text(value)
    return value


def _is_secret(parameter: str) -> bool:
    name = unquote_to_bytes(parameter.partition("=")[0]).lower()  # of bytes: ASCII only
    return name.decode("latin-1") in SECRET_PARAMETERS


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip(" \t").lower()


def _may_be_json(content_type: str | None) -> bool:
    if content_type is None:
        return True
    media_type = _media_type(content_type)
    return media_type == "application/json" or media_type.endswith("+json")


def _with_one_boundary(body: bytes, content_type: str | None) -> bytes:
    """Give a multipart body the boundary that all have; clients draw theirs at random."""
    if content_type is None or _media_type(content_type) != "multipart/form-data":
        return body
    for parameter in content_type.split(";")[1:]:
        name, equals, value = parameter.strip(" \t").partition("=")
        if equals and name.lower() == "boundary":
            if len(value) >= 2 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if _BOUNDARY.fullmatch(value):
                return body.replace(value.encode(), BOUNDARY)
            break
    return body


def _is_shallow(body: bytes) -> bool:
    """Tell whether no JSON text that these bytes begin with is nested beyond the limit.

    Only quotes and brackets are left, then what stands between quotes is dropped, then the
    innermost pairs of brackets, once for each level. Bytes that are no JSON may fail, too.
    """
    left = body
    if b'"' in left:
        left = left.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = left.translate(None, _NO_BRACKETS).replace(b'""', b"")
    left = b"".join(left.split(b'"')[::2]).translate(_BRACKETS)
    if b"[" * (CALL_JSON_MAX_DEPTH + 1) in left:
        return False
    for _ in range(CALL_JSON_MAX_DEPTH):
        if not left:
            break
        left = left.replace(b"[]", b"")
    return not left


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice in one object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return value


def _integer(digits: str) -> int:
    # a long one is refused before it costs time
    if len(digits) > 17 or abs(int(digits)) > _INTEGER_MAX:
        raise ValueError("an integer beyond 2^53 - 1")
    return int(digits)


def _check_text(value: object) -> None:
    """Refuse strings with half a surrogate pair, which have no UTF-8."""
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ValueError("half a surrogate pair")
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)
