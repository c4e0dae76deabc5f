"""Replays that were not what they say, prompts from other templates, plans that were edited.

Honest step: a ledger that verifies. Attack: the producer, the reviewer or whoever hands over tells
a lie, signed as it should be where they hold a key. It is refused by name, at the record that lies.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ledger import Entry, Ledger, Receipt
from ledger.doctor import examine
from ledger.formats.observation import Observation, Raw
from ledger.formats.payload import Parent
from ledger.model.archive import TEXT, Media
from ledger.replay import Result, Task, replay
from ledger.replay.packages import PackageSource
from tests.helpers.world import World, audit, found
from tests.replay.lab import Scripted, from_template, local
from verifier import verify_package

Body = dict[str, Any]
HERE = {"threads": 1}


def seen(last: int) -> Observation:
    return Observation(token_ids=[1, last], logprobs=[-0.5, -0.25], raw=Raw(bytes([last]) * 32, 8))


def tells(text: str, last: int) -> Scripted:
    def answer(task: Task) -> Result:
        return Result(Media(text.encode(), TEXT), seen(last), HERE)

    return Scripted(answer)


def recorded(log: Ledger, text: str, last: int) -> str:
    return local(log, text, observation=seen(last).document(), environment=HERE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two operations, each replayed honestly: the same to the bits, and something else."""
    made = World(tmp_path)
    with made.open() as log:
        names = [recorded(log, "It is a raven.", 2), recorded(log, "It is a ship.", 3)]
        runs = list(replay(log, names, engine=tells("It is a raven.", 2), wanted="bits"))
        assert [run.body.level for run in runs] == ["bits", "archive"]
        assert judged(made, log) == []
    return made


def judged(world: World, log: Ledger) -> list[tuple[str, Any]]:
    """What the verifier and the ledger find wrong; they have to agree."""
    made = world.package(world.folder / f"package-{len(log)}")
    report = audit(made.path, world, head=made.known_head)
    yours = [one for one in found(report) if one[0] not in ("replay_failed", "unanchored")]
    mine = [(one.code, int(one.key)) for one in examine(world.path) if one.severity == "fail"]
    assert mine == yours, report.to_text()
    return yours


def honest(log: Ledger) -> list[Entry]:
    return list(log.find(type="replay"))


def lie(log: Ledger, entry: Entry, change: Any, parents: list[Parent] | None = None) -> Receipt:
    """Append a replay like an honest one, changed."""
    body = deepcopy(entry.payload.body)
    change(body)
    return log.append("replay", body, parents=entry.payload.parents if parents is None else parents)


def claim_all(body: Body) -> None:
    """Say of a run that parted that nothing did."""
    body |= {"success": True, "level": "bits", "logprob_difference": 0.0, "raw_identical": True}
    body["levels"] = dict.fromkeys(body["levels"], "match")
    for name in ("reason", "first_difference"):
        body.pop(name, None)


def test_a_level_that_was_not_reached_is_refused(world: World) -> None:
    with world.open() as log:
        made = lie(log, honest(log)[1], claim_all)
        assert judged(world, log) == [("replay_mismatch", made.index)]


def test_a_difference_that_was_not_there_is_refused(world: World) -> None:
    """To discredit an honest operation."""

    def change(body: Body) -> None:
        body |= {"success": False, "level": "archive", "reason": "output_differs"}
        body["levels"] |= dict.fromkeys(("text", "tokens", "logprobs", "bits"), "differs")
        body["first_difference"] = {"token": 1, "character": 8}

    with world.open() as log:
        made = lie(log, honest(log)[0], change)
        assert judged(world, log) == [("replay_mismatch", made.index)]


@pytest.mark.parametrize("name", ["output", "observation", "environment"])
def test_another_expectation_than_the_recorded_one_is_refused(world: World, name: str) -> None:
    with world.open() as log:
        made = lie(log, honest(log)[0], lambda body: body["expected"].update({name: bytes(32)}))
        assert judged(world, log) == [("replay_mismatch", made.index)]


def test_a_replay_of_one_operation_is_not_one_of_another(world: World) -> None:
    with world.open() as log:
        good, other = honest(log)
        made = lie(log, good, lambda body: None, list(other.payload.parents))
        assert judged(world, log) == [("replay_mismatch", made.index)]


def test_the_place_where_runs_part_is_computed(world: World) -> None:
    with world.open() as log:
        made = lie(log, honest(log)[1], lambda body: body["first_difference"].update(character=9))
        assert judged(world, log) == [("replay_mismatch", made.index)]


def test_a_prompt_from_another_template_is_refused(world: World) -> None:
    """The producer says that a careful template was used; the prompt was another."""
    with world.open() as log:
        identifier = local(log, **from_template(prompt_template="Be fair. {{atoms}}"))
        place = log.by_id(identifier).index
        assert judged(world, log) == [("prompt_mismatch", place)]


def test_an_atom_that_was_altered_is_refused(world: World) -> None:
    atoms = {"a-1": "A raven.", "a-3": "A hoop."}
    with world.open() as log:
        identifier = local(log, **from_template(context_snapshot={"atoms": atoms}))
        assert judged(world, log) == [("prompt_mismatch", log.by_id(identifier).index)]
        assert local(log, **from_template())


def reviewed(world: World, tmp_path: Path, change: Any = None) -> tuple[World, Path, Any]:
    """A reviewer's package of replays; one of them is changed before it is signed."""
    with world.open():
        made = world.package(world.folder / "package", replay=True)
    theirs = World(tmp_path / "theirs", "review", origin="example.org/review")
    with theirs.open() as log, PackageSource(made.path) as source:
        if change is None:
            list(replay(log, engine=tells("It is a raven.", 2), source=source))
        else:
            honest_one = next(iter(replay(log, engine=tells("x", 9), source=source)))
            assert honest_one.receipt is not None
            lie(log, log.by_id(honest_one.receipt.id), change)
    return theirs, theirs.package(theirs.folder / "review").path, made


def verify(world: World, made: Any, theirs: World, review: Path) -> Any:
    pins = [world.genesis.hex(), theirs.genesis.hex()]
    return verify_package(
        str(made.path), trust=pins, known_head=made.known_head, beside=[str(review)], jobs=1
    )


def test_an_honest_reviewer_is_evidence(world: World, tmp_path: Path) -> None:
    report = verify(world, *_swap(reviewed(world, tmp_path)))
    (own, other) = report.replays
    assert own["own"]
    assert not other["own"]
    assert (other["replays"], other["reproduced"], other["level"]) == (2, 1, "bits")
    assert report.exit_code == 0


def test_a_reviewer_who_lies_is_found_and_does_no_harm(world: World, tmp_path: Path) -> None:
    """The review fails by itself, counts for nothing, and the package stays verified."""
    report = verify(world, *_swap(reviewed(world, tmp_path, claim_all)))
    assert report.exit_code == 0
    assert [one["own"] for one in report.replays] == [True]
    assert report.beside is not None
    assert report.beside[0].exit_code == 1
    assert "replay_mismatch" in report.beside[0].finding_counts


def _swap(made: tuple[World, Path, Any]) -> tuple[Any, World, Path]:
    theirs, review, package = made
    return package, theirs, review


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"parameters": {"temperature": 1}}, "plan_mismatch"),
        ({"engine": "gpt"}, "plan_mismatch"),
        ({"engine": "../../bin/sh x"}, "plan_invalid"),
        ({"request": {"blake3": "../../../etc/passwd"}}, "plan_invalid"),
        ({"run": "rm -rf /"}, "plan_invalid"),
    ],
)
def test_an_edited_plan_is_refused(world: World, change: Body, code: str) -> None:
    """In a package without seal, where only the log says what the plan has to be."""
    with world.open():
        made = world.package(world.folder / "package", replay=True, unsigned=True)
    plan = made.path / "data/replay/plan.jsonl"
    first, *rest = plan.read_bytes().splitlines()
    line = json.loads(first) | change
    written = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    plan.write_bytes(b"\n".join([written, *rest, b""]))
    report = audit(made.path, world)
    assert code in report.finding_counts
    assert report.exit_code == 1
