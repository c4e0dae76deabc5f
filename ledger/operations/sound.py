"""A statement by itself: signature, key, leaf hash, stream, and its parents (specs/02, 04, 05).

Signatures are verified over the stored bytes with the key that is valid at that index by all that
the log says, and the leaf hash is computed from these bytes and compared with the tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.errors import FormatError, LedgerError
from ledger.formats.cose import signing_input
from ledger.formats.merkle import hash_leaf
from ledger.formats.values import uuid7_bytes
from ledger.keys import ed25519
from ledger.operations.report import Finding
from ledger.operations.statements import Seen, Statements
from ledger.reader import Entry
from ledger.store import Snapshot

__all__ = ["own_findings", "parent_findings"]


def own_findings(statements: Statements, seen: Seen) -> Iterator[Finding]:
    """What is wrong with a statement on the axes integrity and authenticity."""
    entry, log = seen.entry, statements.log
    stored = statements.stored_leaf(seen.index)
    if stored != entry.leaf_hash:
        yield seen.finding(
            "leaf_mismatch", "its hash is not in the tree", stored or None, entry.leaf_hash
        )
    if seen.fault:
        yield seen.finding("body_invalid", seen.fault)
    try:
        key = log.keys().judge(seen.index, entry.cose, entry.payload)
        signed = signing_input(entry.cose.protected, entry.cose.payload)
        ed25519.verify(key.public_key, entry.cose.signature, signed)
    except FormatError as error:
        yield seen.finding(error.code, error.message)
    with log.store.reading() as snapshot:
        yield from _id(snapshot, seen)
        yield from _stream(snapshot, seen, (log.origin, log.genesis))


def parent_findings(statements: Statements, seen: Seen) -> Iterator[Finding]:
    """Parents that are not there, not earlier, or not those that are named (specs/04 section 7)."""
    for found in statements.parents(seen):
        name = f"parent {found.parent.id}"
        if found.parent.ledger == statements.log.genesis:
            yield seen.finding("parent_mismatch", f"{name} is said to be in another ledger")
        elif found.state == "missing":
            yield seen.finding("parent_missing", f"{name} is not in the log")
        elif found.index is not None and found.index >= seen.index:
            yield seen.finding("parent_later", f"{name} stands at {found.index}")
        elif found.other_id and found.seen is not None:
            yield seen.finding(
                "parent_mismatch", f"{name} has another id", found.seen.entry.id, found.parent.id
            )


def _id(snapshot: Snapshot, seen: Seen) -> Iterator[Finding]:
    try:
        index = snapshot.id_index(uuid7_bytes(seen.entry.id))
    except LedgerError:
        return  # a damaged table, which is no fault of the statement
    if index is not None and index != seen.index:
        yield seen.finding("id_duplicate", f"its id is that of the statement at {index}")


def _stream(snapshot: Snapshot, seen: Seen, ledger: tuple[str, bytes]) -> Iterator[Finding]:
    payload = seen.payload
    name = f"stream {payload.stream_id}"
    if payload.seq == 0:
        if payload.ledger is not None and tuple(payload.ledger) != ledger:
            yield seen.finding("stream_ledger", f"{name} belongs to another ledger")
        return
    try:
        before = _before(snapshot, seen)
    except LedgerError as error:
        yield seen.finding("stream_gap", f"{name}: {error.message}")
        return
    if before is None:
        yield seen.finding("stream_gap", f"{name} has no statement {payload.seq - 1} before it")
        return
    index, statement = before
    leaf = hash_leaf(statement)
    if leaf != payload.prev:
        yield seen.finding("stream_prev", f"{name}: the statement before it", leaf, payload.prev)
    try:
        entry = Entry.parse(index, statement)
    except FormatError:
        return  # that one's own finding
    if entry.cose.iss != seen.entry.cose.iss:
        yield seen.finding("stream_issuer", name, entry.cose.iss, seen.entry.cose.iss)
    if entry.payload.session != payload.session:
        yield seen.finding("stream_session", name, entry.payload.session, payload.session)
    if entry.payload.type == "stream_close":
        yield seen.finding("stream_closed", f"{name} was closed at {index}")


def _before(snapshot: Snapshot, seen: Seen) -> tuple[int, bytes] | None:
    """The statement before this one in its stream, with its index."""
    stream = snapshot.stream(seen.payload.stream_id)
    if stream is None:
        return None
    index = snapshot.chain(stream.no, seen.payload.seq - 1)
    if index is None or index >= seen.index:
        return None
    statement = snapshot.entry(index)
    return None if statement is None else (index, statement)
