"""Every statement against the tables that find it, and streams as they result (specs/04, specs/09).

An entry whose signature verifies is intact; where tiles or tables disagree with it, they are wrong.
An entry that does not verify is wrong itself; the tree then goes on with the leaf hash that the
tiles hold, so that one damaged entry is reported once and not as a damaged tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.doctor.contents import Contents
from ledger.doctor.problem import Problem
from ledger.doctor.replays import Replays
from ledger.doctor.tree import Tree
from ledger.errors import FormatError, StoreError
from ledger.formats.content import references
from ledger.formats.merkle import hash_leaf
from ledger.formats.values import uuid7_bytes
from ledger.keys.events import KeyHistory
from ledger.operations.gather import Gathered
from ledger.reader import Entry
from ledger.store import Snapshot, StreamTail
from ledger.store.rows import chain_key, u64
from ledger.views.index import erases

__all__ = ["Statements"]


class Statements:
    """Walks the entries once, in order."""

    def __init__(self, snapshot: Snapshot, contents: Contents, operations: Gathered) -> None:
        self._snapshot = snapshot
        self._contents = contents
        self._operations = operations
        self._genesis: tuple[str, bytes] = ("", b"")
        self._stored: dict[str, StreamTail] = {}
        self._unreadable: set[str] = set()
        self.history = KeyHistory()
        self.tree = Tree(snapshot)
        self.tails: dict[str, StreamTail] = {}
        self.replays = Replays()
        self.damaged: set[int] = set()
        """Indices of entries that are wrong themselves."""

    def stored_streams(self) -> Iterator[Problem]:
        """Read the table `streams`."""
        for key, value in self._snapshot.raw_streams():
            try:
                tail = StreamTail.from_bytes(key.decode(), value)
            except (FormatError, UnicodeDecodeError) as error:
                name = key.decode(errors="replace")
                self._unreadable.add(name)
                yield Problem("stream_tail", "streams", name, str(error))
            else:
                self._stored[tail.stream] = tail

    def entry(self, index: int, statement: bytes) -> Iterator[Problem]:
        """Check one statement and everything that points to it."""
        leaf = hash_leaf(statement)
        stored = self.tree.stored_leaf(index)
        try:
            entry = Entry.parse(index, statement)
            self.history.admit(index, entry.cose, entry.payload)
        except FormatError as error:
            self.damaged.add(index)
            yield Problem(
                error.code, "entries", str(index), error.message, stored.hex(), leaf.hex()
            )
            yield from self.tree.add(stored or leaf)
            return
        yield from self.tree.add(leaf)
        if index == 0:
            self._genesis = (self.history.origin, leaf)
        identifier = uuid7_bytes(entry.id)
        yield from self._row("ids", identifier, identifier.hex(), index)
        yield from self._stream(entry)
        yield from self._parents(entry)
        self._operations.add(entry)
        self.replays.add(index, entry.payload)
        erased = erases(entry.payload)
        if erased is not None:
            self._contents.erased(erased)
        try:
            for ref in references(entry.payload.body):
                yield from self._contents.reference(index, ref)
        except FormatError as error:
            yield Problem(error.code, "entries", str(index), error.message)

    def finish(self) -> Iterator[Problem]:
        """Compare the stored stream tails and the sizes of the tables."""
        yield from self.tree.finish()
        for stream, tail in self.tails.items():
            stored = self._stored.pop(stream, None)
            if stream in self._unreadable:
                continue
            if stored is not None and stored.index in self.damaged:
                continue  # its last statement could not be read
            if stored != tail:
                yield Problem(
                    "stream_tail", "streams", stream, "the tail", str(tail), str(stored or "")
                )
        for stream, tail in self._stored.items():
            if tail.index not in self.damaged:
                yield Problem("stream_tail", "streams", stream, "no statement is in this stream")
        for table in ("ids", "chain"):
            found = int(self._snapshot.txn.stat(self._snapshot.tables[table])["entries"])
            if found != self.tree.size:
                yield Problem(
                    "row_count", table, "", "number of rows", str(self.tree.size), str(found)
                )

    def _row(self, table: str, key: bytes, name: str, index: int) -> Iterator[Problem]:
        found = self._snapshot.txn.get(key, db=self._snapshot.tables[table])
        if found != u64(index):
            yield Problem(
                "row_mismatch",
                table,
                name,
                f"of the statement at index {index}",
                u64(index).hex(),
                (found or b"").hex(),
            )

    def _stream(self, entry: Entry) -> Iterator[Problem]:
        payload, index = entry.payload, entry.index
        before = self.tails.get(payload.stream_id)
        # Streams are numbered in the order of their first statements.
        no = before.no if before is not None else len(self.tails)
        if before is None and self.damaged and payload.stream_id in self._stored:
            no = self._stored[payload.stream_id].no  # an unreadable statement may have been first
        for code, expected, found in self._links(entry, before):
            if expected != found:
                yield Problem(
                    code,
                    "entries",
                    str(index),
                    f"stream {payload.stream_id}",
                    _text(expected),
                    _text(found),
                )
        yield from self._row(
            "chain",
            chain_key(no, payload.seq),
            f"{payload.stream_id} {payload.seq}",
            index,
        )
        self.tails[payload.stream_id] = StreamTail(
            stream=payload.stream_id,
            no=no,
            seq=payload.seq,
            leaf_hash=entry.leaf_hash,
            index=index,
            iss=entry.cose.iss,
            session=payload.session,
            closed=payload.type == "stream_close",
        )

    def _links(
        self, entry: Entry, before: StreamTail | None
    ) -> Iterator[tuple[str, object, object]]:
        payload = entry.payload
        # A statement that could not be read leaves a gap in a stream that is not known.
        skipped = bool(self.damaged) and payload.seq != (before.seq + 1 if before else 0)
        if before is None:
            if not skipped:
                yield "stream_gap", 0, payload.seq
            if payload.ledger is not None:
                yield "stream_ledger", self._genesis, tuple(payload.ledger)
            return
        if not skipped:
            yield "stream_gap", before.seq + 1, payload.seq
            yield "stream_prev", before.leaf_hash, payload.prev
        yield "stream_session", before.session, payload.session
        yield "stream_closed", False, before.closed
        if payload.stream_id != "keys":
            yield "stream_issuer", before.iss, entry.cose.iss

    def _parents(self, entry: Entry) -> Iterator[Problem]:
        for parent in entry.payload.parents:
            if parent.ledger is not None:
                if parent.ledger == self._genesis[1]:
                    where = f"parent {parent.id} is said to be in another ledger"
                    yield Problem("parent_mismatch", "entries", str(entry.index), where)
                continue
            try:
                index = self._snapshot.id_index(uuid7_bytes(parent.id))
            except StoreError:
                continue  # a damaged row of `ids`, reported with its own statement
            code = ""
            if index is None:
                code = "parent_missing"
            elif index >= entry.index:
                code = "parent_later"
            elif self.tree.stored_leaf(index) != parent.leaf_hash:
                code = "parent_mismatch"
            if code:
                yield Problem(code, "entries", str(entry.index), f"parent {parent.id}")


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
