"""Somebody changes bytes of a package on its way: each change is named, and where it is."""

from __future__ import annotations

import pytest

from tests.attack.conftest import Judge, Package
from tests.helpers.world import Places

CHECKPOINT = "data/log/checkpoint"
LISTED = [True, False]


def flip(data: bytes, at: int, bits: int = 1) -> bytes:
    """Data with some bits of one byte flipped."""
    at %= len(data)
    return data[:at] + bytes((data[at] ^ bits,)) + data[at + 1 :]


def start_of(log: list[bytes], index: int) -> int:
    """Where a statement begins in its bundle."""
    return sum(2 + len(statement) for statement in log[:index]) + 2


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("relist", LISTED, ids=["lists-fitted", "lists-left"])
def test_a_byte_of_a_record(whole: Package, judge: Judge, relist: bool, zipped: bool) -> None:
    """One bit of a signature is flipped: the record, its successor and its children show it."""
    files, log = whole.files, whole.log
    at = start_of(log, 3) + len(log[3]) - 1
    files[whole.bundle] = flip(files[whole.bundle], at)
    wanted: Places = {
        ("leaf_mismatch", 3), ("signature_invalid", 3), ("stream_prev", 4),
        ("parent_missing", 4), ("parent_missing", 7), ("root_mismatch", CHECKPOINT),
    }  # fmt: skip
    if not relist:
        wanted.add(("file_mismatch", whole.bundle))
    assert judge(files, relist=relist, zipped=zipped) == wanted


def test_every_byte_of_a_record(whole: Package, judge: Judge) -> None:
    """Whatever byte of a record is changed, its leaf hash differs from the tile's there."""
    log, honest = whole.log, whole.files[whole.bundle]
    for at in range(0, len(log[6]), 41):
        files = whole.files
        files[whole.bundle] = flip(honest, start_of(log, 6) + at, 0x55)
        wrong = judge(files)
        assert ("leaf_mismatch", 6) in wrong
        assert ("root_mismatch", CHECKPOINT) in wrong


def test_the_length_of_a_record(whole: Package, judge: Judge) -> None:
    """A changed length breaks the bundle: it cannot be split, and nothing in it is believed."""
    files, log = whole.files, whole.log
    files[whole.bundle] = flip(files[whole.bundle], start_of(log, 3) - 1)
    wrong = judge(files)
    assert ("entries_invalid", whole.bundle) in wrong


@pytest.mark.parametrize("relist", LISTED, ids=["lists-fitted", "lists-left"])
def test_a_byte_of_a_tile(whole: Package, judge: Judge, relist: bool) -> None:
    """A changed hash in a tile is found at the record that it stands for."""
    files, tile = whole.files, whole.path_of("/tile/0/")
    files[tile] = flip(files[tile], 32 * 7)
    wanted: Places = {("leaf_mismatch", 7)}
    if not relist:
        wanted.add(("file_mismatch", tile))
    assert judge(files, relist=relist) == wanted


def test_a_tile_cut_short(whole: Package, judge: Judge) -> None:
    """A tile that lacks a hash, or has one too many, is found as such."""
    tile = whole.path_of("/tile/0/")
    for cut in (
        whole.files[tile][:-32],
        whole.files[tile][:-1],
        whole.files[tile] + bytes(32),
        b"",
    ):
        assert ("tile_mismatch", tile) in judge(whole.files | {tile: cut})


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (b"example.org/lab\n11", b"example.org/lax\n11", {("origin_mismatch", CHECKPOINT)}),
        (b"\n11\n", b"\n011\n", {("checkpoint_invalid", CHECKPOINT)}),
        (b"=\n\n", b"=\nextension\n\n", {("checkpoint_invalid", CHECKPOINT)}),
        (b"\n\n", b"\n", {("checkpoint_invalid", CHECKPOINT)}),
        (b"\n11\n", b"\n0\n", {("log_empty", CHECKPOINT)}),
        (b"\n11\n", b"\n10\n", {("file_missing", "data/log/tile/entries/000.p/10")}),
        (b"\n11\n", b"\n12\n", {("file_missing", "data/log/tile/entries/000.p/12")}),
        (b"\n11\n", b"\n9223372036854775807\n", {("file_missing", "data/log/tile/entries/000")}),
    ],
    ids=["origin", "padded", "extension", "no-gap", "zero", "smaller", "larger", "largest"],
)
def test_the_head(
    whole: Package, judge: Judge, old: bytes, new: bytes, wanted: Places, zipped: bool
) -> None:
    """A head whose text is changed is no head, or is not signed; origin, size and root alike."""
    files = whole.files
    assert files[CHECKPOINT].count(old) == 1
    files[CHECKPOINT] = files[CHECKPOINT].replace(old, new)
    assert judge(files, zipped=zipped) >= wanted


def test_the_root_and_the_signature_of_the_head(whole: Package, judge: Judge) -> None:
    """Another root is neither signed, nor that of the records, nor the known one."""
    files = whole.files
    lines = files[CHECKPOINT].split(b"\n")
    root = lines[2]
    lines[2] = b"AAAA" + root[4:]
    wrong = judge(files | {CHECKPOINT: b"\n".join(lines)})
    assert wrong == {
        ("root_mismatch", CHECKPOINT),
        ("checkpoint_signature", CHECKPOINT),
        ("head_conflict", None),
    }
    lines[2] = root
    lines[4] = lines[4][:-4] + (b"AAAA" if lines[4][-4:] != b"AAAA" else b"BBBB")
    wrong = judge(files | {CHECKPOINT: b"\n".join(lines)})
    assert wrong == {("checkpoint_signature", CHECKPOINT)}


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("relist", LISTED, ids=["lists-fitted", "lists-left"])
@pytest.mark.parametrize("page", ["README.md", "data/summary.html", "data/ro-crate-metadata.json"])
def test_a_readable_page(
    whole: Package, judge: Judge, page: str, relist: bool, zipped: bool
) -> None:
    """A page says something else than the producer signed: the seal shows it."""
    files = whole.files
    files[page] = files[page].replace(b"gpt-4o", b"gpt-9x") + b"<!-- better -->"
    wanted: Places = {("seal_mismatch", page)}
    if not relist:
        wanted.add(("file_mismatch", page))
        if page.startswith("data/"):
            wanted.add(("package_invalid", "bag-info.txt"))
    assert judge(files, relist=relist, zipped=zipped) == wanted


def test_a_page_with_the_seal_made_to_fit(whole: Package, judge: Judge) -> None:
    """The seal is rewritten to fit a changed page: it is not the one that the export signs."""
    from tests.helpers import forge

    files = whole.files
    files["data/summary.html"] += b"<p>All is well.</p>"
    assert judge(forge.seal_again(files)) == {("seal_mismatch", 10)}


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("relist", LISTED, ids=["lists-fitted", "lists-left"])
def test_a_byte_of_a_content(whole: Package, judge: Judge, relist: bool, zipped: bool) -> None:
    """A changed answer is not the one that the record names."""
    files = whole.files
    path = next(p for p, data in files.items() if data == b"It is 21.")
    files[path] = b"It is 22."
    wanted: Places = {("content_mismatch", 3), ("seal_mismatch", path)}
    if not relist:
        wanted.add(("file_mismatch", path))
    assert judge(files, relist=relist, zipped=zipped) == wanted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"vif-ledger", b"other"),
        (b"Bagging-Date: 2026", b"Bagging-Date: 2025"),
        (b"example.org/lab", b"example.org/lax"),
        (b"Oxum: ", b"Oxum: 0"),
        (b"Bag-Software", b"Contact-Name: Eve\nBag-Software"),
        (b"\n", b"\r\n"),
    ],
    ids=["agent", "date", "origin", "oxum", "extra-line", "line-ends"],
)
def test_bag_info(whole: Package, judge: Judge, old: bytes, new: bytes) -> None:
    """What bag-info.txt says has to be what the log and the files say."""
    from tests.helpers import forge

    files = whole.files
    assert old in files["bag-info.txt"]
    files["bag-info.txt"] = files["bag-info.txt"].replace(old, new)
    tags = [p for p in files if not p.startswith("data/") and p != "tagmanifest-sha256.txt"]
    left = dict(files)
    files["tagmanifest-sha256.txt"] = forge._list(files, tags)
    place = CHECKPOINT if b"example" in old else "bag-info.txt"
    assert judge(files, relist=False) == {("package_invalid", place)}
    assert judge(left, relist=False) == {
        ("package_invalid", place), ("file_mismatch", "bag-info.txt"),
    }  # fmt: skip


def test_the_other_tag_files(whole: Package, judge: Judge) -> None:
    """Seal, bagit.txt and manifests with a byte changed are each named."""
    for path, wanted in {
        "bagit.txt": {("package_invalid", "bagit.txt"), ("file_mismatch", "bagit.txt")},
        "seal-sha256.txt": {("seal_mismatch", 10), ("file_mismatch", "seal-sha256.txt")},
        "manifest-sha256.txt": {("file_mismatch", "manifest-sha256.txt")},
    }.items():
        files = whole.files
        files[path] = flip(files[path], 0, 2)
        assert judge(files, relist=False) >= wanted, path
    files = whole.files
    first = files["tagmanifest-sha256.txt"]
    files["tagmanifest-sha256.txt"] = (b"0" if first[:1] != b"0" else b"1") + first[1:]
    assert judge(files, relist=False) == {("file_mismatch", "README.md")}
