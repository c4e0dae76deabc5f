"""Sorting on disk: order, repetition, and memory that does not grow (specs/07 §2)."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

from ledger.export.spool import SortedSpool


def test_lines_come_back_in_bytewise_order_of_key_whatever_was_spilled(tmp_path: Path) -> None:
    """Runs on disk and lines in memory are merged into the order that `sorted` gives."""
    with SortedSpool(tmp_path, buffer_bytes=2000) as spool:
        keys = [f"data/{n:x}/a.b-{n % 7}".encode() for n in range(500)]
        random.Random(1).shuffle(keys)
        for key in keys:
            spool.add(key, b"value of " + key)
        assert [key for key, _ in spool] == sorted(keys)
        assert dict(spool) == {key: b"value of " + key for key in keys}
        assert spool.count == 500


def test_a_key_that_begins_another_stands_before_it(tmp_path: Path) -> None:
    """`a` comes before `a-b` and `a/b`, although `-` and `/` are small characters."""
    with SortedSpool(tmp_path) as spool:
        for key in (b"a/b", b"a-b", b"a", b"a.b", b"A"):
            spool.add(key, b"f" * 64)
        assert [key for key, _ in spool] == [b"A", b"a", b"a-b", b"a.b", b"a/b"]


def test_a_spool_can_be_read_while_and_after_it_grows(tmp_path: Path) -> None:
    """The seal is read from the same lines as the manifest, which has more of them later."""
    with SortedSpool(tmp_path, buffer_bytes=200) as spool:
        for n in range(10):
            spool.add(b"%02d" % n, b"")
        assert len(list(spool)) == 10
        for n in range(10, 20):
            spool.add(b"%02d" % n, b"")
        assert [int(key) for key, _ in spool] == list(range(20))


def test_nothing_with_a_name_is_left_in_the_folder(tmp_path: Path) -> None:
    """A killed process cannot leave a temporary file, because there never is a named one."""
    with SortedSpool(tmp_path, buffer_bytes=100) as spool:
        for n in range(100):
            spool.add(b"%d" % n, b"x")
        assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path: Path) -> None:
    """60,000 lines of 150 bytes pass through a buffer of 1 MB within 4 MB."""
    with SortedSpool(tmp_path, buffer_bytes=1 << 20) as spool:
        tracemalloc.start()
        try:
            for n in range(60_000):
                spool.add(b"data/content/%02x/%064x" % (n % 256, n * 7919), b"0" * 64)
            assert sum(1 for _ in spool) == 60_000
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()
