"""Whole packages: what an auditor reads of sound ones, and of every attack on them."""

from __future__ import annotations

import copy
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verifier import build
from tests.verifier.conftest import REPO, VECTORS
from verifier import Report, verify_package
from verifier.errors import AXES, CODES

Files = dict[str, bytes]
CHECKPOINT = "data/log/checkpoint"
SEVERITIES = ("fail", "limit", "note", "fatal")


def pins(ledger: build.Ledger, size: int | None = None) -> dict[str, Any]:
    size = size or len(ledger.entries)
    return {
        "trust": ledger.genesis.hex(),
        "known_head": f"{size}:{ledger.root(size).hex()}",
    }


def verify(files: Files, folder: Path, ledger: build.Ledger | None = None, **given: Any) -> Report:
    target = folder / "package"
    shutil.rmtree(target, ignore_errors=True)
    build.write(files, target)
    if ledger is not None:
        given = {**pins(ledger), **given}
    return verify_package(target, **given)


def codes(report: Report) -> set[str]:
    return set(report.finding_counts)


def bundle_of(files: Files) -> str:
    return next(p for p in files if "/entries/" in p)


@pytest.fixture
def sound() -> tuple[build.Ledger, Files]:
    ledger = build.sample()
    return ledger, build.package(ledger)


def test_sound_ledger_verifies(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """An untouched package under both pins is verified on every axis, exit 0."""
    ledger, files = sound
    report = verify(files, tmp_path, ledger)
    assert report.findings == []
    assert (report.exit_code, report.verdict) == (0, "verified")
    assert report.counts == {
        "statements": 10, "streams": 4, "keys": 3, "files": len(files), "content_references": 6,
        "content_checked": 6, "content_withheld": 0, "content_erased": 0, "parents": 6,
        "witnesses": 6, "sessions": 0, "intents": 0, "answered": 0, "failed": 0, "unknown": 0,
        "reused": 0, "operations": 0, "operations_open": 0, "stages": 0, "parents_outside": 0,
        "replays": 0, "reproduced": 0, "planned": 0, "not_planned": 0,
    }  # fmt: skip
    axes = report.to_dict()["axes"]
    assert {a: axes[a]["status"] for a in AXES} == {
        **dict.fromkeys(AXES, "verified"),
        "replay": "not_applicable",
    }


def test_zip_reads_the_same(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A zip of the same files gives the same report."""
    ledger, files = sound
    folder = verify(files, tmp_path, ledger).to_dict()
    file = build.write_zip(files, tmp_path / "p.zip")
    packed = verify_package(file, **pins(ledger)).to_dict()
    for name in ("package", "verified_at"):
        folder.pop(name), packed.pop(name)
    assert folder == packed
    assert packed["exit_code"] == 0


@pytest.mark.parametrize(
    ("given", "missing", "code"),
    [
        ({"trust": None}, "authenticity", "unpinned"),
        ({"known_head": None}, "anchoring", "unanchored"),
        ({"known_head": 5}, "anchoring", "unanchored"),
    ],
)
def test_missing_pins_limit(
    sound: tuple[build.Ledger, Files],
    tmp_path: Path,
    given: dict[str, Any],
    missing: str,
    code: str,
) -> None:
    """Without a pin, or with an old head, the answer is never plain success."""
    ledger, files = sound
    if given.get("known_head"):
        given = {"known_head": f"5:{ledger.root(5).hex()}"}
    report = verify(files, tmp_path, ledger, **given)
    assert report.exit_code == 3
    assert codes(report) == {code}
    assert report.status(missing) == "limited"
    if given.get("known_head"):
        assert report.findings[0]["index"] == 5
    again = verify(files, tmp_path, ledger, **given, require=[missing])
    assert again.exit_code == 1


def test_known_head_as_checkpoint(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A checkpoint file anchors if the log key signed it, and is no anchor otherwise."""
    ledger, files = sound
    head = tmp_path / "head"
    head.write_bytes(ledger.checkpoint())
    assert verify(files, tmp_path, ledger, known_head=str(head)).exit_code == 0
    other = build.Key(9, build.ORIGIN)
    head.write_bytes(ledger.checkpoint(key=other))
    report = verify(files, tmp_path, ledger, known_head=str(head))
    assert codes(report) == {"checkpoint_signature", "unanchored"}


def test_session_verifies(tmp_path: Path) -> None:
    """A session is complete by the counts that its export statement signs."""
    ledger = build.sample()
    files = build.package(ledger, kind="session", session="run-1")
    report = verify(files, tmp_path, ledger)
    assert report.findings == []
    assert report.exit_code == 0
    assert report.selection == {"kind": "session", "start": 0, "end": 9, "session": "run-1"}


def test_session_with_older_head(tmp_path: Path) -> None:
    """A consistency file anchors a part in an earlier head; without it nothing does."""
    ledger = build.sample()
    files = build.package(ledger, kind="session", session="run-1", consistency=[4])
    old = {"known_head": f"4:{ledger.root(4).hex()}"}
    report = verify(files, tmp_path, ledger, **old)
    assert [(f["code"], f["index"]) for f in report.findings] == [("unanchored", 4)]
    forged = verify(files, tmp_path, ledger, known_head=f"4:{bytes(32).hex()}")
    assert "consistency_invalid" in codes(forged)
    del files["data/log/consistency/4.txt"]
    report = verify(build.bag(files), tmp_path, ledger, **old)
    assert [(f["code"], f["index"]) for f in report.findings] == [("unanchored", 0)]


def test_range_is_partial(tmp_path: Path) -> None:
    """A range is intact but never complete."""
    ledger = build.sample()
    report = verify(build.package(ledger, kind="range", start=3), tmp_path, ledger)
    assert codes(report) == {"partial_ledger", "stream_partial", "parent_outside"}
    assert report.exit_code == 3


@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_unsigned(tmp_path: Path, kind: str) -> None:
    """A package without an export statement is limited, and makes no claims."""
    ledger = build.sample()
    files = build.package(ledger, kind=kind, session="run-1", signed=False)
    report = verify(files, tmp_path, ledger)
    assert report.exit_code == 3
    assert "export_unsigned" in codes(report)
    assert report.selection is None
    assert ("partial_ledger" in codes(report)) is (kind == "session")


def test_withheld_and_missing_contents(tmp_path: Path) -> None:
    """Contents left out are withheld if the export says so, and missing if it says included."""
    ledger = build.sample()
    report = verify(build.package(ledger, withheld=True), tmp_path, ledger)
    assert codes(report) == {"content_withheld"}
    assert report.counts["content_withheld"] == 6
    assert report.exit_code == 3
    ledger = build.sample()
    ledger.contents.clear()
    report = verify(build.package(ledger), tmp_path, ledger)
    assert codes(report) == {"content_missing"}
    assert report.exit_code == 1


def test_erased_content(tmp_path: Path) -> None:
    """Content that an erasure statement names may be absent, before and after it."""
    ledger = build.sample()
    (reference,) = {
        build.blake3(c).digest(): build.ref(c) for c in ledger.contents.values()
    }.values()
    at = ledger.add("erasure", {"content": reference, "reason": "asked for"}, stream="admin")
    ledger.contents.clear()
    report = verify(build.package(ledger), tmp_path, ledger)
    assert codes(report) == {"content_erased"}
    assert report.counts["content_erased"] == 7
    assert f"index {at}" in report.findings[0]["message"]
    assert report.exit_code == 0


def _erase(ledger: build.Ledger, data: bytes, stream: str, **given: Any) -> int:
    body = {"content": build.ref(data), "reason": "asked for"}
    return ledger.add("erasure", body, stream=stream, **given)


def _with_erasures() -> tuple[build.Ledger, list[int]]:
    """A ledger in which erasures of other sessions stand before and after what they name."""
    ledger = build.Ledger()
    _erase(ledger, b"elsewhere", "admin", session="admin")
    before = _erase(ledger, b"one", "admin", session="admin")
    ledger.add("witness", build.witness(b"one"), session="run-1")
    ledger.add("witness", build.witness(b"two"), session="run-1")
    ledger.add("witness", build.witness(b"elsewhere"), stream="run-2/main", session="run-2")
    ledger.add("annotation", {"kind": "n"}, stream="export", parents=[2])
    after = _erase(ledger, b"two", "tidy", session="run-2")
    close = {"statements": ledger.streams["run-1/main"][0] + 1}
    ledger.add("stream_close", close, session="run-1")
    return ledger, [before, after]


@pytest.mark.parametrize("jobs", [1, 2])
def test_part_holds_the_erasures_of_its_contents(tmp_path: Path, jobs: int) -> None:
    """Erasures outside a session account for its absent contents and are counted nowhere."""
    ledger, erasing = _with_erasures()
    files = build.package(ledger, kind="session", session="run-1")
    report = verify(files, tmp_path, ledger, jobs=jobs)
    assert report.finding_counts == {"content_erased": 2}
    assert [f["message"].split()[-1] for f in report.findings] == [str(i) for i in erasing]
    assert (report.exit_code, report.counts["content_erased"]) == (0, 2)
    assert (report.counts["statements"], report.counts["content_references"]) == (7, 2)


def test_part_with_contents_and_their_erasure(tmp_path: Path) -> None:
    """An erasure belongs into the part also where the content is still there, as in a range."""
    ledger, _ = _with_erasures()
    ledger.content(b"one"), ledger.content(b"two")
    files = build.package(ledger, kind="session", session="run-1")
    assert verify(files, tmp_path, ledger).exit_code == 0
    ledger, _ = _with_erasures()
    report = verify(build.package(ledger, kind="range", start=4), tmp_path, ledger)
    assert codes(report) == {"partial_ledger", "stream_partial", "content_erased", "parent_outside"}
    partial = [f["message"] for f in report.findings if f["code"] == "stream_partial"]
    assert partial == ["2 of 3 statements of stream run-1/main"]
    assert report.counts["content_erased"] == 3


@pytest.mark.parametrize("bent", ["elsewhere", "unsigned", "late", "dropped"])
def test_part_refuses_other_erasures(tmp_path: Path, bent: str) -> None:
    """An erasure of other content, an invalid one and one from after the selection are strays."""
    ledger, erasing = _with_erasures()
    given: dict[str, Any] = {"kind": "session", "session": "run-1"}
    at, missing = 1, 0
    if bent == "elsewhere":
        files = build.package(ledger, **given, extra=[1])
    elif bent == "unsigned":
        ledger.entries[erasing[1]] = ledger.entries[erasing[1]][:-1] + b"\0"
        files = build.package(ledger, **given)
        at, missing = erasing[1], 1
    elif bent == "late":
        at = erasing[1]
        change = {"change": lambda b: b["selection"].update(end=at)}
        files = build.package(ledger, **given, **change)
    else:
        files, missing = build.package(ledger, **given, drop=erasing), 2
    report = verify(files, tmp_path, ledger)
    assert report.finding_counts.get("content_missing", 0) == missing
    strays = {f["index"] for f in report.findings if f["code"] == "export_invalid"}
    assert at in strays or bent == "dropped"
    assert report.exit_code == 1
    assert not codes(report) & {"stream_gap", "stream_partial"}


def test_head_of_another_size(tmp_path: Path) -> None:
    """With an altered size in the head the bundles are read all the same, and judged."""
    ledger = build.sample()
    sound = build.package(ledger)
    bent = build.witness(uncertainty__confidence_band="A")
    for size in (9, 11, 300, 2**62):
        files = dict(sound)
        files[CHECKPOINT] = files[CHECKPOINT].replace(b"\n10\n", f"\n{size}\n".encode())
        report = verify(build.bag(files), tmp_path, ledger)
        assert report.exit_code == 1
        assert report.counts["statements"] == 10
        assert {"file_missing", "file_unexpected", "checkpoint_signature"} <= codes(report)
        assert not codes(report) & {"leaf_mismatch", "root_mismatch", "signature_invalid"}
    ledger = build.sample()
    at = ledger.add("witness", bent, session="run-2", stream="run-2/main")
    files = build.package(ledger)
    flip(bundle_of(files), files[bundle_of(files)].index(ledger.entries[3][-20:]))(files)
    files[CHECKPOINT] = files[CHECKPOINT].replace(b"\n11\n", b"\n12\n")
    report = verify(files, tmp_path, ledger)
    found = {(f["code"], f["index"]) for f in report.findings}
    assert {("leaf_mismatch", 3), ("signature_invalid", 3), ("band_mismatch", at)} <= found
    del files[bundle_of(files)]
    report = verify(files, tmp_path, ledger)
    assert report.counts["statements"] == 0
    assert report.exit_code == 1


def test_last_bundle_is_missing(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A bundle that is not there leaves the head's size as it is; its tile carries the tree."""
    ledger, files = sound
    del files[bundle_of(files)]
    report = verify(build.bag(files), tmp_path, ledger)
    assert "file_missing" in codes(report)
    assert "root_mismatch" not in codes(report)


def flip(path: str, at: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        raw = bytearray(files[path])
        raw[at] ^= 1
        files[path] = bytes(raw)

    return change


def test_flipped_bit_in_a_bundle(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A flipped bit names the file and the record, and all other records are still judged."""
    ledger, files = sound
    path = bundle_of(files)
    at = files[path].index(ledger.entries[4][-30:])
    flip(path, at)(files)
    report = verify(files, tmp_path, ledger)
    found = {(f["code"], f["index"], f["path"]) for f in report.findings}
    assert ("file_mismatch", None, path) in found
    assert ("leaf_mismatch", 4, path) in found
    assert ("signature_invalid", 4, None) in found
    assert "root_mismatch" in codes(report)
    assert report.counts["statements"] == 10
    assert {f["index"] for f in report.findings} - {None} <= {4, 5, 6, 7}


def test_bundle_that_cannot_be_split(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """When lengths are destroyed the tile's hashes still carry the tree to its root."""
    ledger, files = sound
    path = bundle_of(files)
    flip(path, 0)(files)
    report = verify(files, tmp_path, ledger)
    assert {"entries_invalid", "file_mismatch"} <= codes(report)
    assert "root_mismatch" not in codes(report)
    assert report.exit_code == 1


def _rebuilt(ledger: build.Ledger, change: Callable[[build.Ledger], None]) -> Files:
    """The attacker's package: records changed, everything that needs no producer key made anew."""
    files = build.package(ledger)
    forged = copy.deepcopy(ledger)
    change(forged)
    for path in [p for p in files if p.startswith("data/log/")]:
        del files[path]
    return build.bag(files | build.log_files(forged))


def _swap(ledger: build.Ledger) -> None:
    e = ledger.entries
    e[2], e[3] = e[3], e[2]


def _splice(ledger: build.Ledger) -> None:
    other = build.Ledger([build.PRODUCER, build.Key(8, "x")])
    other.add("witness", build.witness(), stream="run-9")
    ledger.entries[5] = other.entries[1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x.entries.pop(3), {"stream_gap", "stream_prev", "head_behind"}),
        (_swap, {"stream_gap", "stream_prev", "head_conflict"}),
        (
            lambda x: x.entries.insert(3, x.entries[2]),
            {"stream_gap", "id_duplicate", "head_conflict"},
        ),
        (_splice, {"stream_ledger", "stream_prev", "head_conflict"}),
        (lambda x: x.entries.pop(), {"head_behind", "seal_mismatch"}),
        (lambda x: x.entries.pop(0), {"key_unknown", "genesis_mismatch"}),
    ],
    ids=["delete", "reorder", "repeat", "splice", "cut", "no genesis"],
)
def test_log_key_thief(
    change: Callable[[build.Ledger], Any], expected: set[str], tmp_path: Path
) -> None:
    """Who has the log key but no producer key cannot delete, reorder, insert, splice or cut."""
    ledger = build.sample()
    files = _rebuilt(ledger, change)
    report = verify(files, tmp_path, ledger)
    assert expected <= codes(report)
    assert "root_mismatch" not in codes(report)
    assert report.exit_code == 1
    if "head_behind" in expected or "head_conflict" in expected:
        assert report.status("anchoring") == "failed"


def test_forged_without_keys(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """Hashes made anew without the log key do not carry a signature."""
    ledger, _ = sound
    ledger.log_key = build.Key(9, build.ORIGIN)
    files = _rebuilt(ledger, lambda x: x.entries.pop(4))
    assert "checkpoint_signature" in codes(verify(files, tmp_path, ledger))


def test_other_ledger_is_not_the_pinned_one(tmp_path: Path) -> None:
    """A whole other ledger, sound in itself, is not the pinned one."""
    mine, other = build.sample(), build.Ledger([build.Key(8, "other")])
    report = verify(build.package(mine), tmp_path, mine, trust=other.genesis.hex())
    assert codes(report) == {"genesis_mismatch"}
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("kind", "body", "extra", "code"),
    [
        ("witness", build.witness(uncertainty__confidence_band="A"), {}, "band_mismatch"),
        ("witness", build.witness(meta__kappa_gate_passed=False), {}, "gate_mismatch"),
        ("witness", build.witness(meta__kappa_threshold=0.75), {}, "threshold_mismatch"),
        ("witness", build.witness(output__total_tokens=13), {}, "total_mismatch"),
        ("witness", build.witness(meta__more="x"), {}, "body_invalid"),
        ("witness", build.witness(), {"key": build.Key(9, "thief")}, "key_unknown"),
        ("witness", build.witness(), {"key": build.Key(3, "other")}, "key_name"),
        ("witness", build.witness(), {"key": build.AUTHORITY}, "key_role"),
        ("witness", build.witness(), {"session": "other"}, "stream_session"),
        ("witness", build.witness(), {"stream": "keys"}, "key_event_invalid"),
        ("revoke", {"kid": build.PRODUCER.kid, "last_good_index": 1, "reason": ""},
         {"key": build.AUTHORITY}, "key_event_invalid"),
        ("witness", build.witness(), {"change": lambda p: p.update(more=1)}, "payload_invalid"),
        ("witness", build.witness(),
         {"change": lambda p: p["stream"].update(prev=bytes(32))}, "stream_prev"),
        ("witness", build.witness(), {"change": lambda p: p["stream"].update(seq=9)}, "stream_gap"),
        ("witness", build.witness(),
         {"change": lambda p: p.update(parents=[{"id": p["id"], "leaf_hash": bytes(32)}])},
         "parent_missing"),
        ("stream_close", {"statements": 3}, {}, "body_invalid"),
        ("annotation", {"kind": "note"}, {}, "body_invalid"),
        ("something", {}, {}, "type_unknown"),
        ("something", {"x": [{"blake3": bytes(32)}]}, {}, "body_invalid"),
    ],
)  # fmt: skip
def test_bent_statement(
    kind: str, body: dict[str, Any], extra: dict[str, Any], code: str, tmp_path: Path
) -> None:
    """A producer who signs a statement against the rules is found out at its index."""
    ledger = build.Ledger()
    for _ in range(4):
        ledger.add("witness", build.witness(ledger.content(b"hello")), session="run-1")
    extra = {"session": "run-1", **extra}
    at = ledger.add(kind, body, **extra)
    report = verify(build.package(ledger), tmp_path, ledger)
    assert (code, at) in {(f["code"], f["index"]) for f in report.findings}
    assert report.exit_code == (0 if code == "type_unknown" else 1)
    assert report.status(CODES[code][1] or "") != "not_checked"


def test_parents_forged(tmp_path: Path) -> None:
    """A parent that comes later, or has another id, is no parent."""
    ledger = build.Ledger()
    ledger.content(b"hello")
    first = ledger.add("witness", build.witness())
    ledger.add("witness", build.witness(), parents=[first],
               change=lambda p: p["parents"][0].update(id=p["id"]))  # fmt: skip
    report = verify(build.package(ledger), tmp_path, ledger)
    assert codes(report) == {"parent_mismatch"}
    later = build.Ledger()
    later.add("witness", build.witness(later.content(b"hello")), stream="b")
    later.add("witness", build.witness(), stream="a", parents=[1])
    later.entries[1], later.entries[2] = later.entries[2], later.entries[1]
    report = verify(build.package(later), tmp_path, later)
    assert codes(report) == {"parent_later"}


def test_stolen_key_revoked_backwards(tmp_path: Path) -> None:
    """A revocation reaches back to the last good index, also through rotations by the thief."""
    ledger = build.Ledger()
    ledger.add("witness", build.witness(ledger.content(b"hello")))
    bad = ledger.add("witness", build.witness())
    thief = build.Key(7, build.PRODUCER.name)
    rotate = {"old_kid": build.PRODUCER.kid, "key": thief.entry("producer")}
    turned = ledger.add("rotate", rotate, stream="keys", key=build.PRODUCER)
    worse = ledger.add("witness", build.witness(), key=thief)
    fresh = build.Key(6, "lab-producer-2")
    ledger.add("enrol", {"role": "producer", "key": fresh.entry("producer")}, stream="keys",
               key=build.AUTHORITY)  # fmt: skip
    revoke = {"kid": build.PRODUCER.kid, "last_good_index": 1, "reason": "stolen"}
    ledger.add("revoke", revoke, stream="keys", key=build.AUTHORITY)
    files = build.package(ledger)
    report = verify(files, tmp_path, ledger)
    revoked = {f["index"] for f in report.findings if f["code"] == "key_revoked"}
    assert {bad, turned, worse} <= revoked
    assert 1 not in revoked


def test_forged_key_event_has_no_effect(tmp_path: Path) -> None:
    """A revocation or enrolment that the authority did not sign changes nothing."""
    ledger = build.Ledger()
    ledger.add("witness", build.witness(ledger.content(b"hello")))
    thief = build.Key(7, "lab-authority")
    revoke = {"kid": build.PRODUCER.kid, "last_good_index": 0, "reason": "forged"}
    at = ledger.add("revoke", revoke, stream="keys", key=thief)
    report = verify(build.package(ledger), tmp_path, ledger)
    assert {(f["code"], f["index"]) for f in report.findings} == {("key_unknown", at)}
    assert report.selection is not None


def test_chain_and_tree_disagree(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A log whose tiles state another order than its statements is refused at that record."""
    ledger, files = sound
    path = next(p for p in files if p.startswith("data/log/tile/0/"))
    raw = files[path]
    files[path] = raw[:64] + raw[96:128] + raw[64:96] + raw[128:]
    report = verify(build.bag(files), tmp_path, ledger)
    assert {(f["code"], f["index"]) for f in report.findings} == {
        ("leaf_mismatch", 2), ("leaf_mismatch", 3)
    }  # fmt: skip


def test_upper_tiles_and_many_bundles(tmp_path: Path) -> None:
    """Levels above the first are recomputed; a changed or missing one is named."""
    ledger = build.Ledger()
    for i in range(600):
        ledger.add("annotation", {"kind": "n", "value": i}, parents=[0], stream=f"s-{i % 3}")
    files = build.package(ledger)
    assert verify(files, tmp_path, ledger).exit_code == 0
    at = "data/log/tile/1/000.p/2"
    changed = {**files, at: bytes(64)}
    assert codes(verify(build.bag(changed), tmp_path, ledger)) == {"tile_mismatch"}
    for lost in (at, "data/log/tile/0/001", "data/log/tile/entries/001"):
        rest = {p: d for p, d in files.items() if p != lost}
        report = verify(build.bag(rest), tmp_path, ledger)
        assert {f["path"] for f in report.findings if f["code"] == "file_missing"} == {lost}
        assert report.exit_code == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda f: f.update({"data/summary.html": b"<p>better</p>"}),
            {"file_mismatch", "seal_mismatch"},
        ),
        (lambda f: (f.update({"README.md": b"run this"}), build.bag(f)), {"seal_mismatch"}),
        (lambda f: f.pop("README.md"), {"file_missing", "seal_mismatch"}),
        (lambda f: f.update({"data/extra": b""}), {"file_unexpected", "package_invalid"}),
        (
            lambda f: (f.update({"data/extra": b""}), build.bag(f)),
            {"file_unexpected", "seal_mismatch"},
        ),
        (
            lambda f: f.update({"bagit.txt": b"BagIt-Version: 0.97\n"}),
            {"package_invalid", "file_mismatch"},
        ),
        (lambda f: f.update({"bag-info.txt": b"x" * 10_000}), {"package_invalid", "file_mismatch"}),
        (
            lambda f: f.update({"manifest-sha256.txt": b"x" * 100_000}),
            {"package_invalid", "file_mismatch"},
        ),
        (lambda f: f.update({"seal-sha256.txt": b""}), {"file_mismatch", "seal_mismatch"}),
        (lambda f: f.pop("seal-sha256.txt"), {"file_missing", "export_unsigned"}),
        (lambda f: f.pop("manifest-sha256.txt"), {"file_missing"}),
        (lambda f: f.pop(CHECKPOINT), {"file_missing"}),
        (lambda f: f.update({CHECKPOINT: b"x"}), {"checkpoint_invalid", "file_mismatch"}),
        (lambda f: f.update({CHECKPOINT: b"x" * 70_000}), {"checkpoint_invalid"}),
        (lambda f: f.update({"data/log/tile/0/000": bytes(8192)}), {"file_unexpected"}),
        (lambda f: f.update({"data/UPPER name": b""}), {"name_invalid"}),
        (lambda f: f.update({"readme.md": b""}), {"name_invalid", "file_unexpected"}),
        (lambda f: f.update({"/".join("abcdefghijklmnopq"): b""}), {"name_invalid"}),
        (lambda f: f.update({f"data/content/{'00'}/{'00' * 32}": b"hi"}), {"file_unexpected"}),
    ],
)
def test_bag_attacks(
    sound: tuple[build.Ledger, Files],
    change: Callable[[Files], Any],
    expected: set[str],
    tmp_path: Path,
) -> None:
    """Files changed, added or taken away, with or without new manifests, are found."""
    ledger, files = sound
    change(files)
    report = verify(files, tmp_path, ledger)
    assert expected <= codes(report)
    assert report.exit_code == 1


def test_content_swapped(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """Other bytes under the address of a content are found, even in a package made anew."""
    ledger, files = sound
    path = next(p for p in files if p.startswith("data/content/"))
    files[path] = b"jello"
    report = verify(build.bag(files), tmp_path, ledger)
    assert {"content_mismatch", "seal_mismatch"} == codes(report)


def test_huge_head(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A head that claims 2^62 records is answered at once."""
    ledger, files = sound
    text = files[CHECKPOINT].replace(b"\n10\n", b"\n4611686018427387904\n")
    report = verify(build.bag(files | {CHECKPOINT: text}), tmp_path, ledger)
    assert {"file_missing", "file_unexpected"} <= codes(report)
    assert report.finding_counts["file_missing"] > 2**50
    assert report.exit_code == 1


def test_log_not_read_leaves_axes_open(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """With no readable log the other axes are not checked rather than verified."""
    ledger, files = sound
    kept = {p: d for p, d in files.items() if not p.startswith("data/log/")}
    report = verify(build.bag(kept), tmp_path, ledger)
    assert report.status("integrity") == "failed"
    for axis in ("authenticity", "completeness", "anchoring", "contents", "lineage", "policy"):
        assert report.status(axis) == "not_checked"
    assert report.exit_code == 1


def test_empty_log(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """A head of size 0 is a failure, not an empty success."""
    ledger, files = sound
    text = files[CHECKPOINT].replace(b"\n10\n", b"\n0\n")
    report = verify(build.bag(files | {CHECKPOINT: text}), tmp_path, ledger)
    assert "log_empty" in codes(report)
    assert report.exit_code == 1


@pytest.mark.parametrize("what", ["link", "folder link", "fifo", "dangling"])
def test_links_and_devices(sound: tuple[build.Ledger, Files], tmp_path: Path, what: str) -> None:
    """Links and FIFOs are refused without being followed or opened."""
    ledger, files = sound
    target = build.write(files, tmp_path / "p")
    secret = tmp_path / "secret"
    path = target / "data" / "summary.html"
    if what == "folder link":
        (target / "data" / "log").rename(tmp_path / "log")
        (target / "data" / "log").symlink_to(tmp_path / "log")
    else:
        path.rename(secret)
        if what == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(secret if what == "link" else tmp_path / "nowhere")
    report = verify_package(target, **pins(ledger))
    assert "link_refused" in codes(report)
    assert report.exit_code == 1


@pytest.mark.parametrize("edit", ["statement", "parts"])
def test_part_attacks(tmp_path: Path, edit: str) -> None:
    """In a part, a changed record has no proof and a missing one leaves its stream short."""
    ledger = build.sample()
    if edit == "statement":
        files = build.package(ledger, kind="session", session="run-1")
        path = "data/log/proved/000"
        flip(path, files[path].index(ledger.entries[2][-30:]))(files)
        report = verify(build.bag(files), tmp_path, ledger)
        assert {("inclusion_invalid", 2), ("signature_invalid", 2)} <= {
            (f["code"], f["index"]) for f in report.findings
        }
    else:
        files = build.package(ledger, kind="session", session="run-1", drop=[2])
        report = verify(files, tmp_path, ledger)
        assert codes(report) == {"stream_incomplete"}
    assert report.exit_code == 1


def test_export_claims(tmp_path: Path) -> None:
    """An export statement that counts wrongly is refused."""
    for change, code in (
        (lambda b: b.update(statements=5), "export_invalid"),
        (lambda b: b["selection"].update(start=1), "body_invalid"),
        (lambda b: b["streams"][1].update(statements=99), "stream_incomplete"),
        (lambda b: b["streams"].pop(), "export_invalid"),
        (lambda b: b["seal"].update(size_bytes=1), "seal_mismatch"),
    ):
        ledger = build.sample()
        files = build.package(ledger, kind="session", session="run-1", change=change)
        report = verify(files, tmp_path, ledger)
        assert code in codes(report)
        assert report.exit_code == 1


def zip_with(file: Path, members: list[tuple[str, bytes]], **attributes: Any) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            z.writestr(info, data)
    return file


def test_zip_tricks(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """Duplicate names, bad names, links, bombs and damaged zips are refused, never extracted."""
    ledger, files = sound
    good = [(f"top/{n}", d) for n, d in files.items()]

    def run(members: list[tuple[str, bytes]], **attributes: Any) -> Report:
        file = zip_with(tmp_path / "t.zip", members, **attributes)
        return verify_package(file, **pins(ledger))

    assert run(good).exit_code == 0
    with pytest.warns(UserWarning, match="Duplicate"):
        assert "zip_bounds" in codes(run([*good, good[3]]))
    for name in ("top/../evil", "/abs", "top/a\\b", "other/file", "top//x", "top/a\x1b[2J"):
        assert "name_invalid" in codes(run([*good, (name, b"x")])), name
    assert "name_invalid" in codes(run([*good, ("top/README.MD", b"x")]))
    assert "link_refused" in codes(run(good, external_attr=0o120777 << 16))
    bomb = run([*good, ("top/data/summary.htm", bytes(300 << 20))])
    assert bomb.exit_code == 1
    raw = (tmp_path / "t.zip").read_bytes()
    for bad in (raw[:-1], raw[: len(raw) // 2], b"PK", b"", raw + b"x"):
        (tmp_path / "t.zip").write_bytes(bad)
        assert verify_package(tmp_path / "t.zip").exit_code == 2


def _patched(raw: bytes, path: str, central: bool, field: int, value: bytes) -> bytes:
    """Change a field of a member's central or local header."""
    name = path.encode()
    at = raw.rfind(name) if central else raw.find(name)
    start = at - (46 if central else 30) + field
    return raw[:start] + value + raw[start + len(value) :]


@pytest.mark.parametrize(
    ("central", "field", "value", "expected"),
    [
        (True, 8, b"\x01\x00", "zip_invalid"),
        (True, 10, b"\x63\x00", "zip_invalid"),
        (None, 24, struct.pack("<I", 5), "zip_bounds"),
        (None, 24, struct.pack("<I", 50), "file_mismatch"),
        (True, 24, struct.pack("<I", 0x7FFFFFFF), "zip_bounds"),
        (True, 42, struct.pack("<I", 0), "zip_invalid"),
        (False, 30, b"TOP", "zip_invalid"),
        (False, 8, b"\x00\x00", "zip_invalid"),
    ],
)
def test_zip_headers_disagree(
    sound: tuple[build.Ledger, Files],
    tmp_path: Path,
    central: bool | None,
    field: int,
    value: bytes,
    expected: str,
) -> None:
    """Encrypted members, unknown methods, false sizes and headers that disagree are refused."""
    ledger, files = sound
    file = build.write_zip(files, tmp_path / "z.zip", "top")
    raw = _patched(file.read_bytes(), "top/data/summary.html", central is not False, field, value)
    if central is None:  # the same in the local header, where the field stands two bytes before
        raw = _patched(raw, "top/data/summary.html", False, field - 2, value)
    elif not central:
        raw = _patched(file.read_bytes(), "top/data/summary.html", False, field, value)
    file.write_bytes(raw)
    report = verify_package(file, **pins(ledger))
    assert expected in codes(report)
    assert report.exit_code == (2 if expected == "zip_invalid" else 1)


SOUND = build.sample()
SOUND_FILES = build.package(SOUND)


@given(path=st.sampled_from(sorted(SOUND_FILES)), data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_flipped_bit_is_found(path: str, data: st.DataObject, tmp_path_factory: Any) -> None:
    """One changed bit in any file of a package, and it is not verified; nothing else escapes."""
    files = dict(SOUND_FILES)
    raw = bytearray(files[path])
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    files[path] = bytes(raw)
    if data.draw(st.booleans()):
        build.bag(files)
        if path in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"):
            return
    report = verify(files, tmp_path_factory.mktemp("flip"), SOUND)
    assert report.exit_code in (1, 2)
    assert report.findings


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_damaged_zip_is_answered(data: st.DataObject, tmp_path_factory: Any) -> None:
    """A zip with changed bytes gives a report or exit 2, never a traceback."""
    folder = tmp_path_factory.mktemp("zip")
    file = build.write_zip(SOUND_FILES, folder / "z.zip")
    raw = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1) | st.integers(len(raw) - 1200, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(raw))
    report = verify_package(file, **pins(SOUND))
    assert report.exit_code in (0, 1, 2)


def test_jobs_give_the_same_report(tmp_path: Path) -> None:
    """Two processes find exactly what one finds, in the same order, also in a damaged log."""
    ledger = build.Ledger()
    ledger.content(b"hello")
    for i in range(1500):
        bent = {"uncertainty__confidence_band": "A"} if i % 97 == 0 else {}
        ledger.add("witness", build.witness(b"hello", **bent), stream=f"s-{i % 5}",
                   parents=[i // 2] if i else None)  # fmt: skip
    files = build.package(ledger)
    for path, index in (("data/log/tile/entries/001", 300), ("data/log/tile/entries/003", 900)):
        flip(path, files[path].index(ledger.entries[index][-20:]))(files)
    flip("data/log/tile/entries/004", 0)(files)
    build.write(files, tmp_path / "p")
    one, two = (
        verify_package(tmp_path / "p", jobs=jobs, **pins(ledger)).to_dict() for jobs in (1, 2)
    )
    one.pop("verified_at"), two.pop("verified_at")
    assert one == two
    assert {"band_mismatch", "leaf_mismatch", "entries_invalid"} <= one["finding_counts"].keys()
    part = build.package(build.sample(), kind="session", session="run-1")
    build.write(part, tmp_path / "q")
    one, two = (verify_package(tmp_path / "q", jobs=jobs).to_dict() for jobs in (1, 2))
    assert one["findings"] == two["findings"]
    file = build.write_zip(files, tmp_path / "z.zip")
    two = verify_package(file, jobs=2, **pins(ledger)).to_dict()
    assert two["counts"]["statements"] == 1502 - 256


def test_findings_are_bounded(tmp_path: Path) -> None:
    """Of thousands of findings 1,000 are kept, failures first, and all are counted."""
    ledger = build.Ledger()
    for _ in range(1200):
        ledger.add("witness", build.witness(uncertainty__confidence_band="C"))
    report = verify(build.package(ledger, withheld=True), tmp_path, ledger)
    assert report.finding_counts == {"content_withheld": 1200, "band_mismatch": 1200}
    assert len(report.findings) == 1000
    assert {f["severity"] for f in report.findings} == {"fail"}
    assert "2400 findings, 1000 shown" in report.to_text()


def command(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "verifier", *map(str, args)],
        capture_output=True, text=True, cwd=REPO, env={**os.environ, **env}, timeout=120,
    )  # fmt: skip


def test_exit_codes(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """The command answers 0, 1, 2 or 3, with a report, and never with a traceback."""
    ledger, files = sound
    target = build.write(files, tmp_path / "p")
    given = pins(ledger)
    full = [target, "--trust", given["trust"], "--known-head", given["known_head"]]
    done = command(*full)
    assert (done.returncode, done.stderr) == (0, "")
    first, head, *rest = done.stdout.splitlines()
    assert first == f"VERIFIED  {build.ORIGIN}  10 statements"
    assert head == f"  head  10:{ledger.root().hex()}"
    assert max(map(len, (first, head, *rest))) <= 80
    assert command(target).returncode == 3
    assert command(target, "--require", "anchoring", "--quiet").returncode == 1
    (target / "README.md").write_bytes(b"")
    failed = command(*full, "--json")
    assert failed.returncode == 1
    report = json.loads(failed.stdout)
    assert (report["vif_report"], report["verdict"], report["exit_code"]) == (1, "failed", 1)
    assert " ".join(report) == (
        "vif_report verifier verified_at package verdict exit_code origin genesis size root "
        "selection pinned known_head counts axes findings finding_counts not_checked "
        "lineage replays replay_run beside"
    )
    trust = tmp_path / "trust.json"
    trust.write_text("{}")
    for args in (
        [tmp_path / "nothing"], [tmp_path], ["/dev/null"], ["\x1b[2J"], [],
        [target, "--trust", trust], [target, "--trust", tmp_path / "none"],
        [target, "--trust", tmp_path], [target, "--known-head", "5:zz"],
        [target, "--known-head", trust], [target, "--jobs", "0"], [target, "--require", "x"],
        [target, "--nonsense"], [target, "\x1b]0;x\x07"],
    ):  # fmt: skip
        done = command(*args)
        assert done.returncode == 2, args
        assert done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stderr + done.stdout
    assert command("--version").stdout.startswith("vif-verify 0.1.0")
    assert "exit codes" in command("--help").stdout


def test_hostile_names_on_the_terminal(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """Names with escapes, newlines or bytes that are no text are shown as escapes."""
    _, files = sound
    target = build.write(files, tmp_path / "p\x1b[31m")
    for name in (b"a\x1b[2Jb", b"line\nbreak", b"\xff\xfe", "‮rtl".encode()):
        (Path(os.fsencode(target).decode()) / os.fsdecode(name)).write_bytes(b"")
    done = command(target, "--html", tmp_path / "r.html")
    assert done.returncode == 1
    assert done.stdout.count("name_invalid") == 4
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    page = (tmp_path / "r.html").read_text()
    assert "name_invalid" in page
    assert "\x1b" not in page
    assert json.loads(command(target, "--json").stdout)["verdict"] == "failed"


def test_html_is_inert(sound: tuple[build.Ledger, Files], tmp_path: Path) -> None:
    """Nothing that a package says can become markup or load anything."""
    _, files = sound
    target = build.write(files, tmp_path / "<script>alert(1)<")
    (target / '"><img src=x onerror=y>').write_bytes(b"")
    assert command(target, "--html", tmp_path / "r.html", "--quiet").returncode == 1
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert "default-src 'none'" in page


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see the peak")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Four times the records do not take four times the memory."""
    program = (
        "import sys; from verifier import verify_package;"
        "r = verify_package(sys.argv[1], jobs=1); assert r.counts['statements'] > 1000;"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
    )
    peaks = []
    for n in (1500, 6000):
        ledger = build.Ledger()
        for i in range(n):
            ledger.add("witness", build.witness(), stream=f"s-{i}")
        target = build.write(build.package(ledger, withheld=True), tmp_path / str(n))
        done = subprocess.run(
            [sys.executable, "-c", program, target], cwd=REPO, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 6_000, peaks


PACKAGES = [
    f.parent
    for f in sorted(VECTORS.glob("*/case.json"))
    if json.loads(f.read_text())["kind"] == "package"
]


@pytest.mark.skipif(not PACKAGES, reason="specs/vectors holds no package yet")
@pytest.mark.parametrize("folder", PACKAGES, ids=lambda f: f.name)
def test_package_vectors(folder: Path) -> None:
    """Each package of the vectors is answered as its case says."""
    case = json.loads((folder / "case.json").read_text())
    package = folder / "package"
    if not package.exists():
        package = folder / "package.zip"
    report = verify_package(
        package,
        trust=case.get("trust"),
        known_head=case.get("known_head"),
        beside=[folder / name for name in case.get("beside", ())],
    )
    found = {kind: {c for c in codes(report) if CODES[c][0] == kind} for kind in SEVERITIES}
    if case["expect"] == "ok":
        assert not found["fail"] | found["fatal"]
        assert found["limit"] == set(case["codes"])
    else:
        assert case["expect"] in codes(report)
    assert found["note"] == set(case.get("notes", found["note"]))
    assert report.exit_code == case["exit_code"]


def test_log_that_changes_meanwhile(
    sound: tuple[build.Ledger, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle exchanged between the two passes is noticed: exit 2, no verdict on a mixture."""
    from verifier import audit

    ledger, files = sound
    target = build.write(files, tmp_path / "p")
    check = audit.check_seal
    for replacement in (files[bundle_of(files)][::-1], b"", None):
        bundle = target / bundle_of(files)
        bundle.write_bytes(files[bundle_of(files)])

        def exchange(work: Any, new: bytes | None = replacement, at: Path = bundle) -> None:
            check(work)
            at.unlink() if new is None else at.write_bytes(new)

        monkeypatch.setattr(audit, "check_seal", exchange)
        report = verify_package(target, **pins(ledger))
        assert codes(report) == {"input_unreadable"}
        assert report.exit_code == 2


def test_first_record_of_a_stream_unreadable(tmp_path: Path) -> None:
    """A stream whose first record is broken has that finding and no false ones after it."""
    ledger = build.Ledger()
    ledger.content(b"hello")
    bad = ledger.add("witness", build.witness(), session="run-1", change=lambda p: p.pop("vif"))
    ledger.add("witness", build.witness(), session="run-1")
    report = verify(build.package(ledger), tmp_path, ledger)
    assert {(f["code"], f["index"]) for f in report.findings} == {("payload_invalid", bad)}
