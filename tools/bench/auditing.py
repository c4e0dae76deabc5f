"""Verifying a package by `vif-verify` as a process of its own: time, memory, one and two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.bench import floors


@dataclass(frozen=True)
class Audited:
    """One row: seconds and the largest resident memory for a package of `records`."""

    records: int
    jobs: int
    record_bytes: int
    seconds: float
    peak_bytes: int
    verifying: float
    verdict: str

    @property
    def of_verifying(self) -> float:
        """Verification rate as a part of the bare libsodium rate of one core."""
        return self.verifying / (self.seconds / self.records)


def _peak_of_tree(pid: int) -> int:
    """Resident bytes of a process and its children at this moment; 0 where it has gone."""
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        try:
            status = Path(f"/proc/{process}/statm").read_text(encoding="ascii")
            total += int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{process}/task").iterdir():
                children = (task / "children").read_text(encoding="ascii")
                waiting += [int(child) for child in children.split()]
        except (OSError, ValueError, IndexError):
            continue
    return total


def audit(
    package: Path, genesis: str, known_head: str, records: int, size: int, jobs: int
) -> Audited:
    """Run the verifier on a package and watch its memory; fails loudly unless nothing failed."""
    command = [
        sys.executable, "-m", "verifier", str(package),
        "--trust", genesis, "--known-head", known_head, "--jobs", str(jobs), "--json",
    ]  # fmt: skip
    before = floors.verifying(size, 500)
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while True:
            try:
                output, _ = process.communicate(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, _peak_of_tree(process.pid))
    seconds = time.perf_counter() - began
    report = json.loads(output)
    if report["exit_code"] not in (0, 3) or report["size"] < records:
        raise RuntimeError(
            f"the verifier refused the benchmark's package: {report['finding_counts']}"
        )
    verifying = (before + floors.verifying(size, 500)) / 2
    return Audited(records, jobs, size, seconds, peak, verifying, report["verdict"])
