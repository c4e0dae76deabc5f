"""The payload envelope of a statement and the registry of types (specs/02 sections 3 and 4).

    {"vif": 1, "type": ..., "id": uuid, "created_at": time,
     "stream": {"id": label, "seq": count, "prev"?: digest,
                "ledger"?: {"origin": origin, "genesis": digest}},
     "session"?: label, "parents"?: [{"id": uuid, "leaf_hash": digest, "ledger"?: digest}],
     "body": {...}}

The body is carried, not checked: its rules are those of its type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn

from ledger.errors import FormatError
from ledger.formats import cbor
from ledger.formats.values import (
    is_count,
    is_digest,
    is_label,
    is_origin,
    is_uuid7,
    parse_time,
    uuid7_ms,
)

FORMAT_VERSION: Final = 1
PARENTS_MAX: Final = 256
KEY_STREAM: Final = "keys"
KEY_TYPES: Final = frozenset({"genesis", "enrol", "rotate", "revoke"})
SESSION_TYPES: Final = frozenset(
    {"session_open", "intent", "outcome", "reuse", "savepoint", "session_close"}
)
STAGE_TYPES: Final = frozenset({"insight", "transfer", "execution"})
CROSS_MODEL_TYPES: Final = STAGE_TYPES | {"provenance", "cross_model"}
REPLAY_TYPES: Final = frozenset({"replay", "replay_operation"})
PRODUCER_TYPES: Final = (
    SESSION_TYPES
    | CROSS_MODEL_TYPES
    | REPLAY_TYPES
    | {
        "witness",
        "annotation",
        "import",
        "erasure",
        "stream_close",
        "export",
    }
)
ALL_TYPES: Final = KEY_TYPES | PRODUCER_TYPES
OWN_PARENTS: Final = ALL_TYPES - CROSS_MODEL_TYPES - {"witness", "annotation", "replay"}
"""Types whose parents are all in their own ledger (specs/02 section 3)."""

_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REQUIRED: Final = frozenset({"vif", "type", "id", "created_at", "stream", "body"})
_OPTIONAL: Final = frozenset({"session", "parents"})
_OUTSIDE: Final = frozenset({"ledger"})


class LedgerName(NamedTuple):
    """The ledger a stream belongs to: its origin and the leaf hash of its genesis."""

    origin: str
    genesis: bytes


class Parent(NamedTuple):
    """An earlier statement that this one builds on."""

    id: str
    leaf_hash: bytes
    ledger: bytes | None = None
    """Leaf hash of the genesis of the other ledger that it is in; None in the same ledger."""

    def to_cbor(self) -> dict[str, Any]:
        """The map that stands for it in `parents`."""
        plain: dict[str, Any] = {"id": self.id, "leaf_hash": self.leaf_hash}
        if self.ledger is not None:
            plain["ledger"] = self.ledger
        return plain


@dataclass(frozen=True, slots=True)
class Payload:
    """What a statement says: envelope fields by name, and the body as decoded CBOR."""

    type: str
    id: str
    created_at: str
    stream_id: str
    seq: int
    prev: bytes | None
    ledger: LedgerName | None
    session: str | None
    parents: tuple[Parent, ...]
    body: dict[str, Any]


def encode_payload(payload: Payload) -> bytes:
    """Write a payload; refuses what `decode_payload` would refuse, with the same codes."""
    stream: dict[str, Any] = {"id": payload.stream_id, "seq": payload.seq}
    if payload.prev is not None:
        stream["prev"] = payload.prev
    if payload.ledger is not None:
        stream["ledger"] = {"origin": payload.ledger.origin, "genesis": payload.ledger.genesis}
    value: dict[str, Any] = {
        "vif": FORMAT_VERSION,
        "type": payload.type,
        "id": payload.id,
        "created_at": payload.created_at,
        "stream": stream,
        "body": payload.body,
    }
    if payload.session is not None:
        value["session"] = payload.session
    if payload.parents:
        value["parents"] = [parent.to_cbor() for parent in payload.parents]
    _from_value(value, payload.stream_id)
    return cbor.encode(value)


def decode_payload(data: bytes, sub: str) -> Payload:
    """Read the payload of a statement whose header names the stream `sub`; the body is not checked.

    Raises FormatError `cbor_invalid` or `payload_invalid` (specs/02 section 3).
    """
    return _from_value(cbor.decode(data), sub)


def check_stream_of_type(payload: Payload) -> None:
    """Refuse key events outside the stream `keys`, and anything else in it.

    A genesis begins that stream and nothing else does. Raises FormatError `key_event_invalid`
    (specs/02 section 4).
    """
    if (payload.stream_id == KEY_STREAM) != (payload.type in KEY_TYPES):
        raise FormatError("key_event_invalid", f"type {payload.type} in stream {payload.stream_id}")
    if payload.stream_id == KEY_STREAM and (payload.seq == 0) != (payload.type == "genesis"):
        raise FormatError(
            "key_event_invalid", f"{payload.type} with seq {payload.seq} in stream {KEY_STREAM}"
        )


def _from_value(value: Any, sub: str) -> Payload:
    if type(value) is not dict:
        _refuse("not a map")
    _closed(value, _REQUIRED, _OPTIONAL, "payload")
    if type(value["vif"]) is not int or value["vif"] != FORMAT_VERSION:
        _refuse("vif is not 1")
    kind = value["type"]
    if type(kind) is not str or _TYPE.fullmatch(kind) is None:
        _refuse("type")
    identity = value["id"]
    if not is_uuid7(identity):
        _refuse("id is not a UUIDv7")
    created_at = value["created_at"]
    if type(created_at) is not str:
        _refuse("created_at is not a time")
    if parse_time(created_at) // 1000 != uuid7_ms(identity):
        _refuse("the milliseconds of created_at and id differ")
    body = value["body"]
    if type(body) is not dict:
        _refuse("body is not a map")
    session = value.get("session")
    if "session" in value and not is_label(session):
        _refuse("session is not a label")
    seq, prev, ledger = _stream(value["stream"], sub, kind)
    parents = _parents(value["parents"], kind) if "parents" in value else ()
    return Payload(kind, identity, created_at, sub, seq, prev, ledger, session, parents, body)


def _stream(stream: Any, sub: str, kind: str) -> tuple[int, bytes | None, LedgerName | None]:
    if type(stream) is not dict:
        _refuse("stream is not a map")
    seq = stream.get("seq")
    if not is_count(seq):
        _refuse("stream.seq is not a count")
    required = {"id", "seq"}
    if seq > 0:
        required.add("prev")
    elif kind != "genesis":
        required.add("ledger")
    _closed(stream, required, frozenset(), "stream")
    if not is_label(stream["id"]) or stream["id"] != sub:
        _refuse("stream.id is not the sub of the header")
    if seq > 0:
        prev = stream["prev"]
        if not is_digest(prev):
            _refuse("stream.prev is not 32 bytes")
        return seq, prev, None
    return seq, None, None if kind == "genesis" else _ledger(stream["ledger"])


def _ledger(ledger: Any) -> LedgerName:
    if type(ledger) is not dict:
        _refuse("stream.ledger is not a map")
    _closed(ledger, {"origin", "genesis"}, frozenset(), "stream.ledger")
    if not is_origin(ledger["origin"]) or not is_digest(ledger["genesis"]):
        _refuse("stream.ledger is not an origin and 32 bytes")
    return LedgerName(ledger["origin"], ledger["genesis"])


def _parents(value: Any, kind: str) -> tuple[Parent, ...]:
    if type(value) is not list or not 1 <= len(value) <= PARENTS_MAX:
        _refuse(f"parents is not an array of 1 to {PARENTS_MAX}")
    parents = []
    for parent in value:
        if type(parent) is not dict:
            _refuse("a parent is not a map")
        _closed(parent, {"id", "leaf_hash"}, _OUTSIDE, "parent")
        if not is_uuid7(parent["id"]) or not is_digest(parent["leaf_hash"]):
            _refuse("a parent is not a UUIDv7 and 32 bytes")
        ledger = parent.get("ledger")
        if "ledger" in parent and (not is_digest(ledger) or kind in OWN_PARENTS):
            _refuse("a parent in another ledger is not possible here")
        parents.append(Parent(parent["id"], parent["leaf_hash"], ledger))
    if len({parent.leaf_hash for parent in parents}) != len(parents):
        _refuse("a parent is named twice")
    return tuple(parents)


def _closed(
    value: dict[str, Any], required: set[str] | frozenset[str], optional: frozenset[str], what: str
) -> None:
    missing = required - value.keys()
    if missing:
        _refuse(f"{what} lacks {min(missing)}")
    unknown = value.keys() - required - optional
    if unknown:
        _refuse(f"{what} has the unknown key {min(unknown)[:64]!a}")


def _refuse(why: str) -> NoReturn:
    raise FormatError("payload_invalid", why)
