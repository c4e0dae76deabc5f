"""The replay of a cross-model operation against its parents (specs/13 section 8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .at_hand import AtHand, Statement
from .levels import lowest
from .stage_rules import made_with
from .statement import STAGE_TYPES

Name = tuple[bytes, bytes]
"""genesis and leaf hash of a statement, wherever it is"""


class _Count:
    """What the replays of one stage come to."""

    def __init__(self) -> None:
        self.replays = self.succeeded = 0
        self.levels: list[str] = []

    def add(self, body: dict[str, Any]) -> None:
        self.replays += 1
        self.succeeded += body["success"]
        self.levels.append(body["level"])

    def members(self) -> dict[str, Any]:
        level = lowest(self.levels)
        found: dict[str, Any] = {"replays": self.replays, "succeeded": self.succeeded}
        return found if level is None else found | {"level": level}


class ReplayOperationRules:
    """Judges replays of operations, and counts those that need a statement not at hand."""

    def __init__(self, hand: AtHand) -> None:
        self._hand = hand
        self.unseen = 0

    def judge(self, one: Statement) -> list[str]:
        """Return all that a replay of an operation says otherwise than it follows."""
        b, wrong = one.body, list[str]()
        parents = one.payload["parents"]
        replays = [self._hand.parent(one, at) for at in range(1, len(parents))]
        whole = None not in replays
        known: list[Statement] = []
        for at, replay in enumerate(replays, 1):
            if replay is None:
                continue
            if replay.kind != "replay":
                wrong.append(f"parent {at} is not a replay")
            else:
                known.append(replay)
                if replay.body["wanted"] != b["wanted"]:
                    wrong.append(f"wanted is not that of parent {at}")
        whole &= self._stages(one, known, whole and len(known) == len(replays), wrong)
        self.unseen += not whole
        return wrong

    def _stages(
        self, one: Statement, replays: list[Statement], all_known: bool, wrong: list[str]
    ) -> bool:
        """Check the parents against the operation; return whether all of it is at hand."""
        combination = self._hand.parent(one, 0)
        if combination is None:
            return False
        if combination.kind != "cross_model":
            wrong.append("the first parent is not a cross_model")
            return True
        b = one.body
        if b["operation"] != combination.body["operation"]:
            wrong.append("operation is not that of the cross_model")
        chain = self._hand.parent(combination, len(combination.payload["parents"]) - 1)
        if chain is None or chain.kind != "provenance":
            return chain is not None  # what is wrong with it is another finding's
        steps = [(step["stage"], step["label"]) for step in chain.body["steps"]]
        if [(stage["stage"], stage["label"]) for stage in b["stages"]] != steps:
            wrong.append("stages are not the steps of the provenance")
            return True
        parts = [self._hand.parent(chain, at) for at in range(len(steps))]
        inside = [self._made_with(part) for part in parts if part is not None]
        if len(inside) < len(parts) or not all_known:
            return False
        places: dict[Name, int] = {}
        shared: set[int] = set()
        order = [(name, at) for at, names in enumerate(inside) for name in names]
        rank: dict[Name, int] = {}
        for name, at in order:
            if name in places:
                shared |= {at, places[name]}
            places.setdefault(name, at)
            rank.setdefault(name, len(rank))
        names = [self._name(replay.package, replay.payload["parents"][0]) for replay in replays]
        if any(name not in places for name in names):
            wrong.append("a replay that is of no witness that a stage was made with")
            return True
        ranks = [rank[name] for name in names]
        if ranks != sorted(ranks):
            wrong.append(
                "the replays are not in the order of the stages and what they were made with"
            )
        counts = [_Count() for _ in steps]
        for name, replay in zip(names, replays, strict=True):
            counts[places[name]].add(replay.body)
        for at, (stage, count) in enumerate(zip(b["stages"], counts, strict=True)):
            said = {k: v for k, v in stage.items() if k not in ("stage", "label")}
            if said != count.members() and at not in shared:
                wrong.append(f"stage {at} ({stage['stage']} {stage['label']}) does not add up")
        return True

    def _made_with(self, stage: Statement) -> list[Name]:
        """Return what a stage was made with."""
        if stage.kind not in STAGE_TYPES:
            return []
        made: Iterable[dict[str, Any]] = made_with(stage.body, stage.payload.get("parents", ()))
        return [self._name(stage.package, parent) for parent in made]

    def _name(self, package: int, parent: dict[str, Any]) -> Name:
        return parent.get("ledger", self._hand.ledger(package)), parent["leaf_hash"]
