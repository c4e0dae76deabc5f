"""The verifier as a program: its exit code is what a script relies on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.conftest import Scene
from tests.helpers import forge


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m verifier` as its own process."""
    return subprocess.run(
        [sys.executable, "-m", "verifier", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_verified_is_0(scene: Scene, repository: Path) -> None:
    """A whole package, pinned by file and anchored at its own head, is 0 and says so."""
    done = run(
        repository, str(scene.whole.path), "--trust", str(scene.world.trust),
        "--known-head", scene.whole.head, "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["verdict"], report["exit_code"], report["findings"]) == ("verified", 0, [])
    assert report["counts"]["statements"] == 11


def test_limited_is_3(scene: Scene, repository: Path) -> None:
    """Without a pin, or without a known head, the same package is 3: nothing is wrong, or shown."""
    package = str(scene.whole.path)
    genesis = scene.world.genesis.hex()
    for arguments in ((), ("--trust", genesis), ("--known-head", scene.whole.head)):
        done = run(repository, package, *arguments)
        assert (done.returncode, done.stdout.startswith("LIMITED")) == (3, True)


def test_a_required_axis_makes_limited_1(scene: Scene, repository: Path) -> None:
    """An axis that the caller requires and that is not verified is a failure."""
    package, genesis = str(scene.whole.path), scene.world.genesis.hex()
    done = run(repository, package, "--trust", genesis, "--require", "authenticity")
    assert done.returncode == 3
    done = run(repository, package, "--trust", genesis, "--require", "anchoring")
    assert done.returncode == 1
    done = run(repository, package, "--trust", genesis, "--require", "replay")
    assert done.returncode == 3, "what does not apply cannot be asked for in vain"


def test_failed_is_1(scene: Scene, repository: Path, tmp_path: Path) -> None:
    """A changed package is 1, as a folder and as a zip; codes and places are printed."""
    files = scene.whole.files
    path = next(p for p, data in files.items() if data == b"It is 21.")
    files[path] = b"It is 22."
    forge.relist(files)
    pins = ("--trust", str(scene.world.trust), "--known-head", scene.whole.head)
    for zipped in (False, True):
        package = forge.put(files, tmp_path / f"package-{zipped}", zipped=zipped)
        done = run(repository, str(package), *pins)
        assert done.returncode == 1
        assert "content_mismatch  index 3" in done.stdout
        assert f"seal_mismatch  {path}" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("absent",), ("{package}", "--trust", "absent"), ("{package}", "--trust", "00"),
        ("{package}", "--known-head", "11:00"), ("{package}", "--known-head", "absent"),
        ("{package}", "--require", "everything"), (), ("{package}", "extra"), ("{folder}",),
    ],
)  # fmt: skip
def test_unreadable_is_2(
    scene: Scene, repository: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """No package, no readable pin, or a wrong call is 2, and never a verdict."""
    given = [
        one.format(package=scene.whole.path, folder=tmp_path, absent=tmp_path / "x")
        for one in arguments
    ]
    done = run(repository, *given)
    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout


def test_escapes_do_not_reach_the_terminal(scene: Scene, repository: Path, tmp_path: Path) -> None:
    """Names and texts of an attacker cannot move the reader's cursor."""
    package = forge.put(scene.whole.files, tmp_path / "package")
    (package / "data" / "\x1b[2J\x1b[HVERIFIED").write_bytes(b"")
    done = run(repository, str(package))
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    done = run(repository, "\x1b[2Jabsent")
    assert "\x1b" not in done.stdout + done.stderr
