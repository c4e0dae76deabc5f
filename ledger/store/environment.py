"""The LMDB environment of one ledger in this process (specs/09 section 1).

- Default flags only: `sync` and `metasync` on, no `writemap`. Anything else has lost acknowledged
  records in simulated power cuts.
- The map is 1 TiB of sparse address space, because enlarging it under a live buffer is a SIGBUS.
- LMDB must not open a file twice in one process, so all handles of a ledger share one environment,
  which closes with the last of them.
- A forked child must neither use nor close the parent's environment (closing frees the parent's
  reader slots): it gets `StoreError("forked")`, and forgets the environment without closing it.
- After a failed commit the environment is poisoned: every handle refuses until all are closed and
  the ledger is opened again, which verifies its tail.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import lmdb

from ledger.errors import LedgerError, StoreError
from ledger.store.peaks import Peaks

__all__ = ["MAP_SIZE_BYTES", "TABLES", "Environment", "Txn"]

MAP_SIZE_BYTES = 1 << 40
MAX_READERS = 1024
TABLES = ("meta", "entries", "tiles", "ids", "streams", "chain", "blobs", "views")

Txn: TypeAlias = "lmdb.Transaction[bytes]"

_shared: dict[tuple[int, int], Environment] = {}
_registry = threading.Lock()


class Environment:
    """An open `data.mdb`; made by `Environment.open`, given back by `release`."""

    def __init__(self, path: Path, *, create: bool, writable: bool, map_size_bytes: int) -> None:
        self.path = path
        self.writable = writable
        self.poison: str | None = None
        self.tip: tuple[bytes, int, Peaks] = (b"", 0, [])
        """Head, size and peaks of the last commit of this process; see `ledger.store.peaks`."""
        self._handles = 0
        self._pid = os.getpid()
        self._transactions = 0
        self._counting = threading.Lock()
        self._lmdb = _open_lmdb(path, create, writable, map_size_bytes)
        try:
            # Freed slots of crashed readers would otherwise keep old pages alive for ever.
            self._lmdb.reader_check()
            self.tables = self._open_tables(create)
        except BaseException:
            self._lmdb.close()
            raise

    def _open_tables(self, create: bool) -> dict[str, lmdb._Database]:
        if not self.writable:
            return {name: self._lmdb.open_db(name.encode(), create=False) for name in TABLES}
        # Handles opened in a read transaction end with it; a write transaction without changes
        # writes nothing.
        with self._lmdb.begin(write=True) as txn:
            return {
                name: self._lmdb.open_db(name.encode(), txn=txn, create=create) for name in TABLES
            }

    @classmethod
    def open(
        cls, path: Path, *, create: bool = False, map_size_bytes: int = MAP_SIZE_BYTES
    ) -> Environment:
        """Open `path` (the folder `db/`), or share the environment that is open already.

        Raises `StoreError` (`ledger_unreadable`, `store_poisoned`, `forked`).
        """
        with _registry:
            found = None if create else _shared.get(_identity(path))
            if found is None:
                with _translated("opening the database", "ledger_unreadable"):
                    found = cls(
                        path,
                        create=create,
                        writable=create or _may_write(path),
                        map_size_bytes=map_size_bytes,
                    )
                _shared[_identity(path)] = found
            elif found.poison is not None:
                raise _poisoned(found.poison)
            found._handles += 1
            return found

    def release(self) -> None:
        """Give back one handle; the last one closes the environment."""
        if self._pid != os.getpid():
            return
        with _registry:
            self._handles -= 1
            if self._handles == 0:
                for key in [key for key, value in _shared.items() if value is self]:
                    del _shared[key]
                self._lmdb.close()

    def check(self) -> None:
        """Refuse in a forked child and after a failed commit."""
        if self._pid != os.getpid():
            raise StoreError(
                "forked",
                "this process was forked after the ledger was opened",
                hint="open the ledger in each process; start workers with 'spawn'",
            )
        if self.poison is not None:
            raise _poisoned(self.poison)

    @contextlib.contextmanager
    def read(self) -> Iterator[Txn]:
        """A snapshot; keep it short, since pages freed after it cannot be reused meanwhile."""
        self.check()
        txn = self._begin(write=False)
        try:
            with _translated("reading", "store_failed"):
                yield txn
        finally:
            # The reader slot is free only when the transaction object is gone, hence no caller
            # may keep it.
            txn.abort()
            del txn
            self._ended()

    @contextlib.contextmanager
    def write(self) -> Iterator[Txn]:
        """A write transaction, committed at the end of the block.

        A `LedgerError` raised in the block is a refusal: the transaction is dropped, nothing was
        written. Anything else poisons the environment, because it is then not known what is on
        disk, or which of this process's values still agree with it.
        """
        self.check()
        if not self.writable:
            raise StoreError("store_failed", f"no permission to write {self.path}")
        txn = self._begin(write=True)
        try:
            # Another thread may have failed while this one waited for the write lock.
            self.check()
            with _translated("committing", "store_failed"):
                yield txn
                txn.commit()
        except LedgerError as error:
            txn.abort()
            if isinstance(error.__cause__, lmdb.Error):
                self.poison = str(error)
            raise
        except BaseException as error:
            txn.abort()
            self.poison = f"{type(error).__name__} during a commit"
            raise
        finally:
            self._ended()

    def _begin(self, *, write: bool) -> Txn:
        with self._counting:
            self._transactions += 1
        try:
            with _translated("beginning a transaction", "store_failed"):
                try:
                    return self._lmdb.begin(write=write)
                except lmdb.MapResizedError:
                    # Another process enlarged the map. Taking over its size remaps the memory,
                    # which must not happen under another thread's transaction.
                    with self._counting:
                        if self._transactions > 1:
                            raise
                        self._lmdb.set_mapsize(0)
                    return self._lmdb.begin(write=write)
        except BaseException:
            self._ended()
            raise

    def _ended(self) -> None:
        with self._counting:
            self._transactions -= 1


def _open_lmdb(path: Path, create: bool, writable: bool, map_size_bytes: int) -> lmdb.Environment:
    def opened(*, lock: bool) -> lmdb.Environment:
        # lib_version 0 is the LMDB 0.9 file format; bindings before 3.0 know no other.
        extra: dict[str, Any] = {"lib_version": 0} if _LIB_VERSIONS else {}
        return lmdb.open(
            str(path),
            map_size=map_size_bytes,
            max_dbs=len(TABLES),
            max_readers=MAX_READERS,
            create=create,
            readonly=not writable,
            lock=lock,
            mode=0o644,
            **extra,
        )

    try:
        return opened(lock=True)
    except (lmdb.ReadonlyError, lmdb.LockError, lmdb.Error) as error:
        if writable or not _denied(error):
            raise
        # A folder that may only be read has no place for a reader's mark. Without it a writer
        # could recycle pages under this reader; whoever lacks write permission reads a ledger
        # at rest, and the tail is verified at open.
        return opened(lock=False)


def _denied(error: lmdb.Error) -> bool:
    return "Permission denied" in str(error) or "Read-only file system" in str(error)


def _may_write(path: Path) -> bool:
    return all(os.access(file, os.W_OK) for file in (path, path / "data.mdb", path / "lock.mdb"))


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = (path / "data.mdb").stat()
    except OSError as error:
        raise StoreError("ledger_unreadable", f"{path / 'data.mdb'}: {error.strerror}") from error
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _translated(what: str, code: str) -> Iterator[None]:
    try:
        yield
    except lmdb.MapFullError as error:
        raise StoreError("store_full", f"{what}: the database has reached its map size") from error
    except lmdb.DiskError as error:
        raise StoreError("store_full", f"{what}: {error}") from error
    except lmdb.Error as error:
        if "already open in this process" in str(error):
            raise StoreError(
                "forked",
                "the parent process had this ledger open when it forked",
                hint="start workers with 'spawn' instead of 'fork'",
            ) from error
        full = "No space left" in str(error) or "File too large" in str(error)
        # A write that was cut short for want of space comes out of LMDB as an I/O error.
        hint = "is the disk full?" if full or "Input/output error" in str(error) else None
        raise StoreError("store_full" if full else code, f"{what}: {error}", hint=hint) from error


def _poisoned(reason: str) -> StoreError:
    return StoreError(
        "store_poisoned",
        f"an earlier commit failed ({reason})",
        hint="close every handle of this ledger and open it again",
    )


def _supports_lib_version() -> bool:
    try:
        lmdb.version(lib_version=0)
    except TypeError:
        return False
    return True


_LIB_VERSIONS = _supports_lib_version()


def _after_fork() -> None:
    # The child's copies stay referenced by nobody here and are never closed; LMDB's own clean-up
    # on deletion knows the process id and leaves the parent's slots alone.
    global _registry
    _registry = threading.Lock()
    _shared.clear()


os.register_at_fork(after_in_child=_after_fork)
