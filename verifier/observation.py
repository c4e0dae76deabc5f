"""What an engine saw, and what it ran in: two JSON documents (specs/13 section 4).

The form of a document is matched before it is parsed, so that what is made of it is no larger
than the page allows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .errors import BadValue
from .jcs import canonical, canonical_number, canonical_string

OBSERVATION_MAX_BYTES = 67108864
OBSERVATION_TOKENS_MAX = 1_000_000
ENVIRONMENT_MAX = 64
ENVIRONMENT_INNER_MAX = 1024
TOKEN_ID_MAX = 2**32 - 1

Raw = tuple[str, int]
"""SHA-256 in hex and length in bytes of the raw output"""

_STR = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INT = rb"-?(?:0|[1-9][0-9]{0,15}+)"
_NUM = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:e[+-][0-9]++)?+"


def _list(item: bytes, most: int) -> bytes:
    return b"(?:" + item + b"(?:," + item + b"){0,%d}+)?+" % (most - 1)


def _array(name: bytes, item: bytes) -> bytes:
    return b'"' + name + rb'":\[' + _list(item, OBSERVATION_TOKENS_MAX) + rb"\]"


def _entries(value: bytes, most: int) -> bytes:
    return rb"\{" + _list(_STR + b":" + value, most) + rb"\}"


_MEMBERS = (
    _array(b"logprobs", _NUM),
    rb'"raw":\{"sha256":"[0-9a-f]{64}","size_bytes":(?:0|[1-9][0-9]{0,15})\}',
    _array(b"token_ids", rb"(?:0|[1-9][0-9]{0,9}+)"),
    _array(b"token_texts", _STR),
)
_OBSERVATION = re.compile(
    rb"\{" + b"".join(b"(?:" + one + rb"(?:,(?=\")|(?=\})))?+" for one in _MEMBERS) + rb"\}"
)
_SCALAR = b"(?:" + _STR + b"|" + _INT + b"|true|false)"
_INNER = _entries(_SCALAR, ENVIRONMENT_INNER_MAX)
_ENVIRONMENT = re.compile(_entries(b"(?:" + _SCALAR + b"|" + _INNER + b")", ENVIRONMENT_MAX))


class Observation(NamedTuple):
    """What an engine saw besides the decoded output; at least one of these."""

    token_ids: tuple[int, ...] | None = None
    token_texts: tuple[str, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    raw: Raw | None = None

    def document(self) -> bytes:
        """Return its RFC 8785 form."""
        parts = []
        if self.logprobs is not None:
            parts.append(b'"logprobs":' + numbers(self.logprobs))
        if self.raw is not None:
            sha256, size = self.raw
            parts.append(b'"raw":{"sha256":"%s","size_bytes":%d}' % (sha256.encode(), size))
        if self.token_ids is not None:
            parts.append(b'"token_ids":' + numbers(self.token_ids))
        if self.token_texts is not None:
            parts.append(b'"token_texts":' + texts(self.token_texts))
        return b"{" + b",".join(parts) + b"}"


def numbers(values: Iterable[int] | Iterable[float]) -> bytes:
    """Return an array of numbers in RFC 8785 form."""
    return ("[" + ",".join([canonical_number(one) for one in values]) + "]").encode()


def texts(values: Iterable[str]) -> bytes:
    """Return an array of strings in RFC 8785 form."""
    return b"[" + b",".join([canonical_string(one) for one in values]) + b"]"


def parse_observation(data: bytes) -> Observation:
    """Return what an observation says; raises BadValue if it is not in the form of the page."""
    v = _document(data, _OBSERVATION, "an observation")
    if not v:
        raise BadValue("an observation without a member")
    found = {name: tuple(v[name]) for name in ("token_ids", "token_texts", "logprobs") if name in v}
    if len({len(one) for one in found.values()}) > 1:
        raise BadValue("an observation with arrays of different lengths")
    if max(found.get("token_ids", ()), default=0) > TOKEN_ID_MAX:
        raise BadValue("a token id above 2^32 - 1")
    if "logprobs" in found:
        found["logprobs"] = tuple([float(one) for one in found["logprobs"]])
    raw = (v["raw"]["sha256"], v["raw"]["size_bytes"]) if "raw" in v else None
    return Observation(raw=raw, **found)


def parse_environment(data: bytes) -> dict[str, Any]:
    """Return what an environment says; raises BadValue if it is not in the form of the page."""
    return _document(data, _ENVIRONMENT, "an environment")


def raw_of(pieces: Iterable[bytes]) -> Raw:
    """Return how an observation names a raw output that comes in pieces."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _document(data: bytes, form: re.Pattern[bytes], what: str) -> dict[str, Any]:
    if len(data) > OBSERVATION_MAX_BYTES:
        raise BadValue(f"{what} of more than {OBSERVATION_MAX_BYTES} bytes")
    if form.fullmatch(data) is None or canonical(data) != data:
        raise BadValue(f"not {what} in RFC 8785 form")
    found: dict[str, Any] = json.loads(data)
    return found
