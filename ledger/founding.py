"""Making a ledger: keys outside, genesis inside (specs/04 section 5, specs/05 section 6).

The genesis names the authority, the log key and the first producer key, each with a proof that its
holder agrees. Its leaf hash is the ledger's identity. Keys are made in the key folder unless
signers are given, and never below the ledger's own folder: who hands a ledger over must not hand
over keys.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import FormatError, KeyFileError, StoreError
from ledger.formats.note import Checkpoint, sign_checkpoint
from ledger.formats.payload import KEY_STREAM
from ledger.formats.values import is_label, is_origin
from ledger.keys import keyfile
from ledger.keys.events import KeyEntry, genesis_body, key_entry
from ledger.keys.keyfile import KeyFolder, default_folder
from ledger.keys.signer import AUTHORITY, LOG, PRODUCER, Passphrase, Signer, open_signer
from ledger.keys.trust import write_trust
from ledger.store import MAP_SIZE_BYTES, Batch, HeadSigner, Snapshot, Store
from ledger.writer.keyring import SignerLike
from ledger.writer.prepare import Prepared, encode_body
from ledger.writer.statements import RANDOM_BYTES, Clock, Link, Moment, Random, StatementMaker

__all__ = ["InitResult", "init", "key_folder", "now_us"]


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init` made."""

    path: Path
    origin: str
    genesis: bytes
    """Leaf hash of the genesis, 32 bytes; auditors pin it."""
    checkpoint: bytes
    key_files: dict[str, Path]
    """Private keys that were made, by role."""
    trust: bytes
    """The trust file for auditors (specs/05 section 5)."""
    advice: str
    """What to do with the authority key."""


def now_us() -> int:
    """The time of this machine, microseconds since 1970."""
    return time.time_ns() // 1000


def key_folder(keys: KeyFolder | Path | str | None, ledger: Path) -> KeyFolder:
    """The folder of private keys; `KeyFileError("key_permissions")` if the ledger holds it."""
    if keys is None:
        folder = default_folder()
    else:
        folder = keys if isinstance(keys, KeyFolder) else KeyFolder(Path(keys))
    inside = folder.path.expanduser().resolve()
    if inside.is_relative_to(ledger.resolve()):
        raise KeyFileError(
            "key_permissions",
            f"{inside} lies in the ledger {ledger}; whoever gets the ledger would get its keys",
            hint="keep keys in another folder",
        )
    return KeyFolder(folder.path.expanduser())


def init(
    path: str | os.PathLike[str],
    *,
    origin: str | None = None,
    salted: bool = False,
    keys: KeyFolder | Path | str | None = None,
    name: str = "producer",
    authority: SignerLike | None = None,
    log_key: SignerLike | None = None,
    producer: SignerLike | None = None,
    passphrase: Passphrase = None,
    clock: Clock = now_us,
    random: Random = os.urandom,
    map_size_bytes: int = MAP_SIZE_BYTES,
) -> InitResult:
    """Make a new ledger and, for each role without a signer, a key.

    `origin` names the log in every head, best by a name that you own, such as `example.org/lab`,
    and is made up when not given; `name` is the producer's.
    Raises `StoreError("ledger_exists")`, `KeyFileError`, `FormatError` for a malformed name.
    """
    folder = Path(path).absolute()
    if origin is None:
        origin = _default_origin(folder, random)
    if not is_origin(origin) or not is_label(name):
        raise FormatError("body_invalid", f"{origin!a} is no origin, or {name!a} no label")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        # Looked at before any key is made, so that a mistaken call leaves no keys behind.
        raise StoreError("ledger_exists", f"{folder} exists")
    where = key_folder(keys, folder)
    files: dict[str, Path] = {}

    def signer(role: str, given: SignerLike | None, named: str) -> Signer:
        if isinstance(given, str):
            return open_signer(given, passphrase=passphrase)
        if given is not None:
            return given
        secret = passphrase() if callable(passphrase) else passphrase
        files[role] = keyfile.generate(role, named, where.path, passphrase=secret)
        return keyfile.load(files[role], secret)

    try:
        signers = {
            AUTHORITY: signer(AUTHORITY, authority, "authority"),
            LOG: signer(LOG, log_key, origin),
            PRODUCER: signer(PRODUCER, producer, name),
        }
        entries = {role: key_entry(one, origin, role) for role, one in signers.items()}
        batch = _genesis(origin, entries, signers[AUTHORITY], salted, clock, random)

        def authorise(snapshot: Snapshot, first: int) -> HeadSigner:
            log = signers[LOG]
            return lambda size, root: sign_checkpoint(
                Checkpoint(origin, size, root), origin, log.sign, log.public_key
            )

        committed = Store.create(folder, batch, authorise, map_size_bytes=map_size_bytes)
    except BaseException:
        for file in files.values():
            file.unlink(missing_ok=True)
        raise
    genesis = batch.rows[0].leaf_hash
    return InitResult(
        path=folder,
        origin=origin,
        genesis=genesis,
        checkpoint=committed.head,
        key_files=files,
        trust=write_trust(origin, genesis),
        advice=_advice(files.get(AUTHORITY)),
    )


def _default_origin(folder: Path, random: Random) -> str:
    """A name after the folder that no other log has; `.invalid` says that nobody owns it."""
    name = re.sub("[^A-Za-z0-9._-]+", "-", folder.name)[:64].strip("-.") or "log"
    return f"vif.invalid/{name}-{random(4).hex()}"


def _genesis(
    origin: str,
    entries: dict[str, KeyEntry],
    authority: Signer,
    salted: bool,
    clock: Clock,
    random: Random,
) -> Batch:
    body = genesis_body(
        origin, entries[AUTHORITY], entries[LOG], [entries[PRODUCER]], salted=salted
    )
    maker = StatementMaker(KEY_STREAM, None, None, authority)
    row = maker.make(
        Prepared("genesis", encode_body(body)),
        (),
        Link(0, None),
        Moment.of(clock()),
        random(RANDOM_BYTES),
    )
    return Batch(KEY_STREAM, 0, None, authority.name, None, rows=[row])


def _advice(file: Path | None) -> str:
    if file is None:
        return "Keep the authority key offline: whoever has it can enrol keys."
    return (
        f"Move {file} to a place that is offline: appending does not need it, "
        "and whoever has it can enrol keys. Without it no key can be added or revoked."
    )
