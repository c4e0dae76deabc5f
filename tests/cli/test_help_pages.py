"""The help of every command: one line that says what for, and examples that run as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import ledger
from ledger.cli.app import app
from tests.capture.foreign import cassette, experiment, export, interaction, span
from tests.cli.world import ROOT, Vif, draft
from tests.operations.lab import Story
from tests.replay.planned import review


def commands(
    group: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path, `('key', 'new')`."""
    group = typer.main.get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
RUN_ELSEWHERE = {("demo",), ("proxy",), ("replay",), ("determinism",)} | {
    path for path in COMMANDS if path[0] == "session"
}
"""Their examples need a provider or a session: they are run in the tests of these commands."""


def examples(command: Any) -> list[str]:
    """Return the example lines of a command's help."""
    found: list[str] = re.findall(r"^ *(vif(?:-verify)? .*)$", command.help, re.MULTILINE)
    return found


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_is_for(path: tuple[str, ...], vif: Vif) -> None:
    """One short line of purpose, an example of itself, the JSON keys, and no line that wraps."""
    command = COMMANDS[path]
    purpose = command.help.strip().splitlines()[0]
    assert purpose.endswith(".")
    assert len(purpose) <= 72
    assert any(example.startswith(f"vif {' '.join(path)}") for example in examples(command))
    assert "With --json" in command.help
    assert max(map(len, command.help.splitlines())) <= 78
    shown = vif(*path, "--help")
    assert shown.code == 0
    assert f"Usage: vif {' '.join(path)}" in shown.out


@pytest.fixture(scope="module")
def example_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make all that the examples speak of: a ledger of some size, and files of their names."""
    folder = tmp_path_factory.mktemp("examples")
    runs, keys = folder / "runs.vif", folder / "keys"
    ledger.init(runs, origin="example.org/lab", keys=keys, name="lab-1")
    with ledger.open(runs, keys=keys, session="pilot") as log:
        log.append_many(
            draft(model="m", prompt="ask", output="answer", response=b"{}") for _ in range(220)
        )
    for name, text in {
        "answer.txt": "answer",
        "prompt.txt": "ask",
        "ask.txt": "ask",
        "a.txt": "answer",
        "calls.jsonl": '{"model": "m", "prompt": "p"}\n',
    }.items():
        (folder / name).write_text(text)
    cassette(folder / "cassette.yaml", interaction())
    (folder / "traces.jsonl").write_text(json.dumps(export(span(1))) + "\n")
    experiment(folder / "experiment_2")
    (folder / "models" / "small").mkdir(parents=True)
    for name in ("model.gguf", "models/small/model.safetensors"):
        (folder / name).write_bytes(b"weights")
    programs = folder / "bin"
    programs.mkdir()
    for name, module in (("vif", "ledger.cli"), ("vif-verify", "verifier")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        script.chmod(0o755)
    return folder


def prepare(path: tuple[str, ...], vif: Vif) -> dict[str, str]:
    """Do what an example takes for granted; returns what stands for its placeholders."""
    if path == ("init",):
        shutil.rmtree("runs.vif")
    if path in {("key", "rotate"), ("key", "revoke")}:
        assert vif("key", "new", "producer", "lab-2").code == 0
        assert vif("key", "enrol", "runs.vif", "lab-2").code == 0
    if path[0] == "head" or path == ("key", "trust"):
        # The package that the second line verifies is exported after the first line: see below.
        assert vif("export", "runs.vif", "package").code == 0
    if path == ("attach",):
        assert vif("export", "runs.vif", "package").code == 0
        for name, target in (("one", "review.zip"), ("other", "other/review.zip")):
            with ledger.open("runs.vif", read_only=True) as log:
                review(Path(name), log, 2)
            assert vif("export", f"{name}/lab.vif", target, "--keys", f"{name}/keys").code == 0
    if path == ("operation",):
        with ledger.open("runs.vif", session="lab") as log:
            return {"runs.vif 27": f"runs.vif {Story(log).tell().stages[0].index}"}
    kid = vif("key", "list", "--json").lines[-1]["kid"]
    return {"72d16faf": kid[:8], "--last-good 41": "--last-good 221 --yes"}


@pytest.mark.parametrize(
    "path", [one for one in COMMANDS if one not in RUN_ELSEWHERE], ids=" ".join
)
def test_the_examples_run(
    path: tuple[str, ...],
    vif: Vif,
    example_world: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Every example line, typed into a shell as it is printed, one after the other, succeeds."""
    shutil.copytree(example_world, tmp_path, symlinks=True, dirs_exist_ok=True)
    if path == ("import", "inspect"):
        samples = request.getfixturevalue("shared") / "samples"
        (tmp_path / "logs").mkdir()
        shutil.copy(samples / "theory-of-mind.eval", tmp_path / "logs")
    placeholders = prepare(path, vif)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "VIF_KEYS": str(tmp_path / "keys"),
    }
    environment.pop("COLUMNS", None)
    if "--encrypt" in " ".join(examples(COMMANDS[path])) or path == ("key", "encrypt"):
        environment["VIF_KEY_PASSPHRASE"] = "correct horse battery"
    lines = "\n".join(examples(COMMANDS[path]))
    for placeholder, value in placeholders.items():
        lines = lines.replace(placeholder, value)
    # `(signed)` remarks after an example are not typed; jq may not be there.
    lines = re.sub(r"  +the signed.*$", "", lines, flags=re.MULTILINE)
    if shutil.which("jq") is None:
        lines = re.sub(r"\| jq .*$", "", lines, flags=re.MULTILINE)
    if shutil.which("dot") is None:
        lines = re.sub(r"^.* --format html .*\n?", "", lines, flags=re.MULTILINE)
    if path == ("init",):
        lines = lines.replace("\n", "\nrm -r runs.vif\n")
    allowed = {"vif-verify": 3} if path[0] == "head" or path == ("key", "trust") else {}
    for line in lines.splitlines():
        ran = subprocess.run(
            ["/bin/sh", "-c", line],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        said = (line, ran.stdout, ran.stderr)
        assert ran.returncode in {0, allowed.get(line.split()[0], 0)}, said
        assert "Traceback" not in ran.stderr, said
