"""Content encodings of responses, undone piece by piece (specs/10 section 4)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from .errors import Refused

DECODED_MAX_BYTES = 1 << 30
ENCODINGS_MAX = 4
_PIECE = 1 << 16
_GZIP, _ZLIB, _RAW = 31, 15, -15
_NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


def encodings_of(header: str) -> list[str] | None:
    """Return the encodings in a content-encoding, last applied first; None if one is unknown."""
    named = [part.strip(" \t").lower() for part in header.split(",")]
    known = [_NAMES.get(part) for part in reversed(named) if part not in ("", "identity")]
    found = [part for part in known if part is not None]
    return found if len(found) == len(known) and len(found) <= ENCODINGS_MAX else None


def check_decoded(pieces: Iterable[bytes], encodings: list[str], sha256: bytes, size: int) -> bool:
    """Check what a response is without its encodings; `decoded_mismatch`.

    Return False if it is longer than 1 GiB at any stage, so that this was not found out.
    """
    for encoding in encodings:
        pieces = _inflated(pieces, encoding)
    digest, found = hashlib.sha256(), 0
    try:
        for piece in pieces:
            digest.update(piece)
            found += len(piece)
            if found > size:
                raise Refused("decoded_mismatch", "longer than recorded", str(size))
    except zlib.error:
        raise Refused("decoded_mismatch", "the content encoding cannot be undone") from None
    except _TooLong:
        return False
    if found != size:
        raise Refused("decoded_mismatch", "another length", str(size), str(found))
    if digest.digest() != sha256:
        raise Refused("decoded_mismatch", "another SHA-256", sha256.hex(), digest.hexdigest())
    return True


def decoded(pieces: Iterable[bytes], encodings: list[str], most: int) -> bytes | None:
    """Return what a response is without its encodings, empty if they cannot be undone.

    None: it is longer than `most` bytes.
    """
    for encoding in encodings:
        pieces = _inflated(pieces, encoding)
    out = bytearray()
    try:
        for piece in pieces:
            out += piece
            if len(out) > most:
                return None
    except zlib.error:
        return b""
    except _TooLong:
        return None
    return bytes(out)


class _TooLong(Exception):
    """More came out of a decoder than is looked at."""


def _inflated(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield decoded bytes in small pieces; input that was cut off gives what it holds."""
    stream, left = None, DECODED_MAX_BYTES
    for data in pieces:
        more = bool(data)
        while data or more:
            if stream is None or (stream.eof and data):
                if stream is not None and encoding != "gzip":
                    raise zlib.error("bytes after the end")
                stream = zlib.decompressobj(_bits(encoding, data))
            out = stream.decompress(data, _PIECE)
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            more = len(out) == _PIECE and not stream.eof  # there may be more inside
            left -= len(out)
            if left < 0:
                raise _TooLong
            yield out


def _bits(encoding: str, data: bytes) -> int:
    """Return the window bits for a stream; `deflate` is with a zlib header or, of old, without."""
    if encoding == "gzip":
        return _GZIP
    head = int.from_bytes(data[:2], "big")
    with_header = data[0] & 15 == 8 and data[0] >> 4 <= 7 and (len(data) < 2 or not head % 31)
    return _ZLIB if with_header else _RAW
