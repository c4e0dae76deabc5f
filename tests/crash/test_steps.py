"""SIGKILL at every named step of a session, then the same program again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.crash.child import QUESTIONS
from tests.crash.conftest import MakeScene

CALLS = len(QUESTIONS)
TIMES = {
    "before intent": (1, CALLS),
    "after intent": (1, 3),
    "before sending": (1, CALLS),
    "head of the answer": (1, CALLS),
    "a chunk of the answer": (1, CALLS),
    "before outcome": (1, CALLS),
    "after outcome": (1, 3, CALLS),
    "before close": (1,),
    "after close": (1,),
}
APPENDS = 2 * CALLS + 2
"""Of an undisturbed run: the opening, an intent and an outcome for each call, the close."""
EVERY = [
    *((step, time) for step, times in TIMES.items() for time in times),
    *(("before append", time) for time in range(1, APPENDS + 1)),
    ("after append", 1),
    ("after append", APPENDS),
]
SAVEPOINTS = CALLS + 2
"""Of the program with stages: one after each call, and the two results."""


@pytest.mark.parametrize(("step", "time"), EVERY)
def test_killed_at_a_step(make_scene: MakeScene, step: str, time: int) -> None:
    scene = make_scene("chat")
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()


@pytest.mark.parametrize(
    ("step", "time"),
    [
        ("head of the answer", 2),
        *(("a chunk of the answer", time) for time in (1, 2, 5, 11, 12, 13, 40)),
        ("before outcome", 2),
        ("after outcome", 2),
    ],
)
def test_killed_in_a_stream(make_scene: MakeScene, step: str, time: int) -> None:
    scene = make_scene("stream")
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()


@pytest.mark.parametrize("variant", ["messages", "tasks"])
@pytest.mark.parametrize("time", [1, 3, CALLS])
@pytest.mark.parametrize("step", ["after intent", "before outcome"])
def test_killed_at_a_step_of_other_programs(
    make_scene: MakeScene, variant: str, step: str, time: int
) -> None:
    scene = make_scene(variant)
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()


@pytest.mark.parametrize("step", ["before savepoint", "after savepoint"])
@pytest.mark.parametrize("time", range(1, SAVEPOINTS + 1))
def test_killed_at_a_savepoint(make_scene: MakeScene, step: str, time: int) -> None:
    """What a finished stage gave is not asked for again, not even from the archive."""
    scene = make_scene("stages")
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()
    done = scene.done()
    assert done is not None
    saved = time if step == "after savepoint" else time - 1
    # Stage 0 is complete with the third savepoint, stage 1 with the last.
    again = CALLS if saved < 3 else CALLS - 2 if saved < SAVEPOINTS else 0
    assert done["counts"]["answered"] + done["counts"]["reused"] == again


@pytest.mark.parametrize("fault", ["stall", "stall_midway"])
@pytest.mark.parametrize("variant", ["chat", "stream", "messages"])
def test_killed_while_the_provider_works(make_scene: MakeScene, variant: str, fault: str) -> None:
    """The request is sent and paid, and nothing or half of the answer is there."""
    scene = make_scene(variant)
    scene.provider.faults("ok", fault)
    pid = scene.start()
    scene.provider.until_waiting()
    os.kill(pid, signal.SIGKILL)
    assert scene.end(pid) == -signal.SIGKILL
    statuses = [call.statuses for call in scene.told().values()]
    assert statuses == [["answered"], [None]]
    scene.provider.until(lambda: scene.provider.state()["waiting"] == 0, "nobody waiting")
    scene.resume()
    assert sum(scene.paid().values()) == CALLS + 1
    assert [call.statuses for call in scene.told().values()][1] == ["unknown", "answered"]


@pytest.mark.parametrize("fault", ["die", "die_midway", "drop_before", "drop_midway", "hang_up"])
def test_the_provider_dies_first(make_scene: MakeScene, fault: str) -> None:
    """The caller gets its error, the run ends interrupted, and the next one goes on."""
    scene = make_scene("chat")
    scene.provider.faults("ok", "ok", fault)
    assert scene.run() == 1
    assert "Connection" in scene.output() or "Protocol" in scene.output()
    if fault.startswith("die"):
        scene.provider.start()
    assert [call.statuses for call in scene.told().values()][2] == ["unknown"]
    scene.resume()


@pytest.mark.parametrize("fault", ["429", "500"])
def test_a_refusal_is_not_an_unknown_outcome(make_scene: MakeScene, fault: str) -> None:
    scene = make_scene("chat")
    scene.provider.faults("ok", fault)
    assert scene.run() == 1
    scene.resume()
    assert sum(scene.paid().values()) == CALLS
    assert [call.statuses for call in scene.told().values()][1] == ["failed", "answered"]


@pytest.mark.parametrize("step", ["before append", "after append"])
@pytest.mark.parametrize("time", [1, 2, 3])
def test_killed_again_while_it_resumes(make_scene: MakeScene, step: str, time: int) -> None:
    """The first run leaves two answers and a call without one."""
    scene = make_scene("chat")
    assert scene.run(("after intent", 3)) == -signal.SIGKILL
    assert scene.run((step, time)) == -signal.SIGKILL, scene.output()
    scene.resume()


def test_a_finished_stage_keeps_the_numbers_of_its_calls(make_scene: MakeScene) -> None:
    """Both stages ask the same question: two calls, also when only the second stage is run again.

    The answer of the first stage must not be given for the call of the second one.
    """
    scene = make_scene("repeated")
    assert scene.run(("before intent", 3)) == -signal.SIGKILL, scene.output()
    scene.resume()
    assert sum(scene.paid().values()) == CALLS


def test_a_call_without_an_answer_is_not_sent_again_unasked(make_scene: MakeScene) -> None:
    """The default: the error names the call, nothing is paid, and what is recorded stays usable."""
    scene = make_scene("chat")
    scene.provider.faults("ok", "stall")
    pid = scene.start()
    scene.provider.until_waiting()
    os.kill(pid, signal.SIGKILL)
    scene.end(pid)
    paid = sum(scene.paid().values())
    for _ in range(2):
        assert scene.run(on_unknown="ask") == 1
        assert "outcome_unknown" in scene.output()
        assert sum(scene.paid().values()) == paid
    assert [call.statuses for call in scene.told().values()] == [["answered"], ["unknown"]]
    scene.resume()
