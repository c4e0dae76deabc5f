"""The payload of a statement and the type registry (specs/02 sections 3 and 4)."""

from __future__ import annotations

from typing import Any

from .errors import BadValue, Refused
from .values import COUNT_MAX, OP_NAME, UUID7, closed, digest, label, origin, time_ms, uuid7

FORMAT_VERSION = 1
KEY_STREAM = "keys"
PARENTS_MAX = 256
KEY_TYPES = frozenset(("genesis", "enrol", "rotate", "revoke"))
PRODUCER_TYPES = frozenset(("witness", "annotation", "import", "erasure", "stream_close", "export"))
TYPES = KEY_TYPES | PRODUCER_TYPES

_REQUIRED = frozenset(("vif", "type", "id", "created_at", "stream", "body"))
_OPTIONAL = frozenset(("session", "parents"))
# Deterministic encoding fixes the order of the keys, so there are just these.
_SHAPES = frozenset(
    ("id", "vif", "body", "type", "stream", *some, "created_at")
    for some in ((), ("parents",), ("session",), ("parents", "session"))
)
_STREAM_SHAPES = {
    ("id", "seq"): "",
    ("id", "seq", "prev"): "prev",
    ("id", "seq", "ledger"): "ledger",
}
_check_ledger = closed({"origin": origin, "genesis": digest})
_check_parent = closed({"id": uuid7, "leaf_hash": digest})
_uuid7 = UUID7.fullmatch


def check_payload(p: Any, sub: str) -> None:
    """Check the envelope of a decoded payload in stream `sub`; `payload_invalid`."""
    try:
        _check(p, sub)
    except BadValue as e:
        raise Refused("payload_invalid", e.message) from None


def _check(p: Any, sub: str) -> None:
    if type(p) is not dict:
        raise BadValue("not a map")
    if tuple(p) not in _SHAPES:
        keys = p.keys()
        if not keys >= _REQUIRED:
            raise BadValue("missing " + ", ".join(sorted(_REQUIRED - keys)))
        raise BadValue(f"unknown key {min(keys - _REQUIRED - _OPTIONAL)[:80]!a}")
    if type(p["vif"]) is not int or p["vif"] != FORMAT_VERSION:
        raise BadValue(f"vif: not {FORMAT_VERSION}")
    kind = p["type"]
    if type(kind) is not str or (kind not in TYPES and OP_NAME.fullmatch(kind) is None):
        raise BadValue("type: not a type name")
    ident = p["id"]
    if type(ident) is not str or _uuid7(ident) is None:
        raise BadValue("id: not a UUIDv7")
    try:
        made_ms = time_ms(p["created_at"])
    except BadValue as e:
        raise BadValue(f"created_at: {e.message}") from None
    if made_ms != int(ident[:8] + ident[9:13], 16):
        raise BadValue("created_at: not the milliseconds of the id")
    _check_stream(p["stream"], sub, kind)
    if "session" in p:
        try:
            label(p["session"])
        except BadValue as e:
            raise BadValue(f"session: {e.message}") from None
    if "parents" in p:
        _check_parents(p["parents"])
    if type(p["body"]) is not dict:
        raise BadValue("body: not a map")


def _check_stream(stream: Any, sub: str, kind: str) -> None:
    if type(stream) is not dict:
        raise BadValue("stream: not a map")
    shape = tuple(stream)
    if shape not in _STREAM_SHAPES:
        raise BadValue("stream: not the keys of a stream")
    if stream["id"] != sub:
        raise BadValue("stream.id: not the sub of the header")
    seq = stream["seq"]
    if type(seq) is not int or not 0 <= seq <= COUNT_MAX:
        raise BadValue("stream.seq: not a count")
    wanted = "prev" if seq else "" if kind == "genesis" else "ledger"
    if _STREAM_SHAPES[shape] != wanted:
        raise BadValue("stream: keys that do not belong to this position and type")
    try:
        if seq:
            digest(stream["prev"])
        elif wanted:
            _check_ledger(stream["ledger"])
    except BadValue as e:
        raise BadValue(f"stream.{wanted}: {e.message}") from None


def _check_parents(parents: Any) -> None:
    if type(parents) is not list or not 1 <= len(parents) <= PARENTS_MAX:
        raise BadValue(f"parents: not an array of 1 to {PARENTS_MAX}")
    for parent in parents:
        try:
            _check_parent(parent)
        except BadValue as e:
            raise BadValue(f"parents: {e.message}") from None
    if len(parents) > 1 and len({parent["leaf_hash"] for parent in parents}) != len(parents):
        raise BadValue("parents: a leaf hash twice")
