"""The floors: what the parts that cannot be saved cost on this machine, in this run."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmdb
import nacl.bindings
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROUNDS = 5


def seconds_each(call: Callable[[], object], times: int) -> float:
    """Median over rounds of the mean seconds of one call, so that a busy moment does not decide."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            call()
        rounds.append((time.perf_counter() - began) / times)
    return statistics.median(rounds)


def signing(size_bytes: int, times: int = 1000) -> float:
    """Seconds for one Ed25519 signature by the library that the ledger signs with (OpenSSL)."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    message = os.urandom(size_bytes)
    return seconds_each(lambda: key.sign(message), times)


def verifying(size_bytes: int, times: int = 1000) -> float:
    """Seconds for one Ed25519 verification by the library that the verifier uses (libsodium)."""
    public, secret = nacl.bindings.crypto_sign_seed_keypair(bytes(range(32)))
    signed = nacl.bindings.crypto_sign(os.urandom(size_bytes), secret)
    return seconds_each(lambda: nacl.bindings.crypto_sign_open(signed, public), times)


def committing(folder: Path, value_bytes: int, per_commit: int, times: int) -> float:
    """Seconds for one durable LMDB commit of `per_commit` values under consecutive keys."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        environment = lmdb.open(place, map_size=1 << 34)
        value = os.urandom(value_bytes)
        number = 0

        def commit() -> None:
            nonlocal number
            with environment.begin(write=True) as transaction:
                for _ in range(per_commit):
                    transaction.put(number.to_bytes(8), value, append=True)
                    number += 1

        try:
            return seconds_each(commit, max(1, times // ROUNDS))
        finally:
            environment.close()
