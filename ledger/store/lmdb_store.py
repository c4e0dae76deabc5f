"""A ledger's folder, open (specs/09 section 1).

Folder and database are made whole under another name and then renamed, so that a ledger that exists
is a ledger that can be opened.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ledger.errors import LedgerError, StoreError
from ledger.formats.note import Checkpoint
from ledger.store import commit
from ledger.store.content import ContentStore
from ledger.store.environment import MAP_SIZE_BYTES, Environment
from ledger.store.files import storage_errors, sync_folder
from ledger.store.published import Published
from ledger.store.rows import Batch, Committed
from ledger.store.snapshot import Snapshot
from ledger.store.tail import check_published, verify_tail

__all__ = ["Store"]

_CHUNK = 64
"""Statements read in one snapshot while iterating; at most 4 MiB of them."""


class Store:
    """Tables, content and published head of one ledger."""

    def __init__(self, path: Path, environment: Environment, *, read_only: bool = False) -> None:
        self.path = path
        self.environment = environment
        self.read_only = read_only or not environment.writable
        self.content = ContentStore(environment, path / "content")
        self.published = Published(path)
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        genesis: Batch,
        authorise: commit.Authorise,
        *,
        map_size_bytes: int = MAP_SIZE_BYTES,
    ) -> Committed:
        """Make a ledger folder that holds its genesis and is closed again.

        Raises `StoreError` `ledger_exists`, `store_full`, `store_failed`. A crash leaves at most a
        folder whose name begins with a dot and ends in `.new`.
        """
        path = path.absolute()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StoreError("ledger_exists", f"{path} exists")
        making = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
        with storage_errors(f"making {path}"):
            making.mkdir(parents=True)
            try:
                for folder in ("db", "locks", "content", "content/tmp"):
                    (making / folder).mkdir()
                environment = Environment.open(
                    making / "db", create=True, map_size_bytes=map_size_bytes
                )
                try:
                    committed = commit.append(environment, genesis, authorise)
                finally:
                    environment.release()
                Published(making).publish(committed.head, committed.size)
                # LMDB syncs its files and not the folder that names them.
                for folder in ("db", "content", "."):
                    sync_folder(making / folder)
                try:
                    os.rename(making, path)  # noqa: PTH104 - fails when path was filled meanwhile
                except OSError as error:
                    raise StoreError("ledger_exists", f"{path}: {error.strerror}") from error
                sync_folder(path.parent)
            except BaseException:
                shutil.rmtree(making, ignore_errors=True)
                raise
        return committed

    @classmethod
    def open(
        cls, path: Path, *, read_only: bool = False, map_size_bytes: int = MAP_SIZE_BYTES
    ) -> Store:
        """Open a folder; nothing is verified yet, see `verify`.

        Raises `StoreError` `ledger_missing`, `ledger_unreadable`, `store_poisoned`, `forked`.
        """
        path = path.absolute()
        if not (path / "db" / "data.mdb").is_file():
            hint = "make one with `vif init`" if not path.exists() else None
            raise StoreError("ledger_missing", f"{path} is not a ledger", hint=hint)
        environment = Environment.open(path / "db", map_size_bytes=map_size_bytes)
        return cls(path, environment, read_only=read_only)

    def verify(self, origin: str, log_key: Callable[[int], tuple[str, bytes]]) -> Checkpoint:
        """Check the tail against tiles, head and published head; see `ledger.store.tail`.

        A published head that is behind, missing or torn is published again.
        """
        published = self.published.read()
        with self.reading() as snapshot:
            head = verify_tail(snapshot, origin, log_key)
            note = snapshot.head()
            if published is not None:
                check_published(snapshot, head, published)
        if not self.read_only and (published is None or published.size < head.size):
            self.published.publish(note, head.size)
        return head

    @contextlib.contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """A snapshot of all tables, for the length of the block; keep it short."""
        if self._closed:
            raise StoreError("ledger_unreadable", "the ledger was closed")
        with self.environment.read() as txn:
            snapshot = Snapshot(self.environment, txn)
            try:
                yield snapshot
            finally:
                del snapshot.txn
                del txn

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Statements in order, in constant memory and without holding a snapshot between them."""
        while start < stop:
            with self.reading() as snapshot:
                chunk = list(snapshot.entries(start, min(stop, start + _CHUNK)))
            if not chunk:
                return
            yield from chunk
            start = chunk[-1][0] + 1

    def append(self, batch: Batch, authorise: commit.Authorise) -> Committed:
        """Make a batch durable, then publish its head; see `ledger.store.commit`.

        Large content must be durable already. Raises `StoreError`; after `store_failed` and
        `store_full` the ledger has to be opened again.
        """
        committed = commit.append(self.environment, batch, authorise)
        try:
            self.published.publish(committed.head, committed.size)
        except LedgerError as error:
            # The statements are durable, but a rollback to before them would go unnoticed: no
            # receipt, and nothing more until the ledger was opened again.
            self.environment.poison = f"publishing the head of size {committed.size}: {error}"
            raise
        for number, blob in enumerate(batch.blobs, committed.first_blob):
            self.content.remember(blob.blake3, number)
        return committed

    def close(self) -> None:
        """Give the folder back; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self.environment.release()
