"""Operations across models, replayed stage by stage (specs/13 section 8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import ReplayError
from ledger.model.archive import TEXT, Media
from ledger.replay import Result, Task, adeterminism, areplay_operation, replay_operation
from tests.crossmodel.lab import FINDING, STRONG, review, session
from tests.replay.lab import Scripted
from tests.session.lab import kill


def honest(task: Task) -> Result:
    text = FINDING if task.model == STRONG else "Done."
    return Result(Media(text.encode(), TEXT))


def reviewed(log: Ledger) -> str:
    with session(log) as run:
        review(run)
    return next(iter(log.find(type="cross_model"))).id


def test_every_stage_is_replayed_and_the_whole_is_validated(log: Ledger) -> None:
    made = replay_operation(log, reviewed(log), engine=Scripted(honest))
    said = [(one.stage, one.replays, one.succeeded, one.level) for one in made.body.stages]
    assert said == [
        ("insight", 1, 1, "text"),
        ("transfer", 0, 0, None),
        ("execution", 1, 1, "text"),
    ]
    assert made.body.success
    assert {check.name: check.passed for check in made.body.checks} == {
        "parts_present": True,
        "stages_fit": True,
    }
    assert made.receipt is not None
    entry = log.by_id(made.receipt.id)
    types = [log.by_id(parent.id).payload.type for parent in entry.payload.parents]
    assert types == ["cross_model", "replay", "replay"]


def test_any_statement_of_the_operation_names_it(log: Ledger) -> None:
    reviewed(log)
    insight = next(iter(log.find(type="insight")))
    made = replay_operation(log, insight.id, engine=Scripted(honest), record=False)
    assert made.body.success
    assert made.receipt is None
    assert not list(log.find(type="replay"))


def test_a_stage_that_comes_out_otherwise_is_named(log: Ledger) -> None:
    def other(task: Task) -> Result:
        text = FINDING if task.model == STRONG else "Not done."
        return Result(Media(text.encode(), TEXT))

    made = replay_operation(log, reviewed(log), engine=Scripted(other))
    assert not made.body.success
    assert [one.succeeded for one in made.body.stages] == [1, 0, 0]
    assert made.body.message == "1 of 2 calls the same at text"


def test_one_that_was_not_combined_is_refused(log: Ledger) -> None:
    run = session(log)
    operation = run.cross_model("review", insight=STRONG, execution="worker-1")
    operation.__enter__()
    with operation.insight() as insight:
        insight.output = FINDING
    kill(run)
    with pytest.raises(ReplayError) as caught:
        replay_operation(log, insight.id)
    assert caught.value.code == "not_replayable"


def test_the_asynchronous_twin_does_the_same(log: Ledger) -> None:
    identifier = reviewed(log)
    made = asyncio.run(areplay_operation(log, identifier, engine=Scripted(honest)))
    assert made.body.success
    names = [entry.id for entry in log.find(type="witness")]
    report = asyncio.run(adeterminism(log, names, engine=Scripted(honest), runs=2))
    assert (report.runs, report.succeeded) == (4, 4)


def test_progress_is_told(log: Ledger) -> None:
    told: list[Any] = []
    identifier = reviewed(log)
    replay_operation(
        log, identifier, engine=Scripted(honest), progress=lambda *seen: told.append(seen)
    )
    assert told == [(0, 2), (1, 2)]
