"""Every case of specs/vectors, by its kind: accepted, or refused with the code it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.conftest import VECTORS
from verifier import cbor, content, cose, ed25519, merkle, note, proofs, trust
from verifier.bodies import BODIES
from verifier.calls import call_digest
from verifier.content import check_ref
from verifier.derivations import of_itself
from verifier.errors import Fatal, Refused, VifError
from verifier.events import take_key_event
from verifier.judging import judge
from verifier.keys import KeyBook
from verifier.layout import split_bundle
from verifier.records import Note, Setting
from verifier.report import Report
from verifier.statement import KEY_STREAM, KEY_TYPES, check_payload
from verifier.urls import check_url, recorded_url

Case = dict[str, Any]


def _input(folder: Path) -> bytes:
    return (folder / "input.bin").read_bytes()


def _hex(case: Case, *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


def run_cbor(case: Case, folder: Path) -> None:
    value = cbor.decode(_input(folder))
    assert cbor.encode(value) == _input(folder)


def run_statement(case: Case, folder: Path) -> None:
    raw = _input(folder)
    header, payload, signature, signed = cose.parse(raw)
    p = cbor.decode(payload)
    check_payload(p, header.sub)
    if (p["type"] in KEY_TYPES) is not (header.sub == KEY_STREAM):
        raise Refused("key_event_invalid", "wrong stream")
    ed25519.verify(bytes.fromhex(case["public_key"]), signed, signature)
    assert merkle.leaf_hash(raw).hex() == case["leaf_hash"]


def run_checkpoint(case: Case, folder: Path) -> None:
    head = note.parse_checkpoint(_input(folder))
    assert (head.origin, head.size, head.root.hex()) == (
        case["origin"],
        case["size"],
        case["root"],
    )


def run_note(case: Case, folder: Path) -> None:
    head = note.parse_checkpoint(_input(folder))
    assert head.origin == case["name"]
    note.verify_checkpoint(head, bytes.fromhex(case["public_key"]))


def run_inclusion(case: Case, folder: Path) -> None:
    leaf, root = _hex(case, "leaf_hash", "root")
    proof = [bytes.fromhex(h) for h in case["proof"]]
    merkle.verify_inclusion(leaf, case["index"], case["size"], proof, root)


def run_consistency(case: Case, folder: Path) -> None:
    old_root, new_root = _hex(case, "old_root", "new_root")
    proof = [bytes.fromhex(h) for h in case["proof"]]
    merkle.verify_consistency(case["old"], case["new"], proof, old_root, new_root)


def run_proof_file(case: Case, folder: Path) -> None:
    if case["form"] == "inclusion":
        found = proofs.parse_receipt(_input(folder))
    else:
        found = proofs.parse_consistency(_input(folder))
    assert found.number == case["index" if case["form"] == "inclusion" else "old"]
    assert [h.hex() for h in found.proof] == case["hashes"]


def run_key(case: Case, folder: Path) -> None:
    (public,) = _hex(case, "public_key")
    ed25519.check_public_key(public)
    assert ed25519.kid(public).hex() == case["kid"]


def run_signature(case: Case, folder: Path) -> None:
    public, signature, message = _hex(case, "public_key", "signature", "message")
    ed25519.verify(public, message, signature)


def run_trust(case: Case, folder: Path) -> None:
    pin = trust.parse_trust(_input(folder))
    assert (pin.origin, pin.genesis.hex()) == (case["origin"], case["genesis"])


def run_content(case: Case, folder: Path) -> None:
    ref = cbor.decode(_input(folder))
    check_ref(ref)
    archived = (folder / "archived.bin").read_bytes()
    content.check_archived(ref, content.measure([archived]))


def run_body(case: Case, folder: Path) -> None:
    value, marked = cbor.decode_marked(_input(folder), content.REF_MARK)
    BODIES[case["type"]](value)
    for ref in marked:
        check_ref(ref)
    for differs in of_itself(case["type"], value):
        raise differs
    if case["type"] == "witness":
        from verifier.policy import mismatches

        for differs in mismatches(value):
            raise differs


def run_call(case: Case, folder: Path) -> None:
    body = None
    if (folder / "input.bin").exists():
        raw = _input(folder)
        body = (len(raw), lambda: iter([raw[:5], raw[5:]])) if raw else None
    key = bytes.fromhex(case["key"]) if "key" in case else None
    found = call_digest(case["method"], case["url"], case["request_headers"], body, key)
    if found.hex() != case["digest"]:
        raise Refused("call_mismatch", "another digest")


def run_call_url(case: Case, folder: Path) -> None:
    assert recorded_url(case["sent"]) == case["url"]
    check_url(case["url"])
    if case["sent"] != case["url"]:
        with pytest.raises(VifError, match="body_invalid"):
            check_url(case["sent"])


def run_history(case: Case, folder: Path) -> None:
    raw = _input(folder)
    entries, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 2], "big")
        entries.append(raw[at + 2 : at + 2 + size])
        at += 2 + size
    assert split_bundle(raw, len(entries)) == entries
    book, report = KeyBook(), Report("", "", "")
    for index, entry in enumerate(entries):
        take_key_event(book, report, index, entry, merkle.leaf_hash(entry))
    compiled = book.compile()
    setting = Setting(None, len(entries), b"", compiled, book.origin, book.genesis, book.salted)  # type: ignore[arg-type]
    notes: list[Note] = []
    for index, entry in enumerate(entries):
        notes += judge(setting, index, entry)
    found = {(f["index"], f["code"]) for f in report.findings}
    found |= {(one[0], one[2]) for one in notes}
    log_keys = [ed25519.kid(key.public).hex() for key in compiled.log_keys(len(entries))]
    assert log_keys == ([case["log_key"]] if case["log_key"] else [])
    wanted = {(index, code) for index, code in case["findings"]}
    assert found == wanted
    if wanted:
        raise Refused(min(wanted)[1], "as found")


KINDS: dict[str, Callable[[Case, Path], None]] = {
    name.removeprefix("run_"): function
    for name, function in list(globals().items())
    if name.startswith("run_")
}
CASES = sorted(p.parent for p in VECTORS.glob("*/case.json"))


def test_vectors_are_there() -> None:
    """A checkout without the vectors is noticed, not passed over."""
    assert len(CASES) > 500
    assert not {json.loads((f / "case.json").read_text())["kind"] for f in CASES} - {
        *KINDS,
        "package",
    }


@pytest.mark.parametrize(
    "folder",
    [f for f in CASES if json.loads((f / "case.json").read_text())["kind"] != "package"],
    ids=lambda f: f.name,
)
def test_case(folder: Path) -> None:
    """A good input is accepted as what it is, a bad one is refused with the code of the case."""
    case = json.loads((folder / "case.json").read_text())
    run = KINDS[case["kind"]]
    assert (case["expect"] != "ok") == folder.name.endswith("_fail")
    if case["expect"] == "ok":
        run(case, folder)
        return
    with pytest.raises(VifError) as refused:
        run(case, folder)
    assert refused.value.code == case["expect"]
    assert isinstance(refused.value, Fatal) == (case["kind"] == "trust")
