"""A ledger folder made from a package of a whole ledger, for tests of what reads ledgers.

Statements are stored as they are in the package, whatever is wrong with them; the head is signed
anew, since nobody has the log key of every test ledger.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ledger.formats.merkle import hash_leaf
from ledger.formats.note import Checkpoint, sign_checkpoint
from ledger.formats.values import uuid7_bytes
from ledger.keys.signer import Signer
from ledger.reader import Entry
from ledger.store import Batch, Blob, Row, Snapshot, Store

ENTRIES = "package/data/log/tile/entries/"
CONTENT = "package/data/content/"


def replicate(package: Path, target: Path, signer: Signer) -> Path:
    """Make a ledger at `target` with the statements and contents of a package in a zip file."""
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    statements = _statements(files)
    entries = [Entry.parse(index, one) for index, one in enumerate(statements)]
    blobs = [
        Blob(bytes.fromhex(name.rpartition("/")[2]), data)
        for name, data in files.items()
        if name.startswith(CONTENT)
    ]
    origin = entries[0].payload.body["origin"]

    def authorise(snapshot: Snapshot, first: int):
        return lambda size, root: sign_checkpoint(
            Checkpoint(origin, size, root), origin, signer.sign, signer.public_key
        )

    genesis, *others = entries
    Store.create(target, _batch(genesis, blobs), authorise)
    store = Store.open(target)
    try:
        for entry in others:
            store.append(_batch(entry, []), authorise)
    finally:
        store.close()
    return target


def _batch(entry: Entry, blobs: list[Blob]) -> Batch:
    payload = entry.payload
    row = Row(uuid7_bytes(entry.id), hash_leaf(entry.statement), entry.statement, entry.id)
    return Batch(
        stream=payload.stream_id,
        seq=payload.seq,
        prev=payload.prev,
        iss=entry.cose.iss,
        session=payload.session,
        rows=[row],
        blobs=blobs,
        closes=payload.type == "stream_close",
    )


def is_whole(package: Path) -> bool:
    """Whether a package holds a whole ledger."""
    with zipfile.ZipFile(package) as archive:
        return any(name.startswith(ENTRIES) for name in archive.namelist())


def _statements(files: dict[str, bytes]) -> list[bytes]:
    """The statements of the entry bundles, in order."""
    found = []
    for name in sorted(files):
        data = files[name] if name.startswith(ENTRIES) else b""
        while data:
            size = int.from_bytes(data[:2])
            found.append(data[2 : 2 + size])
            data = data[2 + size :]
    return found
