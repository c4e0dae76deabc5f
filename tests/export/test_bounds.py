"""Exports that are large, killed, or checked by the other program."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from ledger.export import export
from tests.export.lab import ROOT, Lab, draft, fill, verify

KILLED_AT = """
import os, signal, sys
from pathlib import Path
import ledger.log
from ledger.export import export
folder, stage, target = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def progress(now, done, total):
    if now == stage:
        os.kill(os.getpid(), signal.SIGKILL)
with ledger.log.open(folder / "lab.vif", keys=folder / "keys") as log:
    export(log, folder / target, progress=progress)
"""


@pytest.mark.parametrize("name", ["runs", "runs.zip"])
@pytest.mark.parametrize(("stage", "appended"), [("contents", 0), ("log", 1)])
def test_a_killed_export_leaves_no_package_and_a_sound_ledger(
    lab: Lab, tmp_path: Path, name: str, stage: str, appended: int
) -> None:
    """After the statement was appended it stays in the log; the next export goes through."""
    with lab.open() as log:
        fill(log, 2)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(tmp_path), stage, name], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / name).exists()
    assert len(list(tmp_path.glob(f".{name}.partial-*"))) == 1
    with lab.open() as log:
        assert log.head().size == 3 + appended
        result = export(log, tmp_path / name)
        assert result.size == 4 + appended
    assert not list(tmp_path.glob(f".{name}.partial-*"))
    checked = verify(tmp_path / name, "--trust", str(lab.trust), "--known-head", result.known_head)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_memory_is_bounded(lab: Lab, tmp_path: Path) -> None:
    """2,000 records and a content of 16 MB pass through 10 MB."""
    with lab.open(session="s") as log:
        for number in range(2):
            log.append_many([draft(log, 1000 * number + n) for n in range(1000)])
        log.append_many([draft(log, 9000, output=b"z" * 16_000_000)])
        export(log, tmp_path / "warm", start=1, end=2)
        tracemalloc.start()
        try:
            export(log, tmp_path / "whole.zip")
            whole = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            export(log, tmp_path / "part", session="s", contents="withheld")
            part = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert whole < 10 << 20
    assert part < 10 << 20


@pytest.mark.parametrize("name", ["runs", "runs.zip"])
def test_a_whole_ledger_is_verified_by_the_verifier(lab: Lab, tmp_path: Path, name: str) -> None:
    """Exit code 0: pinned, anchored at its own size, contents present or erased, lineage whole."""
    with lab.open(session="run-1") as log:
        receipts = fill(log, 3)
        log.append_many([draft(log, 7, parents=tuple(receipts), output=None)])
        log.append("annotation", {"kind": "score", "value": True}, parents=receipts)
        log.erase(draft(log, 1).contents[1].ref, "asked for")
        result = export(log, tmp_path / name)
    checked = verify(tmp_path / name, "--trust", str(lab.trust), "--known-head", result.known_head)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_more_than_a_tile_is_verified(lab: Lab, tmp_path: Path) -> None:
    """Full tiles, level 1, many bundles, and a part over two files of proved records."""
    with lab.open(session="s") as log:
        fill(log, 600, output=b"same")
        for target, chosen in [("whole", {}), ("part", {"session": "s"})]:
            result = export(log, tmp_path / target, **chosen)  # type: ignore[arg-type]
            checked = verify(
                tmp_path / target, "--trust", str(lab.trust), "--known-head", result.known_head
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_session_is_complete_and_anchored_by_an_earlier_head(lab: Lab, tmp_path: Path) -> None:
    """A head from before leads to the package through its consistency file."""
    with lab.open(session="s") as log, lab.open() as other:
        fill(log, 2)
        fill(other, 3)
        log.close_stream()
        earlier = log.head()
        result = export(log, tmp_path / "part", session="s", consistency_from=[earlier.size])
    trust = ("--trust", str(lab.trust))
    own = verify(tmp_path / "part", *trust, "--known-head", result.known_head)
    assert own.returncode == 0, own.stdout + own.stderr
    known = f"{earlier.size}:{earlier.root.hex()}"
    older = verify(tmp_path / "part", *trust, "--known-head", known)
    # covered up to the earlier head; the export statement itself came after it
    assert older.returncode == 3, older.stdout + older.stderr
    assert "unanchored" in older.stdout
    assert "conflict" not in older.stdout


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"contents": "withheld"}, "content_withheld"),
        ({"unsigned": True}, "export_unsigned"),
        ({"start": 2, "end": 4}, "partial_ledger"),
        ({"unsigned": True, "start": 2, "end": 4}, "export_unsigned"),
        ({"unsigned": True, "session": "s"}, "partial_ledger"),
    ],
)
def test_what_is_limited_is_called_limited(
    lab: Lab, tmp_path: Path, chosen: dict[str, object], code: str
) -> None:
    """Withheld, unsigned and partial packages are intact as far as they go: exit code 3."""
    with lab.open(session="s") as log:
        fill(log, 5)
        result = export(log, tmp_path / "package", **chosen)  # type: ignore[arg-type]
    checked = verify(
        tmp_path / "package", "--trust", str(lab.trust), "--known-head", result.known_head
    )
    assert checked.returncode == 3, checked.stdout + checked.stderr
    assert code in checked.stdout


def test_exported_while_others_append_it_still_verifies(lab: Lab, tmp_path: Path) -> None:
    """Records and key events beyond `end` are in the tree, and their content need not be there."""
    with lab.open(session="s") as log, lab.open(session="other") as other:
        fill(log, 2)
        appended = []

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "contents" and not appended:
                appended.extend(fill(other, 1, output=b"meanwhile"))

        for target, chosen in [("whole", {}), ("part", {"session": "s"})]:
            appended.clear()
            result = export(log, tmp_path / target, progress=progress, **chosen)  # type: ignore[arg-type]
            assert appended
            checked = verify(
                tmp_path / target, "--trust", str(lab.trust), "--known-head", result.known_head
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr
