"""Walks up, down and between agree with the graph, whatever its shape, and cost little memory."""

from __future__ import annotations

import heapq
import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger import Draft, Ledger, StoreError
from ledger.views import lineage, paths
from ledger.views.index import INDEX
from ledger.views.marks import PAGE, Marks
from tests.helpers.places import Place, note, witness
from tests.helpers.quick import runs
from tests.lineage.graphs import OUTSIDE, above, write

GRAPHS = st.integers(1, 24).flatmap(
    lambda size: st.tuples(
        *(
            st.lists(st.integers(0, n - 1), max_size=4, unique=True) if n else st.just([])
            for n in range(size)
        )
    )
)


@pytest.fixture(scope="module")
def shared_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One log for many small graphs, each behind the other."""
    folder = tmp_path_factory.mktemp("graphs")
    ledger.init(folder / "runs.vif", origin="example.org/lab", keys=folder / "keys")
    with ledger.open(folder / "runs.vif", keys=folder / "keys") as log:
        yield log


@runs(80)
@given(parents=GRAPHS, filed=st.integers(0, 24), depth=st.integers(0, 4))
def test_any_graph(
    shared_log: Ledger, parents: tuple[list[int], ...], filed: int, depth: int
) -> None:
    """Up, down, near, on paths: as a plain look at the graph says, however much is filed."""
    first = write(shared_log, parents)
    reach = above(parents)
    with pytest.MonkeyPatch.context() as patch:
        # The handle as one that may not bring its view up to date: some of the graph is not filed.
        source_size = INDEX._source_size
        patch.setattr(
            INDEX, "_source_size", lambda snapshot: min(first + filed, source_size(snapshot))
        )
        INDEX.update(shared_log.store.environment)
        patch.setattr("ledger.views.lineage.bring_up_to_date", lambda store: None)
        patch.setattr("ledger.views.paths.bring_up_to_date", lambda store: None)
        store = shared_log.store
        for number in range(len(parents)):
            at = first + number
            up = sorted((first + one for one in reach[number]), reverse=True)
            below = [other for other in range(len(parents)) if number in reach[other]]
            assert lineage.parents(store, at) == [first + one for one in parents[number]]
            assert list(lineage.ancestors(store, at)) == up
            assert list(lineage.descendants(store, at)) == [first + one for one in below]
            assert list(lineage.children(store, at)) == [
                first + other for other, named in enumerate(parents) if number in named
            ]
            near = [one for one, distance in reach[number].items() if distance <= depth]
            assert set(lineage.walk_up(store, [at], depth=depth)) == {
                at,
                *(first + n for n in near),
            }
            near = [other for other in below if reach[other][number] <= depth]
            assert list(lineage.walk_down(store, [at], depth=depth)) == [
                at, *(first + other for other in near)
            ]  # fmt: skip
        _check_paths(shared_log, parents, first)


def _check_paths(log: Ledger, parents: tuple[list[int], ...], first: int) -> None:
    reach, last = above(parents), len(parents) - 1
    for older in range(last + 1):
        way = [one - first for one in paths.path(log.store, first + older, first + last)]
        on = [one - first for one in paths.between(log.store, first + older, first + last)]
        if older == last:
            assert way == on == [last]
        elif older not in reach[last]:
            assert way == on == []
        else:
            assert (way[0], way[-1], len(way)) == (older, last, reach[last][older] + 1)
            assert all(a in parents[b] for a, b in itertools.pairwise(way))
            assert on == [
                one
                for one in range(last + 1)
                if one in (older, last) or (one in reach[last] and older in reach[one])
            ]


@pytest.mark.parametrize("read_only", [False, True])
def test_the_reader_gives_statements(place: Place, *, read_only: bool) -> None:
    place.init()
    with place.open() as log:
        write(log, [[], [], [0, 1], [2], [1, 3]])
        log.append("annotation", note(), parents=[OUTSIDE, log[-1]])
    with place.open(read_only=read_only) as log:
        ids = [entry.id for entry in log]
        assert [e.index for e in log.shortest_path(ids[2], ids[5])] == [2, 5]
        assert [e.index for e in log.between(ids[2], ids[5])] == [2, 3, 4, 5]
        assert not list(log.shortest_path(ids[5], ids[2]))
        assert [e.index for e in log.parents(ids[6])] == [5]
        assert log.outside_parents(ids[6]) == [OUTSIDE]
        assert [e.index for e in log.ancestors(ids[6])] == [5, 4, 3, 2, 1]


def test_a_chain_of_a_hundred_thousand(log: Ledger) -> None:
    """No recursion, and no more memory for depth than a byte a statement and what is yielded."""
    size = 100_000
    first = write(log, [[], *([n] for n in range(size - 1))])
    INDEX.update(log.store.environment)
    tracemalloc.start()
    assert sum(1 for _ in lineage.ancestors(log.store, first + size - 1)) == size - 1
    assert sum(1 for _ in lineage.descendants(log.store, first)) == size - 1
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()
    assert sum(1 for _ in paths.path(log.store, first, first + size - 1)) == size
    assert sum(1 for _ in paths.between(log.store, first, first + size - 1)) == size


def test_diamonds_have_more_paths_than_atoms_in_the_world(log: Ledger) -> None:
    """Two hundred diamonds one below the other: each statement once."""
    parents: list[list[int]] = [[]]
    for _ in range(200):
        top = len(parents) - 1
        parents += [[top], [top], [top + 1, top + 2]]
    first = write(log, parents)
    last = first + len(parents) - 1
    assert list(lineage.ancestors(log.store, last)) == list(range(last - 1, first - 1, -1))
    assert len(list(paths.path(log.store, first, last))) == 401
    assert len(list(paths.between(log.store, first, last))) == len(parents)


def test_width_costs_a_byte_a_statement(log: Ledger) -> None:
    """Fifty thousand witnesses, each gathered four times: a heap held each of them four times."""
    wide, each = 50_000, 250
    parents: list[list[int]] = [[] for _ in range(wide)]
    for turn in range(4):
        for start in range(0, wide, each):
            parents.append([(start + turn + n) % wide for n in range(each)])
    gathered = range(wide, len(parents))
    for start in range(0, len(gathered), 200):
        parents.append(list(gathered[start : start + 200]))
    parents.append(list(range(len(parents) - 4, len(parents))))
    first = write(log, parents)
    INDEX.update(log.store.environment)
    last = first + len(parents) - 1
    tracemalloc.start()
    found = sum(1 for _ in lineage.ancestors(log.store, last))
    marks = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    heap = [-one for one in lineage.parents(log.store, last)]
    seen, before = 0, None
    while heap:
        current = heapq.heappop(heap)
        if current == before:
            continue
        before, seen = current, seen + 1
        for parent in lineage.parents(log.store, -current):
            heapq.heappush(heap, -parent)
    heaped = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == seen == len(parents) - 1
    assert marks < 400_000
    assert marks * 8 < heaped


def test_a_parent_that_is_not_there_is_damage(place: Place, log: Ledger) -> None:
    """The walk refuses to pass over it, filed or not, and says who can help."""
    first = write(log, [[], [0], [1]])
    with log.store.reading() as snapshot:
        key = log.get(first).id.replace("-", "")
    with log.store.environment.write() as txn:
        txn.delete(bytes.fromhex(key), db=log.store.environment.tables["ids"])
    del snapshot
    for read_only in (True, False):
        with (
            place.open(read_only=read_only) as handle,
            pytest.raises(StoreError, match="parent is not earlier") as caught,
        ):
            list(lineage.ancestors(handle.store, first + 2))
        assert caught.value.code == "tree_damaged"


def test_downstream_of_what_was_withdrawn(place: Place) -> None:
    """A context, a part of it, or a content: what used it and everything after, once, in order."""
    place.init()

    def used(snapshot: str, *atoms: str) -> Draft:
        body = witness()
        body["data"]["context_snapshot_id"] = snapshot
        if atoms:
            body["data"]["context_atom_ids"] = list(atoms[:1])
            body["data"]["retrieved_atom_ids"] = list(atoms)
        return Draft("witness", body)

    with place.open() as log:
        one, two, three = used("s1", "a", "b"), used("s2", "b"), used("s1")
        log.append_many([one, two, three, Draft("annotation", note(), [one, two])])
        log.append("annotation", note(), parents=[log[-1]])
    for read_only in (True, False):
        with place.open(read_only=read_only) as log:
            for asked, expected in (
                ({"snapshot": "s1"}, [1, 3, 4, 5]),
                ({"snapshot": "s2"}, [2, 4, 5]),
                ({"atom": "b"}, [1, 2, 4, 5]),
                ({"atom": "b", "snapshot": "s2"}, [2, 4, 5]),
                ({"content": b"\1" * 32}, [1, 2, 3, 4, 5]),
                ({"atom": "c"}, []),
                ({}, []),
            ):
                assert [e.index for e in log.downstream_of(**asked)] == expected, asked
            assert [e.index for e in log.touching(b"\2" * 32)] == [1, 2, 3]
            assert [e.index for e in log.find(snapshot="s1", atom="a")] == [1]


def test_marks_are_met_in_order_while_they_are_set() -> None:
    marks = Marks([3 * PAGE])
    seen = []
    for index in marks.downwards():
        seen.append(index)
        if index > 10:
            marks.add(index // 2)
            marks.add(index - 1) if len(seen) < 3 else None
    assert seen == sorted(set(seen), reverse=True)
    assert 3 * PAGE - 1 in seen
    assert len(marks) == 0
    upward = Marks([5, PAGE])
    assert list(upward.upwards(PAGE, keep=True)) == [5]
    assert PAGE in upward
    assert list(upward.upwards(keep=True)) == [5, PAGE]
    assert len(upward) == 2


def test_old_names_stay(tmp_path: Path, place: Place) -> None:
    place.init()
    with place.open() as log:
        write(log, [[], [0]])
        assert [e.index for e in log.children(log[1].id)] == [2]
        assert [e.index for e in log.descendants(log[1].id)] == [2]
