"""The frame of a statement (specs/02 sections 1 and 2).

The reader takes received bytes apart at fixed positions and never encodes anything again, so
that what is checked is what was signed.
"""

from __future__ import annotations

from typing import NamedTuple

from .errors import Refused
from .values import LABEL

STATEMENT_MAX_BYTES = 65535
COSE_SIGN1_TAG = 0xD2
COSE_UNPROTECTED = 0xA0
SIGNATURE_BYTES = 64
CONTENT_TYPE = "application/vif-statement+cbor"
ALG_ED25519 = -19
ALG_EDDSA = -8

_START = bytes((COSE_SIGN1_TAG, 0x84))
_SIGNATURE_HEAD = bytes((0x58, SIGNATURE_BYTES))
_TAIL_BYTES = 2 + SIGNATURE_BYTES
_ALGS = {b"\x01\x32": ALG_ED25519, b"\x01\x27": ALG_EDDSA}
_FIXED = b"\x03\x78\x1e" + CONTENT_TYPE.encode() + b"\x04\x58\x20"
_CLAIMS = b"\x0f\xa2\x01"
_SIG_STRUCTURE = b"\x84\x6aSignature1"
_CACHE_MAX = 1024


class Header(NamedTuple):
    """The protected header; `prefix` is the Sig_structure up to the payload."""

    alg: int
    kid: bytes
    iss: str
    sub: str
    prefix: bytes


_headers: dict[bytes, Header] = {}


def _bstr(raw: bytes, at: int, what: str) -> tuple[int, int]:
    """Return start and end of the byte string whose head is at this offset."""
    first = raw[at] if at < len(raw) else 0
    if 0x40 <= first < 0x58:
        size, start = first - 0x40, at + 1
    elif first == 0x58:
        size, start = int.from_bytes(raw[at + 1 : at + 2], "big"), at + 2
        if size < 24:
            raise Refused("cose_invalid", f"the length of the {what} is not in shortest form")
    elif first == 0x59:
        size, start = int.from_bytes(raw[at + 1 : at + 3], "big"), at + 3
        if size < 256:
            raise Refused("cose_invalid", f"the length of the {what} is not in shortest form")
    else:
        raise Refused("cose_invalid", f"the {what} is not a definite byte string")
    if start + size > len(raw):
        raise Refused("cose_invalid", f"the {what} is longer than the statement")
    return start, start + size


def parse(raw: bytes) -> tuple[Header, bytes, bytes, bytes]:
    """Return header, payload, signature and the bytes that were signed.

    Raises `statement_too_large`, `cose_invalid`, `header_invalid`.
    """
    if len(raw) > STATEMENT_MAX_BYTES:
        raise Refused("statement_too_large", f"{len(raw)} bytes, more than {STATEMENT_MAX_BYTES}")
    if raw[:2] != _START:
        raise Refused("cose_invalid", "not a tagged COSE_Sign1 of four elements")
    # Nearly all headers and payloads have lengths of one and of two bytes.
    end = 4 + raw[3] if raw[2:3] == b"\x58" and len(raw) > _TAIL_BYTES else 0
    if end > 4 + 23 and raw[end : end + 2] == b"\xa0\x59" and raw[end + 2 : end + 3] > b"\x00":
        start, payload_at = 4, end + 4
        payload_end = payload_at + int.from_bytes(raw[end + 2 : payload_at], "big")
    else:
        start, end = _bstr(raw, 2, "protected header")
        if raw[end : end + 1] != b"\xa0":
            raise Refused("cose_invalid", "the unprotected header is not the empty map")
        payload_at, payload_end = _bstr(raw, end + 1, "payload")
    if (
        len(raw) != payload_end + _TAIL_BYTES
        or raw[payload_end : payload_end + 2] != _SIGNATURE_HEAD
    ):
        raise Refused("cose_invalid", "the signature is not the last 64 bytes of the statement")
    protected = raw[start:end]
    header = _headers.get(protected)
    if header is None:
        header = parse_header(protected, raw[2:start])
        if len(_headers) >= _CACHE_MAX:
            _headers.clear()
        _headers[protected] = header
    signed = header.prefix + raw[end + 1 : payload_end]
    return header, raw[payload_at:payload_end], raw[payload_end + 2 :], signed


def parse_header(protected: bytes, length_head: bytes) -> Header:
    """Return the fields of a protected header; `length_head` is its byte string head."""
    alg = _ALGS.get(protected[1:3])
    if protected[:1] != b"\xa4" or alg is None:
        raise Refused("header_invalid", "not a map of four that begins with a known algorithm")
    at = 3 + len(_FIXED)
    if protected[3:at] != _FIXED:
        raise Refused("header_invalid", "content type or key id are not as specified")
    kid = protected[at : at + 32]
    at += 32
    if protected[at : at + 3] != _CLAIMS:
        raise Refused("header_invalid", "the CWT claims are not as specified")
    iss, at = _label(protected, at + 3, "iss")
    if protected[at : at + 1] != b"\x02":
        raise Refused("header_invalid", "claim 2 does not follow claim 1")
    sub, at = _label(protected, at + 1, "sub")
    if at != len(protected):
        raise Refused("header_invalid", "bytes after the claims")
    return Header(alg, kid, iss, sub, _SIG_STRUCTURE + length_head + protected + b"\x40")


def _label(raw: bytes, at: int, what: str) -> tuple[str, int]:
    """Return the label whose text head is at this offset, and the offset after it."""
    first = raw[at] if at < len(raw) else 0
    if 0x60 <= first < 0x78:
        size, start = first - 0x60, at + 1
    else:
        size, start = int.from_bytes(raw[at + 1 : at + 2], "big"), at + 2
        if first != 0x78 or size < 24:
            raise Refused("header_invalid", f"{what} is not text in shortest form")
    text = raw[start : start + size].decode("latin-1")
    if len(text) != size or LABEL.fullmatch(text) is None:
        raise Refused("header_invalid", f"{what} is not a label")
    return text, start + size
