"""Which records have findings of severity `fail`, in one byte each (specs/12 section 8)."""

from __future__ import annotations

from collections.abc import Callable

from .table import CHUNK_ROWS

INVALID, BROKEN_CHAIN, BROKEN_LINEAGE, ANY = 1, 2, 4, 8
_INVALID_CODES = frozenset(
    (
        "cbor_invalid",
        "cose_invalid",
        "header_invalid",
        "payload_invalid",
        "body_invalid",
        "statement_too_large",
    )
)
_BITS = {
    "integrity": BROKEN_CHAIN,
    "authenticity": BROKEN_CHAIN,
    "lineage": BROKEN_LINEAGE,
    "policy": BROKEN_LINEAGE,
}


class Faults:
    """Takes every finding of a report; only sheets with a finding take memory."""

    def __init__(self, position_of: Callable[[int], int]) -> None:
        """Take what turns an index into a position, -1 for one that is not here."""
        self._position_of = position_of
        self._chunks: dict[int, bytearray] = {}

    def add(self, index: int, code: str, axis: str | None) -> None:
        """Take a finding of severity `fail` at an index."""
        bits = ANY | INVALID if code in _INVALID_CODES else ANY
        if code == "context_mismatch":  # a finding about contents, of what links two stages
            bits |= BROKEN_LINEAGE
        elif code != "claim_mismatch":
            bits |= _BITS.get(axis or "", 0)
        position = self._position_of(index)
        if position >= 0:
            chunk = self._chunks.setdefault(position // CHUNK_ROWS, bytearray(CHUNK_ROWS))
            chunk[position % CHUNK_ROWS] |= bits

    def at(self, position: int) -> int:
        """Return the bits of the record at a position."""
        chunk = self._chunks.get(position // CHUNK_ROWS)
        return 0 if chunk is None else chunk[position % CHUNK_ROWS]
