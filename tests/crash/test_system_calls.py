"""SIGKILL at each system call that writes, then the same program again.

The process dies as it enters the call, so the call is not made: what the kernel has is all calls
before it.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.crash.conftest import MakeScene
from tests.crash.tracing import count_calls, inject

SHARDS = 4
"""Parts that can be tried at the same time."""
STRIDE = int(os.environ.get("VIF_CRASH_STRIDE", "2"))
"""One place in so many is tried; 1 tries them all."""


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_every_system_call_that_writes(make_scene: MakeScene, shard: int) -> None:
    killed = _try(make_scene, "brief", shard * STRIDE, SHARDS * STRIDE)
    assert killed >= 4


@pytest.mark.parametrize("shard", range(2))
@pytest.mark.parametrize("variant", ["messages", "tasks"])
def test_killed_at_some_system_calls_of_other_programs(
    make_scene: MakeScene, variant: str, shard: int
) -> None:
    killed = _try(make_scene, variant, 3 + 4 * shard, 16)
    assert killed >= 1


def _try(make_scene: MakeScene, variant: str, first: int, step: int) -> int:
    """Kill at one in `step` of all places; returns how often the program died of it."""
    counts = count_calls(make_scene(variant))
    places = [(call, time) for call in sorted(counts) for time in range(1, counts[call] + 1)]
    killed = 0
    for call, time in places[first::step]:
        scene = make_scene(variant)
        status = inject(scene, call, "signal=SIGKILL", str(time))
        # In a program with threads, or when a helper process is hit, the place may not come.
        assert status in (0, -signal.SIGKILL), scene.output()
        killed += status != 0
        scene.resume()
    return killed
