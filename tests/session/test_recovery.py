"""After a run that did not end by itself (specs/10 section 4, "killed")."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger import Ledger
from ledger.doctor import examine
from ledger.errors import SessionError
from tests.conftest import ROOT
from tests.helpers.places import Place
from tests.session.lab import (
    NAME,
    Prices,
    answer,
    ask,
    bodies,
    do,
    entries,
    kill,
    text_of,
    types,
)


@contextmanager
def child(place: Place, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the session until it is killed."""
    command = [sys.executable, "-m", "tests.session.child", str(place.path), str(place.keys)]
    process = subprocess.Popen([*command, str(count)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_killed_process_loses_no_answer(place: Place) -> None:
    """SIGKILL between request and answer: what was answered is there, the rest is known unknown."""
    place.init()
    with child(place, 5) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with place.open() as log:
            with log.session(NAME) as session:
                assert session.previous == "killed"
                assert session.saved("progress") == {"done": 5}
                answers = [text_of(session.begin(ask(f"q{n}"))) for n in range(5)]
                assert answers == [f"a{n}" for n in range(5)]
                with pytest.raises(SessionError, match="outcome_unknown"):
                    session.begin(ask("last"))
            assert len(bodies(log, "intent")) == 6
            assert bodies(log, "outcome")[-1] == {"status": "unknown", "reason": "killed"}
    assert list(examine(place.path)) == []


def test_a_live_process_keeps_the_session(place: Place) -> None:
    """A second process is told which one has it, and the first is not disturbed."""
    place.init()
    with child(place, 0) as process, place.open() as log:
        with pytest.raises(SessionError) as caught:
            log.session(NAME)
        assert caught.value.code == "session_busy"
        assert f"process {process.pid}" in str(caught.value)
        with log.session("another"):
            pass
    with place.open() as log, log.session(NAME) as session:
        assert session.run == 2


def test_every_open_intent_gets_its_outcome(log: Ledger) -> None:
    """All in the commit that opens the next run, each with its own intent as parent."""
    session = log.session(NAME)
    for name in "abc":
        session.begin(ask(name))
    do(session, ask("d"))
    kill(session)
    session = log.session(NAME)
    opened = entries(log, "session_open")[1].index
    outcomes = [one for one in entries(log, "outcome") if one.index > opened]
    assert [one.index for one in outcomes] == [opened + 1, opened + 2, opened + 3]
    assert [one.payload.parents[0].id for one in outcomes] == [
        one.id for one in entries(log, "intent")[:3]
    ]
    kill(session)
    with log.session(NAME):
        pass
    assert [body["run"] for body in bodies(log, "session_open")] == [1, 2, 3]
    assert len(bodies(log, "outcome")) == 4
    assert bodies(log, "session_close")[0]["unknown"] == 0


def test_reuse_that_was_not_written_is_forgotten(log: Ledger) -> None:
    """The answers themselves are not: they are given again by the next run."""
    with log.session(NAME) as session:
        do(session, ask("a"))
    session = log.session(NAME)
    session.begin(ask("a"))
    kill(session)
    with log.session(NAME) as session:
        assert session.begin(ask("a")).recorded is not None
    assert [body["calls"] for body in bodies(log, "reuse")] == [1]


def test_the_stream_of_a_session_may_be_taken(log: Ledger, place: Place) -> None:
    """Another handle writes with the session's label: the run takes a stream of its own."""
    with place.open(session=NAME) as other:
        other.record(model="m", prompt="p")
        with log.session(NAME) as session:
            do(session, ask("a"))
        other.record(model="m", prompt="p")
        with log.session(NAME) as session:
            assert session.begin(ask("a")).recorded is not None
    with log.session(NAME) as session:
        assert session.begin(ask("a")).recorded is not None
    assert [body["run"] for body in bodies(log, "session_open")] == [1, 2, 3]
    assert types(log).count("intent") == 1


def test_a_closed_stream_is_not_continued(log: Ledger) -> None:
    with log.session(NAME) as session:
        do(session, ask("a"))
    with log.open_stream(NAME, session=NAME) as stream:
        stream.close_stream()
    with log.session(NAME) as session:
        assert session.previous == "complete"
        assert session.begin(ask("a")).recorded is not None


def test_a_failed_call_is_made_again(log: Ledger) -> None:
    """In a later run, as the next attempt of the same call."""
    with log.session(NAME) as session:
        session.begin(ask("a")).responded(answer(status=503))
    with log.session(NAME) as session:
        do(session, ask("a"))
    assert [(one["attempt"], one.get("after")) for one in bodies(log, "intent")] == [
        (1, None),
        (2, "failed"),
    ]


def test_costs_and_counts_go_on(log: Ledger) -> None:
    """Totals of a close are of its own run, those of the session of all."""
    prices = Prices()
    session = log.session(NAME, prices=prices)
    do(session, ask("a"))
    kill(session)
    with log.session(NAME, prices=prices) as session:
        do(session, ask("a"))
        do(session, ask("b"))
        assert session.counts["answered"] == 1
        assert session.spent_usd == sum(body["cost"]["cost_usd"] for body in bodies(log, "witness"))
        report = session.costs()
        assert report.total.calls == 2
        assert report.models["demo-1"].usage == {"input_tokens": 20, "output_tokens": 10}
    (close,) = bodies(log, "session_close")
    assert close["cost_usd"] == bodies(log, "witness")[1]["cost"]["cost_usd"]
