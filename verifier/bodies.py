"""The bodies of all known types (specs/03, 04 section 6, 05 section 3, 06, 07, 10, 12, 13).

A table says which keys a map has, which of them are always there, and what each holds; a rule
says which keys come together. What a table does not name is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from . import cbor
from .content import REF_MARK, all_refs, check_ref, looks_like_ref
from .errors import BadValue
from .fields import iff, source
from .operation_bodies import OPERATION_BODIES, check_operation_envelope
from .replay_bodies import REPLAY_BODIES, check_replay_envelope
from .session_bodies import SESSION_BODIES, check_session_envelope
from .values import (
    Check,
    array,
    boolean,
    closed,
    count,
    digest,
    integer,
    label,
    name,
    one_of,
    origin,
    prose,
)
from .witness_body import WITNESS, witness_refs

PACKAGE_VERSION = 1
SIGNATURE_BYTES = 64


@Check
def _signature(v: Any) -> None:
    if type(v) is not bytes or len(v) != SIGNATURE_BYTES:
        raise BadValue("not a signature of 64 bytes")


@Check
def _scalar(v: Any) -> None:
    if type(v) is str:
        prose(v)
    elif type(v) not in (int, float, bool):
        raise BadValue("not text, a number or a boolean")


def _export_rule(b: Any) -> None:
    selection = b["selection"]
    kind = selection["kind"]
    iff("session" in selection, kind == "session", "selection.session")
    if selection["start"] > selection["end"] or (selection["start"] and kind != "range"):
        raise BadValue("selection: start is beyond end, or not 0")
    ids = [stream["id"] for stream in b["streams"]]
    if any(a >= z for a, z in pairwise(ids)):
        raise BadValue("streams: not in bytewise order of id, or one twice")
    if kind == "ledger" and ids:
        raise BadValue("streams: not empty for kind ledger")


_entry = closed({"name": label, "public_key": digest, "proof": _signature})
_selection = closed(
    {"kind": one_of("ledger", "session", "range"), "start": count, "end": count},
    {"session": label},
)
BODIES: dict[str, Check] = {
    "genesis": closed(
        {
            "origin": origin,
            "salted": boolean,
            "authority": _entry,
            "log": _entry,
            "producers": array(_entry, 1, 16),
        }
    ),
    "enrol": closed({"role": one_of("producer", "log"), "key": _entry}),
    "rotate": closed({"old_kid": digest, "key": _entry}),
    "revoke": closed({"kid": digest, "last_good_index": count, "reason": prose}),
    "witness": WITNESS,
    "annotation": closed(
        {"kind": label},
        {"name": name, "value": _scalar, "explanation": looks_like_ref, "source": source},
    ),
    "import": closed(
        {"format": label, "source": looks_like_ref, "witnesses": count, "annotations": count},
        {"source_name": name},
    ),
    "erasure": closed({"content": looks_like_ref, "reason": prose}),
    "stream_close": closed({"statements": count}),
    "export": closed(
        {
            "package_version": integer(PACKAGE_VERSION, PACKAGE_VERSION),
            "seal": closed({"sha256": digest, "size_bytes": count}),
            "selection": _selection,
            "contents": one_of("included", "withheld"),
            "statements": count,
            "streams": array(closed({"id": label, "statements": count}), 0, 512),
        },
        rule=_export_rule,
    ),
    **SESSION_BODIES,
    **OPERATION_BODIES,
    **REPLAY_BODIES,
}
"""Type -> check of its body; each raises BadValue (`body_invalid`).

Where a reference belongs, the table wants a map with its mark; `check_body` checks marked maps.
"""


def check_body(p: dict[str, Any], refs: list[dict[str, Any]], salted: bool | None) -> None:
    """Check the body of a checked payload whose marked maps are `refs`; `body_invalid`.

    `salted` is the ledger's choice, or None when it is not known. An unknown type has no table.
    """
    table = BODIES.get(p["type"])
    if table is not None:
        table(p["body"])
    for ref in refs:
        check_ref(ref)
        if table is not None and salted is not None and ("salted" in ref) is not salted:
            raise BadValue(f"a reference that is {'not ' if salted else ''}salted")
    _check_envelope(p)


def refs_of_all(
    payloads: Sequence[dict[str, Any]], salted: bool | None
) -> list[list[dict[str, Any]]] | None:
    """Return the marked maps of each payload if `check_body` passes for all of them, or None.

    Raises `cbor_invalid` for nesting that is too deep.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for p in payloads:
        kinds.setdefault(p["type"], []).append(p)
    for kind, some in kinds.items():
        if kind in BODIES and not BODIES[kind].all([p["body"] for p in some]):
            return None
        if kind in _ENVELOPE and not Check(_check_envelope).all(some):
            return None
    found: list[list[dict[str, Any]]] = []
    for p in payloads:
        refs = witness_refs(p["body"]) if p["type"] == "witness" else None
        found.append(cbor.find_marked(p, REF_MARK) if refs is None else refs)
    named = [ref for refs in found for ref in refs]
    if named and not all_refs(named):
        return None
    if salted is not None:
        for p, refs in zip(payloads, found, strict=True):
            for ref in refs:
                if ("salted" in ref) is not salted and p["type"] in BODIES:
                    return None
    return found


_ENVELOPE = frozenset(
    ("annotation", "stream_close", *SESSION_BODIES, *OPERATION_BODIES, *REPLAY_BODIES)
)


def _check_envelope(p: dict[str, Any]) -> None:
    """Check what ties the body of some types to the rest of the payload."""
    if p["type"] == "annotation" and "parents" not in p:
        raise BadValue("an annotation without parents")
    if p["type"] == "stream_close" and p["body"]["statements"] != p["stream"]["seq"] + 1:
        raise BadValue("statements: not seq + 1")
    if p["type"] in SESSION_BODIES:
        check_session_envelope(p)
    if p["type"] in OPERATION_BODIES:
        check_operation_envelope(p)
    if p["type"] in REPLAY_BODIES:
        check_replay_envelope(p)
