"""The key files of a person: finding one by what was typed, and changing its passphrase."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.cli.failures import bad_call
from ledger.cli.secret import NEW_PASSPHRASE, PASSPHRASE, ask_passphrase, choose_passphrase
from ledger.errors import KeyFileError
from ledger.keys import keyfile
from ledger.keys.keyfile import KeyFolder, KeyInfo

__all__ = ["encrypt", "find_key", "folder_of", "short", "usable"]

SHORT_DIGITS = 16
_HEX = re.compile(r"[0-9a-f]{4,64}")


def folder_of(keys: Path | None) -> KeyFolder:
    """Return the folder that `--keys` or VIF_KEYS names, or the user's own."""
    return keyfile.default_folder() if keys is None else KeyFolder(keys)


def short(kid: bytes) -> str:
    """Return the beginning of a key id, as file names and messages show it."""
    return kid.hex()[:SHORT_DIGITS]


def usable(folder: KeyFolder) -> tuple[list[KeyInfo], list[KeyFileError]]:
    """Return what the key files of a folder say, and why some of them say nothing."""
    found, refused = [], []
    if folder.path.is_dir():
        for path in sorted(folder.path.glob("*.pem")):
            try:
                found.append(keyfile.inspect(path))
            except KeyFileError as error:
                refused.append(error)
    return found, refused


def find_key(folder: KeyFolder, typed: str) -> KeyInfo:
    """Find a key by the beginning of its id, by its name, or by the path of its file.

    Raises KeyFileError `key_missing` if there is none, LedgerError `usage` if there are several.
    """
    if "/" in typed or typed.endswith(".pem"):
        return keyfile.inspect(Path(typed))
    infos, _ = usable(folder)
    wanted = typed.lower()
    found = [info for info in infos if info.name == typed]
    if not found and _HEX.fullmatch(wanted):
        found = [info for info in infos if info.kid.hex().startswith(wanted)]
    if not found:
        raise KeyFileError(
            "key_missing",
            f"no key {typed!r} in {folder.path}",
            hint="`vif key list` shows the keys there are; --keys names another folder",
        )
    if len(found) > 1:
        ids = ", ".join(f"{short(info.kid)} ({info.role})" for info in found)
        bad_call(f"{typed!r} may be any of {ids}", hint="name the key by its id")
    return found[0]


def encrypt(info: KeyInfo) -> None:
    """Give a key file a new passphrase; the file is replaced in one step or not at all.

    Raises KeyFileError `key_passphrase` or `key_permissions`.
    """
    old = ask_passphrase() if info.encrypted else None
    keyfile.load(info.path, old)  # says in its own words what is wrong with the file
    private = load_pem_private_key(info.path.read_bytes(), old)
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError("key_unreadable", f"{info.path}: not an Ed25519 key")
    new = choose_passphrase(NEW_PASSPHRASE if info.encrypted else PASSPHRASE)
    folder = info.path.parent
    with tempfile.TemporaryDirectory(prefix=".encrypting-", dir=folder) as making:
        made = keyfile.store(private, info.role, info.name, Path(making), passphrase=new)
        made.replace(info.path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
