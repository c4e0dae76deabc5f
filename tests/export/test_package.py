"""Packages of a whole ledger and of its parts, byte for byte (specs/07)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bagit
import pytest

from ledger.errors import ContentError, ExportError, LogError
from ledger.export import export
from ledger.formats import merkle
from ledger.formats.note import parse_checkpoint
from ledger.formats.proof_file import parse_consistency
from ledger.reader import Entry
from tests.export.lab import (
    Lab,
    bundled_statements,
    draft,
    fill,
    leaves,
    proved_records,
    read_package,
)


def seal_lines(files: dict[str, bytes]) -> bytes:
    """What the seal has to be, by the rule of the page."""
    tags = {"bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"}
    tags.add("seal-sha256.txt")
    sealed = [p for p in files if not p.startswith("data/log/") and p not in tags]
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(sealed))
    return "".join(lines).encode()


def test_a_whole_ledger_has_exactly_the_files_of_the_page(lab: Lab, tmp_path: Path) -> None:
    """Tag files, readable files, checkpoint, one partial tile, one partial bundle, contents."""
    with lab.open() as log:
        fill(log, 2)
        result = export(log, tmp_path / "whole")
        names = {
            ref.hex()
            for entry in log.find(type="witness")
            for ref in (
                entry.payload.body["data"]["prompt_hash"]["blake3"],
                entry.payload.body["output"]["output_hash"]["blake3"],
            )
        }
    files = read_package(tmp_path / "whole")
    assert set(files) == {
        "README.md",
        "bag-info.txt",
        "bagit.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "seal-sha256.txt",
        "data/ro-crate-metadata.json",
        "data/summary.html",
        "data/log/checkpoint",
        "data/log/tile/0/000.p/4",
        "data/log/tile/entries/000.p/4",
    } | {f"data/content/{name[:2]}/{name}" for name in names}
    assert (result.files, result.bytes) == (len(files), sum(map(len, files.values())))
    assert files["seal-sha256.txt"] == seal_lines(files)
    payload = [data for path, data in files.items() if path.startswith("data/")]
    assert files["bag-info.txt"].decode() == (
        "Bagging-Date: 2026-11-20\nExternal-Identifier: example.org/lab\n"
        f"Payload-Oxum: {sum(map(len, payload))}.{len(payload)}\n"
        "Bag-Software-Agent: vif-ledger\n"
    )
    assert bagit.Bag(str(tmp_path / "whole")).validate()


def test_the_export_statement_is_the_last_leaf_and_says_what_was_packaged(
    lab: Lab, tmp_path: Path
) -> None:
    """specs/07 §5: in stream `exports` and no session, over seal and selection."""
    with lab.open(session="run-1") as log:
        fill(log, 3)
        result = export(log, tmp_path / "whole")
        assert log.head().size == result.size
    files = read_package(tmp_path / "whole")
    statements = bundled_statements(files)
    last = Entry.parse(len(statements) - 1, statements[-1])
    assert (last.payload.type, last.payload.stream_id, last.payload.session) == (
        "export",
        "exports",
        None,
    )
    seal = files["seal-sha256.txt"]
    assert last.payload.body == {
        "package_version": 1,
        "seal": {"sha256": hashlib.sha256(seal).digest(), "size_bytes": len(seal)},
        "selection": {"kind": "ledger", "start": 0, "end": 4},
        "contents": "included",
        "statements": 4,
        "streams": [],
    }
    head = parse_checkpoint(files["data/log/checkpoint"])[0]
    assert (head.size, head.root) == (5, merkle.root_of(leaves(statements)))
    assert result.known_head == f"5:{head.root.hex()}"
    assert result.root == head.root
    assert result.genesis == lab.made.genesis.hex() == leaves(statements)[0].hex()
    assert last.payload.created_at[:10] in files["bag-info.txt"].decode()


def test_tiles_and_bundles_of_more_than_256_records(lab: Lab, tmp_path: Path) -> None:
    """A full tile and bundle have no `.p`, the rightmost ones have, and level 1 has its tile."""
    with lab.open() as log:
        fill(log, 300, output=b"same")
        export(log, tmp_path / "whole")
    files = read_package(tmp_path / "whole")
    statements = bundled_statements(files)
    hashes = leaves(statements)
    assert len(hashes) == 302
    log_files = {path for path in files if path.startswith("data/log/tile")}
    assert log_files == {
        "data/log/tile/0/000",
        "data/log/tile/0/001.p/46",
        "data/log/tile/1/000.p/1",
        "data/log/tile/entries/000",
        "data/log/tile/entries/001.p/46",
    }
    assert files["data/log/tile/0/000"] == b"".join(hashes[:256])
    assert files["data/log/tile/0/001.p/46"] == b"".join(hashes[256:])
    assert files["data/log/tile/1/000.p/1"] == merkle.root_of(hashes[:256])


def test_a_zip_holds_what_the_folder_holds(lab: Lab, tmp_path: Path) -> None:
    """Below one top folder named like the file; an unsigned export changes nothing in between."""
    with lab.open() as log:
        fill(log, 3)
        export(log, tmp_path / "runs", unsigned=True)
        export(log, tmp_path / "runs.zip", unsigned=True)
    assert read_package(tmp_path / "runs") == read_package(tmp_path / "runs.zip")


def test_a_session_holds_its_records_all_key_events_and_the_export(
    lab: Lab, tmp_path: Path
) -> None:
    """specs/07 §4: each with a proof that leads to the root, in ascending order, and counted."""
    with lab.open(session="run-1") as log, lab.open(session="run-2") as other:
        first = fill(log, 2)
        fill(other, 2)
        second = fill(log, 1)
        result = export(log, tmp_path / "part", session="run-1")
    files = read_package(tmp_path / "part")
    head = parse_checkpoint(files["data/log/checkpoint"])[0]
    records = list(proved_records(files))
    expected = [0, *(r.index for r in first + second), result.size - 1]
    assert [index for index, _, _ in records] == expected
    for index, statement, proof in records:
        leaf = merkle.hash_leaf(statement)
        merkle.verify_inclusion(index, head.size, leaf, proof, head.root)
    body = Entry.parse(records[-1][0], records[-1][1]).payload.body
    assert body["selection"] == {"kind": "session", "start": 0, "end": 6, "session": "run-1"}
    assert body["statements"] == 3
    assert body["streams"] == [
        {"id": "keys", "statements": 1},
        {"id": "run-1", "statements": 3},
    ]
    assert not [path for path in files if path.startswith("data/log/tile")]
    assert files["seal-sha256.txt"] == seal_lines(files)


def test_a_range_counts_its_streams_from_their_beginning(lab: Lab, tmp_path: Path) -> None:
    """The count of a stream is that below `end`, although the range begins later."""
    with lab.open(stream="b") as log, lab.open(stream="a") as other:
        fill(log, 3)
        fill(other, 2)
        fill(log, 2)
        result = export(log, tmp_path / "part", start=2, end=6)
    files = read_package(tmp_path / "part")
    records = list(proved_records(files))
    assert [index for index, _, _ in records] == [0, 2, 3, 4, 5, result.size - 1]
    body = Entry.parse(records[-1][0], records[-1][1]).payload.body
    assert body["selection"] == {"kind": "range", "start": 2, "end": 6}
    assert body["statements"] == 4
    assert body["streams"] == [
        {"id": "a", "statements": 2},
        {"id": "b", "statements": 3},
        {"id": "keys", "statements": 1},
    ]


def test_records_are_256_in_a_file(lab: Lab, tmp_path: Path) -> None:
    """The last file holds the rest, at least one."""
    with lab.open(session="s") as log:
        fill(log, 255, output=b"same")
        export(log, tmp_path / "part", session="s")
    files = read_package(tmp_path / "part")
    proved = {path: data for path, data in files.items() if "/proved/" in path}
    assert sorted(proved) == ["data/log/proved/000", "data/log/proved/001"]
    records = list(proved_records({"data/log/proved/001": proved["data/log/proved/001"]}))
    assert [index for index, _, _ in records] == [256]


def test_consistency_files_lead_from_earlier_heads(lab: Lab, tmp_path: Path) -> None:
    """An auditor with an earlier head can anchor a part by them; sizes are given once each."""
    with lab.open(session="s") as log:
        heads = [log.head()]
        for _ in range(3):
            fill(log, 2)
            heads.append(log.head())
        sizes = [head.size for head in heads]
        export(log, tmp_path / "part", session="s", consistency_from=[*sizes, sizes[0]])
    files = read_package(tmp_path / "part")
    note = files["data/log/checkpoint"]
    new = parse_checkpoint(note)[0]
    names = {path for path in files if "/consistency/" in path}
    assert names == {f"data/log/consistency/{size}.txt" for size in sizes}
    for old in heads:
        proof = parse_consistency(files[f"data/log/consistency/{old.size}.txt"])
        assert (proof.old, proof.checkpoint) == (old.size, note)
        merkle.verify_consistency(old.size, new.size, old.root, new.root, proof.hashes)


@pytest.mark.parametrize("size", [0, 99])
def test_a_consistency_size_outside_the_log_is_refused_at_once(
    lab: Lab, tmp_path: Path, size: int
) -> None:
    """Before anything is written or appended."""
    with lab.open(session="s") as log:
        fill(log, 1)
        with pytest.raises(LogError) as caught:
            export(log, tmp_path / "part", session="s", consistency_from=[size])
        assert (caught.value.code, log.head().size) == ("not_found", 2)


def test_withheld_contents_leave_only_hashes(lab: Lab, tmp_path: Path) -> None:
    """No content file, no excerpt, and the export statement says so."""
    with lab.open() as log:
        fill(log, 2, output=b"a secret answer")
        export(log, tmp_path / "held", contents="withheld")
        body = log[-1].payload.body
    files = read_package(tmp_path / "held")
    assert body["contents"] == "withheld"
    assert not [path for path in files if path.startswith("data/content")]
    assert not [path for path, data in files.items() if b"a secret answer" in data]
    assert b'"@id": "content/' not in files["data/ro-crate-metadata.json"]


def test_erased_content_is_left_out_and_the_rest_is_there(lab: Lab, tmp_path: Path) -> None:
    """The erasure statement in the log accounts for it; the page says how many."""
    with lab.open() as log:
        one, two = draft(log, 1), draft(log, 2)
        log.append_many([one, two])
        gone = one.contents[1].ref
        log.erase(gone, "asked for")
        export(log, tmp_path / "whole")
    files = read_package(tmp_path / "whole")
    present = {path.rpartition("/")[2] for path in files if path.startswith("data/content")}
    assert gone.blake3.hex() not in present
    assert len(present) == 3
    assert b"1 erased" in files["data/summary.html"]
    assert f"content/{gone.blake3.hex()[:2]}".encode() not in files["data/ro-crate-metadata.json"]


@pytest.mark.parametrize("contents", ["included", "withheld"])
def test_a_part_brings_the_erasures_of_its_contents_along(
    lab: Lab, tmp_path: Path, contents: str
) -> None:
    """An erasure outside the session is in its package, one of other content is not (§4)."""
    with lab.open(session="s") as log, lab.open() as other:
        one, foreign = draft(log, 1), draft(other, 2)
        log.append_many([one])
        other.append_many([foreign])
        other.erase(one.contents[1].ref, "asked for")
        other.erase(foreign.contents[1].ref, "another's content")
        export(log, tmp_path / "part", session="s", contents=contents)
    files = read_package(tmp_path / "part")
    assert [index for index, _, _ in proved_records(files)] == [0, 1, 3, 5]
    assert one.contents[1].ref.blake3.hex() not in "".join(files)


def test_large_content_is_copied_and_one_content_named_twice_is_there_once(
    lab: Lab, tmp_path: Path
) -> None:
    """200,000 bytes live in a file of the ledger; they come out as they went in."""
    large = bytes(range(256)) * 800
    with lab.open() as log:
        fill(log, 2, output=large, media_type="application/octet-stream")
        export(log, tmp_path / "whole")
    contents = {p: d for p, d in read_package(tmp_path / "whole").items() if "/content/" in p}
    assert len(contents) == 3
    assert sum(data == large for data in contents.values()) == 1


@pytest.mark.parametrize(("damage", "code"), [("gone", "missing"), ("changed", "mismatch")])
def test_content_that_is_not_what_was_recorded_stops_the_export(
    lab: Lab, tmp_path: Path, damage: str, code: str
) -> None:
    """The error names the first record that refers to it; nothing is written, nothing appended."""
    with lab.open() as log:
        fill(log, 1)
        log.append_many(
            [draft(log, 5, output=b"x" * 100_000), draft(log, 6, output=b"x" * 100_000)]
        )
        (stored,) = [p for p in (log.path / "content").rglob("*") if p.is_file()]
        if damage == "gone":
            stored.unlink()
        else:
            stored.write_bytes(b"y" * 100_000)
        with pytest.raises(ContentError) as caught:
            export(log, tmp_path / "whole")
        assert caught.value.code == f"content_{code}"
        assert caught.value.message.startswith("record 2: ")
        assert log.head().size == 4
    assert not (tmp_path / "whole").exists()
    assert not list(tmp_path.glob(".whole*"))


def test_a_salted_ledger_is_exported_with_its_salts(tmp_path: Path) -> None:
    """Archived bytes are salt and content; excerpts show the content alone."""
    lab = Lab(tmp_path, salted=True)
    with lab.open() as log:
        one = draft(log, 6)
        log.append_many([one])
        export(log, tmp_path / "whole")
        archived = log.archived(one.contents[1].ref)
    files = read_package(tmp_path / "whole")
    name = one.contents[1].ref.blake3.hex()
    assert files[f"data/content/{name[:2]}/{name}"] == archived
    assert archived[16:] == b"It is 42."
    assert b"It is 42." in files["data/summary.html"]


def test_an_unsigned_export_appends_nothing_and_seals_nothing(lab: Lab, tmp_path: Path) -> None:
    """It needs no key and no right to write; the same log gives the same bytes."""
    with lab.open() as log:
        fill(log, 2)
    with lab.open(read_only=True) as log:
        result = export(log, tmp_path / "one", unsigned=True)
        export(log, tmp_path / "two", unsigned=True)
        export(log, tmp_path / "range", unsigned=True, start=1, end=2)
        assert log.head().size == result.size == 3
    files = read_package(tmp_path / "one")
    assert files == read_package(tmp_path / "two")
    assert "seal-sha256.txt" not in files
    assert len(bundled_statements(files)) == 3
    assert bagit.Bag(str(tmp_path / "one")).validate()
    records = proved_records(read_package(tmp_path / "range"))
    assert [index for index, _, _ in records] == [0, 1]


def test_what_others_append_meanwhile_is_in_the_tree_but_not_selected(
    lab: Lab, tmp_path: Path
) -> None:
    """specs/07 §5: the export statement is last; references beyond `end` need no content."""
    with lab.open(session="s") as log, lab.open(session="other") as other:
        fill(log, 2)
        appended = []

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "contents" and not appended:
                appended.extend(fill(other, 1, output=b"meanwhile"))

        result = export(log, tmp_path / "whole", progress=progress)
        assert appended[0].index == 3
        assert log[-1].payload.body["selection"]["end"] == 3
    files = read_package(tmp_path / "whole")
    assert len(bundled_statements(files)) == result.size == 5
    assert not [path for path, data in files.items() if data == b"meanwhile"]


def test_exports_follow_one_another_in_their_own_stream(lab: Lab, tmp_path: Path) -> None:
    """The second export continues `exports`; a busy stream is not waited for."""
    with lab.open() as log:
        fill(log, 1)
        export(log, tmp_path / "one")
        export(log, tmp_path / "two")
        assert (log[-1].payload.stream_id, log[-1].payload.seq) == ("exports", 1)
        with lab.open(stream="exports"):
            export(log, tmp_path / "three")
        assert (log[-1].payload.stream_id, log[-1].payload.seq) == ("exports.2", 0)


def test_a_target_that_exists_changes_neither_it_nor_the_log(lab: Lab, tmp_path: Path) -> None:
    """The check comes before the export statement."""
    (tmp_path / "whole").mkdir()
    with lab.open() as log:
        fill(log, 1)
        with pytest.raises(ExportError) as caught:
            export(log, tmp_path / "whole")
        assert (caught.value.code, log.head().size) == ("export_exists", 2)


@pytest.mark.parametrize(
    "chosen",
    [
        {"session": "nobody"},
        {"start": 2},
        {"start": 1, "end": 1},
        {"start": 0, "end": 9},
        {"start": -1, "end": 1},
    ],
)
def test_a_selection_that_holds_nothing_is_refused(
    lab: Lab, tmp_path: Path, chosen: dict[str, object]
) -> None:
    """export_empty, and nothing is left behind."""
    with lab.open(session="s") as log:
        fill(log, 1)
        with pytest.raises(ExportError) as caught:
            export(log, tmp_path / "part", **chosen)  # type: ignore[arg-type]
        assert (caught.value.code, log.head().size) == ("export_empty", 2)
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_too_many_streams_in_a_part_are_refused(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export statement names at most 512; a whole ledger names none and may have any number."""
    monkeypatch.setattr("ledger.export.selection.STREAMS_MAX", 2)
    with lab.open(stream="a") as log, lab.open(stream="b") as other:
        fill(log, 1)
        fill(other, 1)
        with pytest.raises(ExportError) as caught:
            export(log, tmp_path / "part", start=1)
        assert caught.value.code == "export_streams"
        export(log, tmp_path / "whole")


def test_a_signed_export_needs_keys_and_says_so_first(lab: Lab, tmp_path: Path) -> None:
    """read_only and no_signer come before any file is written."""
    with lab.open() as log:
        fill(log, 1)
    (tmp_path / "nothing").mkdir(mode=0o700)
    for more, code in [
        ({"read_only": True}, "read_only"),
        ({"keys": tmp_path / "nothing"}, "no_signer"),
    ]:
        with lab.open(**more) as log, pytest.raises(LogError) as caught:
            export(log, tmp_path / "whole")
        assert caught.value.code == code
    assert not list(tmp_path.glob("*whole*"))


def test_nonsense_calls_are_the_callers_fault(lab: Lab, tmp_path: Path) -> None:
    """A session with a range, other words for contents, anchors for a whole ledger."""
    with lab.open() as log:
        for wrong in (
            {"session": "s", "start": 0},
            {"contents": "some"},
            {"consistency_from": [1]},
        ):
            with pytest.raises(ValueError, match=r"selection|contents|consistency"):
                export(log, tmp_path / "whole", **wrong)  # type: ignore[arg-type]


def test_progress_is_told(lab: Lab, tmp_path: Path) -> None:
    """Stages come in order, and never more than the whole is done."""
    told: list[tuple[str, int, int]] = []
    with lab.open() as log:
        fill(log, 3)
        export(log, tmp_path / "whole", progress=lambda *step: told.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["reading", "contents", "log"]
    assert all(0 <= done <= total for _, done, total in told)
