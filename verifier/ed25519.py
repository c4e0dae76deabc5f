"""Which keys and signatures are accepted (specs/05 sections 1 and 2).

libsodium applies the page's rule at verification: S < L, canonical A and R of no small order,
and the equation without the cofactor. Builds of it differ, so `self_test` asks the one that is
loaded, once, before anything is judged with it.

Nearly all time of a verification is spent in `holds`. PyNaCl's function makes two copies of the
message for each signature and an exception for each bad one, so its C function is called
directly where it is found, with a place for the message that nobody reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import CryptoError

from .errors import Refused

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
_COSE_KEY_PREFIX = bytes.fromhex("a301012006215820")


def kid(public_key: bytes) -> bytes:
    """Return the COSE key thumbprint (RFC 9679, SHA-256) of a public key."""
    return hashlib.sha256(_COSE_KEY_PREFIX + public_key).digest()


def check_public_key(public_key: bytes) -> None:
    """Check a key at enrolment: canonical, on the curve, of prime order; `key_invalid`."""
    if len(public_key) != PUBLIC_KEY_BYTES or not crypto_core_ed25519_is_valid_point(public_key):
        raise Refused("key_invalid", "not the canonical encoding of a point of prime order")


def _holds(signed: bytes, public_key: bytes) -> bool:
    try:
        crypto_sign_open(signed, public_key)
    except CryptoError:
        return False
    return True


_DIRECT_MAX_BYTES = 1 << 17


def _direct() -> Callable[[bytes, bytes], bool]:
    """Return `holds` by way of PyNaCl's C module; without that, by its public function."""
    try:
        sodium = import_module("nacl._sodium")
        c_open = sodium.lib.crypto_sign_open
        message = sodium.ffi.new("unsigned char[]", _DIRECT_MAX_BYTES)
        size = sodium.ffi.new("unsigned long long *")
    except (ImportError, AttributeError):
        return _holds

    def holds(signed: bytes, public_key: bytes) -> bool:
        # C believes the lengths that it is told, and itself refuses less than a signature.
        if len(public_key) != PUBLIC_KEY_BYTES:
            return False
        if len(signed) > _DIRECT_MAX_BYTES:
            return _holds(signed, public_key)
        done: int = c_open(message, size, signed, len(signed), public_key)
        return done == 0

    return holds


holds = _direct()
"""holds(signature followed by message, public key) -> whether the signature holds."""


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature over a message; `signature_invalid`."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Refused("signature_invalid", "a key or signature of the wrong length")
    if not holds(signature + message, public_key):
        raise Refused("signature_invalid", "the signature does not verify")


_TEST_KEY = bytes.fromhex("f5c3fc932de6c20f6623c7d3a32c8410c40349bc05a356581bde0b34b5ed1c03")
_TEST_MESSAGE = b"vif"
_TEST_GOOD = bytes.fromhex(
    "4c541c5a9a4c52fbc5198c39bea0f5eeeb7756dc1856eeaa71fbd356bded1a3f"
    "6357b523b238762ee7146c4a5d267f8e97eea858d79ec9ce6c112a2d73deec09"
)
# R carries a component of order 8: correct only in the equation multiplied by the cofactor.
_TEST_COFACTOR = bytes.fromhex(
    "607055ca3d4aa8af26961afb12b1e60a75fac88f9c260ff25806631dbb269159"
    "e517c51c0ae542ddaf0c436c650d8093826aacfc2a51735720b3ccbfaa5a600f"
)


def self_test() -> None:
    """Raise RuntimeError if the loaded libsodium does not apply the acceptance rule."""
    try:
        verify(_TEST_KEY, _TEST_MESSAGE, _TEST_GOOD)
        check_public_key(_TEST_KEY)
    except Refused:
        raise RuntimeError("this libsodium refuses a correct Ed25519 signature") from None
    try:
        verify(_TEST_KEY, _TEST_MESSAGE, _TEST_COFACTOR)
    except Refused:
        return
    raise RuntimeError("this libsodium multiplies by the cofactor, which specs/05 does not allow")
