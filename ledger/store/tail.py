"""Is the end of the database what it was when it was written? (specs/09 section 3)

Asked at every open:

- the head is a signed note of this origin, signed by the log key that is valid at its size
- the table `entries` ends where the head says
- the tiles give the root that was signed
- the last statements have the leaf hashes that the tiles hold
- the published `checkpoint` is not ahead of the head, and does not contradict it

The whole ledger is checked by `ledger.doctor`; this is the part that appending builds on.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.errors import FormatError, StoreError
from ledger.formats import merkle
from ledger.formats.note import Checkpoint, verify_checkpoint
from ledger.store.commit import FORMAT
from ledger.store.snapshot import Snapshot

__all__ = ["LAST_ENTRIES", "check_published", "verify_tail"]

LAST_ENTRIES = 64


def verify_tail(
    snapshot: Snapshot, origin: str, log_key: Callable[[int], tuple[str, bytes]]
) -> Checkpoint:
    """Check the end of the database and return its head.

    `log_key(size)` gives name and public key of the log key for a head of that size. Raises
    `StoreError` `ledger_unreadable` or `tree_damaged`.
    """
    if snapshot.format() != FORMAT:
        raise StoreError(
            "ledger_unreadable", f"meta format: {snapshot.format()!r} instead of {FORMAT!r}"
        )
    last = snapshot.last_entry()
    if last is None:
        raise StoreError("ledger_unreadable", "entries: there is no genesis")
    size = last + 1
    try:
        head = verify_checkpoint(snapshot.head(), *log_key(size))
        if head.size != size or head.origin != origin:
            raise StoreError(
                "tree_damaged",
                f"meta head: {head.origin} of size {head.size} over {size} entries of {origin}",
            )
        root = merkle.root_at(size, snapshot.tile)
    except FormatError as error:
        raise StoreError("tree_damaged", f"meta head: {error}") from error
    if root != head.root:
        raise StoreError(
            "tree_damaged", f"tiles: root {root.hex()} where {head.root.hex()} was signed"
        )
    for index, statement in snapshot.entries(max(0, size - LAST_ENTRIES), size):
        number, at = divmod(index, merkle.TILE_WIDTH)
        leaf = snapshot.tile(0, number)[32 * at : 32 * at + 32]
        if merkle.hash_leaf(statement) != leaf:
            raise StoreError("tree_damaged", f"entries {index}: not the statement in the tree")
    return head


def check_published(snapshot: Snapshot, head: Checkpoint, published: Checkpoint) -> None:
    """Refuse a database that is older than the published head or another than the published one.

    `published` must have been read before the snapshot was taken: heads are published after their
    commit, so a later look at the file could be ahead of an honest snapshot. Raises `StoreError`
    `rolled_back`.
    """
    hint = "restore the newest database, or verify what is left and start a new ledger"
    if published.origin != head.origin:
        raise StoreError(
            "rolled_back", f"checkpoint is of {published.origin}, not {head.origin}", hint=hint
        )
    if published.size > head.size:
        raise StoreError(
            "rolled_back",
            f"the published head has size {published.size}, the database {head.size}",
            hint=hint,
        )
    if merkle.root_at(published.size, snapshot.tile) != published.root:
        raise StoreError(
            "rolled_back",
            f"the published head of size {published.size} has another root than the database",
            hint=hint,
        )
