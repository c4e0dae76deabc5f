"""Forks, full disks, failed commits, shared handles (specs/09, design of the store)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

import ledger
from ledger import FormatError, LedgerError, StoreError
from ledger.formats.merkle import root_at, root_of, tiles_after_append
from ledger.store import commit, peaks
from ledger.store.rows import StreamTail
from tests.helpers.places import Place, drafts, problems, witness

ROOT = Path(ledger.__file__).parent.parent


def in_child(work: object) -> str:
    """Run a function in a forked child and return what it returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = work()  # type: ignore[operator]
        except LedgerError as error:
            result = error.code
        except BaseException as error:
            result = repr(error)
        os.write(writer, str(result).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


def test_a_forked_child_is_refused_and_its_parent_goes_on(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append("witness", witness())
        assert in_child(lambda: log.append("witness", witness())) == "forked"
        assert in_child(lambda: len(log)) == "forked"
        assert in_child(lambda: place.open()) == "forked"
        assert in_child(log.close) == "None"
        with log.store.reading() as snapshot:
            # A child that ends must not take the parent's reader slot with it.
            in_child(log.close)
            assert str(os.getpid()) in log.store.environment._lmdb.readers()
            assert snapshot.entry(0)
        assert log.append("witness", witness()).index == 2
    assert problems(place.path) == []


def test_a_child_that_lives_on_does_not_keep_the_stream(place: Place) -> None:
    place.init()
    log = place.open(stream="s")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    log.close()
    place.open(stream="s").close()
    os.close(writer)
    os.waitpid(child, 0)


def test_handles_of_one_process_share_the_environment(place: Place) -> None:
    place.init()
    with place.open() as one, place.open(read_only=True) as two, place.open() as three:
        assert one.store.environment is two.store.environment is three.store.environment
        one.append("witness", witness())
        assert len(two) == 2
        one.close()
        three.append("witness", witness())
        assert len(two) == 3
    with place.open() as again:
        assert again.store.environment is not one.store.environment


def test_a_full_map_is_an_error_and_not_a_gap(place: Place) -> None:
    place.init()
    codes = []
    with place.open(map_size_bytes=4096 * 60) as log:
        for _ in range(100):
            try:
                log.append_many(drafts(20))
            except StoreError as error:
                codes.append(error.code)
        with pytest.raises(StoreError) as caught:
            len(log)
        assert caught.value.code == "store_poisoned"
        with pytest.raises(StoreError) as caught:
            place.open()
        assert caught.value.code == "store_poisoned"
    assert codes[0] == "store_full"
    assert set(codes[1:]) == {"store_poisoned"}
    assert problems(place.path) == []
    with place.open() as log:
        before = len(log)
        assert log.append("witness", witness()).index == before
    assert problems(place.path) == []


def test_a_map_that_another_process_enlarged_is_taken_over(place: Place) -> None:
    place.init()
    with place.open(map_size_bytes=1 << 20) as log:
        script = (
            "import sys; from pathlib import Path\n"
            "from tests.helpers.places import Place, drafts\n"
            "place = Place(Path(sys.argv[1]), Path(sys.argv[2]))\n"
            "log = place.open(); log.append_many(drafts(2000))\n"
        )
        subprocess.run(
            [sys.executable, "-c", script, str(place.path), str(place.keys)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
        )  # fmt: skip
        assert (place.path / "db" / "data.mdb").stat().st_size > 1 << 20
        assert len(log) == 2001


def test_a_failed_commit_poisons_until_the_ledger_is_opened_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.init()

    def broken(*_: object) -> bytes:
        raise lmdb.DiskError("mdb_txn_commit: Input/output error")

    with place.open() as log, place.open(session="other") as other:
        log.append("witness", witness())
        with monkeypatch.context() as patch:
            patch.setattr(commit, "_put_tiles", broken)
            with pytest.raises(StoreError):
                log.append("witness", witness())
        for handle in (log, other):
            with pytest.raises(StoreError) as caught:
                handle.append("witness", witness())
            assert caught.value.code == "store_poisoned"
    with place.open() as log:
        assert log.append("witness", witness()).index == 2
    assert problems(place.path) == []


def test_a_head_that_cannot_be_published_gives_no_receipt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.init()
    with place.open() as log:
        with monkeypatch.context() as patch:

            def full(*_: object, **__: object) -> None:
                raise StoreError("store_full", "no space")

            patch.setattr(log.store.published, "publish", full)
            with pytest.raises(StoreError) as caught:
                log.append("witness", witness())
            assert caught.value.code == "store_full"
        with pytest.raises(StoreError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "store_poisoned"
    with place.open() as log:
        assert len(log) == 2
        assert log.append("witness", witness()).index == 2


def test_an_interrupted_leader_answers_everybody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.init()
    with place.open() as log:
        log.append("witness", witness())

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(commit, "_put_tiles", interrupted)
        with pytest.raises(KeyboardInterrupt):
            log.append("witness", witness())
        codes: list[str] = []

        def work() -> None:
            try:
                log.append("witness", witness())
            except LedgerError as error:
                codes.append(error.code)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert codes == ["store_poisoned"] * 3


def test_a_full_disk_leaves_no_part_of_a_content(place: Place) -> None:
    """The file size limit stands in for a full disk: writing fails in the middle."""
    place.init()
    script = """
import resource, signal, sys
from pathlib import Path
from tests.helpers.places import Place, witness
import ledger
place = Place(Path(sys.argv[1]), Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = place.open()
log.append("witness", witness())
limit = max(2_000_000, (place.path / "db/data.mdb").stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for given in (b"x" * (limit + 5), Path(sys.argv[1]).with_name("big")):
    try:
        log.archive(given, "text/plain")
    except ledger.StoreError as error:
        print(error.code)
item = log.archive(b"small", "text/plain")
print(log.append("witness", witness(item), contents=[item]).index)
"""
    with place.path.with_name("big").open("wb") as file:
        file.truncate(50_000_000)
    done = subprocess.run(
        [sys.executable, "-c", script, str(place.path), str(place.keys)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == ["store_full", "store_full", "2"], done.stderr
    content = place.path / "content"
    assert [path for path in content.rglob("*") if path.is_file()] == []
    assert problems(place.path) == []


def test_a_database_that_cannot_grow_is_full(place: Place) -> None:
    """With no room for data.mdb, an append fails, and nothing before it is lost."""
    place.init()
    script = """
import resource, signal, sys
from pathlib import Path
from tests.helpers.places import Place, drafts
import ledger
place = Place(Path(sys.argv[1]), Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = place.open()
log.append_many(drafts(5))
limit = (place.path / "db/data.mdb").stat().st_size + 50_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    while True:
        done = log.append_many(drafts(50))
        print(done[-1].index, flush=True)
except ledger.StoreError as error:
    print(error.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(place.path), str(place.keys)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    *acknowledged, code = done.stdout.split()
    # LMDB gives a short write as an input/output error.
    assert code in {"store_full", "store_failed"}, done.stderr
    assert problems(place.path) == []
    with place.open() as log:
        assert len(log) == int(acknowledged[-1]) + 1 if acknowledged else 6
        log.append("witness", witness())


def test_a_head_is_not_signed_over_bytes_that_changed_in_the_store(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored is read back and hashed again."""
    place.init()
    put_all = commit._put_all

    def flipping(
        txn: object, table: object, items: list[tuple[bytes, bytes]], **kw: object
    ) -> None:
        if kw:
            key, value = items[0]
            items[0] = (key, value[:50] + bytes([value[50] ^ 1]) + value[51:])
        put_all(txn, table, items, **kw)  # type: ignore[arg-type]

    with place.open() as log:
        log.append("witness", witness())
        with monkeypatch.context() as patch:
            patch.setattr(commit, "_put_all", flipping)
            with pytest.raises(StoreError) as caught:
                log.append("witness", witness())
            assert "not those signed" in caught.value.message
    with place.open() as log:
        assert len(log) == 2


def test_two_writers_of_one_stream_are_noticed(place: Place) -> None:
    """Where locks do not work, the second writer is refused and nothing is written."""
    place.init()
    with place.open() as one:
        one.append("witness", witness())
        for lock in (place.path / "locks").iterdir():
            lock.unlink()
        with place.open() as two:
            two.append("witness", witness())
            with pytest.raises(StoreError) as caught:
                one.append("witness", witness())
            assert caught.value.code == "store_failed"
    assert problems(place.path) == []


def test_a_damaged_tail_is_refused_at_open(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append_many(drafts(3))
        environment = log.store.environment
        with environment.write() as txn:
            table = environment.tables["entries"]
            key = (2).to_bytes(8)
            value = bytearray(txn.get(key, db=table) or b"")
            value[100] ^= 4
            txn.put(key, bytes(value), db=table)
    with pytest.raises(StoreError) as caught:
        place.open()
    assert caught.value.code == "tree_damaged"
    assert "entries 2" in caught.value.message


def test_what_is_not_a_ledger_is_refused(place: Place) -> None:
    (place.path / "db").mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        place.open()
    assert caught.value.code == "ledger_missing"
    (place.path / "db" / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError) as caught:
        place.open()
    assert caught.value.code == "ledger_unreadable"


def test_the_database_has_the_old_file_format_and_default_flags(place: Place) -> None:
    place.init()
    with place.open() as log:
        opened = log.store.environment._lmdb
        assert opened.lib_version()[0] == 0
        flags = opened.flags()
        assert flags["sync"]
        assert flags["metasync"]
        assert not flags["writemap"]
        assert not flags["map_async"]
        assert opened.info()["map_size"] == 1 << 40
        assert (place.path / "db" / "data.mdb").stat().st_blocks * 512 < 1 << 20


def test_a_tail_is_read_as_written() -> None:
    tail = StreamTail("s", 3, 7, bytes(32), 9, "lab", "run", closed=True)
    assert StreamTail.from_bytes("s", tail.to_bytes()) == tail
    with pytest.raises(FormatError):
        StreamTail.from_bytes("s", b"\xa0")


def test_no_head_is_signed_over_a_damaged_tile(place: Place) -> None:
    """The tree that grows is the one that was signed, whatever the tiles say."""
    place.init()
    with place.open() as log:
        log.append_many(drafts(10))
        environment = log.store.environment

        def flip() -> None:
            table = environment.tables["tiles"]
            with environment.write() as txn:
                tile = bytearray(txn.get(b"\0" * 9, db=table) or b"")
                tile[70] ^= 1
                txn.put(b"\0" * 9, bytes(tile), db=table)

        flip()
        root = log.append("witness", witness()).root
        assert root == root_of([entry.leaf_hash for entry in log])
        environment.tip = (b"", 0, [])
        with pytest.raises(StoreError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "tree_damaged"
        flip()
        assert log.append("witness", witness()).index == 12
    assert problems(place.path) == []


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 300, 65_536, 65_537, 66_050])
def test_peaks_give_the_root_that_the_tiles_give(size: int) -> None:
    leaves = [number.to_bytes(32) for number in range(size)]
    tiles = tiles_after_append(0, leaves, lambda level, number: b"")
    made = peaks.from_tiles(size, lambda level, number: tiles[level, number])
    assert made == peaks.extend([], leaves)
    assert made == peaks.extend(peaks.extend([], leaves[: size // 3]), leaves[size // 3 :])
    assert peaks.root(made) == root_at(size, lambda level, number: tiles[level, number])
