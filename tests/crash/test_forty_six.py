"""An experiment of 46 analyses whose next stage fails: all 46 survive."""

from __future__ import annotations

import signal

import pytest

from tests.crash.conftest import MakeScene
from tests.crash.others import ANALYSES

PROGRAM = "others.analyses"


@pytest.mark.parametrize(("end", "status"), [("raise", 1), ("kill", -signal.SIGKILL)])
def test_the_rerun_makes_no_call_for_the_analyses(
    make_scene: MakeScene, end: str, status: int
) -> None:
    """The provider's own count: 46, and 46 again after two more runs that fail in the same place.

    Each text is analysed twice with the same request: two calls, which keep their own answers.
    """
    scene = make_scene("analyses")
    for run in range(3):
        assert scene.run(program=PROGRAM, end=end) == status, scene.output()
        assert sum(scene.paid().values()) == ANALYSES
        told = scene.told().values()
        assert [call.statuses for call in told] == [["answered"]] * ANALYSES
        seen = scene.handed()
        assert len(seen) == ANALYSES
        assert all(len(texts) == run + 1 and len(set(texts)) == 1 for texts in seen.values())
    assert len({texts[0] for texts in scene.handed().values()}) == ANALYSES
    assert scene.run(program=PROGRAM, end="good") == 0, scene.output()
    assert sum(scene.paid().values()) == ANALYSES + 1
    done = scene.done()
    assert done is not None
    assert done["counts"] == {
        "answered": 1, "failed": 0, "unknown": 0, "reused": ANALYSES, "in_flight": 0,
    }  # fmt: skip
    scene.verify()
