"""The payload of a statement and the type registry (specs/02 sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import BadValue, Refused
from .values import (
    OP_NAME,
    Check,
    array,
    closed,
    column_rule,
    count,
    digest,
    label,
    origin,
    time,
    uuid7,
    whole_ms,
)

FORMAT_VERSION = 1
KEY_STREAM = "keys"
PARENTS_MAX = 256
KEY_TYPES = frozenset(("genesis", "enrol", "rotate", "revoke"))
SESSION_TYPES = frozenset(
    ("session_open", "intent", "outcome", "reuse", "savepoint", "session_close")
)
STAGE_TYPES = ("insight", "transfer", "execution")
OPERATION_TYPES = frozenset((*STAGE_TYPES, "provenance", "cross_model"))
REPLAY_TYPES = frozenset(("replay", "replay_operation"))
PRODUCER_TYPES = (
    SESSION_TYPES
    | OPERATION_TYPES
    | REPLAY_TYPES
    | frozenset(("witness", "annotation", "import", "erasure", "stream_close", "export"))
)
TYPES = KEY_TYPES | PRODUCER_TYPES
_OWN_PARENTS = TYPES - OPERATION_TYPES - {"witness", "annotation", "replay"}


@column_rule(lambda column: {*map(type, column)} == {int} and {*column} == {FORMAT_VERSION})
def _version(v: Any) -> None:
    if type(v) is not int or v != FORMAT_VERSION:
        raise BadValue(f"not {FORMAT_VERSION}")


@column_rule(lambda column: {*map(type, column)} == {str} and TYPES.issuperset(column))
def _type_name(v: Any) -> None:
    if type(v) is not str or (v not in TYPES and OP_NAME.fullmatch(v) is None):
        raise BadValue("not a type name")


@column_rule(lambda column: {*map(type, column)} == {str})
def _text(v: Any) -> None:
    if type(v) is not str:
        raise BadValue("not text")


@column_rule(lambda column: {*map(type, column)} == {dict})
def _map(v: Any) -> None:
    if type(v) is not dict:
        raise BadValue("not a map")


def _rule(p: Any) -> None:
    """Check what ties the fields of a payload together."""
    ident, stream = p["id"], p["stream"]
    if whole_ms(p["created_at"]) != int(ident[:8] + ident[9:13], 16):
        raise BadValue("created_at: not the milliseconds of the id")
    first = stream["seq"] == 0
    names_ledger = first and p["type"] != "genesis"
    if ("prev" in stream) is first or ("ledger" in stream) is not names_ledger:
        raise BadValue("stream: keys that do not belong to this position and type")
    parents = p.get("parents", ())
    if len(parents) > 1 and len({parent["leaf_hash"] for parent in parents}) != len(parents):
        raise BadValue("parents: a leaf hash twice")
    if p["type"] in _OWN_PARENTS and any("ledger" in parent for parent in parents):
        raise BadValue(f"parents: in another ledger, of a statement of type {p['type']}")


_stream = closed(
    {"id": _text, "seq": count},
    {"prev": digest, "ledger": closed({"origin": origin, "genesis": digest})},
)
_payload: Check = closed(
    {
        "vif": _version,
        "type": _type_name,
        "id": uuid7,
        "created_at": time,
        "stream": _stream,
        "body": _map,
    },
    {
        "session": label,
        "parents": array(
            closed({"id": uuid7, "leaf_hash": digest}, {"ledger": digest}), 1, PARENTS_MAX
        ),
    },
    rule=_rule,
)


def check_payload(p: Any, sub: str) -> None:
    """Check the envelope of a decoded payload in stream `sub`; `payload_invalid`."""
    try:
        _payload(p)
        if p["stream"]["id"] != sub:
            raise BadValue("stream.id: not the sub of the header")
    except BadValue as e:
        raise Refused("payload_invalid", e.message) from None


def all_payloads(payloads: Sequence[Any], subs: Sequence[str]) -> bool:
    """Return whether `check_payload` passes for each payload, at least one, with its `sub`."""
    return _payload.all(payloads) and [p["stream"]["id"] for p in payloads] == subs
