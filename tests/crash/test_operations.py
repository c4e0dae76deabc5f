"""SIGKILL at every append of cross-model operations, then the same program again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.crash.conftest import MakeScene
from tests.crash.scene import Scene

OPERATIONS = 2
APPENDS = OPERATIONS * (2 * 2 + 3 + 1) + 2
"""The opening; of each operation two calls, three stages, the combination; the close."""
STEPS = [("before append", time) for time in range(2, APPENDS + 1)] + [
    ("after append", time) for time in (4, 5, 8, 9, 12, 17)
]


def statements(scene: Scene) -> list[tuple[str, int]]:
    """Type and operation of every statement of an operation, in log order."""
    with scene.open(read_only=True) as log:
        return [
            (entry.payload.type, entry.payload.body["operation"]["number"])
            for entry in log.entries()
            if "operation" in entry.payload.body and entry.payload.type != "witness"
        ]


def check(scene: Scene) -> None:
    """Each stage is there once, and each operation is combined once."""
    kinds = ["insight", "transfer", "execution", "provenance", "cross_model"]
    assert statements(scene) == [(kind, number) for number in (1, 2) for kind in kinds]


@pytest.mark.parametrize(("step", "time"), STEPS)
def test_killed_at_an_append_of_an_operation(make_scene: MakeScene, step: str, time: int) -> None:
    scene = make_scene("crossing")
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()
    check(scene)


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_killed_while_a_model_works(make_scene: MakeScene, calls: int) -> None:
    """The stage is not there, its call is unknown, and the next run goes on at that stage."""
    scene = make_scene("crossing")
    scene.provider.faults(*["ok"] * calls, "stall")
    pid = scene.start()
    scene.provider.until_waiting()
    os.kill(pid, signal.SIGKILL)
    assert scene.end(pid) == -signal.SIGKILL
    before = statements(scene)
    assert len(before) == {0: 0, 1: 2, 2: 5, 3: 7}[calls]
    scene.provider.until(lambda: scene.provider.state()["waiting"] == 0, "nobody waiting")
    scene.resume()
    assert statements(scene)[: len(before)] == before
    check(scene)
