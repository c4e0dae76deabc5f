"""Runs cases of specs/vectors through the ledger's own formats and keys, one function a kind."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FormatError, LedgerError
from ledger.formats import call, cbor, content, cose, merkle, note, payload, proof_file
from ledger.keys import ed25519, trust
from ledger.keys.events import KeyHistory

Arguments = dict[str, Any]


def run(folder: Path) -> None:
    """Run one case; fails unless it is accepted or refused as case.json says."""
    case = json.loads((folder / "case.json").read_bytes())
    work = KINDS[case["kind"]]
    if case["expect"] == "ok" or case["kind"] == "history":
        work(folder, case)
        return
    with pytest.raises(LedgerError) as refusal:
        work(folder, case)
    assert refusal.value.code == case["expect"], refusal.value


def _input(folder: Path) -> bytes:
    return (folder / "input.bin").read_bytes()


def _cbor(folder: Path, case: Arguments) -> None:
    data = _input(folder)
    assert cbor.encode(cbor.decode(data)) == data


def _statement(folder: Path, case: Arguments) -> None:
    data = _input(folder)
    parts = cose.parse(data)
    envelope = payload.decode_payload(parts.payload, parts.sub)
    payload.check_stream_of_type(envelope)
    key = bytes.fromhex(case["public_key"])
    ed25519.verify(key, parts.signature, cose.signing_input(parts.protected, parts.payload))
    assert merkle.hash_leaf(data).hex() == case["leaf_hash"]
    assert payload.encode_payload(envelope) == parts.payload
    if parts.alg == cose.ALG_ED25519:
        assert cose.protected_header(parts.kid, parts.iss, parts.sub) == parts.protected
        assert cose.assemble(parts.protected, parts.payload, parts.signature) == data


def _checkpoint(folder: Path, case: Arguments) -> None:
    data = _input(folder)
    head, signed = note.parse_checkpoint(data)
    assert (head.origin, head.size, head.root.hex()) == (case["origin"], case["size"], case["root"])
    assert head.text == signed.text


def _note(folder: Path, case: Arguments) -> None:
    note.verify_checkpoint(_input(folder), case["name"], bytes.fromhex(case["public_key"]))


def _inclusion(folder: Path, case: Arguments) -> None:
    proof = [bytes.fromhex(value) for value in case["proof"]]
    leaf_hash, root = bytes.fromhex(case["leaf_hash"]), bytes.fromhex(case["root"])
    merkle.verify_inclusion(case["index"], case["size"], leaf_hash, proof, root)


def _consistency(folder: Path, case: Arguments) -> None:
    proof = [bytes.fromhex(value) for value in case["proof"]]
    old_root, new_root = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    merkle.verify_consistency(case["old"], case["new"], old_root, new_root, proof)


def _proof_file(folder: Path, case: Arguments) -> None:
    data = _input(folder)
    if case["form"] == "inclusion":
        receipt = proof_file.parse_inclusion(data)
        assert (receipt.index, [h.hex() for h in receipt.hashes]) == (case["index"], case["hashes"])
        again = proof_file.write_inclusion(receipt.index, receipt.hashes, receipt.checkpoint)
    else:
        update = proof_file.parse_consistency(data)
        assert (update.old, [h.hex() for h in update.hashes]) == (case["old"], case["hashes"])
        again = proof_file.write_consistency(update.old, update.hashes, update.checkpoint)
    assert again == data


def _key(folder: Path, case: Arguments) -> None:
    key = bytes.fromhex(case["public_key"])
    ed25519.check_public_key(key)
    assert ed25519.thumbprint(key).hex() == case["kid"]


def _signature(folder: Path, case: Arguments) -> None:
    key, signature = bytes.fromhex(case["public_key"]), bytes.fromhex(case["signature"])
    ed25519.verify(key, signature, bytes.fromhex(case["message"]))


def _history(folder: Path, case: Arguments) -> None:
    findings, log_key = history_of(bundle(_input(folder)))
    assert [list(finding) for finding in findings] == case["findings"]
    assert log_key == case["log_key"]
    assert case["expect"] == (findings[0][1] if findings else "ok")


def bundle(data: bytes) -> list[bytes]:
    """Split an entry bundle."""
    statements = []
    while data:
        size = int.from_bytes(data[:2])
        statements.append(data[2 : 2 + size])
        data = data[2 + size :]
    return statements


def history_of(statements: list[bytes]) -> tuple[list[tuple[int, str]], str | None]:
    """Return the refusals, by index, and the kid of the log key after the last statement."""
    history = KeyHistory()
    findings, admitted = [], []
    for index, statement in enumerate(statements):
        parts = cose.parse(statement)
        envelope = payload.decode_payload(parts.payload, parts.sub)
        try:
            history.admit(index, parts, envelope)
            admitted.append((index, parts, envelope))
        except LedgerError as error:
            findings.append((index, error.code))
    for item in admitted:
        try:
            history.judge(*item)
        except LedgerError as error:
            findings.append((item[0], error.code))
    try:
        log_key = history.log_key_at(len(statements)).kid.hex()
    except LedgerError:
        log_key = None
    return sorted(findings), log_key


def _trust(folder: Path, case: Arguments) -> None:
    pinned = trust.parse_trust(_input(folder))
    assert (pinned.origin, pinned.genesis.hex()) == (case["origin"], case["genesis"])


def _content(folder: Path, case: Arguments) -> None:
    reference = cbor.decode(_input(folder))
    ref = content.from_cbor(reference)
    assert ref.to_cbor() == reference
    content.check(ref, (folder / "archived.bin").read_bytes())


def _body(folder: Path, case: Arguments) -> None:
    if importlib.util.find_spec("ledger.model") is None:
        pytest.skip("ledger.model is not there yet")
    from ledger import model

    data = _input(folder)
    record = model.from_body(case["type"], cbor.decode(data))
    assert cbor.encode(model.to_body(record)) == data


def _call(folder: Path, case: Arguments) -> None:
    body = _input(folder) if (folder / "input.bin").exists() else None
    key = bytes.fromhex(case["key"]) if "key" in case else None
    digest = call.call_digest(case["method"], case["url"], case["request_headers"], body, key)
    if digest.hex() != case["digest"]:
        raise FormatError("call_mismatch", "another digest")


def _call_url(folder: Path, case: Arguments) -> None:
    url = call.call_url(case["sent"])
    assert url == case["url"]
    assert call.call_url(url) == url


KINDS: dict[str, Callable[[Path, Arguments], None]] = {
    "cbor": _cbor,
    "statement": _statement,
    "checkpoint": _checkpoint,
    "note": _note,
    "inclusion": _inclusion,
    "consistency": _consistency,
    "proof_file": _proof_file,
    "key": _key,
    "signature": _signature,
    "history": _history,
    "trust": _trust,
    "content": _content,
    "body": _body,
    "call": _call,
    "call_url": _call_url,
}
