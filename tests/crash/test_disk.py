"""Disk full and I/O errors: the caller gets an error in place of an answer that is not recorded."""

from __future__ import annotations

import pytest

from tests.crash.child import QUESTIONS
from tests.crash.conftest import MakeScene
from tests.crash.scene import Scene
from tests.crash.tracing import inject

CALLS = len(QUESTIONS)
PAGE = 4096


def resume(scene: Scene) -> None:
    """Run again on a disk that works: what callers have seen is there, and nothing else is lost."""
    unknown_before = sum(
        status != "answered" for call in scene.told().values() for status in call.statuses
    )
    paid = sum(scene.paid().values())
    answered = sum(call.serial is not None for call in scene.told().values())
    assert paid <= answered + unknown_before
    scene.resume()


@pytest.mark.parametrize("pages", [0, 8, 12, 16, 20, 24])
@pytest.mark.parametrize("variant", ["chat", "stream"])
def test_the_disk_is_full(make_scene: MakeScene, variant: str, pages: int) -> None:
    """The file system refuses to let the database grow, in the middle of an experiment."""
    scene = make_scene(variant)
    status = scene.run(program="others.limited", more_bytes=pages * PAGE)
    assert status == 1
    assert "StoreError: store_f" in scene.output(), scene.output()
    assert scene.done() is None
    resume(scene)


@pytest.mark.parametrize("more_pages", [4, 20])
def test_the_database_is_full(make_scene: MakeScene, more_pages: int) -> None:
    """Its own bound is reached, as the ledger was opened with one."""
    scene = make_scene("chat")
    size = (scene.folder / "log.vif" / "db" / "data.mdb").stat().st_size
    assert scene.run(map_size_bytes=size + more_pages * PAGE) == 1
    assert "StoreError: store_full" in scene.output(), scene.output()
    resume(scene)


@pytest.mark.parametrize(
    ("call", "error", "when"),
    [
        ("fdatasync", "EIO", "1+"),
        ("fdatasync", "EIO", "3+"),
        ("fdatasync", "EIO", "4"),
        ("fdatasync", "ENOSPC", "5+"),
        ("writev", "ENOSPC", "3+"),
        ("writev", "EIO", "6"),
        ("pwrite64", "ENOSPC", "3+"),
        ("pwrite64", "EIO", "4"),
        ("renameat2,rename,renameat", "EIO", "3+"),
    ],
)
def test_a_system_call_fails(make_scene: MakeScene, call: str, error: str, when: str) -> None:
    """Once or from then on: no answer is handed on that is not there afterwards."""
    scene = make_scene("chat")
    status = inject(scene, call, f"error={error}", when)
    assert status == 1, scene.output()
    assert "Error: store_" in scene.output(), scene.output()
    resume(scene)


@pytest.mark.parametrize("variant", ["chat", "stream", "messages"])
def test_an_answer_that_cannot_be_recorded_is_not_handed_on(
    make_scene: MakeScene, variant: str
) -> None:
    """The commits are the opening, an intent, and the outcome, which fails: paid, and not seen."""
    scene = make_scene(variant)
    assert inject(scene, "fdatasync", "error=EIO", "3+") == 1, scene.output()
    assert "Error: store_" in scene.output(), scene.output()
    assert scene.handed() == {}
    assert sum(scene.paid().values()) == 1
    resume(scene)
    assert [call.statuses for call in scene.told().values()] == [
        ["unknown", "answered"], *[["answered"]] * (CALLS - 1)
    ]  # fmt: skip
    assert sum(scene.paid().values()) == CALLS + 1
