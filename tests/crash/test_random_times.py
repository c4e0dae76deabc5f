"""SIGKILL at any time, several times over, then the same program again."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.crash.conftest import MakeScene

SEEDS = range(12)
VARIANTS = ("chat", "stream", "messages", "stages", "tasks", "brief")
LONGEST_SECONDS = 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_times(make_scene: MakeScene, seed: int) -> None:
    """Wherever a delay falls is a good place: nothing is expected of how far the run came."""
    chance = random.Random(seed)
    scene = make_scene(VARIANTS[seed % len(VARIANTS)])
    scene.provider.control(pause_ms=10.0)
    for _ in range(chance.randint(1, 3)):
        pid = scene.start()
        time.sleep(chance.uniform(0.02, LONGEST_SECONDS))
        os.kill(pid, signal.SIGKILL)  # a child that has ended waits to be waited for
        assert scene.end(pid) in (0, -signal.SIGKILL), scene.output()
    scene.resume()
