"""The tables as one transaction sees them (specs/09 section 2).

A snapshot reads; `ledger/store/commit.py` alone writes the tables of the log. What the tables
should hold and do not is `StoreError("tree_damaged")`, with the table and the key in the message.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.errors import FormatError, StoreError
from ledger.store.environment import Environment, Txn
from ledger.store.rows import StreamTail, chain_key, from_u64, tile_key, u64

__all__ = ["Snapshot"]


class Snapshot:
    """Typed reads of one transaction; not to be kept after its block has ended."""

    def __init__(self, environment: Environment, txn: Txn) -> None:
        self.txn = txn
        self.tables = environment.tables

    def head(self) -> bytes:
        """The signed head; empty before the genesis."""
        return self.txn.get(b"head", b"", db=self.tables["meta"])

    def format(self) -> bytes:
        """What the folder says it is; `vif-ledger/1` in version 1."""
        return self.txn.get(b"format", b"", db=self.tables["meta"])

    def entry(self, index: int) -> bytes | None:
        """The statement at an index."""
        return self.txn.get(u64(index), db=self.tables["entries"])

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Statements with their indices, as far as they are there."""
        yield from self._numbered("entries", start, stop)

    def last_entry(self) -> int | None:
        """The largest index in `entries`."""
        return self._last("entries")

    def tile(self, level: int, number: int) -> bytes:
        """Hashes of a tile as far as it has grown; raises `StoreError` when it is missing."""
        found = self.txn.get(tile_key(level, number), db=self.tables["tiles"])
        if found is None:
            raise StoreError("tree_damaged", f"tiles: no tile {level}/{number}")
        return found

    def tiles(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of all tiles in the order of their keys."""
        yield from self._items("tiles")

    def id_index(self, identifier: bytes) -> int | None:
        """The index of the statement with this id (16 bytes)."""
        found = self.txn.get(identifier, db=self.tables["ids"])
        return None if found is None else self._number("ids", identifier, found)

    def ids(self) -> Iterator[tuple[bytes, bytes]]:
        """All ids with their index values."""
        yield from self._items("ids")

    def stream(self, stream: str) -> StreamTail | None:
        """The tail of a stream."""
        found = self.txn.get(stream.encode(), db=self.tables["streams"])
        return None if found is None else self._tail(stream.encode(), found)

    def raw_stream(self, stream: str) -> bytes | None:
        """The tail of a stream as stored, to see cheaply whether it has moved."""
        return self.txn.get(stream.encode(), db=self.tables["streams"])

    def streams(self) -> Iterator[StreamTail]:
        """The tails of all streams in the order of their ids."""
        for key, value in self._items("streams"):
            yield self._tail(key, value)

    def raw_streams(self) -> Iterator[tuple[bytes, bytes]]:
        """The table `streams` as stored."""
        yield from self._items("streams")

    def stream_count(self) -> int:
        """How many streams there are; the number of the next one."""
        return int(self.txn.stat(self.tables["streams"])["entries"])

    def chain(self, no: int, seq: int) -> int | None:
        """The index of a stream's statement."""
        key = chain_key(no, seq)
        found = self.txn.get(key, db=self.tables["chain"])
        return None if found is None else self._number("chain", key, found)

    def chain_from(self, no: int, seq: int) -> Iterator[int]:
        """The indices of a stream's statements from `seq` on, in order."""
        start, prefix = chain_key(no, seq), chain_key(no, 0)[:4]
        with self.txn.cursor(self.tables["chain"]) as cursor:
            if cursor.set_range(start):
                for key, value in cursor:
                    if key[:4] != prefix:
                        return
                    yield self._number("chain", key, value)

    def chains(self) -> Iterator[tuple[bytes, bytes]]:
        """The table `chain` as stored."""
        yield from self._items("chain")

    def blob(self, number: int) -> bytes | None:
        """BLAKE3 and archived bytes; the digest alone when the content was erased."""
        return self.txn.get(u64(number), db=self.tables["blobs"])

    def blobs(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Numbered blobs."""
        yield from self._numbered("blobs", start, stop)

    def blob_count(self) -> int:
        """The number of the next blob."""
        last = self._last("blobs")
        return 0 if last is None else last + 1

    def _last(self, table: str) -> int | None:
        with self.txn.cursor(self.tables[table]) as cursor:
            return self._number(table, b"", cursor.key()) if cursor.last() else None

    def _numbered(self, table: str, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        with self.txn.cursor(self.tables[table]) as cursor:
            if cursor.set_range(u64(start)):
                for key, value in cursor:
                    number = self._number(table, b"", key)
                    if number >= stop:
                        return
                    yield number, value

    def _items(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        with self.txn.cursor(self.tables[table]) as cursor:
            yield from cursor

    @staticmethod
    def _number(table: str, key: bytes, value: bytes) -> int:
        try:
            return from_u64(value)
        except FormatError as error:
            raise StoreError("tree_damaged", f"{table} {key.hex()}: {error.message}") from error

    @staticmethod
    def _tail(key: bytes, value: bytes) -> StreamTail:
        try:
            return StreamTail.from_bytes(key.decode(), value)
        except (FormatError, UnicodeDecodeError) as error:
            raise StoreError("tree_damaged", f"streams {key!r}: {error}") from error
