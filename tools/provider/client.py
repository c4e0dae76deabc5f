"""Starts the provider as a process, tells it how to behave, and reads what it counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from tools.provider.journal import Entry, read

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 30.0


class Provider:
    """A provider; its port and its journal stay the same when it is started again."""

    def __init__(self, journal: Path, port: int = 0) -> None:
        self.file = journal
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> str:
        """The address without a path, as Anthropic's SDK wants it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The address as OpenAI's SDK wants it."""
        return f"{self.root}/v1"

    def start(self) -> Self:
        """Start it, or start it again on the same port; returns when it answers."""
        self.stop()
        command = [sys.executable, "-m", "tools.provider", "--journal", str(self.file)]
        command += ["--port", str(self.port)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the provider did not start; status {self._process.wait()}")
        self.port = int(line)
        return self

    def stop(self) -> None:
        """End the process at once; what it has counted is in the journal."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def died(self) -> int:
        """Wait until the process has ended by itself (fault `die`); returns its status."""
        assert self._process is not None
        return self._process.wait(WAIT_SECONDS)

    def control(self, **options: Any) -> dict[str, Any]:
        """Set options of `tools.provider.settings.Options`; returns the provider's state."""
        return self._talk("/control", options)

    def faults(self, *names: str) -> None:
        """Order faults for the next paid requests, one each; without names, none."""
        self.control(faults=list(names))

    def advance(self, chunks: int = 1) -> None:
        """Let that many chunks, or stalled answers, go on."""
        self._talk("/control/advance", {"chunks": chunks})

    def state(self) -> dict[str, Any]:
        """Return its options, the faults left, and how many answers wait at the gate."""
        return self._talk("/control", None)

    def until_waiting(self, answers: int = 1) -> None:
        """Wait until that many answers are held at the gate; raises TimeoutError."""
        self.until(lambda: self.state()["waiting"] >= answers, f"{answers} answers at the gate")

    def until_paid(self, calls: int) -> None:
        """Wait until that many calls have been paid; raises TimeoutError."""
        self.until(lambda: self.paid() >= calls, f"{calls} paid calls")

    def journal(self) -> list[Entry]:
        """Return every request under `/v1` in order, paid or not."""
        return read(self.file)

    def paid(self) -> int:
        """Return the number of paid calls so far, over all processes of this journal."""
        return sum(entry.paid for entry in self.journal())

    def paid_by_digest(self) -> Counter[str]:
        """Return how often each request body was paid, by its SHA-256 in hex."""
        return Counter(entry.digest for entry in self.journal() if entry.paid)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _talk(self, path: str, value: object | None) -> dict[str, Any]:
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.root + path, data)
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:
            return cast(dict[str, Any], json.load(response))

    @staticmethod
    def until(holds: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; raises TimeoutError, which names it."""
        end = time.monotonic() + WAIT_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"never came to {what}")
            time.sleep(0.005)
