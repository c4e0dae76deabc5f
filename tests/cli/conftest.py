"""The command line as its user has it: a folder of one's own, a key folder, and `vif`."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.app import run
from tests.cli.world import ROOT, Ran, Vif, make_lab, vif_command


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test in its own folder, away from the keys and settings of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("VIF_KEY_PASSPHRASE", "VIF_KEY_NEW_PASSPHRASE", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ledger.cli.secret.has_terminal", lambda: False)
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def vif(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Vif:
    """Return a function that runs a command in this process."""

    def call(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return call


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Return a function that runs a command as a process of its own."""

    def call(
        *arguments: object, stdin: bytes = b"", **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            vif_command(*arguments), input=stdin, capture_output=True, timeout=60, **options
        )

    return call


@pytest.fixture(scope="session")
def lab_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the ledger of `make_lab` once."""
    folder = tmp_path_factory.mktemp("lab")
    make_lab(folder)
    return folder


@pytest.fixture
def lab(lab_template: Path, tmp_path: Path) -> Path:
    """Return a copy of the ledger of `lab_template`; its keys are in the key folder."""
    shutil.copytree(lab_template / "keys", tmp_path / "keys")
    shutil.copytree(lab_template / "runs.vif", tmp_path / "runs.vif")
    return Path("runs.vif")
