"""Is everything in the folder what the entries imply? (specs/09)

`examine` derives the whole ledger again from its entries and compares: statements and signatures,
leaf hashes, every tile, root and head, ids, streams, chain, parents, operations across models,
replays and prompts, views, content. It reads one snapshot, may run beside writers, and changes
nothing; `rebuild_views` makes the views again.

Codes are those of specs/08 and `ledger.errors`, and:

| code | meaning |
|---|---|
| `entry_missing` | an index below the head has no statement |
| `row_mismatch`, `row_count` | a row of `ids` or `chain` |
| `stream_tail` | a row of `streams` |
| `view_mismatch` | a view; delete and rebuild it |
| `blob_missing` | a number is missing in `blobs` |
| `content_unreadable` | a content file cannot be read |
| `head_unpublished` | note: the published head is behind or torn; the next open publishes it |
| `orphan_temporary` | note: a temporary file that a crash left |
| `operation_open` | note: an operation that was not combined, of specs/12 |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ledger.doctor.contents import Contents
from ledger.doctor.operations import check_operations
from ledger.doctor.problem import Problem
from ledger.doctor.replays import check_replays
from ledger.doctor.statements import Statements
from ledger.doctor.viewed import check_views
from ledger.errors import FormatError, LedgerError, StoreError
from ledger.formats import merkle
from ledger.formats.note import Checkpoint, verify_checkpoint
from ledger.operations.gather import Gathered
from ledger.store import Snapshot, Store
from ledger.store.commit import FORMAT
from ledger.store.content import blob_view
from ledger.views.index import INDEX

__all__ = ["Problem", "examine", "rebuild_views"]

Progress = Callable[[str, int, int], None]
"""(what, done, of how many), every thousand rows."""


def examine(path: str | os.PathLike[str], *, progress: Progress | None = None) -> Iterator[Problem]:
    """Check a whole ledger and yield every problem as it is found; nothing means it is sound.

    Raises `StoreError` `ledger_missing` or `ledger_unreadable` where there is nothing to examine.
    """
    store = Store.open(Path(path), read_only=True)
    try:
        published = store.published.read()
        with store.reading() as snapshot:
            try:
                yield from _examine(store, snapshot, published, progress or _silent)
            except LedgerError as error:
                # LMDB's own pages are damaged, or a table that is needed to go on.
                yield Problem(error.code, "meta", "", error.message)
    finally:
        store.close()


def rebuild_views(path: str | os.PathLike[str], *, progress: Progress | None = None) -> None:
    """Forget all views and derive them again from the entries (specs/09 section 4)."""
    report = progress or _silent
    store = Store.open(Path(path))
    try:
        for view in (INDEX, blob_view):
            view.drop(store.environment)
            with store.reading() as snapshot:
                total = view.lag(snapshot)
            name = view.name
            view.update(store.environment, lambda done, n=name, t=total: report(n, done, t))  # type: ignore[misc]
    finally:
        store.close()


def _silent(what: str, done: int, total: int) -> None:
    pass


def _examine(
    store: Store, snapshot: Snapshot, published: Checkpoint | None, progress: Progress
) -> Iterator[Problem]:
    if snapshot.format() != FORMAT:
        yield Problem(
            "ledger_unreadable", "meta", "format", "", repr(FORMAT), repr(snapshot.format())
        )
    with Gathered() as operations:
        yield from _gathering(store, snapshot, published, progress, operations)


def _gathering(
    store: Store,
    snapshot: Snapshot,
    published: Checkpoint | None,
    progress: Progress,
    operations: Gathered,
) -> Iterator[Problem]:
    contents = Contents()
    yield from contents.blobs(snapshot)
    yield from contents.files(store.content.folder)
    statements = Statements(snapshot, contents, operations)
    yield from statements.stored_streams()
    size = (snapshot.last_entry() or 0) + 1
    expected = 0
    for index, statement in snapshot.entries(0, 1 << 63):
        if index != expected:
            yield Problem("entry_missing", "entries", str(expected), "no statement at this index")
            return
        yield from statements.entry(index, statement)
        expected += 1
        if expected % 1000 == 0:
            progress("entries", expected, size)
    progress("entries", expected, size)
    if expected == 0:
        yield Problem("entry_missing", "entries", "0", "there is no genesis")
        return
    yield from statements.finish()
    yield from contents.missing()
    yield from _head(snapshot, statements, expected)
    yield from _published(store, snapshot, statements, published, expected)
    yield from check_operations(store, snapshot, operations)
    yield from check_replays(store, snapshot, statements.replays)
    if not statements.damaged:
        yield from check_views(snapshot)


def _head(snapshot: Snapshot, statements: Statements, size: int) -> Iterator[Problem]:
    try:
        key = statements.history.log_key_at(size)
        head = verify_checkpoint(snapshot.head(), statements.history.origin, key.public_key)
    except FormatError as error:
        yield Problem(error.code, "meta", "head", error.message)
        return
    root = statements.tree.root()
    if (head.origin, head.size) != (statements.history.origin, size):
        yield Problem("head_mismatch", "meta", "head", "size", str(size), str(head.size))
    elif head.root != root:
        yield Problem("root_mismatch", "meta", "head", "root", root.hex(), head.root.hex())


def _published(
    store: Store,
    snapshot: Snapshot,
    statements: Statements,
    published: Checkpoint | None,
    size: int,
) -> Iterator[Problem]:
    def unpublished(message: str) -> Problem:
        return Problem("head_unpublished", "checkpoint", "", message, severity="note")

    if published is None:
        yield unpublished("missing or torn")
    elif published.size > size or published.origin != statements.history.origin:
        yield Problem(
            "rolled_back",
            "checkpoint",
            "",
            "the database is behind the published head",
            f"{published.origin} {published.size}",
            f"{statements.history.origin} {size}",
        )
    else:
        try:
            root = merkle.root_at(published.size, snapshot.tile)
        except (FormatError, StoreError):
            return  # the tiles are damaged, and reported
        if root != published.root and statements.tree.sound:
            yield Problem(
                "rolled_back",
                "checkpoint",
                "",
                f"root at size {published.size}",
                root.hex(),
                published.root.hex(),
            )
        if published.size < size:
            yield unpublished(f"at size {published.size} of {size}")
