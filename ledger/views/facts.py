"""What a statement says in numbers, as a row of the view `index` (specs/09 section 4).

    w  u64 index | u8 flags | u16 outside | 32 bytes kid | f64 cost_usd | u64 tokens |
       f64 confidence | session | 00 | model

Sums over a graph are made from these rows without taking statements apart. Bodies are read with
care: a statement whose body breaks its page has the facts that can be read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ledger.errors import StoreError
from ledger.formats.cose import CoseSign1
from ledger.formats.payload import Payload
from ledger.formats.values import is_count, is_name
from ledger.store.rows import u64

__all__ = ["Facts", "confidence_of", "facts_of", "map_of", "model_of"]

_HEAD: Final = struct.Struct(">BH32sdQd")
_WITNESS, _COST, _TOKENS, _CONFIDENCE = 1, 2, 4, 8


class Facts(NamedTuple):
    """The numbers of one statement; None where it has none."""

    witness: bool
    outside: int
    """How many of its parents are in another ledger."""
    kid: bytes
    cost_usd: float | None
    """Of a witness only: what other types say of costs is a sum over their parents."""
    tokens: int | None
    """As billed, or else all tokens; of a witness only."""
    confidence: float | None
    session: str | None
    model: str | None

    def to_row(self, index: int) -> bytes:
        """The row of the view."""
        flags = (
            _WITNESS * self.witness
            | _COST * (self.cost_usd is not None)
            | _TOKENS * (self.tokens is not None)
            | _CONFIDENCE * (self.confidence is not None)
        )
        head = _HEAD.pack(
            flags,
            self.outside,
            self.kid,
            self.cost_usd or 0.0,
            self.tokens or 0,
            self.confidence or 0.0,
        )
        names = (self.session or "").encode() + b"\0" + (self.model or "").encode()
        return b"w" + u64(index) + head + names

    @classmethod
    def from_row(cls, index: int, row: bytes) -> Facts:
        """Read what follows the index in a row; raises `StoreError("tree_damaged")`."""
        try:
            flags, outside, kid, cost, tokens, confidence = _HEAD.unpack_from(row)
            session, zero, model = row[_HEAD.size :].partition(b"\0")
            if not zero or not (math.isfinite(cost) and math.isfinite(confidence)):
                raise ValueError
            return cls(
                bool(flags & _WITNESS),
                outside,
                kid,
                cost if flags & _COST else None,
                tokens if flags & _TOKENS else None,
                confidence if flags & _CONFIDENCE else None,
                session.decode() or None,
                model.decode() or None,
            )
        except (struct.error, ValueError):
            raise StoreError("tree_damaged", f"views: index w {index}: not a row") from None


def facts_of(sign1: CoseSign1, payload: Payload, outside: int) -> Facts:
    """The facts of a statement with so many parents in other ledgers."""
    is_witness = payload.type == "witness"
    cost = map_of(payload.body, "cost") if is_witness else {}
    tokens = cost.get("tokens_used", map_of(payload.body, "output").get("total_tokens"))
    return Facts(
        witness=is_witness,
        outside=outside,
        kid=sign1.kid,
        cost_usd=_number(cost.get("cost_usd")),
        tokens=tokens if is_witness and is_count(tokens) else None,
        confidence=confidence_of(payload),
        session=payload.session,
        model=model_of(payload),
    )


def model_of(payload: Payload) -> str | None:
    """The model that answered, or that an insight or execution is about."""
    body: Mapping[str, Any] = payload.body
    if payload.type == "witness":
        body = map_of(body, "model")
    elif payload.type not in ("insight", "execution"):
        return None
    name = body.get("model_id")
    return name if is_name(name) else None


def confidence_of(payload: Payload) -> float | None:
    """The confidence that a statement states, 0 to 1."""
    body: Mapping[str, Any] = payload.body
    if payload.type == "witness":
        score = _number(map_of(body, "uncertainty").get("confidence_score"))
    elif payload.type in ("insight", "execution", "transfer", "cross_model"):
        score = _number(body.get("confidence"))
    else:
        score = None
    return score if score is not None and score <= 1 else None


def map_of(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A map inside a body; an empty one where something else or nothing stands there."""
    found = body.get(key)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) and value >= 0 else None
