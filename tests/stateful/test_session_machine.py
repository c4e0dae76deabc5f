"""Whatever happens to a session, its log keeps the rules of specs/10, as a simple model expects.

The model knows, of each call, what became of its last attempt, and of each run which numbers it has
given out. It is told what is done and predicts what `begin` gives; after every run the rules are
checked on the log itself, statement by statement.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import ledger
from ledger import Entry, Ledger
from ledger.errors import SessionError
from ledger.export.package import export
from ledger.session import Call, Session, history
from tests.helpers.world import found
from tests.session.lab import NAME, Prices, answer, ask, kill, text_of
from verifier import verify_package

PROMPTS = st.sampled_from("ab")
RETRY = [("x-stainless-retry-count", "1")]
UNKNOWN = {"timeout", "stream", "abandoned", "killed"}
Key = tuple[str, int]


@dataclass
class Known:
    """The last attempt of a call."""

    status: str
    run: int
    text: str = ""
    attempts: int = 1


@dataclass
class RunModel:
    """One run: what it was opened with and what it has done."""

    session: Session
    retries: bool
    taken: set[Key] = field(default_factory=set)
    flying: dict[Key, Call] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class Sessions(RuleBasedStateMachine):
    """Runs of one session, opened, used, closed, interrupted and killed."""

    @initialize(salted=st.booleans())
    def begin(self, salted: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vif-session-"))
        # Listing the installed packages takes longer than everything else that a run does.
        self.patch = mock.patch("ledger.session.opening.describe", return_value={})
        self.patch.start()
        keys = self.folder / "keys"
        made = ledger.init(
            self.folder / "runs.vif", origin="example.org/lab", keys=keys, salted=salted
        )
        self.genesis = made.genesis
        self.log: Ledger = ledger.open(self.folder / "runs.vif", keys=keys)
        self.known: dict[Key, Known] = {}
        self.stages: dict[str, tuple[int, bool]] = {}
        self.run: RunModel | None = None
        self.runs = 0
        self.answers = 0

    def teardown(self) -> None:
        if hasattr(self, "log"):
            if self.run is not None:
                self.run.session.close()
            if self.runs:
                self.audit()
            self.log.close()
            self.patch.stop()
            shutil.rmtree(self.folder)

    def audit(self) -> None:
        """The verifier finds nothing wrong, and lists what is unknown, open and repeated."""
        export(self.log, self.folder / "package", session=NAME)
        report = verify_package(str(self.folder / "package"), trust=self.genesis.hex(), jobs=1)
        assert found(report) == set()
        noted = Counter(code for code, _ in found(report, "note"))
        bodies = [entry.payload.body for entry in self.log.find(session=NAME)]
        assert noted["outcome_unknown"] == sum(one.get("reason") in UNKNOWN for one in bodies)
        assert noted["call_repeated"] == sum(one.get("after") == "unknown" for one in bodies)

    # Runs

    @precondition(lambda self: self.run is None)
    @rule(retries=st.booleans())
    def open_run(self, retries: bool) -> None:
        """A run begins; what the one before left open is unknown."""
        policy: Any = "retry" if retries else "ask"
        session = self.log.session(NAME, prices=Prices(), on_unknown=policy)
        self.runs += 1
        assert session.run == self.runs
        self.run = RunModel(session, retries)
        for stage, (state, _) in self.stages.items():
            assert session.saved(stage) == state

    @precondition(lambda self: self.run is not None)
    @rule(how=st.sampled_from(["close", "raise", "kill", "kill"]))
    def end_run(self, how: str) -> None:
        """It ends by itself, by an exception, or is killed."""
        assert self.run is not None
        run, self.run = self.run, None
        if how == "kill":
            kill(run.session)
        elif how == "raise":
            with pytest.raises(LookupError), run.session:
                raise LookupError
        else:
            run.session.close()
        for key in run.flying:
            self.lost(key)
        if how != "kill":
            self.check_close(run, how)
        check_rules(self.log)
        told = history.summary(self.log, NAME)
        if how == "kill":
            assert len(told.open) == len(run.flying)
        assert told.runs[-1].status == {"close": "complete", "raise": "interrupted"}.get(
            how, "killed"
        )
        assert told.answered == sum(one.status == "answered" for one in self.known.values())

    def lost(self, key: Key) -> None:
        before = self.known.get(key)
        attempts = before.attempts + 1 if before else 1
        self.known[key] = Known("unknown", self.runs, attempts=attempts)

    def check_close(self, run: RunModel, how: str) -> None:
        close = list(self.log.find(session=NAME, type="session_close"))[-1].payload.body
        assert close["status"] == ("complete" if how == "close" else "interrupted")
        assert close.get("reason") == (None if how == "close" else "LookupError")
        assert close["answered"] == run.counts["answered"]
        assert close["failed"] == run.counts["failed"]
        assert close["unknown"] == run.counts["unknown"] + len(run.flying)
        assert close["reused"] == run.counts["reused"]

    # Calls

    def number(self, run: RunModel, prompt: str) -> int:
        """The lowest number that this run has not given out."""
        number = 1
        while (prompt, number) in run.taken:
            number += 1
        return number

    @precondition(lambda self: self.run is not None)
    @rule(prompt=PROMPTS, chosen=st.none() | st.integers(1, 3), again=st.booleans())
    def ask(self, prompt: str, chosen: int | None, again: bool) -> None:
        """A request: given again, refused, or sent, as the model expects."""
        assert self.run is not None
        run = self.run
        key = (prompt, chosen if chosen is not None else self.number(run, prompt))
        request = ask(prompt, headers=RETRY if again else ())
        before = self.known.get(key)

        def begin() -> Call:
            if chosen is None:
                return run.session.begin(request)
            with run.session.replicate(chosen):
                return run.session.begin(request)

        if key in run.flying:
            self.refused(begin, "session_busy")
            return
        if before is not None and before.status == "answered":
            assert text_of(begin()) == before.text
            run.counts["reused"] += 1
            run.taken.add(key)
            return
        goes_on = run.retries or (again and before is not None and before.run == self.runs)
        if before is not None and before.status == "unknown" and not goes_on:
            self.refused(begin, "outcome_unknown")
            return
        call = begin()
        assert call.recorded is None
        run.taken.add(key)
        run.flying[key] = call

    def refused(self, begin: Any, code: str) -> None:
        with pytest.raises(SessionError) as caught:
            begin()
        assert caught.value.code == code

    @precondition(lambda self: self.run is not None and self.run.flying)
    @rule(
        data=st.data(),
        how=st.sampled_from(["answered", "answered", "status", "not_sent", "timeout", "stream"]),
    )
    def end_call(self, data: st.DataObject, how: str) -> None:
        """A request that is under way ends, in one of the ways that requests do."""
        assert self.run is not None
        run = self.run
        key = data.draw(st.sampled_from(sorted(run.flying)))
        call = run.flying.pop(key)
        self.answers += 1
        text = f"answer {self.answers}"
        status = {"answered": "answered", "status": "failed", "not_sent": "failed"}.get(
            how, "unknown"
        )
        response = answer(text, tokens=self.answers)
        if how == "answered":
            call.responded(response)
        elif how == "status":
            call.responded(answer(status=429))
        elif how == "stream":
            call.responded(response, streaming="interrupted")
        else:
            call.broke(how)  # type: ignore[arg-type]
        before = self.known.get(key)
        self.known[key] = Known(status, self.runs, text, before.attempts + 1 if before else 1)
        run.counts[status] += 1
        if status != "answered":
            run.taken.discard(key)

    @precondition(lambda self: self.run is not None)
    @rule(stage=st.sampled_from("xy"), state=st.integers(0, 2), complete=st.booleans())
    def save(self, stage: str, state: int, complete: bool) -> None:
        """A savepoint; after the last one of a stage only the same result again."""
        assert self.run is not None
        session = self.run.session
        before = self.stages.get(stage)
        if before is not None and before[1] and (state, complete) != before:
            self.refused(
                lambda: session.savepoint(stage, state, complete=complete), "stage_complete"
            )
            return
        session.savepoint(stage, state, complete=complete)
        self.stages[stage] = (state, complete)


def check_rules(log: Ledger) -> None:
    """The rules of specs/10 that tie statements together, straight from the page."""
    entries = list(log.find(session=NAME))
    by_id = {entry.id: entry for entry in entries}
    runs: list[Entry] = []
    closed: set[str] = set()
    run_of: dict[str, str] = {}
    attempts: dict[tuple[bytes, int], list[Entry]] = {}
    outcome_of: dict[str, Entry] = {}
    done: set[str] = set()
    for entry in entries:
        body, parents = entry.payload.body, [by_id[one.id] for one in entry.payload.parents]
        if entry.payload.type == "session_open":
            assert body["run"] == len(runs) + 1
            assert parents == runs[-1:]
            runs.append(entry)
        assert runs[-1].id not in closed
        run_of[entry.id] = runs[-1].id
        match entry.payload.type:
            case "intent":
                call = attempts.setdefault((body["call"]["digest"], body["call"]["replicate"]), [])
                assert body["attempt"] == len(call) + 1
                if call:
                    (before,) = parents
                    assert before is outcome_of[call[-1].id]
                    assert body["after"] == before.payload.body["status"] != "answered"
                else:
                    assert parents == []
                call.append(entry)
            case "outcome":
                (intent,) = parents
                assert intent.id not in outcome_of
                outcome_of[intent.id] = entry
                killed = body.get("reason") == "killed"
                assert killed == (run_of[intent.id] != runs[-1].id)
            case "witness":
                assert entries[entries.index(entry) - 1] is parents[0]
                assert parents[0].payload.body["status"] == "answered"
            case "reuse":
                assert body["calls"] == len(parents)
                assert all(one.payload.body["status"] == "answered" for one in parents)
            case "savepoint":
                assert body["stage"] not in done
                if body["complete"]:
                    done.add(body["stage"])
            case "session_close":
                assert parents == [runs[-1]]
                closed.add(runs[-1].id)
                mine = [one for one in entries if run_of.get(one.id) == runs[-1].id]
                check_totals(body, mine, outcome_of)


def check_totals(close: dict[str, Any], run: list[Entry], outcome_of: dict[str, Entry]) -> None:
    """Section 8: every intent has its outcome, and the numbers are those of the records."""
    outcomes = [outcome_of[one.id] for one in run if one.payload.type == "intent"]
    statuses = Counter(one.payload.body["status"] for one in outcomes)
    answered = {one.id for one in outcomes if one.payload.body["status"] == "answered"}
    total, priced = 0.0, 0
    for one in run:
        if one.payload.type == "witness" and one.payload.parents[0].id in answered:
            total += one.payload.body["cost"]["cost_usd"]
            priced += 1
    assert [close[status] for status in ("answered", "failed", "unknown")] == [
        statuses[status] for status in ("answered", "failed", "unknown")
    ]
    assert close["reused"] == sum(
        one.payload.body["calls"] for one in run if one.payload.type == "reuse"
    )
    assert close.get("cost_usd") == (total if priced else None)
    assert close["unpriced"] == len(answered) - priced


SLOW_ENOUGH = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSessions = Sessions.TestCase
TestSessions.settings = SLOW_ENOUGH
