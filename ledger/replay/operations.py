"""A cross-model operation, run again stage by stage (specs/13 section 8).

Each stage's calls and steps are replayed by themselves; then the whole is validated: that its parts
are at hand, and that they still fit together by specs/12. What was run elsewhere is not replayed,
and the whole is then no success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Unpack

from ledger.drafts import Draft, Receipt
from ledger.errors import ReplayError
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.log import Ledger
from ledger.model.operation import Check, OperationId
from ledger.model.replay import LEVELS, ReplayedStage, ReplayOperation
from ledger.operations import OperationReport, StagePart
from ledger.reader import Entry
from ledger.replay.replaying import Replay, ReplayOptions, append, runner
from ledger.replay.source import LedgerSource

__all__ = ["OperationReplay", "StageReplay", "areplay_operation", "replay_operation"]

_ORDER = ("none", *LEVELS)


@dataclass(frozen=True, slots=True)
class StageReplay:
    """The replays of one stage."""

    part: StagePart
    runs: tuple[Replay, ...]


@dataclass(frozen=True, slots=True)
class OperationReplay:
    """How an operation came out; `receipt` is None when it was not recorded."""

    report: OperationReport
    stages: tuple[StageReplay, ...]
    body: ReplayOperation
    receipt: Receipt | None


def replay_operation(
    log: Ledger, identifier: str, **options: Unpack[ReplayOptions]
) -> OperationReplay:
    """Replay the operation that a statement is of, and record how it came out.

    Raises `ReplayError("not_replayable")` for one that was not combined, or has more calls than one
    statement can name; `LogError`.
    """
    report = log.operation(identifier)
    if report.combined is None:
        raise ReplayError("not_replayable", f"operation {report.name} was not combined")
    calls = {part.index: list(_calls(log, part)) for part in report.parts}
    total = sum(map(len, calls.values()))
    if total > PARENTS_MAX - 1:
        raise ReplayError(
            "not_replayable",
            f"operation {report.name} has {total} calls, at most {PARENTS_MAX - 1} can be named",
            hint="replay its stages one by one",
        )
    record, progress = options.get("record", True), options.get("progress")
    started = log.now() if record else report.combined.payload.created_at
    if record:
        log.check_signers()
    stages, done = [], 0
    with runner(log, LedgerSource(log), options) as running:
        for part in report.parts:
            runs = []
            for entry in calls[part.index]:
                if progress is not None:
                    progress(done, total)
                ran = running.run(entry)
                receipt = append(log, ran) if record else None
                runs.append(Replay(entry, ran.body, receipt, ran.expected, ran.output, ran.failure))
                done += 1
            stages.append(StageReplay(part, tuple(runs)))
    body = _body(log, report, stages, options, started)
    receipt = _record(log, report.combined, stages, body) if record else None
    return OperationReplay(report, tuple(stages), body, receipt)


async def areplay_operation(
    log: Ledger, identifier: str, **options: Unpack[ReplayOptions]
) -> OperationReplay:
    """As `replay_operation`, in a thread."""
    return await asyncio.to_thread(replay_operation, log, identifier, **options)


def _calls(log: Ledger, part: StagePart) -> Iterator[Entry]:
    """The own witnesses that a stage was made with."""
    if part.state != "here" or part.body is None or part.index is None or part.joined:
        return
    parents = log.get(part.index).payload.parents
    made_with = part.body["made_with"]
    for parent in parents[len(parents) - made_with :]:
        entry = log.by_id(parent.id) if parent.ledger is None else None
        if entry is not None and entry.payload.type == "witness":
            yield entry


def _body(
    log: Ledger,
    report: OperationReport,
    stages: list[StageReplay],
    options: ReplayOptions,
    started: str,
) -> ReplayOperation:
    present = all(part.state == "here" for part in report.parts)
    checks = (
        Check(name="parts_present", passed=present, method="specs/12 section 8"),
        Check(name="stages_fit", passed=report.sound, method="specs/12 section 8"),
    )
    said = tuple(_stage(stage) for stage in stages)
    runs = sum(one.replays for one in said)
    succeeded = sum(one.succeeded for one in said)
    success = runs == succeeded and present and report.sound
    wanted = options.get("wanted", "text")
    message = f"{succeeded} of {runs} calls the same at {wanted}"
    if not present:
        message += "; a part was run elsewhere and is not at hand"
    if not report.sound:
        codes = sorted({one.code for one in report.findings if one.severity == "fail"})
        message += f"; its parts do not fit together: {', '.join(codes)}"
    return ReplayOperation(
        operation=OperationId(name=report.name.name, number=report.name.number),
        wanted=wanted,
        stages=said,
        checks=checks,
        success=success,
        message=message,
        started_at=started,
        ended_at=max(started, log.now() if options.get("record", True) else started),
    )


def _stage(stage: StageReplay) -> ReplayedStage:
    levels = [run.body.level for run in stage.runs]
    return ReplayedStage.model_validate(
        {
            "stage": stage.part.kind,
            "label": stage.part.label,
            "replays": len(levels),
            "succeeded": sum(run.body.success for run in stage.runs),
            "level": min(levels, key=_ORDER.index) if levels else None,
        }
    )


def _record(
    log: Ledger, combined: Entry, stages: list[StageReplay], body: ReplayOperation
) -> Receipt:
    receipts = [run.receipt for stage in stages for run in stage.runs if run.receipt is not None]
    parents = [Parent(combined.id, combined.leaf_hash)]
    parents += [Parent(one.id, one.leaf_hash) for one in receipts]
    return log.append_many([Draft("replay_operation", body, parents)])[0]
