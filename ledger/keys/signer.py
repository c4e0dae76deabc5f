"""The one seam to private keys: something with a name and a role that signs (specs/05 section 6).

Signers are addressed by `file:PATH`; `agent:`, `pkcs11:` and `awskms:` are reserved for keys that
never leave a device.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Protocol, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import FormatError, KeyFileError
from ledger.formats.values import is_label
from ledger.keys.ed25519 import thumbprint

AUTHORITY: Final = "authority"
LOG: Final = "log"
PRODUCER: Final = "producer"
ROLES: Final = frozenset({AUTHORITY, LOG, PRODUCER})

_RESERVED: Final = frozenset({"agent", "pkcs11", "awskms"})

Passphrase: TypeAlias = Callable[[], bytes] | bytes | None


class Signer(Protocol):
    """Whatever can sign as one key; the private part stays where it is."""

    @property
    def name(self) -> str:
        """The name of the key, a *label*."""

    @property
    def role(self) -> str:
        """`authority`, `log` or `producer`."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""

    @property
    def kid(self) -> bytes:
        """The key id, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of the message, 64 bytes."""


class Ed25519Signer:
    """A private key in memory; shows, copies and pickles nothing of it."""

    __slots__ = ("_private", "kid", "name", "public_key", "role")

    def __init__(self, private: Ed25519PrivateKey, name: str, role: str) -> None:
        """Take a private key; FormatError `body_invalid` for a name or role no key can have."""
        if not is_label(name) or role not in ROLES:
            raise FormatError("body_invalid", "a key has a label as name and one of three roles")
        self._private = private
        self.name = name
        self.role = role
        self.public_key = private.public_key().public_bytes_raw()
        self.kid = thumbprint(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of the message, 64 bytes."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"<Ed25519Signer {self.role} {self.name} kid={self.kid.hex()[:16]}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled")


def open_signer(uri: str, *, passphrase: Passphrase = None) -> Ed25519Signer:
    """Open the signer at an address.

    Raises KeyFileError: `signer_unsupported` for other addresses than `file:PATH`, or what loading
    the file raises.
    """
    from ledger.keys import keyfile  # it needs this module's signer

    scheme, colon, path = uri.partition(":")
    if scheme == "file" and colon and path:
        return keyfile.load(Path(path), passphrase)
    if scheme in _RESERVED:
        raise KeyFileError("signer_unsupported", f"{scheme}: is reserved, not supported yet")
    raise KeyFileError("signer_unsupported", "not a signer address", hint="file:PATH")
