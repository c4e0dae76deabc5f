"""Which headers pass through the proxy, and the two that are for the proxy itself. Pure.

Hop-by-hop headers (RFC 9110 section 7.6.1) and those that `Connection` names stay on their hop.
`Host` and `Content-Length` are written anew, `Expect` was answered here; everything else passes as
it came, credentials and `Accept-Encoding` included. No `Via` is added: some servers stop
compressing when they see one, and the answers would be others than without the proxy.

| request header | meaning |
|---|---|
| `vif-replicate: N` | which of several equal calls this is, 1 to 1,000,000 |
| `vif-stage: LABEL` | the stage of the work that the call belongs to |

Both are taken out; another name that begins with `vif-` is refused, since a misspelt one would
change what is paid for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ledger.capture.exchange import Response, content_encodings, decode_body, header
from ledger.formats.values import is_label, parse_decimal
from ledger.proxy.refusals import RefusalError

__all__ = ["Forwarded", "acceptable", "forwarded", "passed_back", "text"]

RawHeaders = list[tuple[bytes, bytes]]

REPLICATE_MAX = 1_000_000
_OWN = b"vif-"
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Forwarded(NamedTuple):
    """What the headers of a request say."""

    headers: RawHeaders
    """For the upstream."""
    replicate: int | None
    stage: str | None


def forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Forwarded:
    """Sort the headers of a request, names in lower case; raises `RefusalError` 400."""
    passed: RawHeaders = []
    own: dict[bytes, str] = {}
    for name, value in _end_to_end(headers):
        if name.startswith(_OWN):
            if name in own or name not in (b"vif-replicate", b"vif-stage"):
                raise _refuse(name, "there is no such header, or it came twice")
            own[name] = value.decode("latin-1")
        elif name not in (b"host", b"content-length", b"expect"):
            passed.append((name, value))
    replicate = None
    if b"vif-replicate" in own:
        replicate = parse_decimal(own[b"vif-replicate"])
        if replicate is None or not 1 <= replicate <= REPLICATE_MAX:
            raise _refuse(b"vif-replicate", "it is a number from 1 to 1000000")
    stage = own.get(b"vif-stage")
    if stage is not None and not is_label(stage):
        raise _refuse(b"vif-stage", "it is a label of specs/00")
    return Forwarded(passed, replicate, stage)


def passed_back(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers of an answer as the client gets them, names in lower case."""
    return [(name, value) for name, value in _end_to_end(headers) if not name.startswith(_OWN)]


def text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers as text; bytes outside of ASCII as those of Latin-1."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def acceptable(recorded: Response, asked: Iterable[tuple[str, str]]) -> Response:
    """Return a recorded answer in a content coding that the client takes.

    The one who asks again may be another program than the one that was answered first.
    """
    taken = _accepted(header(asked, "accept-encoding") or "")
    codings = content_encodings(recorded.headers)
    if not recorded.body or all(coding in taken or "*" in taken for coding in codings):
        return recorded
    body = decode_body(recorded)
    if body is None:
        return recorded
    kept = tuple(pair for pair in recorded.headers if pair[0].lower() != "content-encoding")
    return Response(recorded.http_status, kept, body)


def _accepted(value: str) -> set[str]:
    taken = set()
    for part in value.lower().split(","):
        coding, _, weight = part.partition(";")
        if weight.replace(" ", "").removeprefix("q=").rstrip("0.") or not weight:
            taken.add(coding.strip())
    if "gzip" in taken or "x-gzip" in taken:
        taken |= {"gzip", "x-gzip"}
    return taken


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    pairs = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in pairs
        if name == b"connection"
        for token in value.split(b",")
    }
    dropped = _HOP_BY_HOP | named
    return [(name, value) for name, value in pairs if name not in dropped]


def _refuse(name: bytes, why: str) -> RefusalError:
    return RefusalError(400, "header_invalid", f"{name.decode('latin-1')}: {why}")
