"""Cross-model operations: what it costs to record one, beside signing and committing alone.

An operation of one insight, one transfer and one execution is five statements in four durable
commits; the calls to the models are not in it (see `calling`).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import ledger
from ledger.session import Session
from tools.bench import floors

STATEMENTS = 5
COMMITS = 4
TEXT = "What follows from this is that the second premise has to go. " * 16


@dataclass(frozen=True)
class Crossed:
    """One row: medians over operations, milliseconds."""

    operations: int
    stages: int
    operation_ms: float
    commit_ms: float
    signing_ms: float
    statement_bytes: int

    @property
    def commits(self) -> float:
        """An operation as a multiple of its bare LMDB commits."""
        return self.operation_ms / (self.commit_ms * (self.stages + 1))

    @property
    def of_signing(self) -> float:
        """The share of it that bare Ed25519 signing would take."""
        return self.signing_ms * (self.stages + 2) / self.operation_ms


def measure(place: Path, operations: int, executions: int = 1) -> Crossed:
    """Record that many operations in a new ledger, each with so many executions."""
    name = f"crossing-{executions}"
    ledger.init(place / name, origin="bench.invalid/crossing", keys=place / f"{name}-keys")
    with (
        ledger.open(place / name, keys=place / f"{name}-keys") as log,
        log.session("bench") as session,
    ):
        times = []
        for number in range(operations):
            began = time.perf_counter()
            operate(session, number, executions)
            times.append((time.perf_counter() - began) * 1000)
        sizes = [len(entry.statement) for entry in log.entries(len(log) - STATEMENTS)]
    size = round(statistics.mean(sizes))
    return Crossed(
        operations,
        2 + executions,
        statistics.median(times),
        floors.committing(place, size, 1, 100) * 1000,
        floors.signing(size) * 1000,
        size,
    )


def operate(session: Session, number: int, executions: int = 1) -> None:
    """Record one operation by hand."""
    with session.cross_model("bench", insight="large", execution="small") as operation:
        with operation.insight(quality=0.9, confidence=0.8) as insight:
            insight.output = f"{number}: {TEXT}"
        with operation.transfer(insight, quality=0.9) as handed:
            handed.check("not_empty", passed=True)
        for _ in range(executions):
            with operation.execute(handed, quality=0.8) as execution:
                execution.context = handed.content
                execution.output = f"Done with {number}."
