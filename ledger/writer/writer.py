"""The only writer of one stream: from drafts to receipts (specs/09 section 3).

Statements are signed before the transaction begins, so that the database is locked for as short as
possible: the stream is ours, hence `seq` and `prev` are known. Only the index is not, and with it
whether the signing key is valid there; that is asked inside the transaction. When another process
has rotated or revoked the key meanwhile, the batch is dropped and made again with the key that is
valid now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from ledger.drafts import Draft, ParentLike, Receipt
from ledger.errors import FormatError, LedgerError, LogError
from ledger.formats.merkle import hash_leaf
from ledger.formats.note import Checkpoint, sign_checkpoint
from ledger.formats.payload import LedgerName, Parent
from ledger.formats.values import is_uuid7, uuid7_bytes
from ledger.keys.events import KeyHistory
from ledger.keystate import KeyState
from ledger.store import Batch, Committed, HeadSigner, Row, Snapshot, Store, StreamTail
from ledger.writer.group import GroupCommit, Request
from ledger.writer.keyring import Keyring
from ledger.writer.statements import RANDOM_BYTES, Clock, Link, Moment, Random, StatementMaker
from ledger.writer.streams import ClaimedStream, claim

__all__ = ["Writer", "head_signer"]


class _KeyChangedError(LedgerError):
    """The signing key is not valid at the index that the batch would get."""


class Writer:
    """Appends to one stream; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        keys: KeyState,
        keyring: Keyring,
        *,
        stream: str | None,
        session: str | None,
        clock: Clock,
        random: Random,
    ) -> None:
        self._store = store
        self._keys = keys
        self._keyring = keyring
        self._wanted = stream
        self._session = session
        self._clock = clock
        self._random = random
        self._stream: ClaimedStream | None = None
        self._maker: StatementMaker | None = None
        self._link = Link(0, None)
        self._group = GroupCommit(self._commit)
        if stream is not None:
            with self._group.leader:
                self._claim()

    def beside(self, *, stream: str | None, session: str | None) -> Writer:
        """Another stream's writer, with the same keys, clock and randomness."""
        return Writer(
            self._store,
            self._keys,
            self._keyring,
            stream=stream,
            session=session,
            clock=self._clock,
            random=self._random,
        )

    def now_us(self) -> int:
        """The time by this writer's clock, microseconds since 1970."""
        return self._clock()

    def check_signers(self) -> None:
        """Raise `LogError("no_signer")` unless the keys to append are at hand."""
        with self._store.reading() as snapshot:
            self._keys.advance(snapshot)
            size = (snapshot.last_entry() or 0) + 1
        self._keyring.producers(self._keys.history, size)
        self._keyring.log(self._keys.history, size)

    @property
    def stream(self) -> str | None:
        """The stream that this writer holds; None before its first append."""
        return self._stream.id if self._stream else None

    @property
    def session(self) -> str | None:
        """The session that this writer's statements belong to."""
        return self._session

    def append(self, request: Request) -> list[Receipt]:
        """Append a request durably; see `GroupCommit.submit`."""
        return self._group.submit(request)

    def release(self) -> None:
        """Wait for a commit that is under way, then give the stream back."""
        with self._group.leader:
            if self._stream is not None:
                self._stream.release()
                self._stream = None

    def _claim(self) -> ClaimedStream:
        if self._stream is None:
            with self._store.reading() as snapshot:
                self._keys.advance(snapshot)
                size = (snapshot.last_entry() or 0) + 1
            signers = self._keyring.producers(self._keys.history, size)
            # Asked for now, so that a passphrase is never waited for inside a transaction.
            self._keyring.log(self._keys.history, size)
            self._stream, _ = claim(
                self._store,
                self._store.path / "locks",
                stream=self._wanted,
                session=self._session,
                issuers=[signer.name for signer in signers],
            )
            self._choose_signer()
            tail = self._stream.tail
            self._link = Link(0, None) if tail is None else Link(tail.seq + 1, tail.leaf_hash)
        return self._stream

    def _choose_signer(self) -> None:
        """Take the producer key that continues the stream, as the log stands now."""
        assert self._stream is not None
        with self._store.reading() as snapshot:
            self._keys.advance(snapshot)
            size = (snapshot.last_entry() or 0) + 1
        history, tail = self._keys.history, self._stream.tail
        signers = self._keyring.producers(history, size)
        self._keyring.log(history, size)
        if tail is not None:
            signers = [signer for signer in signers if signer.name == tail.iss]
        if not signers:
            raise LogError("no_signer", f"no key named {tail.iss if tail else ''} is valid here")
        self._maker = StatementMaker(
            self._stream.id,
            self._session,
            LedgerName(self._keys.origin, self._keys.genesis),
            signers[0],
        )

    def _commit(self, requests: list[Request]) -> None:
        """Append all requests in one commit; a request that fails does so alone."""
        try:
            stream = self._claim()
            for _ in range(3):
                try:
                    self._commit_once(stream, requests)
                    return
                except _KeyChangedError:
                    self._choose_signer()
            raise LogError("no_signer", "the keys of the ledger keep changing")
        except LedgerError as error:
            for request in requests:
                if not request.done:
                    request.fail(error)

    def _commit_once(self, stream: ClaimedStream, requests: list[Request]) -> None:
        assert self._maker is not None
        batch = Batch(
            stream=stream.id,
            seq=self._link.seq,
            prev=self._link.prev,
            iss=self._maker.signer.name,
            session=self._session,
        )
        link, closed = self._link, stream.tail is not None and stream.tail.closed
        built: list[tuple[Request, list[Row]]] = []
        moment = Moment.of(self._clock())
        for request in requests:
            if request.done:
                continue
            if closed:
                request.fail(LogError("stream_closed", f"stream {stream.id} was closed"))
                continue
            try:
                made = self._make(request, link, moment)
            except LedgerError as error:
                request.fail(error)
                continue
            built.append((request, made))
            batch.rows.extend(made)
            batch.blobs.extend(blob for draft in request.drafts for blob in draft.blobs)
            batch.erased.extend(request.erased)
            link = Link(link.seq + len(made), made[-1].leaf_hash)
            closed = batch.closes = request.closes
        if not built:
            return
        kid = self._maker.signer.kid

        def authorise(snapshot: Snapshot, first: int) -> HeadSigner:
            self._keys.advance(snapshot)
            try:
                self._keys.history.valid_key(first, kid)
            except FormatError as error:
                raise _KeyChangedError(error.code, error.message) from error
            return head_signer(self._keys.history, self._keyring)

        committed = self._store.append(batch, authorise)
        self._remember(stream, batch, link, committed)
        self._answer(built, committed, moment.text.decode())

    def _remember(
        self, stream: ClaimedStream, batch: Batch, link: Link, committed: Committed
    ) -> None:
        self._link = link
        assert link.prev is not None
        stream.tail = StreamTail(
            stream=stream.id,
            no=stream.tail.no if stream.tail else 0,
            seq=link.seq - 1,
            leaf_hash=link.prev,
            index=committed.size - 1,
            iss=batch.iss,
            session=batch.session,
            closed=batch.closes,
        )

    @staticmethod
    def _answer(
        built: list[tuple[Request, list[Row]]], committed: Committed, created_at: str
    ) -> None:
        index = committed.first
        for request, made in built:
            receipts = []
            for one in made:
                receipts.append(
                    Receipt(
                        index,
                        one.uuid,
                        one.leaf_hash,
                        created_at,
                        committed.size,
                        committed.root,
                        committed.head,
                    )
                )
                index += 1
            request.succeed(receipts)

    def _make(self, request: Request, link: Link, moment: Moment) -> list[Row]:
        assert self._maker is not None
        count = len(request.drafts)
        random = self._random(RANDOM_BYTES * count)
        made: list[Row] = []
        earlier: dict[Draft, Parent] = {}
        for number, draft in enumerate(request.drafts):
            parents = self._parents(draft.parents, earlier) if draft.parents else ()
            piece = random[RANDOM_BYTES * number : RANDOM_BYTES * (number + 1)]
            one = self._maker.make(draft, parents, link, moment, piece)
            made.append(one)
            link = Link(link.seq + 1, one.leaf_hash)
            if draft.draft is not None:
                earlier[draft.draft] = Parent(one.uuid, one.leaf_hash)
        return made

    def _parents(
        self, wanted: Sequence[ParentLike], earlier: dict[Draft, Parent]
    ) -> tuple[Parent, ...]:
        own = self._keys.genesis
        with self._store.reading() as snapshot:
            return tuple(
                one if _is_outside(one, own) else _parent(snapshot, one, earlier) for one in wanted
            )


def _is_outside(wanted: ParentLike, own: bytes) -> TypeGuard[Parent]:
    """Whether a parent is in another ledger; its hash is taken as it is (specs/12 section 9)."""
    return isinstance(wanted, Parent) and wanted.ledger is not None and wanted.ledger != own


def _parent(snapshot: Snapshot, wanted: ParentLike, earlier: dict[Draft, Parent]) -> Parent:
    if isinstance(wanted, Draft):
        if wanted not in earlier:
            raise LogError(
                "parent_missing", "a draft that is a parent has to come before its child"
            )
        return earlier[wanted]
    identifier = wanted if isinstance(wanted, str) else wanted.id
    index = snapshot.id_index(uuid7_bytes(identifier)) if is_uuid7(identifier) else None
    statement = None if index is None else snapshot.entry(index)
    if statement is None:
        raise LogError("parent_missing", f"no statement has the id {identifier}")
    parent = Parent(identifier, hash_leaf(statement))
    if not isinstance(wanted, str) and wanted.leaf_hash != parent.leaf_hash:
        raise LogError("parent_missing", f"the statement {identifier} has another leaf hash")
    return parent


def head_signer(history: KeyHistory, keyring: Keyring) -> HeadSigner:
    """Sign heads with the log key that is valid at their size."""

    def sign(size: int, root: bytes) -> bytes:
        signer = keyring.log(history, size)
        checkpoint = Checkpoint(history.origin, size, root)
        return sign_checkpoint(checkpoint, history.origin, signer.sign, signer.public_key)

    return sign
