"""Key events: enrol, rotate and revoke, in the stream `keys` (specs/05 section 3).

Their validity depends on their index, so it is tried on a copy of the key history inside the
transaction, and an event that would be invalid is not written. The head that covers it is signed by
the log key that is valid at its index: for an event that replaces the log key, the old one.
"""

from __future__ import annotations

import copy
from typing import Any

from ledger.drafts import Receipt
from ledger.errors import FormatError, LogError
from ledger.formats import cose
from ledger.formats.payload import KEY_STREAM, LedgerName, decode_payload
from ledger.keys.events import KeyHistory, enrol_body, key_entry, revoke_body, rotate_body
from ledger.keys.signer import Signer
from ledger.keystate import KeyState
from ledger.store import Batch, HeadSigner, Snapshot, Store, stream_lock
from ledger.writer.keyring import Keyring, SignerLike
from ledger.writer.prepare import Prepared, encode_body
from ledger.writer.statements import RANDOM_BYTES, Clock, Link, Moment, Random, StatementMaker
from ledger.writer.writer import head_signer

__all__ = ["KeyEvents"]


class KeyEvents:
    """Appends key events; one at a time over all processes."""

    def __init__(
        self, store: Store, keys: KeyState, keyring: Keyring, *, clock: Clock, random: Random
    ) -> None:
        self._store = store
        self._keys = keys
        self._keyring = keyring
        self._clock = clock
        self._random = random

    def enrol(self, key: SignerLike, role: str | None, authority: SignerLike | None) -> Receipt:
        """See `Ledger.enrol`."""
        signer = self._keyring.add(key)
        role = signer.role if role is None else role
        entry = key_entry(signer, self._keys.origin, role)
        return self._append("enrol", enrol_body(role, entry), self._authority(authority))

    def rotate(self, key: SignerLike, old: bytes | SignerLike) -> Receipt:
        """See `Ledger.rotate`."""
        if isinstance(old, bytes):
            found = self._keyring.signer(old)
            if found is None:
                raise LogError("no_signer", f"the key {old.hex()[:16]} is not at hand")
        else:
            found = self._keyring.add(old)
        signer = self._keyring.add(key)
        entry = key_entry(signer, self._keys.origin, found.role)
        return self._append("rotate", rotate_body(found.kid, entry), found)

    def revoke(
        self, kid: bytes, last_good_index: int, reason: str, authority: SignerLike | None
    ) -> Receipt:
        """See `Ledger.revoke`."""
        body = revoke_body(kid, last_good_index, reason)
        return self._append("revoke", body, self._authority(authority))

    def _authority(self, given: SignerLike | None) -> Signer:
        if given is not None:
            return self._keyring.add(given)
        return self._keyring.authority(self._keys.history)

    def _append(self, kind: str, body: dict[str, Any], signer: Signer) -> Receipt:
        with stream_lock(self._store.path / "locks", KEY_STREAM):
            with self._store.reading() as snapshot:
                self._keys.advance(snapshot)
                tail = snapshot.stream(KEY_STREAM)
                size = (snapshot.last_entry() or 0) + 1
            assert tail is not None  # the genesis is its first statement
            ledger = LedgerName(self._keys.origin, self._keys.genesis)
            maker = StatementMaker(KEY_STREAM, None, ledger, signer)
            moment = Moment.of(self._clock())
            row = maker.make(
                Prepared(kind, encode_body(body)),
                (),
                Link(tail.seq + 1, tail.leaf_hash),
                moment,
                self._random(RANDOM_BYTES),
            )
            sign1 = cose.parse(row.statement)
            payload = decode_payload(sign1.payload, KEY_STREAM)

            def admitted(first: int) -> KeyHistory:
                trial = copy.deepcopy(self._keys.history)
                try:
                    trial.admit(first, sign1, payload)
                    # A log without a log key could never sign a head again.
                    trial.log_key_at(first + 1)
                    trial.log_key_at(first + 2)
                except FormatError as error:
                    raise LogError("key_event_invalid", f"{kind}: {error.message}") from error
                return trial

            def authorise(snapshot: Snapshot, first: int) -> HeadSigner:
                return head_signer(admitted(first), self._keyring)

            # Asked for now, so that a passphrase is never waited for inside a transaction.
            self._keyring.log(admitted(size), size + 1)

            batch = Batch(KEY_STREAM, tail.seq + 1, tail.leaf_hash, signer.name, None, rows=[row])
            committed = self._store.append(batch, authorise)
        with self._store.reading() as snapshot:
            self._keys.advance(snapshot)
        return Receipt(
            committed.first,
            row.uuid,
            row.leaf_hash,
            moment.text.decode(),
            committed.size,
            committed.root,
            committed.head,
        )
