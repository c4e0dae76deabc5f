"""Recording, replaying and erasing in any order: ledger and verifier agree on what came of it.

Operations of every kind are recorded, run again with engines that give the same or something else,
contents are erased in between, and in the end the package with its plan is verified, the ledger
examined, and the plan read back by whoever would replay from it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ledger import Ledger
from ledger.doctor import examine
from ledger.formats.content import from_cbor
from ledger.formats.observation import Observation, Raw
from ledger.model.archive import Media
from ledger.model.replay import LEVELS
from ledger.replay import Resources, Result, replay
from ledger.replay.packages import PackageSource
from tests.helpers.world import World, audit, found
from tests.replay.lab import Scripted, from_template, local
from tests.session.lab import NAME, Prices, answer, ask, do

OUTPUTS = [Media(b"It is a raven.", "text/plain"), Media(b"It is a ship.", "text/plain")]
SEEN = [
    None,
    Observation(token_ids=[1, 2], logprobs=[-0.5, -0.25], raw=Raw(bytes(32), 8)),
    Observation(token_ids=[1, 2], logprobs=[-0.5, -0.25 - 1e-7], raw=Raw(b"\x01" * 32, 8)),
    Observation(token_ids=[1, 3], logprobs=[-0.5, -0.75], raw=Raw(b"\x02" * 32, 8)),
]
ENVIRONMENTS: list[dict[str, Any] | None] = [None, {"threads": 1}, {"threads": 2}]
results = st.builds(
    Result, st.sampled_from(OUTPUTS), st.sampled_from(SEEN), st.sampled_from(ENVIRONMENTS)
)


class ReplayMachine(RuleBasedStateMachine):
    """A ledger in which operations are recorded, replayed and forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.replays = 0

    @initialize(salted=st.booleans())
    def found(self, salted: bool) -> None:
        """A new ledger, with plain or salted references."""
        self.world = World(self.folder, salted=salted)
        self.log: Ledger = self.world.open()

    def names(self) -> list[str]:
        return [entry.id for entry in self.log.find(type="witness")]

    @rule(result=results, template=st.booleans())
    def record(self, result: Result, template: bool) -> None:
        """An operation of a local engine."""
        local(
            self.log,
            result.output,
            observation=result.observation,
            environment=result.environment,
            **(from_template() if template else {}),
        )

    @rule(seed=st.integers(0, 3), fingerprint=st.sampled_from([None, "fp_1"]))
    def call(self, seed: int, fingerprint: str | None) -> None:
        """A call of a session."""
        with self.log.session(NAME, prices=Prices()) as run:
            do(run, ask("Why?", seed=seed), answer("Because.", fingerprint=fingerprint))

    @rule(data=st.data(), result=results, wanted=st.sampled_from(LEVELS), runs=st.integers(1, 2))
    def again(self, data: st.DataObject, result: Result, wanted: Any, runs: int) -> None:
        """A replay of any of them, with an engine that gives what it likes."""
        names = self.names()
        if not names:
            return
        chosen = data.draw(st.sampled_from(names))
        engine = Scripted(lambda task: result)
        made = list(replay(self.log, [chosen], engine=engine, wanted=wanted, runs=runs))
        self.replays += len(made)
        for ran in made:
            assert ran.body.success == (getattr(ran.body.levels, wanted) == "match")

    @rule(data=st.data())
    def without(self, data: st.DataObject) -> None:
        """A replay by whatever each witness says, with nothing at hand."""
        names = self.names()
        if names:
            chosen = data.draw(st.sampled_from(names))
            (ran,) = replay(self.log, [chosen], resources=Resources())
            self.replays += 1
            assert ran.body.reason in ("model_unavailable", "engine_unknown", "content_missing")

    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """A content of an operation is erased."""
        names = self.names()
        if not names:
            return
        body = self.log.by_id(data.draw(st.sampled_from(names))).payload.body
        refs = [body["data"]["prompt_hash"], body["output"].get("output_hash")]
        refs += [body.get("replay", {}).get(name) for name in ("observation", "environment")]
        there = [ref for ref in refs if ref is not None]
        self.log.erase(from_cbor(data.draw(st.sampled_from(there))), "asked to")

    def teardown(self) -> None:
        """Everything is exported, verified, examined, and read back."""
        try:
            if hasattr(self, "log"):
                self.judge()
        finally:
            shutil.rmtree(self.folder)

    def judge(self) -> None:
        made = self.world.package(self.folder / "package", replay=True)
        report = audit(made.path, self.world, head=made.known_head)
        wrong = [row for row in found(report) if row[0] not in ("replay_failed", "content_erased")]
        assert wrong == [], report.to_text()
        assert report.exit_code == 0
        assert report.counts["replays"] == self.replays
        names = self.names()
        self.log.close()
        assert [one for one in examine(self.world.path) if one.severity == "fail"] == []
        assert report.counts["planned"] + report.counts["not_planned"] == len(names)
        with PackageSource(made.path) as source:
            assert [entry.id for entry in source.witnesses()] == names


ReplayMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestReplays = ReplayMachine.TestCase
