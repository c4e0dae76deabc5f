"""Private keys that are the same at every run and look like nothing else."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.keys.signer import Ed25519Signer


def seed(text: str) -> bytes:
    """The 32 bytes of the private key of that name."""
    return sha256(b"vif test key " + text.encode()).digest()


def private(text: str) -> Ed25519PrivateKey:
    """The private key of that name."""
    return Ed25519PrivateKey.from_private_bytes(seed(text))


def signer(text: str, name: str, role: str) -> Ed25519Signer:
    """The signer of that key under a name and role."""
    return Ed25519Signer(private(text), name, role)
