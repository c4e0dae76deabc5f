"""Comparing two runs: both programs find the same levels, places and numbers (specs/13 section 6).

And whatever an engine gives, the statement that the ledger makes of it is what the verifier finds.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.doctor import examine
from ledger.formats.observation import Observation, Raw
from ledger.model.archive import Media
from ledger.model.replay import LEVELS
from ledger.replay import Result, replay
from ledger.replay.levels import Seen, compare
from tests.helpers.world import World, audit, found
from tests.replay.lab import Scripted, local
from verifier.levels import Seen as Theirs
from verifier.levels import compare as they_compare
from verifier.observation import Observation as Their

TEXTS = ["", "a", "ab", "äb", "a\U0001f600b", "It is."]
JSONS = ["{}", '{"a":1}', '{ "a": 1.0 }', '{"a":[1,2]}', "[1,2]", "nothing"]
BYTES = [b"\xff\xfe", b"\xff"]
ENVIRONMENTS: list[dict[str, Any] | None] = [None, {}, {"threads": 1}, {"threads": 2}]


@st.composite
def seen(draw: st.DrawFn) -> tuple[Media | None, Observation | None, dict[str, Any] | None]:
    """What may be known of a run."""
    outputs = [Media(text.encode(), "text/plain; charset=utf-8") for text in TEXTS]
    outputs += [Media(text.encode(), "application/json") for text in JSONS]
    outputs += [Media(data, "application/octet-stream") for data in BYTES]
    length = draw(st.integers(0, 3))
    numbers = st.sampled_from([-0.5, -0.25, -0.25 - 1e-6, -1.0, 0.0, -1.7e308, 1.7e308])
    given: dict[str, Any] = {}
    if draw(st.booleans()):
        given["token_ids"] = draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
    if draw(st.booleans()):
        texts = st.lists(st.sampled_from(["a", "b", ""]), min_size=length, max_size=length)
        given["token_texts"] = draw(texts)
    if draw(st.booleans()):
        given["logprobs"] = draw(st.lists(numbers, min_size=length, max_size=length))
    if draw(st.booleans()):
        given["raw"] = Raw(bytes([draw(st.integers(0, 1))]) * 32, draw(st.integers(0, 1)))
    observation = Observation(**given) if given else None
    output = draw(st.sampled_from([None, *outputs]))
    return output, observation, draw(st.sampled_from(ENVIRONMENTS))


def written(environment: dict[str, Any] | None) -> bytes | None:
    return None if environment is None else json.dumps(environment, separators=(",", ":")).encode()


def theirs(run: Any) -> Theirs:
    output, observation, environment = run
    also = None
    if observation is not None:
        raw = observation.raw and (observation.raw.sha256.hex(), observation.raw.size_bytes)
        also = Their(observation.token_ids, observation.token_texts, observation.logprobs, raw)
    data, media_type = (None, None) if output is None else output
    return Theirs(data, media_type, also, written(environment))


@settings(max_examples=600, deadline=None)
@given(seen(), seen(), st.sampled_from([0.0, 1e-5, 0.5]))
def test_two_runs_are_compared_alike(one: Any, other: Any, epsilon: float) -> None:
    ours = compare(
        Seen(one[0], one[1], written(one[2])), Seen(other[0], other[1], written(other[2])), epsilon
    )
    found_ = they_compare(theirs(one), theirs(other), epsilon)
    first = {"token": ours.first_token, "character": ours.first_character}
    assert ours.levels == found_.levels
    assert {k: v for k, v in first.items() if v is not None} == (found_.first_difference or {})
    assert ours.logprob_difference == found_.logprob_difference
    assert ours.raw_identical == found_.raw_identical
    assert ours.environment_identical == found_.environment_identical


def some_run(rng: Random) -> tuple[Media | None, Observation | None, dict[str, Any] | None]:
    """A run that often is the same as another one."""
    output = rng.choice([None, Media(b"ab", "text/plain"), Media(b"ab", "text/plain"), TEXT, JSON])
    given: dict[str, Any] = {}
    if rng.random() < 0.8:
        given["token_ids"] = [1, rng.choice([2, 2, 2, 3])]
    if rng.random() < 0.8:
        given["logprobs"] = [-0.5, rng.choice([-0.25, -0.25, -0.25 - 1e-7, -0.75])]
    if rng.random() < 0.8:
        given["raw"] = Raw(bytes([rng.choice([0, 0, 0, 1])]) * 32, 8)
    return output, Observation(**given) if given else None, rng.choice(ENVIRONMENTS)


TEXT, JSON = Media("ä".encode(), "text/plain"), Media(b'{"a":1}', "application/json")


def test_what_the_ledger_says_of_a_run_is_what_the_verifier_finds(tmp_path: Path) -> None:
    """Many runs of many kinds, in a plain and in a salted ledger, in one package each."""
    rng = Random(13)
    for salted in (False, True):
        world = World(tmp_path / str(salted), salted=salted)
        with world.open() as log:
            for _ in range(120):
                output, observation, environment = some_run(rng)
                identifier = local(log, output, observation=observation, environment=environment)
                again = Result(*some_run(rng))
                wanted = rng.choice(LEVELS)
                list(replay(log, [identifier], engine=giving(again), wanted=wanted))
            made = world.package(world.folder / "package", replay=True)
            levels = {entry.payload.body["level"] for entry in log.find(type="replay")}
        assert levels == {"archive", "text", "tokens", "logprobs", "bits"}
        report = audit(made.path, world, head=made.known_head)
        assert [one for one in found(report) if one[0] != "replay_failed"] == []
        assert report.counts["replays"] == 120
        assert list(examine(world.path)) == []


def giving(result: Result) -> Scripted:
    return Scripted(lambda task: result)
