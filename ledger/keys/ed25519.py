"""One rule for Ed25519 keys and signatures, where libraries differ (specs/05 sections 1 and 2).

    kid                 SHA-256(a3 01 01 20 06 21 58 20 || public key), the thumbprint of RFC 9679
    at enrolment        a canonical encoding of a point of prime order
    at verification     S < L; A and R canonical and not of small order; [S]B = R + [k]A exactly

OpenSSL decides the equation, which it takes without the cofactor; libsodium decides whether a point
is of prime order; the rest is compared here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_core_ed25519_is_valid_point

from ledger.errors import FormatError

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_COSE_KEY: Final = bytes.fromhex("a301012006215820")
_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN: Final = 1 << 255
# y of the eight points of small order: 0 (order 4), 1 (identity), -1 (order 2), two of order 8.
_Y_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y_ORDER_8, _P - _Y_ORDER_8})


def thumbprint(public_key: bytes) -> bytes:
    """Return the key id of a public key, 32 bytes."""
    return sha256(_COSE_KEY + public_key).digest()


def check_public_key(public_key: bytes) -> None:
    """Check a public key at enrolment; FormatError `key_invalid`."""
    if type(public_key) is not bytes or len(public_key) != PUBLIC_KEY_BYTES:
        raise FormatError("key_invalid", "a public key has 32 bytes")
    if not crypto_core_ed25519_is_valid_point(public_key):
        raise FormatError("key_invalid", "not a canonical encoding of a point of prime order")


def verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature; FormatError `signature_invalid`."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise FormatError("signature_invalid", "a key of 32 bytes and a signature of 64")
    _check_point(public_key, "A")
    _check_point(signature[:32], "R")
    if int.from_bytes(signature[32:], "little") >= _L:
        raise FormatError("signature_invalid", "S is not below the order of the group")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise FormatError("signature_invalid", "the signature does not verify") from None


def _check_point(encoded: bytes, what: str) -> None:
    y = int.from_bytes(encoded, "little") & ~_SIGN
    if y >= _P:
        raise FormatError("signature_invalid", f"{what} is not canonical")
    # The two spellings of x = 0 with a sign have y = 1 and y = -1, so this refuses them too.
    if y in _SMALL_ORDER_Y:
        raise FormatError("signature_invalid", f"{what} is of small order")
