"""Data that others published for such software, through the ledger's readers."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.formats import cbor, merkle
from ledger.keys import ed25519
from tests.reference.cbor import RefusedError
from tests.reference.cbor import decode as reference_decode


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_bytes())


def hexadecimal(text: str) -> bytes:
    """Read hexadecimal as the corpora write it."""
    return bytes.fromhex(text.removeprefix("0x").replace(" ", ""))


# The encodings of appendix A that specs/01 allows, by their hexadecimal; all others are refused.
IN_PROFILE = """
    00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff
    3bffffffffffffffff 20 29 3863 3903e7 fb3ff199999999999a fb7e37e43c8800759c fbc010666666666666 f4
    f5 f6 40 4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591 80 83010203
    8301820203820405 98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0
    a26161016162820203 826161a161626163 a56161614161626142616361436164614461656145
""".split()  # noqa: SIM905 - a list of ninety words is worse to read


def test_appendix_a_of_rfc_8949(shared: Path) -> None:
    """Of the RFC's examples exactly those in the profile are read, and written again the same."""
    accepted = []
    cases = load(shared / "vectors" / "cbor" / "rfc8949_appendix_a.json")
    assert len(cases) == 82
    for case in cases:
        data = hexadecimal(case["hex"])
        if data.hex() not in IN_PROFILE:
            with pytest.raises(FormatError, match="cbor_invalid"):
                cbor.decode(data)
            with pytest.raises(RefusedError):
                reference_decode(data)
            continue
        accepted.append(data.hex())
        value = cbor.decode(data)
        assert cbor.encode(value) == data
        assert reference_decode(data) == value
        if "decoded" in case:
            assert value == case["decoded"]
    assert sorted(accepted) == sorted(IN_PROFILE)


def test_appendix_f_of_rfc_8949(shared: Path) -> None:
    """What the RFC calls not well-formed is refused, all of it."""
    cases = load(shared / "vectors" / "cbor" / "rfc8949_appendix_f.json")
    assert len(cases["cases"]) == cases["count"] == 94
    for case in cases["cases"]:
        with pytest.raises(FormatError, match="cbor_invalid"):
            cbor.decode(hexadecimal(case["hex"]))


def refused(code: str, verify: Callable[..., None], *arguments: Any) -> bool:
    """Tell whether a check refuses its input, which it does with one code only."""
    try:
        verify(*arguments)
    except FormatError as error:
        if error.code != code:
            raise
        return True
    return False


def test_merkle_inclusion(shared: Path) -> None:
    """Inclusion proofs of transparency-dev are accepted or refused as they say."""
    verdicts = []
    for path in sorted((shared / "vectors" / "merkle" / "inclusion").rglob("*.json")):
        case = load(path)
        values = case["leafIdx"], case["treeSize"], base64.b64decode(case["leafHash"])
        proof = [base64.b64decode(value) for value in case["proof"] or []]
        found = refused(
            "inclusion_invalid",
            merkle.verify_inclusion,
            *values,
            proof,
            base64.b64decode(case["root"]),
        )
        assert found == case["wantErr"], path
        verdicts.append(found)
    assert (verdicts.count(True), verdicts.count(False)) == (92, 6)


def test_merkle_consistency(shared: Path) -> None:
    """Consistency proofs of transparency-dev are accepted or refused as they say; size 0 never."""
    verdicts = []
    for path in sorted((shared / "vectors" / "merkle" / "consistency").rglob("*.json")):
        case = load(path)
        roots = [base64.b64decode(case[key]) for key in ("root1", "root2")]
        if path.name == "sizes-are-equal-one-and-proof-is-empty.json":
            # Its roots are twelve bytes of text, which are no hashes; the case is about equality.
            roots = [hashlib.sha256(root).digest() for root in roots]
        proof = [base64.b64decode(value) for value in case["proof"] or []]
        sizes = case["size1"], case["size2"]
        found = refused("consistency_invalid", merkle.verify_consistency, *sizes, *roots, proof)
        assert found == (case["wantErr"] or case["size1"] == 0), path
        verdicts.append(found)
    assert (verdicts.count(True), verdicts.count(False)) == (92, 6)


def test_wycheproof(shared: Path) -> None:
    """Every signature of Wycheproof is judged as Wycheproof does."""
    corpus = load(shared / "vectors" / "ed25519" / "wycheproof_ed25519_test.json")
    results = []
    for group in corpus["testGroups"]:
        key = hexadecimal(group["publicKey"]["pk"])
        ed25519.check_public_key(key)
        for case in group["tests"]:
            found = refused(
                "signature_invalid",
                ed25519.verify,
                key,
                hexadecimal(case["sig"]),
                hexadecimal(case["msg"]),
            )
            results.append(case["result"])
            assert found == (case["result"] == "invalid"), case["tcId"]
    assert len(results) == 151
    assert set(results) == {"valid", "invalid"}


def test_speccheck(shared: Path) -> None:
    """Of the twelve cases on which libraries differ, number 3 alone is accepted (specs/05 §2)."""
    cases = load(shared / "vectors" / "ed25519" / "speccheck_cases.json")
    assert len(cases) == 12
    taken = []
    for number, case in enumerate(cases):
        values = [hexadecimal(case[key]) for key in ("pub_key", "signature", "message")]
        if not refused("signature_invalid", ed25519.verify, *values):
            taken.append(number)
    assert taken == [3]


def test_no_key_of_speccheck_can_be_enrolled(shared: Path) -> None:
    """Keys of small or mixed order and keys that are not canonical are refused at enrolment."""
    cases = load(shared / "vectors" / "ed25519" / "speccheck_cases.json")
    found = [
        number
        for number, case in enumerate(cases)
        if refused("key_invalid", ed25519.check_public_key, hexadecimal(case["pub_key"]))
    ]
    assert set(found) >= {0, 1, 3, 4, 5, 10, 11}
