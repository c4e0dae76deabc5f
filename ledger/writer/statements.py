"""Making signed statements of one stream, one after the other (specs/02).

Clock and randomness come from outside. Nothing is kept here: what a statement continues is in the
`Link`, so a statement that fails leaves no trace, and its neighbours are built as if it had not
been.

The payload's envelope (specs/02 section 3) is joined from pieces instead of being encoded as a map:
the body is encoded before its place is known, and the rest is the same in every statement but for

    a6..a8  id  vif 1  body  type  stream {id, seq, prev or ledger}  parents?  session?  created_at

in the order of the profile, shorter keys first. A test holds it against `encode_payload`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from ledger.errors import FormatError
from ledger.formats import cbor, cose
from ledger.formats.merkle import hash_leaf
from ledger.formats.payload import PARENTS_MAX, LedgerName, Parent
from ledger.formats.values import format_time, uuid7
from ledger.keys.signer import Signer
from ledger.store import Row
from ledger.writer.prepare import Prepared

__all__ = ["Link", "Moment", "StatementMaker"]

Clock = Callable[[], int]
"""Microseconds since 1970."""
Random = Callable[[int], bytes]
"""That many random bytes."""

RANDOM_BYTES = 8
_RANDOM_BITS = (1 << 62) - 1
_VARIANT = 0b10 << 62


class Link(NamedTuple):
    """Where a stream goes on: the next `seq`, and the leaf hash it has to name."""

    seq: int
    prev: bytes | None


class Moment(NamedTuple):
    """One reading of the clock, for all statements that are made together."""

    text: bytes
    """As *time*."""
    id_start: str
    """What the ids of this moment begin with: time, version, fraction of the millisecond."""

    @classmethod
    def of(cls, us: int) -> Moment:
        """The moment of a clock reading, microseconds since 1970."""
        return cls(format_time(us).encode(), uuid7(us, bytes(RANDOM_BYTES))[:19])

    def id(self, random: bytes) -> str:
        """A UUIDv7 of this moment, as `uuid7` makes it; takes 62 of the 64 random bits."""
        end = f"{int.from_bytes(random) & _RANDOM_BITS | _VARIANT:016x}"
        return f"{self.id_start}{end[:4]}-{end[4:]}"


class StatementMaker:
    """Signs the statements of one stream with one key."""

    def __init__(
        self, stream: str, session: str | None, ledger: LedgerName | None, signer: Signer
    ) -> None:
        """Prepare what all statements of a stream share; `ledger` is None for a genesis only."""
        self.stream = stream
        self.signer = signer
        self._header = cose.protected_header(signer.kid, signer.name, stream)
        self._sign = signer.sign
        self._keys = 6 + (session is not None)
        self._stream_id = b"\x62id" + cbor.encode(stream) + b"\x63seq"
        self._session = b"" if session is None else b"\x67session" + cbor.encode(session)
        self._ledger = b""
        if ledger is not None:
            name: dict[str, cbor.CborValue] = {"origin": ledger.origin, "genesis": ledger.genesis}
            self._ledger = b"\x66ledger" + cbor.encode(name)

    def make(
        self, draft: Prepared, parents: Sequence[Parent], link: Link, moment: Moment, random: bytes
    ) -> Row:
        """Sign the statement that stands at `link`; `random` are 8 random bytes.

        Raises `FormatError`: `payload_invalid`, `cbor_invalid`, `statement_too_large`.
        """
        identifier = moment.id(random)
        body = draft.body
        payload = b"".join(
            (
                bytes((0xA0 + self._keys + bool(parents),)),
                b"\x62id\x78\x24",
                identifier.encode(),
                b"\x63vif\x01\x64body",
                body if isinstance(body, bytes) else body(link.seq),
                b"\x64type",
                _text(draft.type),
                b"\x66stream",
                self._stream_map(link),
                _parents(parents) if parents else b"",
                self._session,
                b"\x6acreated_at\x78\x1b",
                moment.text,
            )
        )
        signature = self._sign(cose.signing_input(self._header, payload))
        statement = cose.assemble(self._header, payload, signature)
        return Row(
            bytes.fromhex(identifier.replace("-", "")), hash_leaf(statement), statement, identifier
        )

    def _stream_map(self, link: Link) -> bytes:
        seq = cbor.encode(link.seq)
        if link.prev is not None:
            return b"\xa3" + self._stream_id + seq + b"\x64prev\x58\x20" + link.prev
        return (b"\xa3" if self._ledger else b"\xa2") + self._stream_id + seq + self._ledger


@lru_cache(64)
def _text(text: str) -> bytes:
    return cbor.encode(text)


def _parents(parents: Sequence[Parent]) -> bytes:
    leaf_hashes = {parent.leaf_hash for parent in parents}
    if len(parents) > PARENTS_MAX or len(leaf_hashes) != len(parents):
        raise FormatError("payload_invalid", f"at most {PARENTS_MAX} parents, none of them twice")
    maps: list[cbor.CborValue] = [parent.to_cbor() for parent in parents]
    return b"\x67parents" + cbor.encode(maps)
