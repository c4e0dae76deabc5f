"""One append: the single transaction of specs/09 section 3, step 2.

Everything an append makes is in it: content, statements, tiles, ids, stream tail, chain and the
signed head. A head is signed only over statements that were read back from the transaction and
hashed again: one flipped bit between hashing and storing has ended a public log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ledger.errors import FormatError, StoreError
from ledger.formats import merkle
from ledger.formats.note import parse_checkpoint
from ledger.store import peaks
from ledger.store.environment import Environment, Txn
from ledger.store.rows import Batch, Committed, StreamTail, chain_key, tile_key, u64
from ledger.store.snapshot import Snapshot

__all__ = ["FORMAT", "Authorise", "HeadSigner", "append"]

FORMAT = b"vif-ledger/1"

HeadSigner: TypeAlias = Callable[[int, bytes], bytes]
"""(size, root) -> the signed head."""

Authorise: TypeAlias = Callable[[Snapshot, int], HeadSigner]
"""Called when the index of the first row is known; refuses by raising a `LedgerError`."""


def append(environment: Environment, batch: Batch, authorise: Authorise) -> Committed:
    """Make a batch durable and return its place in the log.

    Raises what `authorise` raises (nothing is written then), `FormatError("id_duplicate")`, or
    `StoreError`: `store_failed`, `store_full`, after which the environment is poisoned.
    """
    with environment.write() as txn:
        snapshot = Snapshot(environment, txn)
        # 1. The head as it is now. The write lock is ours, so no other process can move it.
        head = snapshot.head()
        first, known = _tree(environment, snapshot, head)
        tail = snapshot.stream(batch.stream)
        _check_continues(batch, tail)
        # 2. Is this writer allowed to write at this index, and who signs the head?
        sign_head = authorise(snapshot, first)
        # 3. Content, statements, and the tables that find them.
        first_blob = _put_content(snapshot, batch)
        _put_rows(snapshot, batch, first, tail)
        # 4. Hash again what is stored now; these hashes and no others go into the tree.
        leaves = _stored_leaves(snapshot, batch, first)
        size = first + len(leaves)
        # 5. The root: the tree of the head before, grown by these leaves. And the tiles.
        grown = peaks.extend(known, leaves)
        root = peaks.root(grown)
        _put_tiles(snapshot, leaves, first)
        # 6. The signed head.
        note = sign_head(size, root)
        if not first:
            txn.put(b"format", FORMAT, db=environment.tables["meta"])
        txn.put(b"head", note, db=environment.tables["meta"])
    # 7. The block has ended with a commit: data pages synced, then the meta page that names them.
    environment.tip = (note, size, grown)
    return Committed(first, size, root, note, first_blob)


def _check_continues(batch: Batch, tail: StreamTail | None) -> None:
    expected = (tail.seq + 1, tail.leaf_hash) if tail else (0, None)
    if (batch.seq, batch.prev) != expected:
        # The stream's lock makes this impossible, unless two writers do not see the same locks.
        raise StoreError(
            "store_failed",
            f"stream {batch.stream} stands at seq {expected[0]}, not {batch.seq}: "
            "another writer has used it",
            hint="open the ledger again; locks do not work on some network file systems",
        )


def _put_content(snapshot: Snapshot, batch: Batch) -> int:
    table = snapshot.tables["blobs"]
    first = snapshot.blob_count() if batch.blobs else 0
    for number, blob in enumerate(batch.blobs, first):
        snapshot.txn.put(u64(number), blob.blake3 + blob.archived, append=True, db=table)
    for number in batch.erased:
        stored = snapshot.blob(number)
        if stored is not None:
            # The digest stays, so that numbers are never used again.
            snapshot.txn.put(u64(number), stored[:32], db=table)
    return first


def _put_rows(snapshot: Snapshot, batch: Batch, first: int, tail: StreamTail | None) -> None:
    txn, tables, rows = snapshot.txn, snapshot.tables, batch.rows
    no = tail.no if tail else snapshot.stream_count()
    indices = range(first, first + len(rows))
    _put_all(
        txn,
        tables["entries"],
        [(u64(i), row.statement) for i, row in zip(indices, rows, strict=True)],
        append=True,
    )
    _put_all(txn, tables["ids"], [(row.id, u64(i)) for i, row in zip(indices, rows, strict=True)])
    _put_all(
        txn,
        tables["chain"],
        [(chain_key(no, batch.seq + at), u64(first + at)) for at in range(len(rows))],
    )
    end = StreamTail(
        stream=batch.stream,
        no=no,
        seq=batch.seq + len(rows) - 1,
        leaf_hash=rows[-1].leaf_hash,
        index=first + len(rows) - 1,
        iss=batch.iss,
        session=batch.session,
        closed=batch.closes,
    )
    txn.put(batch.stream.encode(), end.to_bytes(), db=tables["streams"])


def _put_all(
    txn: Txn, table: object, items: list[tuple[bytes, bytes]], *, append: bool = False
) -> None:
    with txn.cursor(table) as cursor:  # type: ignore[arg-type]
        _, added = cursor.putmulti(items, overwrite=False, append=append)
    if added != len(items):
        if append:
            raise StoreError("tree_damaged", "entries: an index beyond the head is taken")
        raise FormatError("id_duplicate", "an id of this batch is in the ledger already")


def _stored_leaves(snapshot: Snapshot, batch: Batch, first: int) -> list[bytes]:
    leaves: list[bytes] = []
    with snapshot.txn.cursor(snapshot.tables["entries"]) as cursor:
        cursor.set_key(u64(first))
        for row, stored in zip(batch.rows, cursor.iternext(keys=False), strict=False):
            leaf = merkle.hash_leaf(stored)
            if leaf != row.leaf_hash:
                raise StoreError(
                    "store_failed",
                    f"entries {first + len(leaves)}: stored bytes are not those signed",
                )
            leaves.append(leaf)
    if len(leaves) != len(batch.rows):
        raise StoreError("store_failed", "entries: fewer statements stored than appended")
    return leaves


def _tree(environment: Environment, snapshot: Snapshot, head: bytes) -> tuple[int, peaks.Peaks]:
    """Size and peaks of the tree that was signed last, remembered or from the tiles."""
    if not head:
        return 0, []
    signed, size, known = environment.tip
    if head == signed:
        return size, known
    before = parse_checkpoint(head)[0]
    known = peaks.from_tiles(before.size, snapshot.tile)
    if peaks.root(known) != before.root:
        raise StoreError("tree_damaged", f"tiles: not the tree of the head of size {before.size}")
    return before.size, known


def _put_tiles(snapshot: Snapshot, leaves: list[bytes], first: int) -> None:
    changed = merkle.tiles_after_append(first, leaves, snapshot.tile)
    for (level, number), hashes in changed.items():
        snapshot.txn.put(tile_key(level, number), hashes, db=snapshot.tables["tiles"])
