"""Threads, tasks and processes at the same time, in one ledger."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.crash.child import NAME, QUESTIONS
from tests.crash.conftest import MakeScene
from tests.crash.scene import Scene
from tests.helpers.provider import serial_of

CALLS = len(QUESTIONS)
THREADED = 24


def serials(scene: Scene) -> list[int]:
    done = scene.done()
    assert done is not None
    return [serial_of(text) for text in done["answers"]]


def test_threads_of_one_session(make_scene: MakeScene) -> None:
    """Every question is asked once, also when some are the same, and a rerun asks none."""
    scene = make_scene("threads")
    for _ in range(2):
        assert scene.run(program="others.threads", calls=THREADED) == 0, scene.output()
        assert sum(scene.paid().values()) == THREADED
    assert all(len(set(texts)) == 1 for texts in scene.handed().values())
    assert len(set(serials(scene))) == THREADED
    scene.verify()


@pytest.mark.parametrize("step", ["before outcome", "after append", "before sending"])
@pytest.mark.parametrize("time", [3, 9, 15])
def test_threads_that_are_killed(make_scene: MakeScene, step: str, time: int) -> None:
    """Several calls are under way at once when the process dies; each is accounted for."""
    scene = make_scene("threads")
    given = {"program": "others.threads", "calls": THREADED}
    assert scene.run((step, time), **given) == -signal.SIGKILL, scene.output()
    scene.resume(**given)
    unknown = [call for call in scene.told().values() if "unknown" in call.statuses]
    assert sum(scene.paid().values()) <= THREADED + len(unknown)


def test_processes_with_sessions_of_their_own(make_scene: MakeScene, tmp_path: Path) -> None:
    """Six at once; two are killed, and resumed while nobody else is disturbed."""
    scene = make_scene("chat")
    places = [scene.beside(tmp_path / f"process-{number}") for number in range(6)]

    def start(number: int, inject: tuple[str, int] | None = None) -> int:
        return places[number].start(inject, name=f"{NAME}/{number}")

    pids = [start(n, ("before outcome", 2) if n < 2 else None) for n in range(6)]
    statuses = [place.end(pid) for place, pid in zip(places, pids, strict=True)]
    assert statuses == [-signal.SIGKILL] * 2 + [0] * 4, [place.output() for place in places]
    again = [start(number) for number in range(6)]
    assert [place.end(pid) for place, pid in zip(places, again, strict=True)] == [0] * 6
    got = [number for place in places for number in serials(place)]
    assert len(set(got)) == 6 * CALLS
    assert sum(scene.paid().values()) == 6 * CALLS + 2
    for number, place in enumerate(places):
        told = place.told(f"{NAME}/{number}")
        assert sorted(call.serial or 0 for call in told.values()) == sorted(serials(place))
    scene.verify()


def test_a_second_process_that_resumes_the_same_session_is_refused(make_scene: MakeScene) -> None:
    """It is told who has the session, sends nothing, and does not disturb the first one."""
    scene = make_scene("chat")
    assert scene.run(("before outcome", 2)) == -signal.SIGKILL
    paid = sum(scene.paid().values())
    scene.provider.faults("stall")
    first = scene.start()
    scene.provider.until_waiting()
    second = scene.run()
    assert second == 1
    assert "session_busy" in scene.output()
    assert f"process {first}" in scene.output()
    scene.provider.advance()
    assert scene.end(first) == 0, scene.output()
    assert sum(scene.paid().values()) == paid + CALLS - 1
    scene.resume()


def test_a_killed_process_leaves_no_lock(make_scene: MakeScene) -> None:
    scene = make_scene("chat")
    scene.provider.faults("stall")
    first = scene.start()
    scene.provider.until_waiting()
    os.kill(first, signal.SIGKILL)
    scene.end(first)
    scene.resume()


def test_processes_that_race_for_one_session(make_scene: MakeScene) -> None:
    """Whoever comes first runs it; the others are refused or find everything answered."""
    scene = make_scene("chat")
    pids = [scene.start() for _ in range(5)]
    statuses = [scene.end(pid) for pid in pids]
    assert 0 in statuses
    assert scene.output().count("SessionError: session_busy") == statuses.count(1)
    assert sum(scene.paid().values()) == CALLS
    scene.resume()
