"""`vif weights`: digests of weights from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from ledger.replay.weights import weights_digest
from tests.cli.world import HOSTILE_NAME, Vif


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder() -> Path:
    made = Path("small")
    made.mkdir()
    (made / "config.json").write_bytes(b"{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_digests_are_printed_one_a_line(vif: Vif, folder: Path) -> None:
    file = folder / "model.safetensors"
    ran = vif("weights", file, folder)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        f"{blake3(b'weights').hexdigest()}  {file}",
        f"{weights_digest(folder, cache=None).hex()}  {folder}",
    ]
    assert vif("weights", file, folder, "--no-cache").out == ran.out


def test_as_json(vif: Vif, folder: Path) -> None:
    file = folder / "model.safetensors"
    assert vif("weights", file, folder, "--json").lines == [
        {
            "path": str(file),
            "blake3": blake3(b"weights").hexdigest(),
            "kind": "file",
            "files": 1,
            "size_bytes": 7,
        },
        {
            "path": str(folder),
            "blake3": weights_digest(folder, cache=None).hex(),
            "kind": "folder",
            "files": 2,
            "size_bytes": 9,
        },
    ]


def test_nothing_is_remembered_unless_it_may_be(vif: Vif, folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        os.utime(file, (1, 1))
    vif("weights", folder, "--no-cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["nothing", "/dev/null"])
def test_what_is_no_weights_is_refused(vif: Vif, name: str) -> None:
    ran = vif("weights", name, "--json")
    assert ran.code == 2
    assert ran.error["code"] == "model_unavailable"
    assert Path(name).name in ran.error["message"]


def test_names_cannot_write_to_the_terminal(vif: Vif) -> None:
    name = HOSTILE_NAME.replace("/", "")
    Path(name).write_bytes(b"")
    ran = vif("weights", name)
    assert ran.code == 0
    assert "\u202e" not in ran.out
    assert "[bold]" in ran.out
