"""strace, attached to a child: counts its system calls, or breaks one of them.

Each thread has its own count of each system call, so `k` is the k-th of whichever thread gets there
first.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.scene import Scene

WRITING = (
    "write,pwrite64,writev,pwritev,pwritev2,fdatasync,fsync,msync,rename,renameat,renameat2,"
    "sendto,sendmsg,ftruncate,fallocate,link,linkat,unlink,unlinkat"
)
"""System calls that change a file or leave the process."""
_CALL = re.compile(r"(\d+) +(\w+)\(")


def run_traced(scene: Scene, *options: str) -> int:
    """Run a scene's child under strace with these options; returns the child's exit status.

    Skips the test where that is not possible.
    """
    program = shutil.which("strace")
    if program is None:
        pytest.skip("strace is not installed: no faults at system calls")
    gate = scene.folder / "gate"
    gate.unlink(missing_ok=True)
    pid = scene.start(gate=gate)
    command = [program, "-f", "-p", str(pid), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        gate.write_bytes(b"")  # opens and closes it: the child goes on
        status = scene.end(pid)
        tracer.communicate()
    if "attached" not in line:
        pytest.skip(f"strace may not trace a process here: {line.strip()}")
    return status


def count_calls(scene: Scene) -> Counter[str]:
    """Run undisturbed; returns how often the thread that did it most did each system call."""
    trace = scene.folder / "trace"
    assert run_traced(scene, "-o", str(trace), "-e", f"trace={WRITING}") == 0, scene.output()
    each = Counter(
        (found[1], found[2])
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines()
        if (found := _CALL.match(line))
    )
    most: Counter[str] = Counter()
    for (_, name), times in each.items():
        most[name] = max(most[name], times)
    return most


def inject(scene: Scene, call: str, what: str, when: str) -> int:
    """Run with one system call disturbed, as `-e inject` says; returns the exit status."""
    rule = f"inject={call}:{what}:when={when}"
    return run_traced(scene, "-o", str(Path("/dev/null")), "-e", f"trace={call}", "-e", rule)
