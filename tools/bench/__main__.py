"""Run the benchmark, print its tables and write them as JSON."""

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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import ledger
from ledger.export import export
from tools.bench import appending, auditing, crossing, tracing
from tools.bench.tables import print_tables

if TYPE_CHECKING:
    from tools.bench.tables import Row

MODES = [(1, 500), (100, 10_000), (1000, 20_000)]


def main() -> int:
    """Measure a log at each size in turn, calls, cross-model operations, lineage, or replays."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "section",
        nargs="?",
        choices=["log", "calls", "operations", "lineage", "replay"],
        default="log",
        help="default: log",
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 1_000_000], help="records in the log"
    )
    parser.add_argument("--calls", type=int, default=500, help="calls of each kind")
    parser.add_argument(
        "--resume", type=int, default=10_000, help="calls of the session that is run again"
    )
    parser.add_argument("--operations", type=int, default=500, help="operations of each kind")
    parser.add_argument("--replays", type=int, default=200, help="operations that are replayed")
    parser.add_argument("--weights", type=int, default=1024, help="MiB of weights to hash")
    parser.add_argument(
        "--statements", type=int, default=1_000_000, help="statements in the log of lineage"
    )
    parser.add_argument(
        "--folder", type=Path, help="where to work; decides the disk (default: temporary)"
    )
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="JSON results")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="vif-bench-", dir=options.folder))
    try:
        if options.section == "calls":
            rows = list(_calls(place, options.calls, options.resume))
        elif options.section == "operations":
            kinds = (1, 10)
            rows = [crossing.measure(place, options.operations, each) for each in kinds]
        elif options.section == "lineage":
            print(f"filling to {options.statements:,} statements", file=sys.stderr, flush=True)
            rows = list(tracing.measure(place, options.statements))
        elif options.section == "replay":
            rows = list(_replays(place, options.replays, options.weights))
        else:
            rows = list(_run(place, sorted(options.sizes)))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    machine = _machine()
    result = {"machine": machine, "rows": [_as_json(row) for row in rows]}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{machine['system']}, Python {machine['python']}, {machine['cores']} cores")
    print(machine["durability"])
    print_tables(rows)
    return 0


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "vif_ledger": _version(),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "durability": "LMDB default flags (fsync on every commit); head published by rename",
    }


def _version() -> str:
    try:
        return version("vif-ledger")
    except PackageNotFoundError:
        return "a checkout that is not installed"


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


def _calls(place: Path, calls: int, resume: int) -> Iterator[Row]:
    # SDKs are imported only where they are measured.
    from tools.bench import calling, resuming

    print(f"{calls:,} calls of each kind", file=sys.stderr, flush=True)
    yield from calling.measure(place, calls)
    print(f"a session of {resume:,} calls", file=sys.stderr, flush=True)
    yield resuming.measure(place, resume)


def _replays(place: Path, replays: int, weights: int) -> Iterator[Row]:
    from tools.bench import replaying

    print(f"{replays:,} replays of each kind, {weights:,} MiB of weights", file=sys.stderr)
    yield from replaying.measure(place, replays, weights)


def _as_json(row: Row) -> dict[str, object]:
    derived = [n for n, v in vars(type(row)).items() if isinstance(v, property)]
    return asdict(row) | {name: getattr(row, name) for name in derived}


if __name__ == "__main__":
    sys.exit(main())
