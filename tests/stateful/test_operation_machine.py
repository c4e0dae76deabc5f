"""Whatever graph of operations grows, ledger and verifier agree on what everything rests on.

Two ledgers with keys of their own, in which operations begin, go on, are interrupted, take parents
and stages from each other, and are combined or not. At the end each is exported, and verified with
the other one beside it: nothing is wrong, the operations are counted right, and of every statement
both programs, and a plain walk over the parents as they stand in the log, name the same ancestors.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import ledger
from ledger import Ledger
from ledger.crossmodel.model_stage import ModelStage
from ledger.crossmodel.operation import Operation, Source, Transferred
from ledger.export.package import export
from ledger.formats.payload import Parent
from ledger.session import Session
from tests.helpers.world import found
from tests.session.lab import kill
from verifier import verify_package

MODELS = st.sampled_from(["large", "small", "other"])
CHOSEN_MAX = 3


@dataclass
class Growing:
    """An operation that is not combined, and what it has by label."""

    operation: Operation
    name: str
    models: dict[str, tuple[str, Source]] = field(default_factory=dict)
    """Insights and executions: their kind and the stage."""
    transfers: dict[str, tuple[str, Transferred]] = field(default_factory=dict)
    """The label of the source, and the stage."""
    made: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    """Kind, label, and labels of what it was made from, in order: to come to them again."""
    joined: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def is_whole(self) -> bool:
        kinds = {kind for kind, _ in self.models.values()}
        return kinds == {"insight", "execution"} and bool(self.transfers)


@dataclass
class Side:
    """One ledger."""

    log: Ledger
    run: Session
    growing: list[Growing] = field(default_factory=list)
    begun: int = 0
    combined: int = 0
    opened: int = 0
    """Operations that were given up with a stage in the log."""


class Operations(RuleBasedStateMachine):
    """Graphs of operations over two ledgers."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vif-operations-"))
        # Listing the installed packages takes longer than everything else that a run does.
        self.patch = mock.patch("ledger.session.opening.describe", return_value={})
        self.patch.start()
        self.sides = [self._found(number) for number in (0, 1)]
        self.known: list[tuple[Parent, str | None]] = []
        """Statements with their ledgers; of calls the model, of transfers that they are one."""
        self.texts = 0

    def _found(self, number: int) -> Side:
        path, keys = self.folder / f"{number}.vif", self.folder / f"keys-{number}"
        ledger.init(path, origin=f"example.org/{number}", keys=keys)
        log = ledger.open(path, keys=keys)
        return Side(log, log.session(f"session/{number}"))

    def _parents(self, data: st.DataObject, *, transfers: bool = True) -> list[Parent]:
        """Statements of any ledger to build on."""
        fit = [one for one, of in self.known if transfers or of != "transfer"]
        return self._chosen(data, fit)

    def _calls(self, data: st.DataObject, side: Side, model: str) -> list[Parent]:
        """Calls of this ledger to a model, to have been made with."""
        own = side.log.genesis
        return self._chosen(
            data, [one for one, of in self.known if (one.ledger, of) == (own, model)]
        )

    @staticmethod
    def _chosen(data: st.DataObject, fit: list[Parent]) -> list[Parent]:
        if not fit:
            return []
        return data.draw(st.lists(st.sampled_from(fit), max_size=CHOSEN_MAX, unique=True))

    def _take(self, side: Side, statement: Any, of: str | None = None) -> None:
        self.known.append((Parent(statement.id, statement.leaf_hash, side.log.genesis), of))

    def _text(self) -> str:
        self.texts += 1
        return f"text {self.texts}"

    def _side(self, data: st.DataObject) -> Side:
        return data.draw(st.sampled_from(self.sides), label="side")

    def _growing(self, data: st.DataObject) -> tuple[Side, Growing] | None:
        pairs = [(side, one) for side in self.sides for one in side.growing]
        return data.draw(st.sampled_from(pairs), label="operation") if pairs else None

    # What happens

    @rule(data=st.data(), model=MODELS)
    def record(self, data: st.DataObject, model: str) -> None:
        """An operation that belongs to nothing."""
        side = self._side(data)
        parents = self._parents(data)
        made = side.run.record(model=model, prompt=self._text(), parents=parents)
        self._take(side, made, model)

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """A cross-model operation begins."""
        side = self._side(data)
        side.begun += 1
        name = f"operation-{side.begun}"
        operation = side.run.cross_model(name, parents=self._parents(data))
        side.growing.append(Growing(operation, name))

    @precondition(lambda self: any(side.growing for side in self.sides))
    @rule(data=st.data(), model=MODELS)
    def insight(self, data: st.DataObject, model: str) -> None:
        """A model finds something out."""
        found_ = self._growing(data)
        assert found_ is not None
        side, growing = found_
        label = f"i{len(growing.made)}"
        with growing.operation.insight(
            label, model=model, parents=self._parents(data), quality=0.5
        ) as stage:
            stage.output = self._text()
            stage.include(*self._calls(data, side, model))
        growing.models[label] = "insight", stage
        growing.made.append(("insight", label, ()))
        self._take(side, stage)

    @precondition(lambda self: any(one.models for side in self.sides for one in side.growing))
    @rule(data=st.data(), model=MODELS)
    def transfer(self, data: st.DataObject, model: str) -> None:
        """An output is handed to a model, whole or shortened."""
        pairs = [(side, one) for side in self.sides for one in side.growing if one.models]
        side, growing = data.draw(st.sampled_from(pairs))
        source = data.draw(st.sampled_from(sorted(growing.models)))
        label = f"t{len(growing.made)}"
        with growing.operation.transfer(
            growing.models[source][1], label, target=model, confidence=0.5
        ) as stage:
            if data.draw(st.booleans()):
                stage.delivered = self._text()
        growing.transfers[label] = source, stage
        growing.made.append(("transfer", label, (source,)))
        self._take(side, stage, "transfer")

    @precondition(lambda self: any(one.transfers for side in self.sides for one in side.growing))
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        """A model works with what was handed to it."""
        pairs = [(side, one) for side in self.sides for one in side.growing if one.transfers]
        side, growing = data.draw(st.sampled_from(pairs))
        first = data.draw(st.sampled_from(sorted(growing.transfers)))
        model = growing.transfers[first][1].body["target"]["model_id"]
        chosen = [
            label
            for label, (_, one) in growing.transfers.items()
            if label == first
            or (one.body["target"]["model_id"] == model and data.draw(st.booleans()))
        ]
        handed = [growing.transfers[label][1] for label in chosen]
        label = f"e{len(growing.made)}"
        with growing.operation.execute(
            *handed,
            label=label,
            model=model,
            parents=self._parents(data, transfers=False),
            quality=0.25,
        ) as stage:
            stage.context = " and ".join(one.text for one in handed)
            stage.output = self._text()
            stage.include(*self._calls(data, side, model))
        growing.models[label] = "execution", stage
        growing.made.append(("execution", label, tuple(chosen)))
        self._take(side, stage)

    @precondition(lambda self: any(side.growing for side in self.sides))
    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        """A stage that the other ledger has becomes a part of an operation here."""
        found_ = self._growing(data)
        assert found_ is not None
        side, growing = found_
        other = self.sides[1 - self.sides.index(side)]
        stages = [
            stage
            for one in other.growing
            for _, stage in one.models.values()
            if isinstance(stage, ModelStage)
        ]
        taken = {one[0] for one in growing.joined.values()}
        free = [stage for stage in stages if stage.handover().to_bytes() not in taken]
        if not free:
            return
        stage = data.draw(st.sampled_from(free))
        label = f"j{len(growing.made)}"
        handover, content = stage.handover().to_bytes(), stage.content
        growing.joined[label] = handover, content
        joined = growing.operation.join(handover, label, content=content)
        growing.models[label] = stage.kind, joined
        growing.made.append(("join", label, ()))

    @precondition(lambda self: any(one.is_whole() for side in self.sides for one in side.growing))
    @rule(data=st.data())
    def combine(self, data: st.DataObject) -> None:
        """An operation is over."""
        pairs = [(side, one) for side in self.sides for one in side.growing if one.is_whole()]
        side, growing = data.draw(st.sampled_from(pairs))
        growing.operation.combine()
        side.growing.remove(growing)
        side.combined += 1
        self._take(side, growing.operation)

    @rule(data=st.data(), how=st.sampled_from(["kill", "close"]))
    def interrupt(self, data: st.DataObject, how: str) -> None:
        """A run ends in the middle of its operations, and the next one goes on with them."""
        side = self._side(data)
        name = side.run.name
        if how == "kill":
            kill(side.run)
        else:
            side.run.close("interrupted", "test")
        side.run = side.log.session(name)
        for growing in side.growing:
            self._again(side, growing)

    def _again(self, side: Side, growing: Growing) -> None:
        """Come to all stages of an operation again; none is needed."""
        operation = side.run.cross_model(growing.name)
        growing.operation = operation
        for kind, label, sources in growing.made:
            if kind == "join":
                handover, content = growing.joined[label]
                joined = operation.join(handover, label, content=content)
                growing.models[label] = joined.kind, joined
                continue
            if kind == "insight":
                stage: Any = operation.insight(label)
            elif kind == "transfer":
                stage = operation.transfer(growing.models[sources[0]][1], label)
            else:
                handed = [growing.transfers[source][1] for source in sources]
                stage = operation.execute(*handed, label=label)
            assert not stage.needed
            with stage:
                pass
            if kind == "transfer":
                growing.transfers[label] = sources[0], stage
            else:
                growing.models[label] = kind, stage

    # What has to hold at the end

    def teardown(self) -> None:
        if not hasattr(self, "sides"):
            return
        try:
            for side in self.sides:
                side.run.close()
            self.audit()
        finally:
            for side in self.sides:
                side.log.close()
            self.patch.stop()
            shutil.rmtree(self.folder)

    def audit(self) -> None:
        """Each package is verified with the other one beside it."""
        packages, pins, heads = [], [], []
        for number, side in enumerate(self.sides):
            made = export(side.log, self.folder / f"package-{number}")
            packages.append(str(made.path))
            pins.append(side.log.genesis.hex())
            head = self.folder / f"head-{number}.txt"
            head.write_bytes(side.log.head_note())
            heads.append(str(head))
        for number, side in enumerate(self.sides):
            last = len(side.log) - 2
            report = verify_package(
                packages[number],
                trust=pins,
                known_head=heads,
                beside=[packages[1 - number]],
                lineage=last,
                jobs=1,
            )
            assert all(found(one) == set() for one in [report, *report.beside]), report.to_text()
            assert report.exit_code == 0, report.to_text()
            opened = sum(any(kind != "join" for kind, _, _ in one.made) for one in side.growing)
            assert report.counts["operations"] == side.combined
            assert report.counts["operations_open"] == opened
            self._agree(number, last, report.lineage)
            for index in range(1, last, max(1, last // 4)):
                again = verify_package(
                    packages[number], beside=[packages[1 - number]], lineage=index, jobs=1
                )
                self._agree(number, index, again.lineage)

    def _agree(self, number: int, index: int, said: Any) -> None:
        """Verifier, view and a plain walk name the same ancestors."""
        walked = self._walk(number, index)
        genesis = self.sides[number].log.genesis
        assert {(one["genesis"], one["leaf_hash"]) for one in said["ancestors"]} == walked
        assert said["outside"] == []
        log = self.sides[number].log
        own = {leaf for of, leaf in walked if of == genesis.hex()}
        viewed = {entry.leaf_hash.hex() for entry in log.ancestors(log.get(index).id)}
        # The view stays in its ledger; what the walk reaches by way of the other one is more.
        assert viewed <= own
        if all(of == genesis.hex() for of, _ in walked):
            assert viewed == own

    def _walk(self, number: int, index: int) -> set[tuple[str, str]]:
        logs = {side.log.genesis: side.log for side in self.sides}
        here = self.sides[number].log
        waiting = [(here.genesis, parent) for parent in here.get(index).payload.parents]
        seen: set[tuple[str, str]] = set()
        while waiting:
            genesis, parent = waiting.pop()
            of = parent.ledger or genesis
            if (of.hex(), parent.leaf_hash.hex()) not in seen:
                seen.add((of.hex(), parent.leaf_hash.hex()))
                entry = logs[of].by_id(parent.id)
                assert entry.leaf_hash == parent.leaf_hash
                waiting += [(of, one) for one in entry.payload.parents]
        return seen


TestOperations = Operations.TestCase
TestOperations.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
