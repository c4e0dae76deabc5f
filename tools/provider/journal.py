"""The provider's own account: one line of JSON for each request, written before the answer begins.

The write is one system call to a file opened for appending, so a line is there whole once the call
returned, whatever becomes of the provider or its client afterwards (not of the machine: there is no
fsync). Serial numbers go on where an earlier process of the same journal stopped.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One request; `serial` counts the paid ones from 1 and is 0 for the others."""

    at: float
    method: str
    path: str
    digest: str
    """SHA-256 of the body as it came, in hex."""
    model: str
    stream: bool
    serial: int
    fault: str | None
    status: int
    """What is answered; 0 when there is to be no status line."""

    @property
    def paid(self) -> bool:
        """Tell whether the provider would charge for it."""
        return self.serial > 0


class Journal:
    """A file of entries; safe for threads."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._serial = max((entry.serial for entry in read(file)), default=0)
        self._lock = threading.Lock()

    @property
    def paid(self) -> int:
        """How many paid calls there have been."""
        return self._serial

    def enter(
        self,
        method: str,
        path: str,
        digest: str,
        model: str,
        *,
        stream: bool,
        paid: bool,
        fault: str | None,
        status: int,
    ) -> int:
        """Write a line; returns its serial number."""
        with self._lock:
            if paid:
                self._serial += 1
            serial = self._serial if paid else 0
            entry = Entry(time.time(), method, path, digest, model, stream, serial, fault, status)
            os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")
            return serial


def read(file: Path) -> list[Entry]:
    """Return the entries of a journal in order; none when there is no file."""
    if not file.exists():
        return []
    return [Entry(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
