"""The command as the shell sees it: exit codes, pipes, Ctrl-C, terminals, no tracebacks."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ledger.cli
from ledger.cli.app import run
from tests.cli.world import FORBIDDEN, Vif, vif_command

Process = Callable[..., "subprocess.CompletedProcess[bytes]"]
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


def on_terminal(
    command: list[str], *, columns: int = 80, answers: dict[bytes, bytes] | None = None
) -> tuple[int, bytes]:
    """Run a command on a terminal of its own; type an answer wherever a prompt appears."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child becomes the command
        os.environ |= {"COLUMNS": str(columns), "TERM": "xterm-256color"}
        os.execvp(command[0], command)
    shown, waiting = b"", dict(answers or {})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not piece:
                break
            shown += piece
        for prompt in [one for one in waiting if one in shown]:
            os.write(terminal, waiting.pop(prompt))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_the_version(process: Process) -> None:
    """`vif --version` names program and version; `python -m ledger.cli` is `vif`."""
    ran = process("--version")
    assert ran.returncode == 0
    assert re.fullmatch(rb"vif \S+\n", ran.stdout)
    assert callable(ledger.cli.main)


@pytest.mark.parametrize("arguments", [[], ["key"], ["prove"], ["import"]])
def test_a_command_without_its_command_shows_help(vif: Vif, arguments: list[str]) -> None:
    """Groups print their help; the exit code says that nothing was done."""
    ran = vif(*arguments)
    assert ran.code == 2
    assert "Usage: vif" in ran.out + ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["log"],
        ["log", "none"],
        ["log", "none", "--limit", "x"],
        ["log", "none", "--limt", "3"],
        ["show", "/dev/null", "1"],
        ["init", "/proc/nothing/here"],
        ["record", "none", "-m", "m", "-p", "p"],
        ["export", "none", "x"],
        ["import", "jsonl", "none", "x"],
        ["key", "show", "no such key"],
        ["key", "list", "/etc/passwd"],
        ["demo", "--calls", "0"],
        ["demo", "/"],
    ],
)
def test_mistakes_are_explained_without_traceback(vif: Vif, arguments: list[str]) -> None:
    """Exit code 2, one line of error with its code, nothing on standard output."""
    ran = vif(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert re.match(r"error\[[a-z_]+\]: \S", ran.err), ran.err


def test_a_mistyped_option_is_a_json_error_too(vif: Vif) -> None:
    """With --json even a call that cannot be parsed is refused as JSON, with a suggestion."""
    ran = vif("log", "x", "--limt", "3", "--json")
    assert (ran.code, ran.error["code"]) == (2, "usage")
    assert "--limit" in ran.error["message"]


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of this program itself is not dressed up as one of the user."""

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("a defect")

    monkeypatch.setattr("ledger.cli.log.reading", broken)
    with pytest.raises(AssertionError, match="a defect"):
        run(["log", "x"])


def test_a_reader_may_leave(lab: Path) -> None:
    """`vif log | head -1` ends quietly, whatever was still to come."""
    record = b'{"model":"m","prompt":"p"}\n' * 1000
    subprocess.run(vif_command("record", lab, "-"), input=record, capture_output=True, check=True)
    for options in ([], ["--json"]):
        with subprocess.Popen(
            vif_command("log", lab, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait(30) == 0


def test_ctrl_c_is_clean(lab: Path) -> None:
    """Stopped while it waits: one word, exit code 130, and what was recorded stays recorded."""
    with subprocess.Popen(
        vif_command("record", lab, "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(b'{"model":"m","prompt":"p"}\n')
        running.stdin.flush()
        assert b"#6" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130
        assert running.stderr.read() == b"interrupted\n"


def test_letters_that_a_terminal_lacks(process: Process, lab: Path) -> None:
    """Where the encoding has no such letter an escape is printed, and nothing breaks."""
    process("record", lab, "-m", "modèle 東京", "-p", "p")
    ran = process("log", lab, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 0
    assert b"mod\\xe8le \\u6771\\u4eac" in ran.stdout


def test_a_terminal_has_colours_and_whole_lines(lab: Path) -> None:
    """Listings fit the terminal's width, bands are coloured, and records cannot write to it."""
    for columns in (80, 120):
        code, shown = on_terminal(vif_command("log", lab), columns=columns)
        assert code == 0
        assert b"\x1b[" in shown
        plain = _COLOURS.sub(b"", shown).decode()
        assert max(len(line) for line in plain.splitlines()) <= columns
        assert not set(FORBIDDEN) - {"\r"} & set(plain)
        assert "[bold]m[/bold]" in plain


def test_no_colour_when_asked_or_piped(process: Process, lab: Path) -> None:
    """A pipe has plain text, FORCE_COLOR brings colours back, NO_COLOR wins on a terminal."""
    assert b"\x1b" not in process("log", lab).stdout
    forced = process("log", lab, env=os.environ | {"FORCE_COLOR": "1"})
    assert b"\x1b[" in forced.stdout
    _, shown = on_terminal(["env", "NO_COLOR=1", *vif_command("log", lab)])
    assert b"\x1b[3" not in shown


def test_raw_content_does_not_go_to_a_terminal(lab: Path) -> None:
    """Bytes that a terminal would obey are only written into files and pipes."""
    code, shown = on_terminal(vif_command("show", lab, 5, "-c", "output", "--raw"))
    assert code == 2
    assert b"owned" not in shown
    code, shown = on_terminal(vif_command("show", lab, 5, "-c", "output"))
    assert code == 0
    assert b"\x1b]0" not in shown
    assert b"\\x1b]0;owned\\x07" in shown


def test_the_passphrase_is_asked_for_and_not_echoed(lab: Path, process: Process) -> None:
    """Encrypting asks twice, recording asks once; what is typed is never shown."""
    secret = b"correct horse battery"
    key = next(Path("keys").glob("producer-*.pem"))
    code, shown = on_terminal(
        vif_command("key", "encrypt", key),
        answers={b"New passphrase": secret + b"\n", b"Once more": secret + b"\n"},
    )
    assert code == 0, shown
    assert secret not in shown
    assert b"ENCRYPTED" in key.read_bytes()
    code, shown = on_terminal(
        vif_command("record", lab, "-m", "m", "-p", "p"),
        answers={b"Passphrase of the key": secret + b"\n"},
    )
    assert code == 0, shown
    assert secret not in shown
    assert b"#6" in shown


def test_a_revocation_is_confirmed(lab: Path) -> None:
    """On a terminal a person is told what will not be trusted any more, and may say no."""
    command = vif_command(
        *("key", "revoke", lab, "lab-1", "--last-good", 3, "--reason", "lost laptop")
    )
    code, shown = on_terminal(command, answers={b"for good?": b"n\n"})
    assert code == 130
    assert b"after #3" in shown
    code, shown = on_terminal(command, answers={b"for good?": b"y\n"})
    assert code == 0, shown
    assert b"revoked" in shown


def test_progress_is_for_terminals(lab: Path, process: Process, tmp_path: Path) -> None:
    """A bar appears on a terminal's standard error only, and leaves nothing behind in a pipe."""
    assert process("export", lab, tmp_path / "one").stderr == b""
    code, shown = on_terminal(vif_command("export", lab, tmp_path / "two"))
    assert code == 0
    assert b"exporting" in shown


def test_two_programs_may_append_at_once(lab: Path) -> None:
    """Writers that run side by side each have a stream, and nothing is lost."""
    record = b'{"model":"m","prompt":"p"}\n' * 50
    running: list[Any] = [
        subprocess.Popen(
            vif_command("record", lab, "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    assert [len(one.communicate(record, 60)[0].splitlines()) for one in running] == [50] * 3
    checked = subprocess.run(vif_command("doctor", lab), capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert b"156 statements" in checked.stdout


@pytest.mark.parametrize(("redirection", "code"), [("> /dev/full", 2), (">&-", 0), (">&- 2>&-", 0)])
def test_an_output_that_cannot_be_written(lab: Path, redirection: str, code: int) -> None:
    """A full disk is one line of error, a closed output is nobody who listens; never a crash."""
    typed = f"{shlex.join(vif_command('log', lab))} {redirection}"
    ran = subprocess.run(["/bin/sh", "-c", typed], stderr=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode == code
    assert ran.stderr == ("error[system]: No space left on device\n" if code else "")
