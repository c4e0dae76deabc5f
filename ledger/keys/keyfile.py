"""Private keys in files: PKCS#8 PEM, mode 0600, in a folder of mode 0700 (specs/05 section 6).

    vif-key: 1
    name: lab-producer
    role: producer
    public-key: <64 hex digits>
    proof: <128 hex digits>          by the key, over the CBOR of ["vif-key-file", role, name, key]
    -----BEGIN PRIVATE KEY-----      or ENCRYPTED PRIVATE KEY
    ...

The lines above the PEM block tell whose key it is without unlocking it. The proof ties them to the
key: who edits name or role makes the file unreadable, instead of making it sign under another name.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from platformdirs import user_config_path

from ledger.errors import FormatError, KeyFileError
from ledger.formats import cbor
from ledger.formats.values import is_label
from ledger.keys.ed25519 import thumbprint, verify
from ledger.keys.signer import ROLES, Ed25519Signer, Passphrase

KEY_FILE_MAX_BYTES: Final = 16384
KEYS_ENVIRONMENT: Final = "VIF_KEYS"

_FILE_NAME: Final = re.compile(r"(?:authority|log|producer)-[0-9a-f]{16}\.pem")
_FILE: Final = re.compile(
    rb"vif-key: 1\nname: ([^\n]{1,128})\nrole: ([a-z]{1,9})\n"
    rb"public-key: ([0-9a-f]{64})\nproof: ([0-9a-f]{128})\n"
    rb"(-----BEGIN (ENCRYPTED )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+"
    rb"-----END (?:ENCRYPTED )?PRIVATE KEY-----\n)"
)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a key file says without being unlocked."""

    path: Path
    name: str
    role: str
    public_key: bytes
    kid: bytes
    encrypted: bool


class KeyFolder:
    """A folder of key files; files that are not named like one are not looked at."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it need not exist yet."""
        self.path = path

    def list(self) -> tuple[KeyInfo, ...]:
        """Return what the key files say, by file name; KeyFileError at one that cannot be used."""
        if not self.path.is_dir():
            return ()
        paths = sorted(path for path in self.path.iterdir() if _FILE_NAME.fullmatch(path.name))
        return tuple(map(inspect, paths))

    def find(self, kid: bytes) -> Path | None:
        """Return the file of the key with this key id, or None."""
        for path in sorted(self.path.glob(f"*-{kid.hex()[:16]}.pem")):
            if inspect(path).kid == kid:
                return path
        return None


def default_folder() -> KeyFolder:
    """Return the folder that VIF_KEYS names, or `vif/keys` in the user's configuration folder."""
    named = os.environ.get(KEYS_ENVIRONMENT)
    return KeyFolder(Path(named) if named else user_config_path("vif") / "keys")


def generate(role: str, name: str, folder: Path, *, passphrase: bytes | None = None) -> Path:
    """Make a key and write its file; the folder is made too if it is not there.

    Raises KeyFileError `key_exists`, `key_permissions` (a folder that others can enter, or that
    cannot be written) or `key_passphrase` (an empty one); FormatError `body_invalid` for a name or
    role that no key can have.
    """
    return store(Ed25519PrivateKey.generate(), role, name, folder, passphrase=passphrase)


def store(
    private: Ed25519PrivateKey,
    role: str,
    name: str,
    folder: Path,
    *,
    passphrase: bytes | None = None,
) -> Path:
    """Write the file of a key that exists already; otherwise as `generate`."""
    if passphrase == b"":
        raise KeyFileError("key_passphrase", "an empty passphrase protects nothing")
    signer = Ed25519Signer(private, name, role)
    data = _write(private, signer, passphrase)
    path = folder / f"{role}-{signer.kid.hex()[:16]}.pem"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            raise KeyFileError(
                "key_permissions",
                f"{folder} is open to group or others",
                hint=f"chmod 700 {folder}",
            )
        _create(path, data)
    except FileExistsError:
        raise KeyFileError("key_exists", f"{path} exists already") from None
    except OSError as error:
        raise KeyFileError("key_permissions", f"{path}: {error.strerror}") from None
    return path


def load(path: Path, passphrase: Passphrase = None) -> Ed25519Signer:
    """Read a key file; the passphrase is asked for only when the key is encrypted.

    Raises KeyFileError `key_missing`, `key_permissions` (group or others can read it),
    `key_unreadable` (malformed, or its lines do not belong to the key) or `key_passphrase`
    (needed, or wrong).
    """
    info, pem = _read(path)
    if info.encrypted:
        secret = passphrase() if callable(passphrase) else passphrase
        if not secret:
            raise KeyFileError("key_passphrase", f"{path} needs a passphrase")
    else:
        secret = None
    try:
        private = load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if info.encrypted:
            raise KeyFileError("key_passphrase", f"the passphrase does not open {path}") from None
        raise _unreadable(path, "not a PKCS#8 key") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _unreadable(path, "not an Ed25519 key")
    signer = Ed25519Signer(private, info.name, info.role)
    if signer.public_key != info.public_key:
        raise _unreadable(path, "the public key named is not that of the private key")
    return signer


def inspect(path: Path) -> KeyInfo:
    """Read what a key file says without unlocking it; otherwise as `load`."""
    return _read(path)[0]


def _write(private: Ed25519PrivateKey, signer: Ed25519Signer, passphrase: bytes | None) -> bytes:
    protection: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    )
    proof = signer.sign(_proof_message(signer.role, signer.name, signer.public_key))
    lines = (
        f"vif-key: 1\nname: {signer.name}\nrole: {signer.role}\n"
        f"public-key: {signer.public_key.hex()}\nproof: {proof.hex()}\n"
    )
    return lines.encode() + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def _create(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> tuple[KeyInfo, bytes]:
    try:
        data = _private_bytes(path)
    except FileNotFoundError:
        raise KeyFileError("key_missing", f"{path} does not exist") from None
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from None
    match = _FILE.fullmatch(data)
    if match is None or len(data) > KEY_FILE_MAX_BYTES:
        raise _unreadable(path, "not a key file")
    name, role = match[1].decode("ascii", "replace"), match[2].decode()
    public_key, proof = bytes.fromhex(match[3].decode()), bytes.fromhex(match[4].decode())
    if not is_label(name) or role not in ROLES:
        raise _unreadable(path, "name or role")
    try:
        verify(public_key, proof, _proof_message(role, name, public_key))
    except FormatError:
        raise _unreadable(path, "name, role or public key were changed") from None
    info = KeyInfo(path, name, role, public_key, thumbprint(public_key), match[6] is not None)
    return info, match[5]


def _private_bytes(path: Path) -> bytes:
    # Not blocking: a named pipe would hang the caller before it is seen to be no file.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _unreadable(path, "not a file")
        if mode & 0o077:
            raise KeyFileError(
                "key_permissions", f"{path} is open to group or others", hint=f"chmod 600 {path}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(KEY_FILE_MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _proof_message(role: str, name: str, public_key: bytes) -> bytes:
    return cbor.encode(["vif-key-file", role, name, public_key])


def _unreadable(path: Path, why: str) -> KeyFileError:
    return KeyFileError("key_unreadable", f"{path}: {why}")
