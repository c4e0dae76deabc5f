"""Cases of specs/02: one for each clause about frame, header, payload, registry and signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.formats import cbor, cose, merkle
from ledger.formats.payload import KEY_STREAM
from tools.vectors import cross_lab, frames, lab, payloads, replay_lab
from tools.vectors.alter import (
    FIRST,
    PAYLOAD,
    PROTECTED,
    SECOND,
    changed,
    changed_fields,
    headed,
    long_bytes,
    parent_list,
    signed,
)
from tools.vectors.case import Case


def cases() -> Iterator[Case]:
    """Yield the cases of kind statement."""
    names = ["genesis", "first_of_stream", "witness", "annotation", "stream_close"]
    told = ["the genesis", "the first of a stream, smallest witness", "a witness with every field",
            "an annotation", "the end of a stream"]  # fmt: skip
    for name, text, statement in zip(names, told, lab.STATEMENTS, strict=True):
        key = lab.AUTHORITY if name == "genesis" else lab.PRODUCER
        yield _case(name, text, statement, key=key.public_key)
    yield _case("alg_eddsa", "alg -8 is accepted", headed(b"\x01\x32", b"\x01\x27"))
    yield _case("type_unknown", "a type that no page names is kept", changed_fields(type="dream"))
    yield _case(
        "parents_256", "as many parents as there may be", changed_fields(parents=parent_list(256))
    )
    outside = [parent_list(1)[0] | {"ledger": bytes(31) + b"\x01"}, *parent_list(3)[1:]]
    for kind in ("witness", "annotation", "insight", "transfer", "execution", "provenance",
                 "cross_model", "replay", "dream"):  # fmt: skip
        statement = changed_fields(type=kind, parents=outside)
        yield _case(f"parents_ledger_{kind}", f"a parent of a {kind} in another ledger", statement)
    for kind in ("import", "erasure", "stream_close", "export", "session_open", "intent",
                 "outcome", "reuse", "savepoint", "session_close", "replay_operation"):  # fmt: skip
        statement = changed_fields(type=kind, parents=outside)
        yield _case(f"parents_ledger_{kind}", f"a {kind} has no parents in other ledgers",
                    statement, "payload_invalid")  # fmt: skip
    combined = changed_fields(
        type="cross_model", body=cross_lab.full_combination(), parents=parent_list(4)
    )
    yield _case("cross_model", "the combination of an operation, with every field", combined)
    replayed = changed_fields(type="replay", body=replay_lab.reproduced(), parents=outside[:1])
    yield _case("replay", "a witness of another ledger run again", replayed)
    yield _case("no_session", "session is optional", changed(lambda p: p.pop("session")))
    yield _case("largest", "65,535 bytes", _sized(cose.STATEMENT_MAX_BYTES))
    yield _case("too_large", "65,536 bytes", _sized(65536), "statement_too_large")
    for name, text, statement in frames.frames():
        yield _case(f"frame_{name}", text, statement, "cose_invalid")
    for name, text, statement in frames.headers():
        yield _case(f"header_{name}", text, statement, "header_invalid")
    for name, text, payload in payloads.not_cbor():
        yield _case(f"payload_{name}", text, signed(payload), "cbor_invalid")
    for name, text, change in payloads.first_of_stream():
        yield _case(f"payload_{name}", text, changed(change), "payload_invalid")
    for name, text, change in payloads.second_of_stream():
        statement = changed(change, SECOND)
        yield _case(f"payload_{name}", text, statement, "payload_invalid")
    yield _case(
        "payload_genesis_with_ledger",
        "a genesis names no ledger",
        _genesis_with_ledger(),
        "payload_invalid",
        key=lab.AUTHORITY.public_key,
    )
    yield from _registry()
    yield from _signatures()


def _case(
    name: str,
    description: str,
    statement: bytes,
    expect: str = "ok",
    *,
    key: bytes = lab.PRODUCER.public_key,
) -> Case:
    arguments: dict[str, Any] = {"public_key": key.hex()}
    if expect == "ok":
        arguments["leaf_hash"] = merkle.hash_leaf(statement).hex()
    return Case(
        f"statement_{name}", "statement", description, expect, arguments, {"input.bin": statement}
    )


def _sized(size: int) -> bytes:
    """Return a statement of exactly that size; its body is of a type that no page names."""
    value = cbor.decode(PAYLOAD)
    value |= {"type": "dream", "body": {"filling": b""}}
    empty = len(cbor.encode(value)) - 1
    frame = 2 + 3 + len(PROTECTED) - 1 + 1 + 3 + 66
    room = size - frame - empty - 3
    head, tail = cbor.encode(value).split(b"\x67filling\x40")
    payload = head + b"\x67filling\x59" + room.to_bytes(2) + bytes(room) + tail
    message = cose.signing_input(PROTECTED, payload)
    statement = b"".join(
        (
            b"\xd2\x84",
            long_bytes(PROTECTED),
            b"\xa0",
            long_bytes(payload),
            b"\x58\x40",
            lab.PRODUCER.sign(message),
        )
    )
    assert len(statement) == size, len(statement)
    return statement


def _genesis_with_ledger() -> bytes:
    value = lab.payload_map(lab.GENESIS)
    value["stream"]["ledger"] = {"origin": lab.ORIGIN, "genesis": bytes(32)}
    return lab.sign(cbor.encode(value), lab.AUTHORITY, KEY_STREAM)


def _registry() -> Iterator[Case]:
    key = lab.AUTHORITY.public_key
    value = cbor.decode(PAYLOAD)
    value["stream"] |= {"id": KEY_STREAM}
    for kind in ("witness", "dream"):
        statement = lab.sign(cbor.encode(value | {"type": kind}), lab.AUTHORITY, KEY_STREAM)
        yield _case(
            f"keys_{kind}", f"a {kind} in stream keys", statement, "key_event_invalid", key=key
        )
    for kind in ("genesis", "enrol", "rotate", "revoke"):
        value = cbor.decode(PAYLOAD) | {"type": kind, "body": {}}
        if kind == "genesis":
            del value["stream"]["ledger"]
        statement = lab.sign(cbor.encode(value), lab.AUTHORITY, lab.STREAM)
        yield _case(f"stream_{kind}", f"a {kind} outside of stream keys", statement,
                    "key_event_invalid", key=key)  # fmt: skip


def _signatures() -> Iterator[Case]:
    def flipped(at: int) -> bytes:
        return FIRST[:at] + bytes([FIRST[at] ^ 1]) + FIRST[at + 1 :]

    body_at = FIRST.index(b"small-model")
    kid_at = FIRST.index(lab.PRODUCER.kid)
    other = lab.seal(PROTECTED, PAYLOAD, lab.AUTHORITY)
    untagged = lab.PRODUCER.sign(PROTECTED + PAYLOAD)
    external = lab.PRODUCER.sign(
        cose.signing_input(PROTECTED, PAYLOAD).replace(b"\x40\x59", b"\x41\x00\x59", 1)
    )
    mac = lab.PRODUCER.sign(
        cose.signing_input(PROTECTED, PAYLOAD).replace(b"\x6aSignature1", b"\x69Signature")
    )
    for name, text, statement in [
        ("payload", "one bit of the payload is flipped", flipped(body_at)),
        ("header", "one bit of the kid is flipped", flipped(kid_at)),
        ("r", "one bit of R is flipped", flipped(len(FIRST) - 64)),
        ("s", "one bit of S is flipped", flipped(len(FIRST) - 20)),
        ("key", "signed by another key", other),
        ("raw", "signed over header and payload without the Sig_structure",
         cose.assemble(PROTECTED, PAYLOAD, untagged)),
        ("external", "signed with external data", cose.assemble(PROTECTED, PAYLOAD, external)),
        ("context", "signed in the context of COSE_Sign", cose.assemble(PROTECTED, PAYLOAD, mac)),
    ]:  # fmt: skip
        yield _case(f"signature_{name}", text, statement, "signature_invalid")
