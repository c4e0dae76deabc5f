"""Running recorded operations again, and saying how far the same came out (specs/13).

    for ran in replay(log, session="mva/experiment_2", resources=Resources(endpoint=URL)):
        print(ran.witness.index, ran.body.level, ran.body.message)

Each run is recorded as a signed `replay` statement whose parent is the witness. `determinism` runs
operations several times and reports what came of it; `recorded_determinism` runs nothing. `perform`
runs an operation of a local engine for the first time, and records all that a replay needs.
`areplay`, `areplay_operation` and `adeterminism` are the asynchronous twins.
"""

from __future__ import annotations

from ledger.replay.engine import Engine, Resources, Result, Task
from ledger.replay.operations import OperationReplay, areplay_operation, replay_operation
from ledger.replay.recording import perform
from ledger.replay.replaying import Replay, areplay, replay
from ledger.replay.report.making import adeterminism, determinism, recorded_determinism
from ledger.replay.report.whole import Report

__all__ = [
    "Engine",
    "OperationReplay",
    "Replay",
    "Report",
    "Resources",
    "Result",
    "Task",
    "adeterminism",
    "areplay",
    "areplay_operation",
    "determinism",
    "perform",
    "recorded_determinism",
    "replay",
    "replay_operation",
]
