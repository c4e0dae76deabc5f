"""The formats by themselves: public corpora and properties."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier import build
from tests.verifier.conftest import shared
from verifier import cbor, content, cose, ed25519, judging, layout, merkle, note, proofs, values
from verifier.bodies import BODIES
from verifier.errors import BadValue, Refused
from verifier.table import Rows, Table

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: math.copysign(1, x) > 0 or x
    )
    | st.binary(max_size=70)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=5
        )
    ),
    max_leaves=25,
)


def same(a: Any, b: Any) -> bool:
    """Equality in which 1, 1.0 and True differ."""
    if type(a) is not type(b):
        return False
    if type(a) is list:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict:
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    return bool(a == b)


def outcome(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return what a call returns, or the code with which it refuses."""
    try:
        return call(), None
    except Refused as e:
        return None, e.code


@given(trees)
def test_cbor_round_trip(value: Any) -> None:
    """Whatever a producer may encode is read back as exactly that value."""
    assert same(cbor.decode(cbor.encode(value)), value)


@given(st.binary(max_size=60) | trees.map(cbor.encode), st.data())
@settings(max_examples=300)
def test_cbor_one_encoding_only(raw: bytes, data: st.DataObject) -> None:
    """No bytes but the one encoding of a value are ever accepted as it."""
    if raw and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw) * 8 - 1))
        raw = bytes(b ^ (1 << at % 8 if i == at // 8 else 0) for i, b in enumerate(raw))
    value, code = outcome(lambda: cbor.decode(raw))
    assert code in (None, "cbor_invalid")
    if code is None:
        assert cbor.encode(value) == raw


@pytest.mark.parametrize(
    "digest",
    [
        bytes((1, 0x71, 0x12, 0x1C)) + bytes(28),
        bytes((1, 0x55, 0, 0x1C)) + bytes(range(28)),
        bytes((0x12, 0x20)) + bytes(32),
    ],
)
def test_cbor_bytes_that_parse_as_cid(digest: bytes) -> None:
    """A digest that happens to look like a CID is a byte string like any other."""
    raw = cbor.encode({"a": digest})
    assert raw == b"\xa1\x61a" + cbor.head(2, len(digest)) + digest
    assert cbor.decode(raw) == {"a": digest}


def test_cbor_links_refused() -> None:
    """An IPLD link, which the library would decode, is refused."""
    cid = bytes((1, 0x71, 0x12, 0x20)) + bytes(32)
    with pytest.raises(Refused, match="tag"):
        cbor.decode(b"\xd8\x2a\x58\x25\x00" + cid)


@pytest.mark.parametrize("depth", [32, 33, 1000, 60_000])
def test_cbor_depth(depth: int) -> None:
    """Nesting beyond 32 is refused, however deep, without exhausting the stack."""
    for raw in (b"\x81" * depth + b"\x00", b"\xa1\x61a" * (depth % 20_000) + b"\x00"):
        deep = raw.count(b"\x81") or raw.count(b"\xa1")
        if deep <= 32:
            cbor.decode(raw)
        else:
            with pytest.raises(Refused, match="cbor_invalid"):
                cbor.decode(raw)


@pytest.mark.parametrize(
    "value", [(1, 2), {1: 2}, 2**64, math.nan, -0.0, "\ud800", bytearray(b"x")]
)
def test_cbor_encoder_refuses(value: Any) -> None:
    """What has no encoding in the profile cannot be encoded."""
    with pytest.raises(Refused, match="cbor_invalid"):
        cbor.encode(value)


def test_cbor_appendix_a() -> None:
    """Examples of RFC 8949 inside the profile are read as they are meant; others are refused."""
    accepted = 0
    cases = json.loads(shared("cbor", "rfc8949_appendix_a.json").read_text())
    for case in cases:
        raw = bytes.fromhex(case["hex"])
        value, code = outcome(lambda raw=raw: cbor.decode(raw))
        assert code in (None, "cbor_invalid")
        if code is not None:
            continue
        accepted += 1
        assert cbor.encode(value) == raw
        if "decoded" in case and not isinstance(case["decoded"], float):
            assert value == case["decoded"]
    assert accepted == 39
    assert len(cases) == 82


def test_cbor_appendix_f() -> None:
    """Every item of RFC 8949 that is not well-formed is refused."""
    found = shared("cbor", "rfc8949_appendix_f.json").read_text()
    cases = json.loads(found)["cases"]
    assert len(cases) == 94
    for case in cases:
        raw = bytes.fromhex(case["hex"])
        with pytest.raises(Refused, match="cbor_invalid"):
            cbor.decode(raw)


def _fields(case: Path) -> dict[str, Any]:
    return dict(json.loads(case.read_text()))


def _b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_merkle_public_proofs(kind: str) -> None:
    """Good proofs of other implementations verify and bad ones do not."""
    files = sorted(shared("merkle", kind).rglob("*.json"))
    assert len(files) > 90
    seen = set()
    for file in files:
        case = _fields(file)
        proof = [_b64(h) for h in case["proof"] or []]
        wrong = case["wantErr"]
        seen.add(wrong)
        if kind == "consistency" and case["size1"] == 0:
            wrong = True
        if kind == "inclusion":
            given = (
                _b64(case["leafHash"]),
                case["leafIdx"],
                case["treeSize"],
                proof,
                _b64(case["root"]),
            )
            _, code = outcome(lambda given=given: merkle.verify_inclusion(*given))
        else:
            sizes = (case["size1"], case["size2"], proof, _b64(case["root1"]), _b64(case["root2"]))
            _, code = outcome(lambda sizes=sizes: merkle.verify_consistency(*sizes))
        assert code == (f"{kind}_invalid" if wrong else None), file
    assert seen == {True, False}


@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_merkle_proofs_of_random_trees(size: int, data: st.DataObject) -> None:
    """Proofs made by the definition verify; with one bit changed they do not."""
    leaves = [build.sha(bytes([i])) for i in range(size)]
    root = build.mth(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = build.path(index, leaves)
    merkle.verify_inclusion(leaves[index], index, size, proof, root)
    old = data.draw(st.integers(1, size))
    consistency = build.subproof(old, leaves)
    merkle.verify_consistency(old, size, consistency, build.mth(leaves[:old]), root)
    edge = merkle.Frontier()
    for leaf in leaves:
        edge.append(leaf)
    assert edge.root() == root
    if proof:
        k = data.draw(st.integers(0, len(proof) - 1))
        bad = [*proof]
        bad[k] = bytes([bad[k][0] ^ 1]) + bad[k][1:]
        for wrong in (bad, proof[1:], [*proof, root]):
            with pytest.raises(Refused, match="inclusion_invalid"):
                merkle.verify_inclusion(leaves[index], index, size, wrong, root)


def test_ed25519_speccheck() -> None:
    """Of the twelve edge cases on which libraries differ only number 3 is accepted."""
    cases = json.loads(shared("ed25519", "speccheck_cases.json").read_text())
    accepted = []
    for number, case in enumerate(cases):
        public, message, signature = (
            bytes.fromhex(case[k]) for k in ("pub_key", "message", "signature")
        )
        with contextlib.suppress(Refused):
            ed25519.verify(public, message, signature)
            accepted.append(number)
    assert len(cases) == 12
    assert accepted == [3]


def test_ed25519_wycheproof() -> None:
    """Every verdict of Wycheproof on Ed25519 is ours."""
    groups = json.loads(shared("ed25519", "wycheproof_ed25519_test.json").read_text())["testGroups"]
    verdicts = set()
    for group in groups:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            try:
                ed25519.verify(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
                got = "valid"
            except Refused:
                got = "invalid"
            assert got == case["result"], case["comment"]
            verdicts.add(got)
    assert verdicts == {"valid", "invalid"}


def test_ed25519_library_is_asked() -> None:
    """A libsodium that multiplies by the cofactor would be noticed before it judges anything."""
    ed25519.self_test()
    with pytest.raises(Refused):
        ed25519.verify(ed25519._TEST_KEY, b"vif", ed25519._TEST_COFACTOR)


STATEMENT = build.sample().entries[1]
HEAD = build.sample().checkpoint()


@given(st.integers(0, len(STATEMENT) * 8 - 1))
@settings(max_examples=300)
def test_statement_bit_flip(bit: int) -> None:
    """A statement with any one bit changed is refused with a code."""
    raw = bytearray(STATEMENT)
    raw[bit // 8] ^= 1 << bit % 8
    opened, code = outcome(lambda: cose.parse(bytes(raw)))
    if code is None:
        header, _, signature, signed = opened
        if header.kid != build.PRODUCER.kid:
            return  # key_unknown, for want of that key
        _, code = outcome(lambda: ed25519.verify(build.PRODUCER.public, signed, signature))
    assert code in ("cose_invalid", "header_invalid", "signature_invalid")


@given(st.integers(0, len(STATEMENT) - 1))
def test_statement_truncated(size: int) -> None:
    """A statement cut off anywhere is no statement."""
    with pytest.raises(Refused, match="cose_invalid"):
        cose.parse(STATEMENT[:size])


@given(st.binary(max_size=200) | st.just(HEAD), st.integers(0, 250), st.binary(max_size=3))
@settings(max_examples=300)
def test_note_parser_never_falls(raw: bytes, at: int, insert: bytes) -> None:
    """Whatever stands in a checkpoint file, the answer is a head or a code."""
    with contextlib.suppress(Refused):
        head = note.parse_checkpoint(raw[:at] + insert + raw[at:])
        assert head.size > 0
    for parse in (proofs.parse_receipt, proofs.parse_consistency):
        with contextlib.suppress(Refused):
            parse(raw)


def test_note_signature() -> None:
    """A head verifies under the key that signed it and under no other."""
    head = note.parse_checkpoint(HEAD)
    note.verify_checkpoint(head, build.LOG.public)
    for public in (build.PRODUCER.public, bytes(32)):
        with pytest.raises(Refused, match="checkpoint_signature"):
            note.verify_checkpoint(head, public)
    vkey = (
        f"{build.ORIGIN}+{note.key_id(build.ORIGIN, build.LOG.public).hex()}+"
        + base64.b64encode(b"\x01" + build.LOG.public).decode()
    )
    assert note.parse_vkey(vkey) == (build.ORIGIN, build.LOG.public)


@given(st.integers(0, 10**15))
def test_tile_numbers(number: int) -> None:
    """A tile number and its path stand for each other."""
    text = layout.number_path(number)
    assert layout.path_number(text) == number
    assert text == build.number_path(number)
    if number >= 1000:
        assert layout.parse_tile_path("data/log/tile/0/000/" + text) is None


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(0, 20), st.binary(max_size=5))
def test_bundles(entries: list[bytes], width: int, tail: bytes) -> None:
    """A bundle is split into exactly its entries or refused."""
    raw = b"".join(len(e).to_bytes(2, "big") + e for e in entries)
    assert layout.split_bundle(raw, len(entries)) == entries
    found, code = outcome(lambda: layout.split_bundle(raw + tail, width))
    assert code in (None, "entries_invalid")
    if code is None:
        assert b"".join(len(e).to_bytes(2, "big") + e for e in found) == raw + tail
    with contextlib.suppress(Refused):
        layout.split_proved(raw + tail)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (values.label, ["a", "run-1/main@x:y", "x" * 128], ["", "a b", "x" * 129, "ä", "a\n", 1]),
        (values.origin, ["a", "a.b/c"], ["", "/a", "a//b", "a/", "a@b", "x" * 129, b"a"]),
        (values.name, ["a", "ä b", "x" * 256, "\x80"], ["", "a\nb", "\x7f", "ä" * 129, "x" * 257]),
        (values.prose, ["", "a\nb", "x" * 4096], ["\0", "x" * 4097, "ä" * 2049, None]),
        (values.count, [0, 2**63 - 1], [-1, 2**63, True, 1.0]),
        (values.ratio, [0.0, 1.0], [1, 1.0000001, -0.1, True]),
        (values.amount, [0.0, 1e300], [-1.0, 1]),
        (
            values.time,
            ["2026-11-20T09:00:00.000000Z", "0001-01-01T00:00:00.000000Z"],
            [
                "2026-02-29T09:00:00.000000Z",
                "2026-11-20T09:00:60.000000Z",
                "2026-11-20",
                5,
                "0000-01-01T00:00:00.000000Z",
                "2026-11-20T24:00:00.000000Z",
                "2026-11-20T09:00:00.000000z",
                "２026-11-20T09:00:00.000000Z",
            ],
        ),
        (
            values.uuid7,
            ["01a1f82f-1e83-7254-85d9-dc9f81818e81"],
            [
                "01a1f82f-1e83-4254-85d9-dc9f81818e81",
                "01A1F82f-1e83-7254-85d9-dc9f81818e81",
                "01a1f82f-1e83-7254-c5d9-dc9f81818e81",
                "01a1f82f-1e83-7254-85d9-dc9f81818e81\n",
            ],
        ),
    ],
)
def test_value_types(check: values.Check, good: list[Any], bad: list[Any]) -> None:
    """Each common type takes what its rule says and refuses the values beside it."""
    for value in good:
        check(value)
    for value in bad:
        with pytest.raises(BadValue):
            check(value)


@pytest.mark.parametrize("text", ["AAA", "AA==\n", "AB==", "A-==", " AA==", "AA==AA==", "é"])
def test_base64_strict(text: str) -> None:
    """Base64 with another alphabet, padding, trailing bits or space is refused."""
    with pytest.raises(BadValue):
        values.parse_base64(text)


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", "1 ", "9223372036854775808", "١", "1" * 5000]
)
def test_decimal_strict(text: str) -> None:
    """Numbers that are not canonical decimal, or too large, are refused."""
    with pytest.raises(BadValue):
        values.parse_decimal(text)


@given(st.binary(max_size=100), st.booleans(), st.integers(0, 2))
def test_content_checked(data: bytes, salted: bool, wrong: int) -> None:
    """Archived bytes match their own reference, and none with another digest or length."""
    archived = bytes(16) + data if salted else data
    reference = {**build.ref(archived), "size_bytes": len(data)}
    if salted:
        reference["salted"] = True
    content.check_ref(reference)
    content.check_archived(reference, content.measure([archived[:3], archived[3:]]))
    key = ("sha256", "blake3", "size_bytes")[wrong]
    reference[key] = reference[key] + 1 if wrong == 2 else bytes(32)
    with pytest.raises(Refused, match="content_mismatch"):
        content.check_archived(reference, content.measure([archived]))


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=700))
@settings(max_examples=30)
def test_table_is_a_dictionary(keys: list[bytes]) -> None:
    """The compact table finds what a dictionary finds, and the first of equal rows."""
    rows = Rows(4)
    rows.chunks = [b"".join(keys[i : i + 256]) for i in range(0, len(keys), 256)]
    table, plain = Table(rows.get), dict[bytes, int]()
    for number, key in enumerate(keys):
        assert table.add(key, number) == plain.get(key, -1)
        plain.setdefault(key, number)
    for key in [*keys, b"none", bytes(4)]:
        assert table.find(key) == plain.get(key, -1)


VALUES = st.recursive(
    st.sampled_from(
        ["", "a", "gpt-4o", "A", "B", "ä", "\x7f", "x" * 300, "2026-11-20T09:00:00.000000Z",
         "2026-02-30T09:00:00.000000Z", "2026-11-20T24:00:00.000000Z", "witness", "imported",
         "2026-11-20T09:00:60.000000Z", "2026-11-20", 0, 1, -1, 2**63, True, False, None, 0.5,
         1.0, 1.5, -0.5, b"", bytes(32), "2026-11-20T09:00:00.000000Z" * 2]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["blake3", "sha256", "token", "id", "x"]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def _places(value: Any) -> list[Any]:
    """All maps in a value, by what leads there."""
    if isinstance(value, dict):
        return [value] + [m for v in value.values() for m in _places(v)]
    return [m for v in value for m in _places(v)] if isinstance(value, list) else []


@given(data=st.data())
@settings(max_examples=600, deadline=None)
def test_columns_agree_with_single_values(data: st.DataObject) -> None:
    """What many records are asked together gives the answer that each gives by itself."""
    bodies: list[dict[str, Any]] = []
    for _ in range(data.draw(st.integers(1, 4))):
        body = copy.deepcopy(FULL_WITNESS if data.draw(st.booleans()) else build.witness())
        for _ in range(data.draw(st.integers(0, 2))):
            place = data.draw(st.sampled_from(_places(body)))
            key = data.draw(st.sampled_from([*place, "more"]))
            if data.draw(st.booleans()):
                place[key] = data.draw(VALUES)
            else:
                place.pop(key, None)
        bodies.append(body)
    table = BODIES["witness"]
    single = []
    for body in bodies:
        with contextlib.suppress(BadValue):
            table(body)
            single.append(body)
    assert table.all(bodies) is (len(single) == len(bodies))


FULL_WITNESS = build.witness(
    model__model_build_date="2026-11-20",
    data__prompt_template=build.ref(b"t"),
    data__context_atom_ids=["a", "b"],
    uncertainty__top_k_probs=[{"token": "a", "probability": 0.5}],
    uncertainty__top_k_position=0,
    output__output_hash=build.ref(b"o"),
    capture__source={"format": "inspect-eval", "epoch": 1},
) | {
    "tools": {"tool_ids": ["t"], "tool_parameters": build.ref(b"p")},
    "replay": {"replay_seed": -1, "temperature": 0.5, "other_params": {"x": [1]}},
    "temporal": {"occurred_at": "2026-11-20T09:00:00.000000Z", "execution_time_ms": 1.0},
    "cost": {"cost_usd": 0.1, "price_table": "p"},
    "raw": {"request": build.ref(b"r"), "request_headers": {"content-type": "text/plain"}},
}


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_statements_judged_together(data: st.DataObject) -> None:
    """Records in one sheet get the findings and facts that each gets alone."""
    ledger = build.Ledger()
    for _ in range(data.draw(st.integers(1, 5))):
        kind, body = data.draw(
            st.sampled_from(
                [("witness", build.witness()), ("witness", FULL_WITNESS), ("other", {"x": 1}),
                 ("annotation", {"kind": "n"}), ("stream_close", {"statements": 2}),
                 ("witness", {**FULL_WITNESS, "raw": {"request_headers": {"blake3": "x"}}})]
            )
        )  # fmt: skip

        def change(p: dict[str, Any]) -> None:
            for _ in range(data.draw(st.integers(0, 1))):
                place = data.draw(st.sampled_from(_places(p)))
                place[data.draw(st.sampled_from([*place]))] = data.draw(VALUES)

        ledger.add(kind, copy.deepcopy(body), change=change, parents=[0])
    salted = data.draw(st.sampled_from([True, False, None]))
    for entry, one in zip(ledger.entries, judging.opened(ledger.entries, salted), strict=True):
        alone = judging.Opened(entry)
        if alone.broken is None:
            alone.check(salted)
        assert (str(alone.broken), str(alone.body)) == (str(one.broken), str(one.body))
        if alone.broken is None:
            assert alone.refs == one.refs
