"""A crash between stages, and the next run that goes on with the operation (specs/12 section 8)."""

from __future__ import annotations

import gc

import pytest

from ledger import Ledger, SessionError
from ledger.session import Session
from tests.crossmodel.lab import (
    CHEAP,
    FINDING,
    STRONG,
    kinds,
    review,
    session,
    stages,
    think,
    work,
)
from tests.helpers.places import Place
from tests.session.lab import entries, kill


class KilledError(Exception):
    """Where the process dies."""


def part_of(run: Session, stop: str | None) -> None:
    """The program; it dies before it comes to `stop`."""
    operation = run.cross_model("review", insight=STRONG, execution=CHEAP)
    operation.__enter__()
    with operation.insight(quality=0.9) as insight:
        think(run)
    if stop == "transfer":
        raise KilledError
    with operation.transfer(insight) as handed:
        pass
    if stop == "execution":
        raise KilledError
    with operation.execute(handed, quality=0.45):
        if stop == "call":
            raise KilledError
        work(run, handed.text)
        if stop == "after the call":
            raise KilledError
    if stop == "end":
        raise KilledError
    operation.__exit__(None, None, None)


@pytest.mark.parametrize("stop", ["transfer", "execution", "call", "after the call", "end"])
def test_the_next_run_goes_on_with_an_interrupted_operation(place: Place, stop: str) -> None:
    """Every stage is there once, no call is made twice, and the whole is combined."""
    place.init()
    with place.open() as log:
        run = session(log)
        with pytest.raises(KilledError):
            part_of(run, stop)
        kill(run)
    with place.open() as log:
        before = kinds(log)
        assert "cross_model" not in before
        with session(log) as run:
            part_of(run, None)
        assert kinds(log) == ["insight", "transfer", "execution", "provenance", "cross_model"]
        assert len(entries(log, "witness")) == 2
        whole = stages(log, "cross_model")[0].payload
        assert len(whole.parents) == 4
        assert run.counts["reused"] == (1 if stop not in ("after the call", "end") else 2)


def test_a_complete_operation_is_not_needed_again(place: Place) -> None:
    """A later run finds its stages, skips them, and later calls still get their own answers."""
    place.init()
    with place.open() as log:
        run = session(log)
        review(run)
        think(run, finding="The second time.")
        kill(run)
    with place.open() as log, session(log) as run:
        operation = review(run)
        assert not operation.needed
        think(run, finding="not used")
        assert len(entries(log, "witness")) == 3
        assert kinds(log).count("cross_model") == 1
        assert run.counts == {
            "answered": 0,
            "failed": 0,
            "unknown": 0,
            "reused": 1,
            "in_flight": 0,
        }


def test_operations_of_one_name_are_numbered(log: Ledger) -> None:
    """In the order in which the program comes to them."""
    with session(log) as run:
        for topic in ("ravens", "swans"):
            review(run, topic=topic)
        with pytest.raises(SessionError, match="has begun operation"):
            run.cross_model("review", number=2)
    numbers = [one.payload.body["operation"]["number"] for one in stages(log, "cross_model")]
    assert numbers == [1, 2]


def test_a_stage_that_gives_something_else_is_refused(place: Place) -> None:
    """What is recorded is not silently replaced; another name is."""
    place.init()
    with place.open() as log:
        run = session(log)
        with pytest.raises(KilledError):
            part_of(run, "transfer")
        kill(run)
    with place.open() as log, session(log) as run:
        stage = run.cross_model("review", insight=STRONG, execution=CHEAP).insight()
        stage.__enter__()
        stage.output = "Something else."
        with pytest.raises(SessionError, match="with another output") as caught:
            stage.__exit__(None, None, None)
        assert caught.value.code == "operation_changed"
        assert kinds(log) == ["insight"]


def test_an_operation_that_was_given_up_does_not_disturb_a_later_one(place: Place) -> None:
    """It may be collected at any time, also in the middle of another operation's stage."""
    place.init()
    with place.open() as log, session(log) as run:
        given_up = run.cross_model("left", insight=STRONG, execution=CHEAP)
        given_up.__enter__()
        given_up.insight().__enter__()
        operation = run.cross_model("review", insight=STRONG, execution=CHEAP)
        operation.__enter__()
        with operation.insight(quality=0.9) as insight:
            del given_up
            gc.collect()
            think(run)
        assert insight.text == FINDING
