"""Naming a statement to another process, service or ledger (specs/12 section 9).

In HTTP headers a statement is named by W3C Trace Context: the member `vif` of `tracestate` is
`<genesis>:<leaf hash>:<id>`. A handover carries the statement itself:

    binary    "VIFHO1" | genesis, 32 bytes | statement
    text      "vifho1:" base64(genesis | statement)

Neither proves anything: a verifier looks the statement up in that ledger's package.

>>> parent = Parent("01a1f82f-1e80-7000-9870-bd8659273f50", bytes(32), bytes(range(32)))
>>> member = tracestate(parent)
>>> member[:20], parse_tracestate(f"rojo=00f067aa0ba902b7, {member}") == parent
('vif=0001020304050607', True)
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from ledger.errors import FormatError
from ledger.formats import cose
from ledger.formats.merkle import hash_leaf
from ledger.formats.payload import Parent, Payload, decode_payload
from ledger.formats.values import is_uuid7

__all__ = ["Handover", "TraceParent", "parse_traceparent", "parse_tracestate", "tracestate"]

STATEMENT_MAX_BYTES = 65_535
_MAGIC = b"VIFHO1"
_TEXT = "vifho1:"
_GENESIS_BYTES = 32
_TEXT_MAX_CHARS = len(_TEXT) + 4 * ((_GENESIS_BYTES + STATEMENT_MAX_BYTES + 2) // 3)
_HEADER_MAX_CHARS = 8192
_MEMBER = re.compile(r"([0-9a-f]{64}):([0-9a-f]{64}):([0-9a-f-]{36})")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class TraceParent(NamedTuple):
    """Trace and span of a W3C `traceparent`, in lower-case hex."""

    trace_id: str
    span_id: str

    def header(self) -> str:
        """The value of the header `traceparent`, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def parse_traceparent(value: str) -> TraceParent | None:
    """Read a `traceparent`; None for what W3C Trace Context tells to ignore."""
    found = _TRACEPARENT.fullmatch(value.strip(" \t"))
    if found is None or found[1] == "ff" or (found[1] == "00" and found[4]):
        return None
    trace_id, span_id = found[2], found[3]
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceParent(trace_id, span_id)


def tracestate(parent: Parent) -> str:
    """The member of `tracestate` that names a statement; its `ledger` must be there."""
    if parent.ledger is None:
        raise ValueError("a statement is named to others together with its ledger")
    return f"vif={parent.ledger.hex()}:{parent.leaf_hash.hex()}:{parent.id}"


def parse_tracestate(value: str) -> Parent | None:
    """The statement that a `tracestate` names; None if it has no member `vif`.

    Raises `FormatError("reference_invalid")` for a member that is not of the form.
    """
    if len(value) > _HEADER_MAX_CHARS:
        raise FormatError("reference_invalid", f"tracestate has more than {_HEADER_MAX_CHARS}")
    for member in value.split(","):
        key, _, said = member.strip(" \t").partition("=")
        if key != "vif":
            continue
        found = _MEMBER.fullmatch(said)
        if found is None or not is_uuid7(found[3]):
            raise FormatError(
                "reference_invalid", "the member vif of tracestate does not name a statement"
            )
        return Parent(found[3], bytes.fromhex(found[2]), bytes.fromhex(found[1]))
    return None


class Handover(NamedTuple):
    """A signed statement on its way to another ledger, and the ledger that it is in."""

    genesis: bytes
    statement: bytes

    def to_bytes(self) -> bytes:
        """The binary form."""
        return _MAGIC + self.genesis + self.statement

    def to_text(self) -> str:
        """The form for a header or JSON."""
        return _TEXT + base64.b64encode(self.genesis + self.statement).decode()

    @classmethod
    def read(cls, data: bytes | str) -> Handover:
        """Read either form; raises `FormatError("reference_invalid")`."""
        raw = _from_text(data) if isinstance(data, str) else data
        if not isinstance(data, str):
            if not raw.startswith(_MAGIC):
                raise FormatError("reference_invalid", "not a handover")
            raw = raw[len(_MAGIC) :]
        statement = raw[_GENESIS_BYTES:]
        if not 0 < len(statement) <= STATEMENT_MAX_BYTES:
            raise FormatError("reference_invalid", "a handover without statement, or too long")
        made = cls(raw[:_GENESIS_BYTES], statement)
        made.payload()
        return made

    def payload(self) -> Payload:
        """What the statement says; raises `FormatError`. Its signature is not checked."""
        sign1 = cose.parse(self.statement)
        return decode_payload(sign1.payload, sign1.sub)

    def parent(self) -> Parent:
        """The statement as others name it."""
        return Parent(self.payload().id, hash_leaf(self.statement), self.genesis)


def _from_text(text: str) -> bytes:
    if len(text) > _TEXT_MAX_CHARS or not text.startswith(_TEXT):
        raise FormatError("reference_invalid", "not a handover")
    try:
        raw = base64.b64decode(text[len(_TEXT) :], validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("reference_invalid", "a handover that is not base64") from None
    if base64.b64encode(raw).decode() != text[len(_TEXT) :]:
        raise FormatError("reference_invalid", "a handover that is not base64")
    return raw
