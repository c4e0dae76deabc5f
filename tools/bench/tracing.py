"""Lineage in a large log: filing, walking up and down, paths and sums, against a bare reading pass.

The graph is that of experiments: batches of answers, scores of some of them, what gathers a batch
and builds on the one before, so that the newest statement has nearly everything above it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import ledger
from ledger import Draft, Receipt
from ledger.doctor import rebuild_views
from ledger.log import Ledger
from ledger.views import basis, lineage, paths
from ledger.views.index import bring_up_to_date
from tools.bench.appending import anonymous_bytes
from tools.bench.workload import drafts

ANSWERS = 160
SCORES = 40
SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Traced:
    """One row: seconds, how many statements were yielded, and the floor of the same run."""

    what: str
    statements: int
    found: int
    seconds: float
    reading: float
    """Seconds for a bare pass over all entries, in transactions as the walks use them."""
    peak_bytes: int
    """Anonymous memory of the process at its highest meanwhile."""

    @property
    def of_reading(self) -> float:
        """Time as a multiple of the bare pass."""
        return self.seconds / self.reading


def measure(place: Path, statements: int) -> Iterator[Traced]:
    """Fill a log, then ask; the views are filed from nothing first."""
    keys, path = place / "keys", place / "lineage.vif"
    ledger.init(path, origin="bench.invalid/lineage", keys=keys)
    with ledger.open(path, keys=keys) as log:
        first, last = _fill(log, statements)
    began = time.perf_counter()
    with _Peak() as peak:
        rebuild_views(path)
    filing = time.perf_counter() - began
    with ledger.open(path, keys=keys) as log:
        bring_up_to_date(log.store)
        reading = _bare(log)
        size = len(log)
        yield Traced("filing", size, size, filing, reading, peak.bytes)
        store = log.store
        queries: list[tuple[str, Callable[[], int]]] = [
            ("ancestors", lambda: _count(lineage.ancestors(store, last))),
            ("descendants", lambda: _count(lineage.descendants(store, first))),
            ("path", lambda: _count(paths.path(store, first, last))),
            ("between", lambda: _count(paths.between(store, first, last))),
            ("cost", lambda: basis.basis(store, lineage.walk_up(store, [last])).total.statements),
        ]
        for what, ask in queries:
            began = time.perf_counter()
            with _Peak() as peak:
                found = ask()
            seconds = time.perf_counter() - began
            yield Traced(what, size, found, seconds, reading, peak.bytes)


def _fill(log: Ledger, statements: int) -> tuple[int, int]:
    """Append batches; returns the first answer and the newest gathering."""
    before: Receipt | None = None
    first = last = 1
    while len(log) < statements:
        number = len(log)
        given = [] if before is None else [before]
        answers = [
            Draft("witness", draft.body, given) for draft in drafts(number, ANSWERS, contents=False)
        ]
        scores = [
            Draft("annotation", {"kind": "score", "value": 0.5}, [answer])
            for answer in islice(answers, SCORES)
        ]
        gathered = Draft("annotation", {"kind": "note", "name": "batch"}, [*answers, *scores])
        receipts = log.append_many([*answers, *scores, gathered])
        before, last = receipts[-1], receipts[-1].index
    return first, last


def _bare(log: Ledger) -> float:
    began = time.perf_counter()
    for _ in log.store.entries(0, len(log)):
        pass
    return time.perf_counter() - began


def _count(indices: Iterator[int]) -> int:
    return sum(1 for _ in indices)


class _Peak:
    """Watches the anonymous memory of this process from a thread."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, anonymous_bytes())
            if self._over.wait(SAMPLE_SECONDS):
                return
