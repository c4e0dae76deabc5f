"""Streams: each writer's hash chain in log order (specs/04 section 6).

Records that a package does not hold may explain a gap: between two records of a stream as many
sequence numbers may be skipped as indices are missing between them, and none in a whole ledger
or in the stream of key events. State is kept in arrays, since there may be as many streams as
records; issuer and session are remembered by their keyed hash.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Any

from .errors import Refused
from .statement import KEY_STREAM
from .table import Table

_CACHE_MAX = 16_384
_ID_BYTES = 16
UNREADABLE = -1
TAG_NONE, TAG_WITNESS, TAG_CLOSE, TAG_ERASURE = 0, 1, 2, 3
TAG_OPEN, TAG_INTENT, TAG_OUTCOME, TAG_REUSE, TAG_SAVEPOINT, TAG_SESSION_CLOSE = range(4, 10)
TAG_INSIGHT, TAG_TRANSFER, TAG_EXECUTION, TAG_PROVENANCE, TAG_CROSS_MODEL = range(10, 15)
TAG_REPLAY, TAG_REPLAY_OPERATION = range(15, 17)
FOLLOWED = frozenset((TAG_WITNESS, *range(TAG_OPEN, TAG_SESSION_CLOSE + 1)))
Fact = tuple[str, str, int, bytes | None, str | None, int, bytes, bytes, Any, bytes]
"""stream, issuer, seq, prev, session, tag, parents (48 bytes each), references (72 each), what
`session_facts` says of a valid body, else None, and the parents in other ledgers (80 bytes each),
whose places among the parents hold zeros
"""
_CLOSED, _PARTIAL, _UNKNOWN = 1, 2, 4


class Chains:
    """Follows all streams of a package; records come in ascending order of index."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids = bytearray()
        self._table = Table(self._id)
        self._next = array("Q")
        self._leaf = bytearray()
        self._missing = array("Q")
        self._issuer = array("q")
        self._session = array("q")
        self._state = bytearray()
        self._counted = array("Q")
        self._seen = array("Q")
        self._records = 0

    def __len__(self) -> int:
        return len(self._next)

    def _id(self, number: int) -> bytes:
        return bytes(self._ids[number * _ID_BYTES : (number + 1) * _ID_BYTES])

    def number(self, stream: str) -> int:
        """Return the number of a stream, or -1 for one that was not seen."""
        number = self._numbers.get(stream, -1)
        if number < 0:
            key = blake2b(stream.encode(), digest_size=_ID_BYTES).digest()
            number = self._table.find(key)
            if number >= 0:
                self._remember(stream, number)
        return number

    def _remember(self, stream: str, number: int) -> None:
        if len(self._numbers) >= _CACHE_MAX:
            self._numbers.clear()
        self._numbers[stream] = number

    def counted(self, stream: str) -> int:
        """Return the number of records of a stream that were added with `counts`."""
        number = self.number(stream)
        return self._counted[number] if number >= 0 else 0

    def seen(self, stream: str) -> int:
        """Return the number of all records of a stream."""
        number = self.number(stream)
        return self._seen[number] if number >= 0 else 0

    def add(self, index: int, leaf: bytes, fact: Fact, counts: bool) -> list[Refused] | None:
        """Add a record and return what breaks the chain, mostly None.

        A stream of which records are plainly missing gives `stream_partial`, once.
        A record with `seq` UNREADABLE is taken as the next of its stream, whatever it holds.
        """
        stream, issuer, seq, prev, session, tag = fact[:6]
        self._records += 1
        missing = max(0, index + 1 - self._records)
        number = self._numbers.get(stream, -1)
        if number < 0:
            number = self.number(stream)
        if number < 0:
            return self._first(leaf, missing, fact, counts)
        session_hash = hash(session) if session is not None else 0
        place = number * 32
        found: list[Refused] | None = None
        if (
            seq != self._next[number]
            or prev is None
            or not self._leaf.startswith(prev, place)
            or hash(issuer) != self._issuer[number]
            or session_hash != self._session[number]
            or self._state[number] & (_CLOSED | _UNKNOWN)
        ):
            found = self._compare(number, missing, fact, session_hash)
            if seq == UNREADABLE:
                seq = self._next[number]
        self._next[number] = seq + 1
        self._leaf[place : place + 32] = leaf
        self._missing[number] = missing
        if tag == TAG_CLOSE:
            self._state[number] |= _CLOSED
        self._counted[number] += counts
        self._seen[number] += 1
        return found

    def _compare(
        self, number: int, missing: int, fact: Fact, session_hash: int
    ) -> list[Refused] | None:
        """Return what breaks the chain in a record that is not simply the next."""
        stream, issuer, seq, prev = fact[:4]
        if seq == UNREADABLE:
            return None
        found: list[Refused] = []
        expected = self._next[number]
        if seq != expected:
            skipped = missing - self._missing[number]
            if stream == KEY_STREAM or not 0 < seq - expected <= skipped:
                found = [_gap(expected, seq)]
            elif not self._state[number] & _PARTIAL:
                found = [_partial(stream)]
            self._state[number] |= _PARTIAL
        last = bytes(self._leaf[number * 32 : number * 32 + 32])
        if prev != last and (seq == expected or (found and found[0].code == "stream_gap")):
            found.append(
                Refused(
                    "stream_prev",
                    "not the leaf hash of the statement before in its stream",
                    last.hex(),
                    prev.hex() if prev is not None else "none",
                )
            )
        if self._state[number] & _UNKNOWN:
            self._issuer[number] = hash(issuer)
            self._session[number] = session_hash
            self._state[number] &= ~_UNKNOWN
        if hash(issuer) != self._issuer[number] and stream != KEY_STREAM:
            found.append(Refused("stream_issuer", "another issuer than before in its stream"))
        if session_hash != self._session[number]:
            found.append(Refused("stream_session", "another session than before in its stream"))
        if self._state[number] & _CLOSED:
            found.append(Refused("stream_closed", "the stream was closed before"))
        return found or None

    def _first(self, leaf: bytes, missing: int, fact: Fact, counts: bool) -> list[Refused] | None:
        stream, issuer, seq, _, session, tag = fact[:6]
        number = len(self._next)
        self._ids += blake2b(stream.encode(), digest_size=_ID_BYTES).digest()
        self._table.add(self._id(number), number)
        self._remember(stream, number)
        gap = seq > 0 and (stream == KEY_STREAM or seq > missing)
        self._next.append(max(seq, 0) + 1)
        self._leaf += leaf
        self._missing.append(missing)
        self._issuer.append(hash(issuer))
        self._session.append(hash(session) if session is not None else 0)
        closed = _CLOSED * (tag == TAG_CLOSE)
        self._state.append(closed | _PARTIAL * (seq > 0) | _UNKNOWN * (seq == UNREADABLE))
        self._counted.append(counts)
        self._seen.append(1)
        if seq > 0:
            return [_gap(0, seq) if gap else _partial(stream)]
        return None


def _partial(stream: str) -> Refused:
    return Refused("stream_partial", f"records of stream {stream} are not in the package")


def _gap(expected: int, actual: int) -> Refused:
    return Refused(
        "stream_gap", "not the next sequence number of its stream", str(expected), str(actual)
    )
