"""The ledger: open it, append to it, read it (specs/02, 04, 09).

The order of writes is that of specs/09 section 3: large content, then one transaction with
everything else and the signed head, then the published head, then the receipt. What a caller has a
receipt for survives a crash at any moment.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ledger.drafts import Archived, BodyLike, Draft, ParentLike, Receipt
from ledger.errors import LogError
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.values import format_time
from ledger.founding import InitResult, init, key_folder, now_us
from ledger.keys.keyfile import KeyFolder
from ledger.keys.signer import Passphrase
from ledger.keystate import KeyState
from ledger.model.build import witness
from ledger.model.fields import WitnessFields
from ledger.reader import Entry, Reader
from ledger.store import MAP_SIZE_BYTES, Store
from ledger.writer.group import Request
from ledger.writer.keyevents import KeyEvents
from ledger.writer.keyring import Keyring, SignerLike
from ledger.writer.prepare import Prepared, encode_body, prepare, prepare_body
from ledger.writer.statements import Clock, Random
from ledger.writer.writer import Writer

if TYPE_CHECKING:
    from ledger.session import Session, SessionOptions

__all__ = ["Entry", "InitResult", "Ledger", "init", "open"]


class Ledger(Reader):
    """An open ledger: one stream to append to, and everything to read.

    Safe to share between threads. A process that was forked with it refuses to use it.
    """

    def __init__(
        self,
        store: Store,
        keys: KeyState,
        writer: Writer | None,
        events: KeyEvents | None,
        *,
        owns_store: bool = True,
    ) -> None:
        """Made by `ledger.open`."""
        super().__init__(store, keys)
        self._writer = writer
        self._key_events = events
        self._owns_store = owns_store
        self._closed = False

    @property
    def stream_id(self) -> str | None:
        """The stream that appends go to; None before the first append chose one."""
        return self._writer.stream if self._writer else None

    def record(
        self, *, parents: Sequence[ParentLike] = (), **fields: Unpack[WitnessFields]
    ) -> Receipt:
        """Record one AI operation from plain values; the usual way to write a witness.

        `model` and `prompt` are required; all keywords are those of `ledger.model.fields`. Prompt,
        output and other contents are archived, what is not given is left out or defaulted (see
        `ledger.model.build`). Returns when it is durable. Raises as `append` does.
        """
        return self.append_many([self._witness(parents, fields)])[0]

    async def arecord(
        self, *, parents: Sequence[ParentLike] = (), **fields: Unpack[WitnessFields]
    ) -> Receipt:
        """As `record`, in a thread; a task that is cancelled meanwhile may have recorded."""
        return (await self.aappend_many([self._witness(parents, fields)]))[0]

    def append(
        self,
        type: str,
        body: BodyLike,
        *,
        parents: Sequence[ParentLike] = (),
        contents: Iterable[Archived] = (),
    ) -> Receipt:
        """Append one statement; returns when it is durable and its head is published.

        Raises `RecordError` for the body, `LogError` (`parent_missing`, `no_signer`, `read_only`,
        `stream_busy`, `stream_closed`), `ContentError`, `StoreError`.
        """
        return self.append_many([Draft(type, body, parents, tuple(contents))])[0]

    def append_many(self, drafts: Iterable[Draft]) -> list[Receipt]:
        """Append statements in one commit: all of them, or none and an error.

        A thousand at a time cost little more than one; see `append` for errors.
        """
        writer = self._for_writing()
        content, salted, session = self._store.content, self._keys.salted, writer.session
        prepared = [prepare(draft, content, salted=salted, session=session) for draft in drafts]
        return writer.append(Request(prepared)) if prepared else []

    async def aappend(
        self,
        type: str,
        body: BodyLike,
        *,
        parents: Sequence[ParentLike] = (),
        contents: Iterable[Archived] = (),
    ) -> Receipt:
        """As `append`, in a thread; a task that is cancelled meanwhile may have appended."""
        return await asyncio.to_thread(self.append, type, body, parents=parents, contents=contents)

    async def aappend_many(self, drafts: Iterable[Draft]) -> list[Receipt]:
        """As `append_many`, in a thread."""
        return await asyncio.to_thread(self.append_many, drafts)

    def open_stream(self, stream: str | None = None, *, session: str | None = None) -> Ledger:
        """Another stream of this ledger with the same keys and clock; closing it closes only that.

        Raises as `ledger.open` does for a stream that is taken, closed, or of another session.
        """
        writer = self._for_writing().beside(stream=stream, session=session)
        return Ledger(self._store, self._keys, writer, self._key_events, owns_store=False)

    def check_signers(self) -> None:
        """Raise `LogError` `no_signer` or `read_only` unless an append could be signed now."""
        self._for_writing().check_signers()

    def now(self) -> str:
        """The time by this handle's clock, as in specs/00."""
        return format_time(self._for_writing().now_us())

    def session(self, name: str, **options: Unpack[SessionOptions]) -> Session:
        """Open or resume a session: calls that are never lost and never paid twice (specs/10).

        A context manager; options are those of `ledger.session.SessionOptions`. Raises
        `SessionError` (`session_busy`, `session_changed`) and what `append` raises.
        """
        from ledger.session import open_session

        return open_session(self, name, **options)

    def close_stream(self) -> Receipt:
        """Append a `stream_close`, after which nothing can follow in the stream (specs/04 §6).

        Raises `LogError("stream_closed")` when that has happened already.
        """
        last = Prepared("stream_close", lambda seq: encode_body({"statements": seq + 1}))
        return self._for_writing().append(Request([last], closes=True))[0]

    def erase(self, ref: ContentRef, reason: str) -> Receipt:
        """Record that content is erased, then remove it (specs/06 section 4).

        The reference stays in the log. Erasing content that is gone already is recorded again.
        """
        writer = self._for_writing()
        body = {"content": ref.to_cbor(), "reason": reason}
        erasure = prepare_body("erasure", body, salted=self._keys.salted)
        numbers = self._store.content.numbers(ref.blake3)
        receipt = writer.append(Request([erasure], erased=numbers))[0]
        self._store.content.erase(ref.blake3)
        return receipt

    def enrol(
        self, key: SignerLike, role: str | None = None, *, authority: SignerLike | None = None
    ) -> Receipt:
        """Let another producer or log key sign from the next index on (specs/05 section 3).

        Raises `LogError` `no_signer` without the authority key, `key_event_invalid`.
        """
        return self._events().enrol(key, role, authority)

    def rotate(self, key: SignerLike, *, old: bytes | SignerLike) -> Receipt:
        """Replace the key `old` (its kid, or its signer) by a new one of the same name.

        Signed by the old key. Raises `LogError` `no_signer`, `key_event_invalid`.
        """
        return self._events().rotate(key, old)

    def revoke(
        self,
        kid: bytes,
        *,
        last_good_index: int,
        reason: str,
        authority: SignerLike | None = None,
    ) -> Receipt:
        """Distrust a key beyond an index, whenever it signed (specs/05 section 3).

        The log key in use cannot be revoked before another one is enrolled. Raises `LogError`
        `no_signer`, `key_event_invalid`.
        """
        return self._events().revoke(kid, last_good_index, reason, authority)

    def close(self) -> None:
        """Wait for appends that are under way, then give stream and folder back."""
        if not self._closed:
            self._closed = True
            if self._writer is not None:
                self._writer.release()
            if self._owns_store:
                super().close()

    def __enter__(self) -> Ledger:
        """The ledger itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    def _witness(self, parents: Sequence[ParentLike], fields: WitnessFields) -> Draft:
        salt = (lambda: os.urandom(SALT_BYTES)) if self.salted else None
        body, contents = witness(**fields, salt=salt)
        return Draft("witness", body, parents, contents)

    def _events(self) -> KeyEvents:
        self._for_writing()
        assert self._key_events is not None  # given together with the writer
        return self._key_events

    def _for_writing(self) -> Writer:
        if self._closed:
            raise LogError("log_closed", "the ledger was closed")
        if self._writer is None:
            raise LogError("read_only", "the ledger was opened for reading only")
        self._store.environment.check()
        return self._writer


def open(
    path: str | os.PathLike[str],
    *,
    stream: str | None = None,
    session: str | None = None,
    keys: KeyFolder | Path | str | None = None,
    producer: SignerLike | None = None,
    log_key: SignerLike | None = None,
    passphrase: Passphrase = None,
    read_only: bool = False,
    clock: Clock = now_us,
    random: Random = os.urandom,
    map_size_bytes: int = MAP_SIZE_BYTES,
) -> Ledger:
    """Open a ledger and verify its tail.

    Keys are looked for at the first append, so reading needs none; `read_only` also writes nothing
    to the folder. `stream` is taken now and must be free; without it the first append takes one.
    Raises `StoreError` (`ledger_missing`, `ledger_unreadable`, `tree_damaged`, `rolled_back`),
    `LogError` (`stream_busy`, `stream_closed`, `no_signer`), `KeyFileError`.
    """
    folder = Path(path).absolute()
    store = Store.open(folder, read_only=read_only, map_size_bytes=map_size_bytes)
    try:
        with store.reading() as snapshot:
            state = KeyState(snapshot)
        store.verify(state.origin, state.log_key)
        if store.read_only:
            return Ledger(store, state, None, None)
        ring = Keyring(key_folder(keys, folder), passphrase, producer=producer, log_key=log_key)
        writer = Writer(
            store, state, ring, stream=stream, session=session, clock=clock, random=random
        )
        events = KeyEvents(store, state, ring, clock=clock, random=random)
        return Ledger(store, state, writer, events)
    except BaseException:
        store.close()
        raise
