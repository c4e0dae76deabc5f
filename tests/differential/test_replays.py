"""Replays whose fields contradict each other: both programs draw one line (specs/13 section 7)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ledger import model
from ledger.errors import RecordError
from tools.vectors import replay_lab
from tools.vectors.replay_lab import LEVELS
from verifier.bodies import BODIES
from verifier.errors import Refused

STATES = ["match", "differs", "not_observable", "not_run"]
REASONS = [
    "content_missing", "engine_failed", "output_differs", "environment_differs", "not_observable",
]  # fmt: skip
FULL = replay_lab.differing()
OPTIONAL = [
    "replayed", "epsilon", "logprob_difference", "confidence_difference", "first_difference",
    "raw_identical", "environment_identical",
]  # fmt: skip
GOOD = [
    replay_lab.archived(), replay_lab.reproduced(), FULL, replay_lab.agreeing(),
    replay_lab.not_run(),
]  # fmt: skip


def toggled(body: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Take a key out, or put it in."""
    return {k: v for k, v in body.items() if k != key} if key in body else body | {key: value}


def changed(body: dict[str, Any], rng: Random) -> dict[str, Any]:
    """One field is otherwise, of the type that it may have."""
    match rng.randrange(8):
        case 0 | 1 | 2:
            state = {rng.choice(LEVELS): rng.choice(STATES)}
            return body | {"levels": body["levels"] | state}
        case 3:
            return body | {"wanted": rng.choice(LEVELS)}
        case 4:
            return toggled(body, "reason", None) | {"reason": rng.choice(REASONS)}
        case 5:
            key = rng.choice(OPTIONAL)
            return toggled(body, key, FULL[key])
        case 6:
            key = rng.choice(["raw_identical", "environment_identical"])
            return body | {key: rng.random() < 0.5}
        case _:
            side = rng.choice(["expected", "replayed"])
            if side not in body:
                return body | {"engine": rng.choice(["archive", "openai"])}
            key = rng.choice(["output", "observation", "environment", "response", "confidence"])
            return body | {side: toggled(body[side], key, FULL[side][key])}


def concluded(body: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Success, level and reason are those of the states."""
    states = body["levels"]
    reached = [level for level in LEVELS if states[level] == "match"]
    success = states[body["wanted"]] == "match"
    body = body | {"success": success, "level": reached[-1] if reached else "none"}
    if success:
        return {key: value for key, value in body.items() if key != "reason"}
    return {"reason": rng.choice(REASONS)} | body


def codes(body: dict[str, Any]) -> tuple[str, str]:
    """What either program says."""
    mine = yours = "ok"
    try:
        model.from_body("replay", body)
    except RecordError as error:
        mine = error.code
    try:
        BODIES["replay"](body)
    except Refused as error:
        yours = error.code
    return mine, yours


@pytest.mark.parametrize("seed", range(8))
def test_contradictions_are_judged_alike(seed: int) -> None:
    """Any few fields that are otherwise, with and without what follows from the states."""
    rng, taken = Random(seed), 0
    for _ in range(4000):
        body = rng.choice(GOOD)
        for _ in range(rng.randint(1, 4)):
            body = changed(body, rng)
        if rng.random() < 0.8:
            body = concluded(body, rng)
        mine, yours = codes(body)
        assert mine == yours, body
        taken += mine == "ok"
    assert taken > 50
