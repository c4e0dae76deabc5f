"""Stages forged, exchanged, dropped, reordered, transplanted: whoever holds the keys tells a lie.

Honest step: two operations that verify. Attack: the producer appends something that is not so, all
of it signed and chained as it should be. It is refused by name, at the statement that lies, by the
verifier and by the ledger's own checking alike; what was honest stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ledger import Entry, Ledger
from ledger.drafts import ParentLike
from tests.crossmodel.lab import CHEAP, STRONG, review, session, stages, think, work
from tests.helpers.world import World, audit, found

Body = dict[str, Any]
Told = list[tuple[str, int]]
Change = Callable[[Body], object]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A ledger with two honest operations, `review/1` and `review/2`."""
    made = World(tmp_path)
    with made.open() as log:
        with session(log) as run:
            review(run, topic="ravens")
            review(run, topic="swans")
        assert judged(made, log) == []
    return made


def judged(world: World, log: Ledger) -> Told:
    """What the verifier and the ledger find wrong; they have to agree on everything that fails."""
    mine = {
        (one.code, one.index)
        for report in log.operations()
        for one in report.findings
        if one.severity == "fail"
    }
    package = world.folder / f"package-{len(log)}"
    made = world.package(package)
    report = audit(made.path, world, head=made.known_head)
    yours = {(code, place) for code, place in found(report) if code != "parent_missing"}
    assert yours == mine, report.to_text()
    assert report.exit_code == (1 if yours else 0)
    return sorted((code, int(place)) for code, place in yours)


def told(log: Ledger, number: int) -> dict[str, Entry]:
    """The five statements of an honest operation by type."""
    return {
        entry.payload.type: entry
        for entry in stages(log)
        if entry.payload.body["operation"]["number"] == number
    }


def lie(
    log: Ledger,
    entry: Entry,
    change: Change = lambda body: None,
    parents: Sequence[ParentLike] | None = None,
) -> Any:
    """Append a statement like an honest one, changed, in the session's own stream."""
    body = deepcopy(entry.payload.body)
    change(body)
    given = entry.payload.parents if parents is None else parents
    with log.open_stream(session=entry.payload.session) as stream:
        return stream.append(entry.payload.type, body, parents=given)


def renumber(body: Body) -> None:
    """Make it a part of an operation of its own."""
    body["operation"]["number"] = 9


def test_a_forged_insight_cannot_take_the_place_of_the_recorded_one(world: World) -> None:
    """A second insight of one name, with another quality, is a duplicate and left out."""
    with world.open() as log:
        forged = lie(log, told(log, 1)["insight"], lambda body: body.update(quality=1.0))
        assert judged(world, log) == [
            ("operation_duplicate", forged.index),
            ("part_dropped", forged.index),
        ]


def test_an_operation_is_combined_once(world: World) -> None:
    """A second combination with a better story is refused."""
    with world.open() as log:
        again = lie(log, told(log, 1)["cross_model"], lambda body: body.update(metrics={"a": 1.0}))
        assert judged(world, log) == [("operation_duplicate", again.index)]


def test_a_transplanted_stage_is_named(world: World) -> None:
    """The combination of a new operation takes over the execution of another one."""
    with world.open() as log:
        one = told(log, 1)
        insight = lie(log, one["insight"], renumber)
        handed = lie(log, one["transfer"], renumber, [insight])
        chain = lie(log, one["provenance"], renumber, [one["execution"], insight, handed])
        found_ = judged(world, log)
        assert ("part_mismatch", chain.index) in found_
        assert {index for _, index in found_} == {chain.index}


def test_a_dropped_stage_is_named(world: World) -> None:
    """A second execution that went badly is left out of the combination."""
    with world.open() as log:
        one = told(log, 1)
        insight = lie(log, one["insight"], renumber)
        handed = lie(log, one["transfer"], renumber, [insight])
        worked = one["execution"].payload.parents[1]
        good = lie(log, one["execution"], renumber, [handed, worked])

        def bad(body: Body) -> None:
            renumber(body)
            body["label"] = "2"
            body["quality"] = 0.0

        dropped = lie(log, one["execution"], bad, [handed, worked])
        chain = lie(log, one["provenance"], renumber, [insight, handed, good])
        lie(log, one["cross_model"], renumber, [insight, handed, good, chain])
        assert judged(world, log) == [("part_dropped", dropped.index)]


def test_reordered_steps_are_named(world: World) -> None:
    """A transfer before the insight that it hands over."""
    with world.open() as log:
        one = told(log, 1)
        insight = lie(log, one["insight"], renumber)
        handed = lie(log, one["transfer"], renumber, [insight])
        worked = one["execution"].payload.parents[1]
        good = lie(log, one["execution"], renumber, [handed, worked])

        def swap(body: Body) -> None:
            renumber(body)
            body["steps"][:2] = reversed(body["steps"][:2])

        chain = lie(log, one["provenance"], swap, [handed, insight, good])
        assert judged(world, log) == [("stage_order", chain.index)]


def test_an_insight_of_another_model_is_named(world: World) -> None:
    """The cheap model's call is passed off as the strong model's insight."""
    with world.open() as log:
        one = told(log, 1)
        worked = one["execution"].payload.parents[1]
        cost = log.by_id(worked.id).payload.body["cost"]

        def pretend(body: Body) -> None:
            renumber(body)
            body["usage"]["cost_usd"] = cost["cost_usd"]
            body["usage"]["tokens"] = cost["tokens_used"]

        forged = lie(log, one["insight"], pretend, [worked])
        assert judged(world, log) == [("stage_mismatch", forged.index)]


def test_a_hand_over_that_never_arrived_is_named_and_breaks_a_claim(world: World) -> None:
    """The execution's prompt holds another operation's insight; "verified" is not believed."""
    with world.open() as log:
        with session(log) as run:
            operation = run.cross_model("other", insight=STRONG, execution=CHEAP)
            with operation.insight() as insight:
                think(run, "owls", "Owls are not what they seem.")
            handed = operation.transfer(insight).record()
            work(run, "nothing of the kind")
        one = told(log, 1)
        worked = list(log.find(type="witness"))[-1]
        cost = worked.payload.body["cost"]

        def pretend(body: Body) -> None:
            body["operation"]["name"] = "other"
            body["usage"]["cost_usd"] = cost["cost_usd"]
            body["usage"]["tokens"] = cost["tokens_used"]
            body["started_at"] = body["ended_at"] = log.now()

        def claim(body: Body) -> None:
            body["operation"]["name"] = "other"
            body["claims"] = {"chain_verified": True, "lineage_verified": True}

        execution = lie(log, one["execution"], pretend, [handed.parent, worked])
        chain = lie(log, one["provenance"], claim, [insight.parent, handed.parent, execution])
        assert judged(world, log) == [
            ("claim_mismatch", chain.index),
            ("context_mismatch", execution.index),
        ]


def test_a_cheaper_story_is_named(world: World) -> None:
    """A stage that says it cost less than its call did."""
    with world.open() as log:
        one = told(log, 1)

        def cheaper(body: Body) -> None:
            renumber(body)
            body["usage"]["cost_usd"] = 0.0

        forged = lie(log, one["insight"], cheaper)
        assert judged(world, log) == [("derivation_mismatch", forged.index)]


def test_an_outsider_who_changes_a_part_is_found_at_that_part(world: World) -> None:
    """One bit of an insight in the package: the record is named, and nothing else of the log."""
    made = world.package(world.folder / "honest")
    with world.open() as log:
        insight = told(log, 1)["insight"]
    (bundle,) = (made.path / "data/log/tile/entries").rglob("*.p/*")
    raw = bytearray(bundle.read_bytes())
    at = raw.find(insight.statement) + len(insight.statement) // 2
    raw[at] ^= 1
    bundle.write_bytes(raw)
    report = audit(made.path, world, head=made.known_head)
    assert report.exit_code == 1
    named = {one["index"] for one in report.findings if one["severity"] == "fail"}
    assert insight.index in named
    assert {code for code, index in found(report) if index == insight.index} >= {"leaf_mismatch"}
