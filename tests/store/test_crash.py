"""A process killed at any moment loses nothing that it acknowledged (specs/09 section 3)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ledger
from tests.helpers.places import Place, problems, witness

ROOT = Path(ledger.__file__).parent.parent
WRITER = """
import os, sys, ledger
from tests.helpers.places import Place, drafts, witness
from pathlib import Path
place = Place(Path(sys.argv[1]), Path(sys.argv[2]))
rounds = int(sys.argv[3])
with place.open() as log:
    if rounds > 0:
        first = log.append("witness", witness())  # takes a stream
        os.write(1, f"ready {first.index}:{first.leaf_hash.hex()}\\n".encode())
        sys.stdin.readline()
    else:
        print("ready", flush=True)
    while rounds:
        rounds -= 1
        item = log.archive(os.urandom(40 if rounds % 3 else 80_000), "text/plain")
        receipts = [log.append("witness", witness(item), contents=[item])]
        receipts += log.append_many(drafts(rounds % 40))
        # One write, so that what the parent reads is whole or not there.
        line = " ".join(f"{r.index}:{r.leaf_hash.hex()}" for r in receipts) + "\\n"
        os.write(1, line.encode())
"""


def start(place: Place, rounds: int = -1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place.path), str(place.keys), str(rounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def acknowledged(lines: list[str]) -> dict[int, str]:
    return {
        int(index): leaf
        for line in lines
        if line.endswith("\n")
        for index, leaf in (pair.split(":") for pair in line.split())
    }


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(place: Place) -> None:
    place.init()
    rng = random.Random(os.urandom(8))
    known: dict[int, str] = {}
    for _ in range(4):
        with start(place) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.02, 0.4))
            process.send_signal(signal.SIGKILL)
            known |= acknowledged(process.stdout.readlines())
        with place.open() as log:
            for index, leaf in known.items():
                assert log.get(index).leaf_hash.hex() == leaf
            before = len(log)
            assert log.append("witness", witness()).index == before
            assert log.stream_id == "main", "a killed writer left its stream locked"
        assert [found for found in problems(place.path) if found.severity == "fail"] == []
    assert len(known) > 20


def test_several_processes_append_at_once(place: Place) -> None:
    """Every process has its own stream, each stream is contiguous and no index is lost."""
    place.init()
    processes = [start(place, rounds=25) for _ in range(3)]
    known: list[int] = []
    # All of them have taken a stream before any of them goes on, and so ends.
    for process in processes:
        assert process.stdout is not None
        ready, first = process.stdout.readline().split(" ")
        assert ready == "ready"
        known += acknowledged([first])
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        known += acknowledged(output.splitlines(keepends=True))
    assert sorted(known) == list(range(1, len(known) + 1))
    with place.open() as log:
        tails = {tail.stream: tail for tail in log.streams()}
        assert set(tails) == {"keys", "main", "main.2", "main.3"}
        assert sum(tail.seq + 1 for tail in tails.values()) == len(log) == len(known) + 1
        for stream, tail in tails.items():
            assert [e.payload.seq for e in log.stream(stream)] == list(range(tail.seq + 1))
    assert problems(place.path) == []


@pytest.mark.parametrize("step", ["commit", "publish"])
def test_a_crash_around_the_commit_is_all_or_nothing(
    place: Place, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the commit nothing is there; between commit and publication everything is."""
    place.init()
    where = {"commit": "ledger.store.commit._put_tiles", "publish": "Published.publish"}[step]
    script = (
        "import os, ledger.store.commit, ledger.store.lmdb_store\n"
        "from tests.helpers.places import Place, witness, drafts\n"
        "from pathlib import Path\nimport sys\n"
        "def die(*a, **k): os.kill(os.getpid(), 9)\n"
        "place = Place(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "log = place.open(); log.append('witness', witness())\n"
        + (
            "ledger.store.commit._put_tiles = die\n"
            if where.endswith("_put_tiles")
            else "ledger.store.lmdb_store.Published.publish = die\n"
        )
        + "log.append_many(drafts(3))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(place.path), str(place.keys)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == -9
    codes = [found.code for found in problems(place.path)]
    assert codes == ([] if step == "commit" else ["head_unpublished"])
    with place.open() as log:
        assert len(log) == (2 if step == "commit" else 5)
        assert (place.path / "checkpoint").read_bytes() == log.head_note()
