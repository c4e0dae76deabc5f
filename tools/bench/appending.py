"""Appending at two sizes of the log: single and in batches, with and without contents."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ledger.log import Ledger
from tools.bench import floors
from tools.bench.workload import drafts

FILL_BATCH = 1000


@dataclass(frozen=True)
class Measured:
    """One row: seconds for one record, and the floors of the same records in the same run."""

    at_size: int
    batch: int
    contents: bool
    records: int
    record_bytes: int
    seconds: float
    signing: float
    commit: float
    memory_bytes: int

    @property
    def of_signing(self) -> float:
        """Append rate as a part of the bare signing rate of one core."""
        return self.signing / self.seconds

    @property
    def of_commit(self) -> float:
        """Time for one commit of this batch as a multiple of a bare commit of the same bytes."""
        return self.seconds * self.batch / self.commit


def fill(log: Ledger, size: int) -> None:
    """Grow the log to `size` by batches of 1,000 without contents."""
    while (missing := size - len(log)) > 0:
        log.append_many(drafts(len(log), min(FILL_BATCH, missing), contents=False))


def anonymous_bytes() -> int:
    """Memory of this process without the pages of the database that the system has mapped."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def measure(log: Ledger, folder: Path, batch: int, *, contents: bool, records: int) -> Measured:
    """Append `records` in batches to the log as it is; records are made before the clock starts."""
    at_size = len(log)
    made = list(drafts(at_size, records, contents=contents))
    source = iter(made)
    elapsed = 0.0
    while part := list(islice(source, batch)):
        began = time.perf_counter()
        log.append_many(part)
        elapsed += time.perf_counter() - began
    record_bytes = len(log.get(len(log) - 1).statement)
    signing = floors.signing(record_bytes, 300)
    blobs = sum(one.ref.archived_bytes for draft in made for one in draft.contents) // records
    commit = floors.committing(folder, record_bytes + blobs, batch, 20 if batch > 1 else 100)
    memory_bytes = anonymous_bytes()
    return Measured(
        at_size,
        batch,
        contents,
        records,
        record_bytes,
        elapsed / records,
        signing,
        commit,
        memory_bytes,
    )
