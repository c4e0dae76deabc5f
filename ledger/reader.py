"""Reading a ledger: statements, streams, lineage, content, proofs (specs/02, 04, 06).

A reader changes nothing but the views, which can be made again. It sees the log as it grows; each
call looks at one moment. What is iterated is read piece by piece, in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.archive import Archive
from ledger.errors import LogError, StoreError
from ledger.formats import cose, merkle
from ledger.formats.content import ContentRef
from ledger.formats.cose import CoseSign1
from ledger.formats.note import Checkpoint, parse_checkpoint
from ledger.formats.payload import Parent, Payload, decode_payload
from ledger.formats.proof_file import write_consistency, write_inclusion
from ledger.formats.values import is_uuid7, parse_time, uuid7_bytes
from ledger.keys.events import KeyHistory
from ledger.store import Store, StreamTail
from ledger.store.rows import from_u64
from ledger.views import lineage, paths
from ledger.views.basis import Basis, basis
from ledger.views.edges import outside_parents
from ledger.views.index import INDEX, Query, bring_up_to_date, indices

if TYPE_CHECKING:
    from ledger.operations import OperationReport

__all__ = ["Entry", "Reader"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement as it stands in the log; its signature has not been checked again."""

    index: int
    leaf_hash: bytes
    statement: bytes
    cose: CoseSign1
    payload: Payload

    @property
    def id(self) -> str:
        """The statement's UUIDv7."""
        return self.payload.id

    @classmethod
    def parse(cls, index: int, statement: bytes) -> Entry:
        """Take a statement apart; raises `FormatError` where it breaks specs/02."""
        sign1 = cose.parse(statement)
        payload = decode_payload(sign1.payload, sign1.sub)
        return cls(index, merkle.hash_leaf(statement), statement, sign1, payload)


class Reader(Archive):
    """Everything that can be asked of a ledger without a key."""

    @property
    def path(self) -> Path:
        """The ledger's folder."""
        return self._store.path

    @property
    def origin(self) -> str:
        """The ledger's name in every head (specs/04 section 5)."""
        return self._keys.origin

    @property
    def genesis(self) -> bytes:
        """Leaf hash of the genesis, 32 bytes: the ledger's identity, which auditors pin."""
        return self._keys.genesis

    @property
    def salted(self) -> bool:
        """Whether content references carry a salt (specs/06 section 2)."""
        return self._keys.salted

    @property
    def store(self) -> Store:
        """The tables and files themselves, for tools that look after them."""
        return self._store

    def keys(self) -> KeyHistory:
        """The keys of the ledger as of now; the same object at every call."""
        with self._store.reading() as snapshot:
            self._keys.advance(snapshot)
        return self._keys.history

    # Heads and proofs

    def head_note(self) -> bytes:
        """The newest signed head, a C2SP checkpoint (specs/04 section 3)."""
        with self._store.reading() as snapshot:
            return snapshot.head()

    def head(self) -> Checkpoint:
        """Origin, size and root of the newest head."""
        return parse_checkpoint(self.head_note())[0]

    def __len__(self) -> int:
        """How many statements the log has."""
        return self.head().size

    def tile(self, level: int, number: int) -> bytes:
        """Hashes of a tile so far, 32 bytes each; more may follow when the log grows."""
        with self._store.reading() as snapshot:
            return snapshot.tile(level, number)

    def root_at(self, size: int) -> bytes:
        """The root of the tree of the first `size` statements."""
        self._check_size(size)
        with self._store.reading() as snapshot:
            return merkle.root_at(size, snapshot.tile)

    def prove_inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The inclusion proof of a statement in the tree of `size`, by default the newest.

        Raises `LogError("not_found")` for an index or size beyond the log. RFC 9162 section 2.1.3.
        """
        size = self._check_size(size)
        if not 0 <= index < size:
            raise LogError("not_found", f"no index {index} in a log of size {size}")
        with self._store.reading() as snapshot:
            return merkle.inclusion_proof(index, size, snapshot.tile)

    def prove_consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The proof that the tree of `old` is the beginning of the tree of `new`.

        Raises `LogError("not_found")` for sizes outside the log. RFC 9162 section 2.1.4.
        """
        new = self._check_size(new)
        if not 0 < old <= new:
            raise LogError("not_found", f"no consistency of sizes {old} and {new}")
        with self._store.reading() as snapshot:
            return merkle.consistency_proof(old, new, snapshot.tile)

    def proof(self, index: int) -> bytes:
        """A receipt as a file: inclusion proof and the newest head (specs/04 section 4)."""
        note = self.head_note()
        size = parse_checkpoint(note)[0].size
        return write_inclusion(index, self.prove_inclusion(index, size), note)

    def consistency_file(self, old: int) -> bytes:
        """A consistency proof as a file, from `old` to the newest head (specs/04 section 4)."""
        note = self.head_note()
        size = parse_checkpoint(note)[0].size
        return write_consistency(old, self.prove_consistency(old, size), note)

    # Statements

    def get(self, index: int) -> Entry:
        """The statement at an index, from 0; raises `LogError("not_found")`."""
        with self._store.reading() as snapshot:
            statement = snapshot.entry(index) if 0 <= index < 1 << 63 else None
        if statement is None:
            raise LogError("not_found", f"no statement at index {index}")
        return Entry.parse(index, statement)

    def __getitem__(self, index: int) -> Entry:
        """As `get`; a negative index counts from the end."""
        return self.get(index if index >= 0 else len(self) + index)

    def __iter__(self) -> Iterator[Entry]:
        """All statements in order."""
        return self.entries()

    def by_id(self, identifier: str) -> Entry:
        """The statement with this UUIDv7; raises `LogError("not_found")`."""
        index = None
        if is_uuid7(identifier):
            with self._store.reading() as snapshot:
                index = snapshot.id_index(uuid7_bytes(identifier))
        if index is None:
            raise LogError("not_found", f"no statement has the id {identifier}")
        return self.get(index)

    def by_leaf_hash(self, leaf_hash: bytes) -> Entry:
        """The statement with this leaf hash; raises `LogError("not_found")`."""
        bring_up_to_date(self._store)
        with self._store.reading() as snapshot:
            filed = [from_u64(key) for key in INDEX.keys(snapshot, b"l" + leaf_hash)]
            unread = INDEX.size(snapshot)
        for index in filed:
            return self.get(index)
        for index, statement in self._store.entries(unread, len(self)):
            if merkle.hash_leaf(statement) == leaf_hash:
                return Entry.parse(index, statement)
        raise LogError("not_found", f"no statement has the leaf hash {leaf_hash.hex()}")

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Statements `start` … `stop` - 1 in order, by default all that are there now."""
        for index, statement in self.statements(start, stop):
            yield Entry.parse(index, statement)

    def statements(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of statements `start` … `stop` - 1, not taken apart.

        Raises `StoreError("tree_damaged")` where one is missing.
        """
        size = len(self)
        expected = max(start, 0)
        stop = size if stop is None else min(stop, size)
        for index, statement in self._store.entries(expected, stop):
            if index != expected:
                break
            yield index, statement
            expected += 1
        if expected < stop:
            raise StoreError("tree_damaged", f"entries {expected}: missing")

    def streams(self) -> list[StreamTail]:
        """The tail of every stream, ordered by stream id."""
        with self._store.reading() as snapshot:
            return list(snapshot.streams())

    def stream(self, stream: str, seq: int = 0) -> Iterator[Entry]:
        """The statements of a stream in order, from `seq` on; raises `LogError("not_found")`."""
        with self._store.reading() as snapshot:
            tail = snapshot.stream(stream)
        if tail is None:
            raise LogError("not_found", f"there is no stream {stream}")
        while seq <= tail.seq:
            with self._store.reading() as snapshot:
                found = snapshot.chain(tail.no, seq)
            if found is None:
                raise StoreError("tree_damaged", f"chain: stream {stream} has no seq {seq}")
            yield self.get(found)
            seq += 1

    def find(
        self,
        *,
        type: str | None = None,
        session: str | None = None,
        stream: str | None = None,
        model: str | None = None,
        content: ContentRef | bytes | None = None,
        snapshot: str | None = None,
        atom: str | None = None,
        since: str | int | None = None,
        until: str | int | None = None,
    ) -> Iterator[Entry]:
        """Statements that meet all conditions, in log order.

        `content` is a reference or one of its digests; `snapshot` a frozen context and `atom` a
        part of one, as witnesses name them (specs/03 section 1.2). `since` <= created_at < `until`,
        each a *time* of specs/00 or microseconds since 1970; `FormatError` for a malformed one.
        """
        query = Query(
            type=type,
            session=session,
            stream=stream,
            model=model,
            digest=content.blake3 if isinstance(content, ContentRef) else content,
            snapshot_id=snapshot,
            atom_id=atom,
            since_us=parse_time(since) if isinstance(since, str) else since,
            until_us=parse_time(until) if isinstance(until, str) else until,
        )
        for index, statement, sign1, payload in indices(self._store, query):
            yield Entry(index, merkle.hash_leaf(statement), statement, sign1, payload)

    # Lineage

    def parents(self, identifier: str) -> list[Entry]:
        """The statements that a statement names as parents, in its order."""
        return [self.get(i) for i in lineage.parents(self._store, self.by_id(identifier).index)]

    def children(self, identifier: str) -> Iterator[Entry]:
        """The statements that name this one as a parent, in log order."""
        return map(self.get, lineage.children(self._store, self.by_id(identifier).index))

    def ancestors(self, identifier: str) -> Iterator[Entry]:
        """Everything a statement builds on, newest first."""
        return map(self.get, lineage.ancestors(self._store, self.by_id(identifier).index))

    def descendants(self, identifier: str) -> Iterator[Entry]:
        """Everything that builds on a statement, oldest first."""
        return map(self.get, lineage.descendants(self._store, self.by_id(identifier).index))

    def outside_parents(self, identifier: str) -> list[Parent]:
        """The parents of a statement that are in another ledger, in its order."""
        return outside_parents(self.by_id(identifier).payload)

    def shortest_path(self, older: str, newer: str) -> Iterator[Entry]:
        """A shortest way of links from a statement to one that builds on it, oldest first.

        Both are in it; nothing is yielded where there is no way.
        """
        ends = self.by_id(older).index, self.by_id(newer).index
        return map(self.get, paths.path(self._store, *ends))

    def between(self, older: str, newer: str) -> Iterator[Entry]:
        """All statements on any path between two, oldest first; both ends are among them."""
        ends = self.by_id(older).index, self.by_id(newer).index
        return map(self.get, paths.between(self._store, *ends))

    def touching(self, content: ContentRef | bytes) -> Iterator[Entry]:
        """Every statement that refers to a content, by reference or digest, in log order."""
        return self.find(content=content)

    def resting_on(self, identifier: str) -> Basis:
        """What a statement and everything it builds on come to: models, costs, tokens and more."""
        return basis(self._store, lineage.walk_up(self._store, [self.by_id(identifier).index]))

    def downstream_of(
        self,
        *,
        snapshot: str | None = None,
        atom: str | None = None,
        content: ContentRef | bytes | None = None,
    ) -> Iterator[Entry]:
        """Everything that used a context, a part of one or a content, or builds on what did.

        Oldest first. With several conditions the first use has to meet them all; without any
        nothing is used.
        """
        if snapshot is None and atom is None and content is None:
            return iter(())
        used = self.find(snapshot=snapshot, atom=atom, content=content)
        starts = (entry.index for entry in used)
        return map(self.get, lineage.walk_down(self._store, starts))

    # Operations across models

    def operation(self, identifier: str) -> OperationReport:
        """The operation of which this is a statement, everything about it computed (specs/12).

        Nothing that is written down about its own verification is believed. Raises
        `LogError("not_found")`, also for a statement that belongs to no operation.
        """
        from ledger.operations.reports import operation  # it reads through this class

        return operation(self, identifier)

    def operations(self, session: str | None = None) -> Iterator[OperationReport]:
        """All operations of the ledger, or of a session, in the order of their first statements.

        Memory is that of one operation and of what is wrong, never of the log.
        """
        from ledger.operations.reports import operations

        return operations(self, session)

    def close(self) -> None:
        """Give the folder back; a second call does nothing."""
        self._store.close()

    def _check_size(self, size: int | None) -> int:
        newest = len(self)
        if size is None:
            return newest
        if not 0 < size <= newest:
            raise LogError("not_found", f"no size {size}; the log has {newest}")
        return size
