"""The view behind it can be dropped, is made again when its shape is old, and is examined."""

from __future__ import annotations

import contextlib

import pytest

from ledger import Ledger, StoreError
from ledger.doctor import rebuild_views
from ledger.store.rows import u64
from ledger.views import lineage
from ledger.views.basis import basis
from ledger.views.index import INDEX
from tests.helpers.places import Place, problems
from tests.lineage.graphs import OUTSIDE, write

GRAPH = [[], [], [0, 1], [2], list(range(4)), [4, 2]]


@pytest.fixture
def filed(place: Place) -> Place:
    """A small graph with all its views."""
    place.init()
    with place.open() as log:
        write(log, GRAPH)
        log.append("annotation", {"kind": "note"}, parents=[log[-1], OUTSIDE])
        assert answers(log) == [6, 5, 4, 3, 2, 1]
        list(log.find(type="witness"))
    assert problems(place.path) == []
    return place


def answers(log: Ledger) -> list[int]:
    return list(lineage.ancestors(log.store, 7))


def raw(log: Ledger) -> dict[bytes, bytes]:
    environment = log.store.environment
    with environment.read() as txn, txn.cursor(environment.tables["views"]) as cursor:
        return {key: value for key, value in cursor if key.startswith(b"index\0")}


def put(log: Ledger, key: bytes, value: bytes = b"") -> None:
    with log.store.environment.write() as txn:
        txn.put(b"index\0" + key, value, db=log.store.environment.tables["views"])


def delete(log: Ledger, prefix: bytes) -> None:
    environment = log.store.environment
    with environment.write() as txn, txn.cursor(environment.tables["views"]) as cursor:
        assert cursor.set_range(b"index\0" + prefix)
        assert cursor.key().startswith(b"index\0" + prefix)
        cursor.delete()


def test_it_is_the_same_after_a_drop(filed: Place) -> None:
    with filed.open() as log:
        before = raw(log)
    rebuild_views(filed.path)
    with filed.open() as log:
        assert raw(log) == before
        assert answers(log) == [6, 5, 4, 3, 2, 1]
    assert problems(filed.path) == []


@pytest.mark.parametrize("state", [u64(8), u64(8) + b"\0\1", u64(8) + b"\0\x63"])
def test_another_shape_is_not_read_but_replaced(filed: Place, state: bytes) -> None:
    """Nothing of it is believed, by a reader that may not write as little as by one that may."""
    with filed.open() as log:
        before = raw(log)
        put(log, b"", state)
        put(log, b"p" + u64(1) + u64(5))  # means something else in that shape
        put(log, b"zsomething of then")
    assert problems(filed.path) == []
    with filed.open(read_only=True) as log:
        assert list(lineage.children(log.store, 1)) == [3, 5]
        assert answers(log) == [6, 5, 4, 3, 2, 1]
        assert [entry.index for entry in log.find(type="witness")] == [1, 2]
    with filed.open() as log:
        assert answers(log) == [6, 5, 4, 3, 2, 1]
        assert raw(log) == before
    assert problems(filed.path) == []


def test_a_drop_that_was_cut_off_is_ended_first(
    filed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.views.STEP", 5)
    with filed.open() as log:
        before = raw(log)
        environment = log.store.environment

        class CutError(Exception):
            pass

        turns = iter(range(3))

        def write() -> object:
            if next(turns, None) is None:
                raise CutError
            return original()

        original = environment.write
        monkeypatch.setattr(environment, "write", write)
        with pytest.raises(CutError):
            INDEX.drop(environment)
        monkeypatch.setattr(environment, "write", original)
        monkeypatch.setattr("ledger.store.views.STEP", 1000)
        assert len(raw(log)) < len(before)
        with log.store.reading() as snapshot:
            assert INDEX.size(snapshot) == 0
            assert not list(INDEX.keys(snapshot, b"t"))
        INDEX.update(environment)
        assert raw(log) == before


@pytest.mark.parametrize("letter", [b"a", b"w", b"p", b"c"])
def test_a_missing_row_is_found(filed: Place, letter: bytes) -> None:
    with filed.open() as log:
        delete(log, letter)
    assert {(p.code, p.key) for p in problems(filed.path)} == {("view_mismatch", "index")}
    rebuild_views(filed.path)
    assert problems(filed.path) == []


@pytest.mark.parametrize(
    "row",
    [
        b"a" + u64(1) + b"\0" + u64(3),
        b"a" + u64(1) + b"\0xyz",
        b"w" + u64(3) + b"short",
        b"p" + u64(6) + u64(2),
    ],
)
def test_an_invented_row_is_found_and_does_no_harm(filed: Place, row: bytes) -> None:
    """A walk ends, with an answer or with a clear error, and never goes in circles."""
    with filed.open() as log:
        put(log, row)
        for walk in (
            lambda log=log: list(lineage.ancestors(log.store, 7)),
            lambda log=log: list(lineage.descendants(log.store, 1)),
            lambda log=log: basis(log.store, range(1, 8)),
        ):
            with contextlib.suppress(StoreError):
                walk()
    assert {(p.code, p.key) for p in problems(filed.path)} == {("view_mismatch", "index")}
