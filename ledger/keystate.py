"""Which keys are valid where, as far as the log has been read (specs/05 sections 3 and 4).

The stream `keys` is read from its beginning when a ledger is opened, and on from there whenever it
has grown, which another process may do at any time. Every signature in it is checked.
"""

from __future__ import annotations

import threading

from ledger.errors import FormatError, StoreError
from ledger.formats import cose
from ledger.formats.merkle import hash_leaf
from ledger.formats.payload import KEY_STREAM, decode_payload
from ledger.keys.events import KeyHistory
from ledger.store import Snapshot

__all__ = ["KeyState"]


class KeyState:
    """Origin, genesis and key history of a ledger."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.history = KeyHistory()
        self.genesis = b""
        self._seen = b""
        self._next_seq = 0
        self._lock = threading.Lock()
        if not self.advance(snapshot):
            raise StoreError("ledger_unreadable", "streams: there is no stream 'keys'")

    def advance(self, snapshot: Snapshot) -> bool:
        """Read key events that were appended since; tell whether there were any.

        Raises `StoreError("tree_damaged")` when one of them is not what was appended.
        """
        tail = snapshot.raw_stream(KEY_STREAM)
        # Nearly always nothing has changed, and this is asked within every append.
        if tail == self._seen:
            return False
        with self._lock:
            stream = snapshot.stream(KEY_STREAM)
            if stream is None:
                return False
            for index in list(snapshot.chain_from(stream.no, self._next_seq)):
                self._apply(index, snapshot.entry(index))
                self._next_seq += 1
            self._seen = tail or b""
        return True

    def _apply(self, index: int, statement: bytes | None) -> None:
        if statement is None:
            raise StoreError("tree_damaged", f"entries {index}: missing, a key event")
        try:
            sign1 = cose.parse(statement)
            payload = decode_payload(sign1.payload, sign1.sub)
            self.history.admit(index, sign1, payload)
            if index == 0:
                self.genesis = hash_leaf(statement)
        except FormatError as error:
            raise StoreError("tree_damaged", f"entries {index}: key event: {error}") from error

    @property
    def origin(self) -> str:
        """The name of the ledger."""
        return self.history.origin

    @property
    def salted(self) -> bool:
        """Whether every content reference is salted."""
        return self.history.salted

    def log_key(self, size: int) -> tuple[str, bytes]:
        """Name and public key that sign a head of this size."""
        try:
            record = self.history.log_key_at(size)
        except FormatError as error:
            raise StoreError("tree_damaged", f"no log key for size {size}: {error}") from error
        return self.origin, record.public_key
