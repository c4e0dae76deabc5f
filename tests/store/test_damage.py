"""One flipped bit anywhere is found, and it is said where (specs/09 section 2)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ledger import StoreError
from ledger.doctor import Problem, examine, rebuild_views
from tests.helpers.places import Place, drafts, note, problems, witness


@pytest.fixture
def full(place: Place) -> Place:
    """A ledger of 600 statements, two streams, content of both kinds, parents and views."""
    place.init()
    with place.open() as log, place.open(session="run") as other:
        small = log.archive(os.urandom(300), "text/plain")
        large = log.archive(os.urandom(90_000), "text/plain")
        body = witness(small, output=large)
        receipt = log.append("witness", body, contents=[small, large])
        log.append_many(drafts(300))
        other.append_many(drafts(297))
        other.append("annotation", note(), parents=[receipt])
        assert len(list(log.find(type="annotation"))) == 1
        assert log.content(small.ref)
    assert problems(place.path) == []
    return place


def flip(place: Place, table: str, *, row: int, at: int, bit: int = 1) -> tuple[bytes, bytes]:
    """XOR one bit of a value; returns key and former value."""
    with place.open() as log:
        environment = log.store.environment
        with environment.write() as txn:
            with txn.cursor(environment.tables[table]) as cursor:
                assert cursor.first()
                for _ in range(row):
                    assert cursor.next()
                key, value = cursor.item()
            damaged = bytearray(value)
            damaged[at] ^= bit
            txn.put(key, bytes(damaged), db=environment.tables[table])
    return key, value


def found(place: Place) -> list[Problem]:
    return [problem for problem in problems(place.path) if problem.severity == "fail"]


@pytest.mark.parametrize("seed", range(12))
def test_a_bit_of_an_entry(full: Place, seed: int) -> None:
    rng = random.Random(seed)
    index = rng.randrange(1, 600)
    with full.open(read_only=True) as log:
        length = len(log.get(index).statement)
    key, _ = flip(full, "entries", row=index, at=rng.randrange(length), bit=1 << rng.randrange(8))
    assert int.from_bytes(key) == index
    (problem,) = found(full)
    assert (problem.table, problem.key) == ("entries", str(index))
    assert problem.expected
    assert problem.found
    assert problem.expected != problem.found


@pytest.mark.parametrize(
    ("row", "at", "key", "message"),
    [(0, 5, "0/0", "hash 0"), (0, 32 * 200 + 31, "0/0", "hash 200"), (1, 32 * 9, "0/1", "hash 9"),
     (2, 0, "0/2", "hash 0"), (3, 33, "1/0", "hash 1")],
)  # fmt: skip
def test_a_bit_of_a_tile(full: Place, row: int, at: int, key: str, message: str) -> None:
    flip(full, "tiles", row=row, at=at)
    problem = next(problem for problem in found(full) if problem.code == "tile_mismatch")
    assert (problem.table, problem.key) == ("tiles", key)
    assert problem.message.startswith(message)
    assert {one.table for one in found(full)} == {"tiles"} or key == "0/0"


@pytest.mark.parametrize("table", ["ids", "chain"])
@pytest.mark.parametrize("row", [0, 1, 250, 598])
def test_a_bit_of_an_index(full: Place, table: str, row: int) -> None:
    with full.open() as log:
        environment = log.store.environment
        with environment.read() as txn, txn.cursor(environment.tables[table]) as cursor:
            items = list(cursor)
    key, value = flip(full, table, row=row, at=7)
    assert items[row] == (key, value)
    reported = [p for p in found(full) if p.code == "row_mismatch"]
    (problem,) = reported
    assert (problem.table, problem.expected) == (table, value.hex())
    if table == "ids":
        assert problem.key == key.hex()


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("at", [6, 20, 60])
def test_a_bit_of_a_stream_tail(full: Place, row: int, at: int) -> None:
    with full.open() as log:
        names = [tail.stream for tail in log.streams()]
    flip(full, "streams", row=row, at=at)
    reported = [p for p in found(full) if p.table == "streams"]
    assert [p.key for p in reported] == [names[row]]
    assert reported[0].code == "stream_tail"


def test_a_bit_of_the_head(full: Place) -> None:
    for at in (3, 17, 30, 90, 120):
        key, value = flip(full, "meta", row=1, at=at)
        assert key == b"head"
        (problem,) = found(full)
        assert (problem.table, problem.key) == ("meta", "head")
        assert problem.code in {"checkpoint_invalid", "checkpoint_signature", "origin_mismatch"}
        store_back(full, "meta", key, value)


def store_back(place: Place, table: str, key: bytes, value: bytes) -> None:
    from ledger.store import Store

    store = Store.open(place.path)
    with store.environment.write() as txn:
        txn.put(key, value, db=store.environment.tables[table])
    store.close()


@pytest.mark.parametrize("at", [0, 31, 32, 200])
def test_a_bit_of_a_blob(full: Place, at: int) -> None:
    flip(full, "blobs", row=0, at=at)
    codes = {(p.code, p.table, p.key) for p in found(full)}
    assert ("content_mismatch", "blobs", "0") in codes
    assert any(code == "content_missing" for code, _, _ in codes)


@pytest.mark.parametrize("at", [0, 70_000])
def test_a_bit_of_a_content_file(full: Place, at: int) -> None:
    (path,) = (full.path / "content").glob("??/*")
    data = bytearray(path.read_bytes())
    data[at] ^= 128
    path.write_bytes(data)
    problem = found(full)[0]
    assert (problem.code, problem.table) == ("content_mismatch", "content")
    assert problem.key == f"{path.parent.name}/{path.name}"
    assert problem.expected == path.name


def test_a_missing_content_file_and_strange_files(full: Place) -> None:
    (path,) = (full.path / "content").glob("??/*")
    path.rename(path.with_name("strange"))
    (full.path / "content" / "tmp" / "left").write_bytes(b"x")
    codes = {problem.code: problem for problem in problems(full.path)}
    assert set(codes) == {"content_missing", "file_unexpected", "orphan_temporary"}
    assert codes["content_missing"].key == path.name
    assert codes["orphan_temporary"].severity == "note"


def test_a_damaged_view_is_found_and_rebuilt(full: Place) -> None:
    with full.open() as log:
        environment = log.store.environment
        with environment.write() as txn, txn.cursor(environment.tables["views"]) as cursor:
            for letter in b"tcp":
                assert cursor.set_range(b"index\0" + bytes([letter]))
                cursor.delete()
            assert cursor.set_range(b"index\0d")
            key = bytearray(cursor.key())
            cursor.delete()
            key[-1] ^= 1
            txn.put(bytes(key), b"", db=environment.tables["views"])
    reported = found(full)
    assert {(p.code, p.table, p.key) for p in reported} == {("view_mismatch", "views", "index")}
    assert len(reported) == 5
    rebuild_views(full.path)
    assert problems(full.path) == []


def test_a_missing_row_is_found(full: Place) -> None:
    for table, code in (("ids", "row_mismatch"), ("chain", "row_mismatch"), ("tiles", "tile")):
        with full.open() as log:
            environment = log.store.environment
            with environment.write() as txn, txn.cursor(environment.tables[table]) as cursor:
                cursor.first()
                key, value = cursor.item()
                cursor.delete()
        assert any(p.code.startswith(code) and p.table == table for p in found(full))
        store_back(full, table, key, value)
    with full.open() as log:
        environment = log.store.environment
        with environment.write() as txn:
            txn.delete((300).to_bytes(8), db=environment.tables["entries"])
    assert [(p.code, p.key) for p in found(full)] == [("entry_missing", "300")]


def test_examining_changes_nothing_and_tells_how_far_it_is(full: Place) -> None:
    def state() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in full.path.rglob("*")
            if path.is_file() and path.name != "lock.mdb"
        }

    before = state()
    calls: list[tuple[str, int, int]] = []
    list(examine(full.path, progress=lambda *call: calls.append(call)))
    assert state() == before
    assert calls[-1] == ("entries", 600, 600)
    with pytest.raises(StoreError):
        list(examine(full.path / "nothing"))
