"""Payloads that break a clause of specs/02 section 3, as changes to good ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.vectors import lab
from tools.vectors.alter import PAYLOAD, Change, parent_list


def not_cbor() -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, description, payload) outside of the CBOR profile."""
    yield "empty", "an empty payload", b""
    yield "trailing", "a byte after the payload", PAYLOAD + b"\x00"
    yield "unsorted", "keys out of order", _unsorted(PAYLOAD)
    yield "float_16", "a number in 16 bits", PAYLOAD.replace(
        b"\xfb\x3f\xe6\x66\x66\x66\x66\x66\x66", b"\xf9\x38\x00"
    )  # fmt: skip


def _unsorted(payload: bytes) -> bytes:
    """Return the payload with its first pair, "id", moved behind the second, "vif"."""
    identity = b"\x62id\x78\x24" + payload[6:42]
    version = b"\x63vif\x01"
    assert payload[1:].startswith(identity + version)
    return payload[:1] + version + identity + payload[1 + len(identity) + len(version) :]


def _put(*path: str, value: Any) -> Change:
    def change(payload: dict[str, Any]) -> None:
        for key in path[:-1]:
            payload = payload[key]
        payload[path[-1]] = value

    return change


def _drop(*path: str) -> Change:
    def change(payload: dict[str, Any]) -> None:
        for key in path[:-1]:
            payload = payload[key]
        del payload[path[-1]]

    return change


def first_of_stream() -> Iterator[tuple[str, str, Change]]:
    """Yield (name, description, change) to the first payload of a stream."""
    for key in ("vif", "type", "id", "created_at", "stream", "body"):
        yield f"no_{key}", f"{key} is missing", _drop(key)
    for name, value in [("2", 2), ("float", 1.0), ("true", True), ("text", "1"), ("null", None)]:
        yield f"vif_{name}", "vif is not the integer 1", _put("vif", value=value)
    yield "unknown_key", "a key that the page does not name", _put("note", value="")
    for name, value in [
        ("upper", "Witness"), ("empty", ""), ("65", "a" * 65), ("digit", "1st"), ("dash", "a-b"),
        ("newline", "witness\n"), ("bytes", b"witness"), ("null", None),
    ]:  # fmt: skip
        yield f"type_{name}", "type is not a name of a type", _put("type", value=value)
    identity, created_at = lab.moment(1)
    for name, value in [
        ("upper", identity.upper()), ("no_dashes", identity.replace("-", "")),
        ("version_4", identity[:14] + "4" + identity[15:]),
        ("variant", identity[:19] + "c" + identity[20:]), ("urn", "urn:uuid:" + identity),
        ("newline", identity + "\n"), ("bytes", bytes.fromhex(identity.replace("-", ""))),
    ]:  # fmt: skip
        yield f"id_{name}", "id is not a UUIDv7 in lower case", _put("id", value=value)
    yield (
        "id_time",
        "the milliseconds of id are not those of created_at",
        _put("id", value=lab.moment(2)[0]),
    )
    for name, value in [
        ("no_fraction", created_at[:19] + "Z"), ("milliseconds", created_at[:23] + "Z"),
        ("offset", created_at[:-1] + "+00:00"), ("lower_z", created_at[:-1] + "z"),
        ("space", created_at.replace("T", " ")), ("february_30", "2026-02-30" + created_at[10:]),
        ("month_13", "2026-13-01" + created_at[10:]),
        ("hour_24", "2026-11-20T24" + created_at[13:]),
        ("second_60", "2026-11-20T09:00:60.002001Z"), ("year_0", "0000-01-01T00:00:00.000000Z"),
        ("digits", created_at.replace("2026", "٢٠٢٦")), ("newline", created_at + "\n"),
        ("number", 1795165201), ("null", None),
    ]:  # fmt: skip
        yield f"created_at_{name}", "created_at is not a time", _put("created_at", value=value)
    for name, value in [("empty", ""), ("space", "run 1"), ("129", "a" * 129), ("null", None)]:
        yield f"session_{name}", "session is not a label", _put("session", value=value)
    for name, value in [("null", None), ("array", []), ("bytes", b"")]:
        yield f"body_{name}", "body is not a map", _put("body", value=value)
    yield "stream_array", "stream is not a map", _put("stream", value=[])
    yield "stream_extra", "a key that the page does not name", _put("stream", "note", value=0)
    yield "stream_no_id", "stream.id is missing", _drop("stream", "id")
    yield "stream_id", "stream.id is not sub", _put("stream", "id", value="run-1/other")
    yield "seq_missing", "seq is missing", _drop("stream", "seq")
    for name, seq in [("negative", -1), ("float", 0.0), ("false", False), ("null", None)]:
        yield f"seq_{name}", "seq is not a count", _put("stream", "seq", value=seq)
    yield "prev_at_0", "prev in the first of a stream", _put("stream", "prev", value=bytes(32))
    yield "ledger_missing", "the first of a stream names no ledger", _drop("stream", "ledger")
    yield "ledger_null", "ledger is null", _put("stream", "ledger", value=None)
    yield (
        "ledger_extra",
        "a key that the page does not name",
        _put("stream", "ledger", "size", value=1),
    )
    yield "ledger_no_genesis", "ledger has no genesis", _drop("stream", "ledger", "genesis")
    yield (
        "ledger_genesis",
        "genesis of 31 bytes",
        _put("stream", "ledger", "genesis", value=bytes(31)),
    )
    for name, value in [
        ("slash", "example.org/"),
        ("empty", ""),
        ("129", "a" * 129),
        ("at", "a@b"),
    ]:
        yield (
            f"ledger_origin_{name}",
            "origin is not an origin",
            _put("stream", "ledger", "origin", value=value),
        )


def second_of_stream() -> Iterator[tuple[str, str, Change]]:
    """Yield (name, description, change) to the second payload of a stream."""
    yield "prev_missing", "prev is missing after the first", _drop("stream", "prev")
    yield "prev_null", "prev is null", _put("stream", "prev", value=None)
    yield "prev_31", "prev of 31 bytes", _put("stream", "prev", value=bytes(31))
    yield "prev_text", "prev as text", _put("stream", "prev", value="0" * 64)
    yield "seq_2_63", "seq 2^63", _put("stream", "seq", value=2**63)
    ledger = {"origin": lab.ORIGIN, "genesis": lab.LEDGER.genesis}
    yield (
        "ledger_at_1",
        "ledger after the first of a stream",
        _put("stream", "ledger", value=ledger),
    )
    (good,) = parent_list(1)
    for name, text, parents in [
        ("empty", "parents is empty", []),
        ("257", "257 parents", parent_list(257)),
        ("null", "parents is null", None),
        ("map", "parents is a map", good),
        ("text", "a parent is text", [good["id"]]),
        ("extra", "a parent has a key too many", [good | {"index": 1}]),
        ("no_id", "a parent has no id", [{"leaf_hash": bytes(32)}]),
        ("no_leaf_hash", "a parent has no leaf hash", [{"id": good["id"]}]),
        ("id", "the id of a parent is not a UUIDv7", [good | {"id": "1"}]),
        ("leaf_hash", "the leaf hash of a parent has 31 bytes", [good | {"leaf_hash": bytes(31)}]),
        ("ledger_31", "the ledger of a parent has 31 bytes", [good | {"ledger": bytes(31)}]),
        ("ledger_33", "the ledger of a parent has 33 bytes", [good | {"ledger": bytes(33)}]),
        ("ledger_text", "the ledger of a parent is text", [good | {"ledger": "00" * 32}]),
        ("ledger_null", "the ledger of a parent is null", [good | {"ledger": None}]),
        (
            "ledger_twice",
            "one leaf hash twice, in two ledgers",
            [good, good | {"ledger": bytes(32)}],
        ),
        ("twice", "one leaf hash twice, under two ids", [good, good | {"id": lab.moment(2)[0]}]),
    ]:
        yield f"parents_{name}", text, _put("parents", value=parents)
