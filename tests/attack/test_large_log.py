"""A log of more than one tile: what holds for small logs holds where tiles and levels begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.conftest import Package
from tests.helpers import forge
from tests.helpers.forge import Files
from tests.helpers.world import Places, World, audit, draft, found

CHECKPOINT = "data/log/checkpoint"
RECORDS = 600


class Large:
    """An honest package of 602 statements."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, "large")
        with self.world.open(session="run-1") as log:
            log.append_many([draft(log, n % 50) for n in range(RECORDS)])
        made = self.world.package(folder / "package")
        self.package = Package(self.world, made.path, made.known_head)

    def judge(self, files: Files, target: Path, head: str | None = "") -> Places:
        """What an auditor finds wrong, with one process and with two."""
        path = forge.put(forge.relist(files), target)
        known = self.package.head if head == "" else head
        reports = [audit(path, self.world, head=known, jobs=jobs) for jobs in (1, 2)]
        assert found(reports[0]) == found(reports[1])
        assert reports[0].finding_counts == reports[1].finding_counts
        return found(reports[0])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    """The large ledger, verified with one process and with two."""
    made = Large(tmp_path_factory.mktemp("large"))
    for jobs in (1, 2):
        report = audit(made.package.path, made.world, head=made.package.head, jobs=jobs)
        assert (report.exit_code, report.counts["statements"]) == (0, 602), report.to_text()
    return made


@pytest.mark.parametrize("index", [255, 256, 511, 512, 600])
def test_a_record_at_the_edge_of_a_bundle(large: Large, tmp_path: Path, index: int) -> None:
    """A record signed anew by a stranger is found where it is, at the edge of any bundle."""
    from tests.helpers.keys import signer

    log = large.package.log
    thief = signer("thief", "lab-producer", "producer")
    log[index] = forge.alter(log[index], lambda v: v["body"]["meta"].update(writer="x"), thief)
    files = forge.set_log(large.package.files, log)
    wrong = large.judge(files, tmp_path / "package")
    assert wrong == {("key_unknown", index), ("root_mismatch", CHECKPOINT)} | (
        {("stream_prev", index + 1)} if index < RECORDS else set()
    )


@pytest.mark.parametrize("part", ["/tile/0/000", "/tile/0/001", "/tile/0/002", "/tile/1/000"])
def test_a_hash_of_any_tile(large: Large, tmp_path: Path, part: str) -> None:
    """A changed hash is named at its record on level 0 and at its tile on level 1."""
    files, path = large.package.files, large.package.path_of(part)
    files[path] = files[path][:40] + bytes((files[path][40] ^ 1,)) + files[path][41:]
    wrong = large.judge(files, tmp_path / "package")
    if "/tile/1/" in part:
        assert wrong == {("tile_mismatch", path)}
    else:
        assert wrong == {("leaf_mismatch", int(part[-3:]) * 256 + 1)}


@pytest.mark.parametrize(
    "part", ["/tile/0/001", "/tile/1/000", "/tile/entries/001", "/tile/entries/002"]
)
def test_a_file_of_the_log_is_missing(large: Large, tmp_path: Path, part: str) -> None:
    """A tile or bundle that is gone is named; nothing else makes up for it."""
    files, path = large.package.files, large.package.path_of(part)
    del files[path]
    assert ("file_missing", path) in large.judge(files, tmp_path / "package")


def test_bundles_are_exchanged(large: Large, tmp_path: Path) -> None:
    """Two whole bundles change places: every record in them is found out of place."""
    files = large.package.files
    one, two = (
        large.package.path_of("/tile/entries/000"),
        large.package.path_of("/tile/entries/001"),
    )
    files[one], files[two] = files[two], files[one]
    wrong = large.judge(files, tmp_path / "package")
    assert {("leaf_mismatch", index) for index in range(512)} <= wrong


def test_a_tail_cut_at_a_full_tile(large: Large, tmp_path: Path) -> None:
    """With the log key the log is cut where a tile is full: only a known head shows it."""
    log = large.package.log[:512]
    files = forge.set_log(large.package.files, log, forge.head(log, large.world.log_key))
    del files["seal-sha256.txt"]
    assert large.judge(files, tmp_path / "one") == {("head_behind", 512)}
    assert large.judge(files, tmp_path / "two", head=None) == set()


def test_an_old_head_inside_the_log(large: Large) -> None:
    """An auditor who knows an earlier head, at any size, learns up to where it reaches."""
    from ledger.formats import merkle

    hashes = forge.leaves(large.package.log)
    for size in (1, 255, 256, 257, 511, 512, 513, 601):
        root = merkle.root_of(hashes[:size])
        report = audit(large.package.path, large.world, head=f"{size}:{root.hex()}")
        assert found(report, "limit") == {("unanchored", size)}
        report = audit(large.package.path, large.world, head=f"{size}:{bytes(32).hex()}")
        assert found(report) == {("head_conflict", None)}
