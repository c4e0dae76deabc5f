"""The frame of a statement: COSE_Sign1 with one fixed protected header (specs/02 sections 1, 2).

    d2                      tag 18, COSE_SIGN1_TAG
    84                      array of four
      bstr                  protected header
        a4                  map of four
          01 32             alg: -19, Ed25519        (27, -8, is accepted and never written)
          03 78 1e ...      content type: "application/vif-statement+cbor"
          04 58 20 ...      kid: COSE key thumbprint, 32 bytes
          0f a2             CWT claims
            01 tstr         iss: name of the signing key, a label
            02 tstr         sub: the stream, a label
      a0                    unprotected header, empty
      bstr                  payload
      58 40 ...             signature, 64 bytes

>>> header = protected_header(bytes(32), "lab", "run-1")
>>> statement = assemble(header, b"\\xa0", bytes(64))
>>> parse(statement).sub
'run-1'
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.errors import FormatError
from ledger.formats.values import is_label

COSE_SIGN1_TAG: Final = b"\xd2"
COSE_UNPROTECTED: Final = b"\xa0"
SIGNATURE_BYTES: Final = 64
STATEMENT_MAX_BYTES: Final = 65535
ALG_ED25519: Final = -19
ALG_EDDSA: Final = -8
CONTENT_TYPE: Final = "application/vif-statement+cbor"

_KID_BYTES: Final = 32
_ALGS: Final = {b"\x32": ALG_ED25519, b"\x27": ALG_EDDSA}
_TYPE_AND_KID: Final = b"\x03\x78\x1e" + CONTENT_TYPE.encode() + b"\x04\x58\x20"
_SIGNATURE_HEAD: Final = b"\x58\x40"
_CONTEXT: Final = b"\x84\x6aSignature1"


class CoseSign1(NamedTuple):
    """A statement taken apart; `protected` and `payload` are the bytes as received."""

    alg: int
    kid: bytes
    iss: str
    sub: str
    protected: bytes
    payload: bytes
    signature: bytes


def protected_header(kid: bytes, iss: str, sub: str) -> bytes:
    """Write the protected header; FormatError `header_invalid` for a kid, iss or sub."""
    if type(kid) is not bytes or len(kid) != _KID_BYTES:
        raise FormatError("header_invalid", "kid is not 32 bytes")
    if not is_label(iss) or not is_label(sub):
        raise FormatError("header_invalid", "iss and sub are labels")
    return b"".join(
        (b"\xa4\x01\x32", _TYPE_AND_KID, kid, b"\x0f\xa2\x01", _label(iss), b"\x02", _label(sub))
    )


def signing_input(protected: bytes, payload: bytes) -> bytes:
    """Write the message that is signed: the Sig_structure of RFC 9052 section 4.4."""
    return b"".join((_CONTEXT, _bstr(protected), b"\x40", _bstr(payload)))


def assemble(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Join a statement; FormatError `cose_invalid` or `statement_too_large`."""
    if len(signature) != SIGNATURE_BYTES:
        raise FormatError("cose_invalid", f"a signature of {len(signature)} bytes")
    statement = b"".join(
        (
            COSE_SIGN1_TAG,
            b"\x84",
            _bstr(protected),
            COSE_UNPROTECTED,
            _bstr(payload),
            _SIGNATURE_HEAD,
            signature,
        )
    )
    _bound(statement)
    return statement


def parse(statement: bytes) -> CoseSign1:
    """Take a statement apart without checking its signature or its payload.

    Raises FormatError `statement_too_large`, `cose_invalid` (the frame) or `header_invalid` (the
    protected header).
    """
    _bound(statement)
    reader = _Reader(statement, "cose_invalid")
    reader.expect(COSE_SIGN1_TAG, "tag 18")
    reader.expect(b"\x84", "an array of four")
    protected = reader.string(0x40, "the protected header")
    reader.expect(COSE_UNPROTECTED, "the empty unprotected header")
    payload = reader.string(0x40, "the payload")
    reader.expect(_SIGNATURE_HEAD, "a signature of 64 bytes")
    signature = reader.take(SIGNATURE_BYTES, "the signature")
    reader.end()
    alg, kid, iss, sub = _parse_header(protected)
    return CoseSign1(alg, kid, iss, sub, protected, payload, signature)


def _parse_header(protected: bytes) -> tuple[int, bytes, str, str]:
    reader = _Reader(protected, "header_invalid")
    reader.expect(b"\xa4\x01", "a map of four beginning with alg")
    alg = _ALGS.get(reader.take(1, "alg"))
    if alg is None:
        raise FormatError("header_invalid", "alg is neither -19 nor -8")
    reader.expect(_TYPE_AND_KID, f'content type "{CONTENT_TYPE}" and a kid of 32 bytes')
    kid = reader.take(_KID_BYTES, "the kid")
    reader.expect(b"\x0f\xa2\x01", "the claims iss and sub")
    iss = reader.string(0x60, "iss")
    reader.expect(b"\x02", "the claim sub")
    sub = reader.string(0x60, "sub")
    reader.end()
    return alg, kid, _read_label(iss, "iss"), _read_label(sub, "sub")


def _read_label(raw: bytes, what: str) -> str:
    text = raw.decode("ascii", "replace")
    if not is_label(text):
        raise FormatError("header_invalid", f"{what} is not a label")
    return text


def _bound(statement: bytes) -> None:
    if len(statement) > STATEMENT_MAX_BYTES:
        raise FormatError(
            "statement_too_large", f"{len(statement)} bytes; at most {STATEMENT_MAX_BYTES}"
        )


def _label(text: str) -> bytes:
    raw = text.encode()
    return (bytes((0x60 | len(raw),)) if len(raw) < 24 else bytes((0x78, len(raw)))) + raw


def _bstr(raw: bytes) -> bytes:
    size = len(raw)
    if size < 24:
        return bytes((0x40 | size,)) + raw
    if size < 0x100:
        return bytes((0x58, size)) + raw
    if size < 0x10000:
        return b"\x59" + size.to_bytes(2) + raw
    return b"\x5a" + size.to_bytes(4) + raw


class _Reader:
    """Reads the fixed frame from the front; every refusal names the offset."""

    def __init__(self, data: bytes, code: str) -> None:
        self._data = data
        self._at = 0
        self._code = code

    def expect(self, literal: bytes, what: str) -> None:
        if not self._data.startswith(literal, self._at):
            raise self._refusal(f"not {what}")
        self._at += len(literal)

    def take(self, size: int, what: str) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise self._refusal(f"{what} is cut off")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def string(self, major: int, what: str) -> bytes:
        """Read a definite string with its length in shortest form, of 16 bits at most."""
        first = self.take(1, what)[0]
        if first & 0xE0 != major:
            raise self._refusal(f"{what} has another type")
        size = first & 0x1F
        if size == 24:
            size = self.take(1, what)[0]
            shortest = size >= 24
        elif size == 25:
            size = int.from_bytes(self.take(2, what))
            shortest = size >= 0x100
        else:
            shortest = size < 24
        if not shortest:
            raise self._refusal(f"the length of {what} is not in shortest form")
        return self.take(size, what)

    def end(self) -> None:
        if self._at != len(self._data):
            raise self._refusal("trailing bytes")

    def _refusal(self, why: str) -> FormatError:
        return FormatError(self._code, f"offset {self._at}: {why}")
