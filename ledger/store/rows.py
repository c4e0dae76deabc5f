"""What goes into one commit and what the tables hold (specs/09 section 2).

Numbers in keys are big-endian, so that the order of keys is the order of numbers:

    entries  u64 index                    -> statement
    tiles    u8 level | u64 number        -> hashes of the tile so far, 32 bytes each
    ids      16 bytes of the UUIDv7       -> u64 index
    streams  stream id                    -> CBOR of the stream's tail
    chain    u32 stream no | u64 seq      -> u64 index
    blobs    u64 number                   -> BLAKE3 | archived bytes

>>> chain_key(3, 258).hex()
'000000030000000000000102'
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ledger.errors import FormatError
from ledger.formats import cbor

__all__ = [
    "Batch",
    "Blob",
    "Committed",
    "Row",
    "StreamTail",
    "chain_key",
    "from_u64",
    "tile_key",
    "u64",
]

T = TypeVar("T")

_U64 = struct.Struct(">Q")
_TILE = struct.Struct(">BQ")
_CHAIN = struct.Struct(">IQ")

u64 = _U64.pack
tile_key = _TILE.pack
chain_key = _CHAIN.pack


def from_u64(value: bytes) -> int:
    """The number in 8 big-endian bytes; raises `FormatError` for another length."""
    if len(value) != 8:
        raise FormatError("cbor_invalid", f"a number of {len(value)} bytes instead of 8")
    return int(_U64.unpack(value)[0])


class Row(NamedTuple):
    """One signed statement that is to be appended."""

    id: bytes
    """16 bytes of the UUIDv7."""
    leaf_hash: bytes
    statement: bytes
    uuid: str
    """The same id as text, for the receipt."""


class Blob(NamedTuple):
    """Archived bytes up to `INLINE_MAX_BYTES` that go into the database."""

    blake3: bytes
    archived: bytes


@dataclass(frozen=True, slots=True)
class StreamTail:
    """The last statement of a stream, and what never changes in it."""

    stream: str
    no: int
    """Number of the stream in this database, from 0 in order of first use."""
    seq: int
    leaf_hash: bytes
    index: int
    iss: str
    session: str | None
    closed: bool

    def to_bytes(self) -> bytes:
        """The value in the table `streams`."""
        value: dict[str, cbor.CborValue] = {
            "no": self.no,
            "seq": self.seq,
            "leaf_hash": self.leaf_hash,
            "index": self.index,
            "iss": self.iss,
            "closed": self.closed,
        }
        if self.session is not None:
            value["session"] = self.session
        return cbor.encode(value)

    @classmethod
    def from_bytes(cls, stream: str, data: bytes) -> StreamTail:
        """Read a value of the table `streams`; raises `FormatError` when it is not one."""
        value = cbor.decode(data)
        try:
            if not isinstance(value, dict):
                raise TypeError
            tail = cls(
                stream=stream,
                no=_typed(value["no"], int),
                seq=_typed(value["seq"], int),
                leaf_hash=_typed(value["leaf_hash"], bytes),
                index=_typed(value["index"], int),
                iss=_typed(value["iss"], str),
                session=_typed(value["session"], str) if "session" in value else None,
                closed=_typed(value["closed"], bool),
            )
        except (KeyError, TypeError) as error:
            raise FormatError("cbor_invalid", f"tail of stream {stream!r}: {error}") from None
        if len(value) != 6 + (tail.session is not None):
            raise FormatError("cbor_invalid", f"tail of stream {stream!r}: unknown keys")
        return tail


def _typed(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


@dataclass(slots=True)
class Batch:
    """Consecutive statements of one stream, and the content that comes with them."""

    stream: str
    seq: int
    """`seq` of the first row."""
    prev: bytes | None
    """Leaf hash of the statement before the first row; None iff `seq` is 0."""
    iss: str
    session: str | None
    rows: list[Row] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    """Numbers of blobs whose archived bytes are to go in the same transaction."""
    closes: bool = False
    """Whether the last row is a `stream_close`."""


class Committed(NamedTuple):
    """What a commit made: rows `first` … `size` - 1 are durable under the signed `head`."""

    first: int
    size: int
    root: bytes
    head: bytes
    first_blob: int
    """Number of the batch's first blob."""
