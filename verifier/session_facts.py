"""What a record says to the rules of sessions, in little (specs/10).

Worker processes make these out of checked bodies, as plain tuples that travel well: one form for
each of the six types, one for a witness that may belong to a call.
"""

from __future__ import annotations

import marshal
from hashlib import blake2b
from typing import Any, NamedTuple

from .calls import IDENTITY_HEADERS
from .content import archived_size
from .contents import row

NO_REF = NO_ID = b""
PRINT_BYTES = 16
_CALL_HEADERS = ("content-type", *IDENTITY_HEADERS)


class Opening(NamedTuple):
    """A `session_open`; `frozen` is for `entries`, `key` the row and print of `call_key`."""

    run: int
    previous: str | None
    frozen: bytes
    changed: tuple[tuple[str, str, str], ...]
    key: tuple[bytes, bytes] | None


class Intent(NamedTuple):
    """An `intent`; `request` is the row of the body and whether a salt is before it, or None.

    `fetches` is the print of the id, empty where the call is asked anew.
    """

    digest: bytes
    replicate: int
    attempt: int
    after: str | None
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    request: tuple[bytes, bool] | None
    request_print: bytes
    fetches: bytes


class Outcome(NamedTuple):
    """An `outcome`; `decoded` is the digest and length of `response` without `encoding`.

    `response_id` is the print of the id, empty if there is none.
    """

    status: str
    reason: str | None
    response: bytes
    response_print: bytes
    encoding: str
    decoded: tuple[bytes, int] | None
    response_id: bytes


class Savepoint(NamedTuple):
    """A `savepoint`."""

    stage: str
    complete: bool


class Closing(NamedTuple):
    """A `session_close` with what it counts."""

    run: int
    status: str
    answered: int
    failed: int
    unknown: int
    reused: int
    unpriced: int
    cost_usd: float | None


class Witness(NamedTuple):
    """What a witness says of a call; the prints are empty where it names no raw body."""

    cost_usd: float | None
    request_print: bytes
    response_print: bytes


def entries(frozen: bytes) -> dict[tuple[str, str], bytes]:
    """Return what a run froze: role and name -> print of the reference."""
    return {(role, name): found for role, name, found in marshal.loads(frozen)}


def session_facts(p: dict[str, Any]) -> Any:
    """Return the facts of a payload whose body is checked, as a plain tuple; None for others."""
    make = _MAKERS.get(p["type"])
    if make is None:
        return None
    found = make(p["body"])
    return tuple(found) if isinstance(found, tuple) else found


def ref_print(ref: dict[str, Any] | None) -> bytes:
    """Return 16 bytes that stand for a whole reference, empty for none."""
    if ref is None:
        return NO_REF
    fixed = ref["sha256"] + ref["blake3"] + ref["size_bytes"].to_bytes(8, "big")
    rest = bytes(("salted" in ref,)) + ref["media_type"].encode()
    return blake2b(fixed + rest, digest_size=PRINT_BYTES).digest()


def _id_print(ident: str | None) -> bytes:
    """Return 16 bytes that stand for a provider's id, empty for none."""
    if ident is None:
        return NO_ID
    return blake2b(ident.encode(), digest_size=PRINT_BYTES).digest()


def _row(ref: dict[str, Any]) -> bytes:
    return row(ref["blake3"], ref["sha256"], archived_size(ref))


def _opening(b: dict[str, Any]) -> Opening:
    frozen = [(one["role"], one["name"], ref_print(one["content"])) for one in b["frozen"]]
    changed = tuple((one["role"], one["name"], one["change"]) for one in b.get("changed", ()))
    key = b.get("call_key")
    return Opening(
        b["run"],
        b.get("previous"),
        marshal.dumps(frozen),
        changed,
        None if key is None else (_row(key), ref_print(key)),
    )


def _intent(b: dict[str, Any]) -> Intent:
    ref, headers = b.get("request"), b.get("request_headers", {})
    return Intent(
        b["call"]["digest"],
        b["call"]["replicate"],
        b["attempt"],
        b.get("after"),
        b["method"],
        b["url"],
        tuple((name, headers[name]) for name in _CALL_HEADERS if name in headers),
        None if ref is None else (_row(ref), "salted" in ref),
        ref_print(ref),
        _id_print(b.get("fetches")),
    )


def _outcome(b: dict[str, Any]) -> Outcome:
    ref, decoded = b.get("response"), b.get("decoded")
    return Outcome(
        b["status"],
        b.get("reason"),
        NO_REF if ref is None else _row(ref),
        ref_print(ref),
        b.get("response_headers", {}).get("content-encoding", ""),
        None if decoded is None else (decoded["sha256"], decoded["size_bytes"]),
        _id_print(b.get("response_id")),
    )


def _closing(b: dict[str, Any]) -> Closing:
    return Closing(
        b["run"],
        b["status"],
        b["answered"],
        b["failed"],
        b["unknown"],
        b["reused"],
        b["unpriced"],
        b.get("cost_usd"),
    )


def _witness(b: dict[str, Any]) -> Witness:
    raw = b.get("raw", {})
    cost = b.get("cost", {}).get("cost_usd")
    return Witness(cost, ref_print(raw.get("request")), ref_print(raw.get("response")))


_MAKERS: dict[str, Any] = {
    "session_open": _opening,
    "intent": _intent,
    "outcome": _outcome,
    "reuse": lambda b: b["calls"],
    "savepoint": lambda b: Savepoint(b["stage"], b["complete"]),
    "session_close": _closing,
    "witness": _witness,
}
