"""Somebody without keys moves records about, and makes every hash and list fit.

He can recompute tiles, root and manifests. He cannot sign: neither the head nor a statement.
"""

from __future__ import annotations

import pytest

from tests.attack.conftest import Judge, Package, Scene
from tests.helpers import forge
from tests.helpers.keys import signer
from tests.helpers.world import Places, World, audit, found

CHECKPOINT = "data/log/checkpoint"
ROOT: Places = {("root_mismatch", CHECKPOINT)}
THIEF = signer("thief", "lab-producer", "producer")
FALSE_LOG = signer("false log", "example.org/lab", "log")


def test_two_records_change_places(whole: Package, judge: Judge) -> None:
    """Two records of one stream are exchanged: their numbers and links, and the root, show it."""
    log = whole.log
    log[1], log[2] = log[2], log[1]
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong == ROOT | {
        ("stream_gap", 1), ("stream_gap", 2), ("stream_prev", 2), ("stream_gap", 3),
        ("stream_prev", 3), ("parent_later", 1),
    }  # fmt: skip


def test_two_streams_change_places(whole: Package, judge: Judge) -> None:
    """Records of two streams are exchanged, so that no chain breaks: the root shows it."""
    log = whole.log
    log[8], log[9] = log[9], log[8]
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong == ROOT | {("key_unknown", 8)}


def test_a_record_is_taken_out(whole: Package, judge: Judge) -> None:
    """A record is left out and the log closed up: the chain has a gap, the size is wrong."""
    log = whole.log
    del log[2]
    files = forge.set_log(whole.files, log)
    wrong = judge(files)
    assert ("file_missing", "data/log/tile/entries/000.p/11") in wrong
    text, _, lines = files[CHECKPOINT].partition(b"\n\n")
    origin, _, _ = text.split(b"\n")
    root = forge.head(log, FALSE_LOG).split(b"\n")[2]
    files[CHECKPOINT] = b"\n".join((origin, b"10", root)) + b"\n\n" + lines
    wrong = judge(files, head=None)
    assert wrong == {
        ("stream_gap", 2), ("stream_prev", 2), ("parent_missing", 2),
        ("checkpoint_signature", CHECKPOINT), ("stream_incomplete", 4), ("export_invalid", 9),
        ("file_unexpected", whole_content(whole, b"What is 2 times 7?")),
        ("file_unexpected", whole_content(whole, b"It is 14.")),
    }  # fmt: skip


def whole_content(package: Package, data: bytes) -> str:
    """The path of a content."""
    return next(path for path, found in package.files.items() if found == data)


def test_a_record_is_put_in_twice(whole: Package, judge: Judge) -> None:
    """A record stands there a second time: its id, its number and the root show it."""
    log = whole.log
    log[9] = log[7]
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong >= ROOT | {("id_duplicate", 9), ("stream_gap", 9), ("stream_prev", 9)}


def test_a_record_of_another_ledger_is_spliced_in(
    scene: Scene, whole: Package, judge: Judge
) -> None:
    """A genuine record of another ledger names that ledger, and a key that is unknown here."""
    log = whole.log
    log[6] = scene.foreign.log[6]
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong >= ROOT | {("stream_ledger", 6), ("key_unknown", 6), ("stream_prev", 7)}


def test_a_record_is_signed_with_another_key(whole: Package, judge: Judge) -> None:
    """A record is changed and signed with a key of the attacker's: nobody introduced that key."""
    log = whole.log
    log[7] = forge.alter(log[7], lambda v: v["body"]["model"].update(model_id="better"), THIEF)
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong == ROOT | {("key_unknown", 7)}


def test_a_record_claims_the_key_of_another(world: World, whole: Package, judge: Judge) -> None:
    """A changed record names the producer's key, but the attacker's made its signature."""
    log = whole.log
    log[7] = forge.alter(
        log[7],
        lambda v: v["body"]["model"].update(model_id="better"),
        THIEF,
        kid=world.producer.kid,
    )
    wrong = judge(forge.set_log(whole.files, log))
    assert wrong == ROOT | {("signature_invalid", 7)}


def test_a_head_of_another_key(whole: Package, judge: Judge) -> None:
    """The whole log is signed anew by a log key of the attacker's: it is not the log's."""
    files = forge.set_log(whole.files, whole.log, forge.head(whole.log, FALSE_LOG))
    assert judge(files) == {("checkpoint_signature", CHECKPOINT)}


def test_the_tail_is_cut_off(whole: Package, judge: Judge) -> None:
    """The last records are gone and the old head is left: bundle and tile that it implies miss."""
    files = forge.set_log(whole.files, whole.log[:9])
    wrong = judge(files, head=None)
    assert ("file_missing", "data/log/tile/entries/000.p/11") in wrong
    assert ("seal_mismatch", "seal-sha256.txt") in wrong


def test_an_older_package_is_presented_as_the_newest(
    scene: Scene, world: World, whole: Package
) -> None:
    """Yesterday's package is genuine, but the auditor knows today's head."""
    newer = scene.session.head
    report = audit(whole.path, world, head=newer)
    assert (report.exit_code, found(report)) == (1, {("head_behind", 11)})


def test_an_old_head_is_replayed_with_the_old_log(
    scene: Scene, whole: Package, judge: Judge
) -> None:
    """Head and log of before the export are genuine: behind the known head, limited without it."""
    files = forge.set_log(whole.files, whole.log[:10], scene.early)
    del files["seal-sha256.txt"]
    assert judge(files) == {("head_behind", 10)}
    report = judge.report(files, head=None)
    assert report.exit_code == 3
    assert found(report, "limit") >= {("export_unsigned", None), ("unanchored", 0)}


def test_an_old_head_with_the_new_log(scene: Scene, whole: Package, judge: Judge) -> None:
    """A genuine old head stands over a longer log: the files are not those that it implies."""
    wrong = judge(whole.files | {CHECKPOINT: scene.early}, head=None)
    assert ("file_missing", "data/log/tile/entries/000.p/10") in wrong


def test_the_whole_ledger_is_another(scene: Scene, world: World) -> None:
    """A sound package of another ledger under the same name is not the pinned one."""
    report = audit(scene.foreign.path, world, head=scene.foreign.head)
    assert (report.exit_code, found(report)) == (1, {("genesis_mismatch", 0)})


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_content_is_exchanged(whole: Package, judge: Judge, zipped: bool) -> None:
    """Two contents change names: each is not what its records name."""
    files = whole.files
    one, two = whole_content(whole, b"It is 21."), whole_content(whole, b"It is 42.")
    files[one], files[two] = files[two], files[one]
    assert judge(files, zipped=zipped) == {
        ("content_mismatch", 3), ("content_mismatch", 6),
        ("seal_mismatch", one), ("seal_mismatch", two),
    }  # fmt: skip


def test_content_is_removed(whole: Package, judge: Judge) -> None:
    """A prompt is gone though the export says that contents are included."""
    files = whole.files
    path = whole_content(whole, b"What is 6 times 7?")
    del files[path]
    assert judge(files) == {("content_missing", 6), ("seal_mismatch", path)}


def test_content_is_added(whole: Package, judge: Judge) -> None:
    """A content that no record names is not passed on as part of the evidence."""
    from ledger.formats.content import refer

    ref, data = refer(b"planted", "text/plain")
    path = f"data/content/{ref.blake3.hex()[:2]}/{ref.blake3.hex()}"
    wrong = judge(whole.files | {path: data})
    assert wrong == {("file_unexpected", path), ("seal_mismatch", path)}


def test_the_seal_is_taken_off(whole: Package, judge: Judge) -> None:
    """Without its seal a package is unsigned: never verified, whatever its pages say then."""
    files = whole.files
    del files["seal-sha256.txt"]
    files["README.md"] += b"\nAll is well.\n"
    report = judge.report(files)
    assert (report.exit_code, found(report)) == (3, set())
    assert found(report, "limit") == {("export_unsigned", None)}


def test_a_record_of_a_part_is_left_out(scene: Scene, judge: Judge) -> None:
    """A record of the session, or of the key events, is missing: the export counts its stream."""
    part = scene.session
    for index in (2, 8):
        records = [one for one in forge.proved(part.files) if one[0] != index]
        wrong = judge(forge.set_proved(part.files, records), head=part.head)
        assert ("stream_incomplete", None) in wrong


def test_the_export_of_a_part_is_left_out(scene: Scene, judge: Judge) -> None:
    """Without its export statement a part has a seal that nobody signs."""
    part = scene.session
    records = forge.proved(part.files)[:-1]
    wrong = judge(forge.set_proved(part.files, records), head=part.head)
    assert wrong == {("seal_mismatch", "seal-sha256.txt")}


def test_records_of_a_part_are_moved(scene: Scene, judge: Judge) -> None:
    """Records of a part in another order, twice, or under another index are refused."""
    part, first = scene.session, "data/log/proved/000"
    records = forge.proved(part.files)
    swapped = [records[0], records[2], records[1], *records[3:]]
    assert ("entries_invalid", first) in judge(forge.set_proved(part.files, swapped), head=None)
    twice = [records[0], records[0], *records[1:]]
    assert ("entries_invalid", first) in judge(forge.set_proved(part.files, twice), head=None)
    index, statement, proof = records[3]
    for wrong_index in (index + 3, 2**63, 2**64 - 1):
        moved = [*records[:3], (wrong_index, statement, proof)]
        wrong = judge(forge.set_proved(part.files, moved), head=None)
        assert ("inclusion_invalid", wrong_index) in wrong


def test_a_proof_of_a_part_is_damaged(scene: Scene, judge: Judge) -> None:
    """A hash of a proof changed, cut off or added: the record is not shown to be in the log."""
    part = scene.session
    records = forge.proved(part.files)
    index, statement, proof = records[2]
    for damaged in ([bytes(32), *proof[1:]], proof[:-1], [*proof, bytes(32)], [], proof[::-1]):
        files = forge.set_proved(
            part.files, [*records[:2], (index, statement, damaged), *records[3:]]
        )
        assert judge(files, head=part.head) == {("inclusion_invalid", index)}


def test_a_record_of_a_part_is_exchanged(scene: Scene, judge: Judge) -> None:
    """A record of another ledger, or a changed one, has no proof in this tree."""
    part = scene.session
    records = forge.proved(part.files)
    index, _, proof = records[2]
    changed = forge.alter(records[2][1], lambda v: v["body"]["meta"].update(writer="x"), THIEF)
    for statement in (scene.foreign.log[2], changed):
        files = forge.set_proved(
            part.files, [*records[:2], (index, statement, proof), *records[3:]]
        )
        wrong = judge(files, head=part.head)
        assert wrong >= {("inclusion_invalid", 2), ("key_unknown", 2), ("stream_prev", 3)}


def test_a_consistency_file_leads_elsewhere(scene: Scene, judge: Judge) -> None:
    """The proof from the auditor's earlier head is exchanged, renamed, or of another log."""
    part = scene.session
    path = "data/log/consistency/10.txt"
    early = forge.known(scene.early)
    honest = judge.report(part.files, head=early)
    assert (honest.exit_code, found(honest)) == (3, set())
    assert found(honest, "limit") == {("unanchored", 10)}
    note = part.files[CHECKPOINT]
    lines = part.files[path].split(b"\n")
    broken = b"\n".join([lines[0], b"A" * 43 + b"=", *lines[2:]])
    assert judge(part.files | {path: broken}, head=early) == {("consistency_invalid", path)}
    renamed = part.files
    renamed["data/log/consistency/9.txt"] = renamed.pop(path)
    assert judge(renamed, head=early) == {
        ("proof_file_invalid", "data/log/consistency/9.txt"),
    }
    foreign = forge.continuation(scene.foreign.log, 10, note)
    assert judge(part.files | {path: foreign}, head=early) == {("consistency_invalid", path)}
    false = f"10:{bytes(32).hex()}"
    assert judge(part.files, head=false) == {("consistency_invalid", path)}


def test_a_record_of_a_range_is_left_out(scene: Scene, judge: Judge) -> None:
    """A record in the middle of a range is missing: the export says how many there are."""
    part = scene.range
    records = [one for one in forge.proved(part.files) if one[0] != 6]
    files = forge.set_proved(part.files, records)
    wrong = judge(files, head=part.head)
    last = forge.proved(part.files)[-1][0]
    assert ("export_invalid", last) in wrong


def test_a_whole_ledger_is_passed_off_as_a_part(whole: Package, judge: Judge) -> None:
    """Whoever has the whole log can prove any records: its export is still that of the whole."""
    log, files = whole.log, whole.files
    for path in [path for path in files if path.startswith("data/log/tile/")]:
        del files[path]
    kept = [0, 1, 2, 8, 10]
    wrong = judge(forge.set_proved(files, [forge.prove(log, index) for index in kept]))
    assert ("export_invalid", 10) in wrong
    everything = [forge.prove(log, index) for index in range(11)]
    assert ("export_invalid", 10) in judge(forge.set_proved(files, everything))


def test_a_part_is_passed_off_as_a_whole_ledger(scene: Scene, whole: Package, judge: Judge) -> None:
    """The export of a session signs no whole ledger, even where every record is at hand."""
    part = scene.session
    last = forge.proved(part.files)[-1][1]
    files = part.files
    for path in [path for path in files if "/proved/" in path or "/consistency/" in path]:
        del files[path]
    files = forge.set_log(files, [*whole.log, last])
    assert ("export_invalid", 11) in judge(files, head=part.head)


def test_both_forms_of_a_log_at_once(scene: Scene, whole: Package, judge: Judge) -> None:
    """A package holds tiles or proved records; what is there besides is not passed over."""
    proved = {p: d for p, d in scene.session.files.items() if "/proved/" in p}
    wrong = judge(whole.files | proved)
    assert {("file_unexpected", path) for path in proved} <= wrong
