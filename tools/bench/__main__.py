"""Run the benchmark, print one table and write it as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import ledger
from ledger.export import export
from tools.bench import appending, auditing

MODES = [(1, 500), (100, 10_000), (1000, 20_000)]

Row = appending.Measured | auditing.Audited


def main() -> int:
    """Measure at each size in turn, on one log that grows."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 1_000_000], help="records in the log"
    )
    parser.add_argument(
        "--folder", type=Path, help="where to work; decides the disk (default: temporary)"
    )
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="JSON results")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="vif-bench-", dir=options.folder))
    try:
        rows = list(_run(place, sorted(options.sizes)))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    machine = _machine()
    result = {"machine": machine, "rows": [_as_json(row) for row in rows]}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _table(rows, machine)
    return 0


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "vif_ledger": version("vif-ledger"),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "durability": "LMDB default flags (fsync on every commit); head published by rename",
    }


def _run(place: Path, sizes: list[int]) -> Iterator[Row]:
    keys = place / "keys"
    ledger.init(place / "bench.vif", origin="bench.invalid/log", keys=keys)
    with ledger.open(place / "bench.vif", keys=keys) as log:
        for size in sizes:
            print(f"filling to {size:,} records", file=sys.stderr, flush=True)
            appending.fill(log, size)
            target = place / f"package-{size}"
            exported = export(log, target, contents="withheld")
            record_bytes = len(log.get(len(log) // 2).statement)
            for jobs in (1, 2):
                print(f"verifying {size:,} records, jobs {jobs}", file=sys.stderr, flush=True)
                yield auditing.audit(
                    target, exported.genesis, exported.known_head, size, record_bytes, jobs
                )
            shutil.rmtree(target)
            for batch, records in MODES:
                for contents in (False, True):
                    yield appending.measure(log, place, batch, contents=contents, records=records)


def _as_json(row: Row) -> dict[str, object]:
    derived = [n for n, v in vars(type(row)).items() if isinstance(v, property)]
    return asdict(row) | {name: getattr(row, name) for name in derived}


def _table(rows: list[Row], machine: dict[str, object]) -> None:
    print(f"{machine['system']}, Python {machine['python']}, {machine['cores']} cores")
    print(f"{machine['durability']}\n")
    print("append   log size  batch  contents  us/record  of signing  x commit  memory MB")
    for row in rows:
        if isinstance(row, appending.Measured):
            print(
                f"{row.at_size:>17,} {row.batch:>6} {'yes' if row.contents else 'no':>9} "
                f"{row.seconds * 1e6:>10.1f} {row.of_signing:>11.2f} {row.of_commit:>9.2f} "
                f"{row.memory_bytes / 1e6:>10.0f}"
            )
    print("\nverify    records   jobs  us/record  of libsodium  peak MB")
    for row in rows:
        if isinstance(row, auditing.Audited):
            print(
                f"{row.records:>17,} {row.jobs:>6} {row.seconds / row.records * 1e6:>10.1f} "
                f"{row.of_verifying:>13.2f} {row.peak_bytes / 1e6:>8.0f}"
            )


if __name__ == "__main__":
    sys.exit(main())
