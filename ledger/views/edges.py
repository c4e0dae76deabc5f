"""The parents of a statement as rows of the view `index` (specs/09 section 4).

    a  u64 index | u8 part | up to 32 times u64 parent, in the order of the statement

A parent that the log does not have, or not before its child, is `MISSING`. A parent in another
ledger has no index and no place in the row.
"""

from __future__ import annotations

import struct
from typing import Final

from ledger.errors import StoreError
from ledger.formats.payload import Parent, Payload
from ledger.formats.values import uuid7_bytes
from ledger.store import Snapshot
from ledger.store.rows import u64

__all__ = [
    "MISSING",
    "ROW_PARENTS",
    "adjacency",
    "outside_parents",
    "parent_indices",
    "resolved",
    "unpack",
]

MISSING: Final = (1 << 64) - 1
ROW_PARENTS: Final = 32


def resolved(snapshot: Snapshot, index: int, payload: Payload) -> list[tuple[Parent, int | None]]:
    """The parents of a statement with their indices in this log: `MISSING`, or None if outside."""
    return [(parent, _resolve(snapshot, index, parent)) for parent in payload.parents]


def parent_indices(snapshot: Snapshot, index: int, payload: Payload) -> list[int]:
    """The indices of a statement's parents in this log, in its order; `MISSING` among them."""
    return [one for _, one in resolved(snapshot, index, payload) if one is not None]


def outside_parents(payload: Payload) -> list[Parent]:
    """The parents of a statement that are in another ledger."""
    return [parent for parent in payload.parents if parent.ledger is not None]


def _resolve(snapshot: Snapshot, index: int, parent: Parent) -> int | None:
    if parent.ledger is not None:
        return None  # looked for there and only there (specs/04 section 7)
    found = snapshot.id_index(uuid7_bytes(parent.id))
    return found if found is not None and found < index else MISSING


def adjacency(index: int, parents: list[int]) -> list[bytes]:
    """The rows `a` of a statement."""
    return [
        b"a"
        + u64(index)
        + bytes((at // ROW_PARENTS,))
        + b"".join(map(u64, parents[at : at + ROW_PARENTS]))
        for at in range(0, len(parents), ROW_PARENTS)
    ]


def unpack(index: int, row: bytes) -> tuple[int, ...]:
    """The parents in what follows the index in a row; `StoreError("tree_damaged")` for another."""
    count, rest = divmod(len(row) - 1, 8)
    if rest or not 0 < count <= ROW_PARENTS:
        raise StoreError("tree_damaged", f"views: index a {index}: a row of {len(row)} bytes")
    return struct.unpack(f">{count}Q", row[1:])
