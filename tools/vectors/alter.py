"""Good statements taken apart, and put together again with something altered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.formats import cbor, cose
from tools.vectors import lab

Change = Callable[[dict[str, Any]], object]

FIRST = lab.STATEMENTS[1]  # the smallest witness, seq 0
SECOND = lab.STATEMENTS[2]  # every field, seq 1, a parent
PARTS = cose.parse(FIRST)
PROTECTED = PARTS.protected
PAYLOAD = PARTS.payload


def signed(payload: bytes, protected: bytes = PROTECTED) -> bytes:
    """Return a statement of the producer over any payload and header."""
    return lab.seal(protected, payload, lab.PRODUCER)


def headed(old: bytes, new: bytes) -> bytes:
    """Return the first witness with one place of its header replaced, signed over that."""
    assert PROTECTED.count(old) == 1
    return signed(PAYLOAD, PROTECTED.replace(old, new))


def changed(change: Change, statement: bytes = FIRST) -> bytes:
    """Return a witness with its payload changed."""
    value = cbor.decode(cose.parse(statement).payload)
    change(value)
    return signed(cbor.encode(value))


def changed_fields(**fields: Any) -> bytes:
    """Return the first witness with fields of its payload replaced."""
    return changed(lambda payload: payload.update(fields))


def parent_list(count: int) -> list[dict[str, Any]]:
    """Return that many parents, each of another leaf hash."""
    return [{"id": lab.moment(1)[0], "leaf_hash": n.to_bytes(32)} for n in range(count)]


def long_bytes(raw: bytes) -> bytes:
    """Return a byte string of 24 to 65,535 bytes."""
    size = len(raw)
    return (bytes((0x58, size)) if size < 256 else b"\x59" + size.to_bytes(2)) + raw
