"""A process that has imported everything and forks one child for each run: runs start at once.

Commands come as lines of JSON on standard input, answers go to standard output. A child that is
told to wait opens a named pipe and goes on when the other end was opened and closed, so that
somebody can attach to it first.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.session import environment

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, -1


class Nursery:
    """Starts and ends the process; not safe for threads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(
        self, folder: Path, function: str, *given: Any, gate: Path | None = None, **options: Any
    ) -> int:
        """Start `tests.crash.<module>.<function>(*given, **options)`; returns the process id.

        What it prints goes to `output.txt` of the folder.
        """
        command: dict[str, Any] = {"run": function, "given": given, "options": options}
        command["output"] = str(folder / "output.txt")
        if gate is not None:
            os.mkfifo(gate)
            command["gate"] = str(gate)
        return self._ask(command)

    def wait(self, pid: int) -> int:
        """Wait for a child; returns its exit status, negative for a signal."""
        return self._ask({"wait": pid})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def _ask(self, command: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _child(command: dict[str, Any]) -> None:
    """Run what was ordered, in the forked process, which ends with it."""
    status = 1
    output = os.open(command["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.chdir(Path(command["output"]).parent)  # which no version control knows
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        if "gate" in command:
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
            Path(command["gate"]).read_bytes()
        module, _, name = command["run"].partition(".")
        getattr(_modules()[module], name)(*command["given"], **command["options"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _modules() -> dict[str, Any]:
    """Import everything that children need, also what the SDKs put off to their first use."""
    from tests.crash import child, others

    for name in (
        "anthropic.resources.messages",
        "openai.resources.chat.completions",
        "openai.resources.responses",
        "ledger.capture.transports.httpx2_binding",
    ):
        import_module(name)
    # The same for all children, and slow: half of the time of a short run.
    packages = environment._packages()
    environment._packages = lambda: packages
    return {"child": child, "others": others}


def main() -> None:
    """Serve until standard input ends."""
    _modules()
    for line in sys.stdin.buffer:
        command = json.loads(line)
        if "wait" in command:
            answer = os.waitstatus_to_exitcode(os.waitpid(command["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _child(command)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
