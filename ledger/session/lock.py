"""Who runs a session: one process at a time (specs/09 section 1).

The lock is a file in `locks/` whose name is a hash of the session's; the kernel gives it back when
its process ends, however that ends. What the file says (process id and session) is for people.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from pathlib import Path

from ledger.errors import SessionError
from ledger.store import FileLock

__all__ = ["running", "session_lock", "take"]

_TRIES = 5
_PAUSE_SECONDS = 0.02


def session_lock(ledger: Path, name: str) -> FileLock:
    """The lock of the only process that may run this session."""
    digest = hashlib.sha256(b"session\0" + name.encode()).hexdigest()[:32]
    return FileLock(ledger / "locks" / f"{digest}.session.lock", f"session {name}")


def take(ledger: Path, name: str) -> FileLock:
    """Take the session's lock; raises `SessionError("session_busy")` naming who has it."""
    lock = session_lock(ledger, name)
    for number in range(_TRIES):  # a look at who runs it holds it for a moment
        if number:
            time.sleep(_PAUSE_SECONDS)
        if lock.acquire(wait=False):
            return lock
    pid = _holder(lock.path)
    if pid == os.getpid():
        raise SessionError(
            "session_busy",
            f"session {name} is open in this process already",
            hint="close it first, or share the one that is open: it is safe for threads",
        )
    who = f"process {pid}" if pid else "another process"
    raise SessionError(
        "session_busy",
        f"session {name} is run by {who}",
        hint="wait until it has ended, or end it; a process that was killed leaves no lock",
    )


def running(ledger: Path, name: str) -> int | None:
    """The id of the process that runs the session now, 0 if it cannot be read, None for nobody.

    Changes nothing, so that it can be asked of a ledger that may only be read.
    """
    path = session_lock(ledger, name).path
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(path)
    finally:
        os.close(descriptor)
    return None


def _holder(path: Path) -> int:
    with contextlib.suppress(OSError):
        found = re.match(rb"([1-9][0-9]{0,9}) ", path.read_bytes()[:64])
        if found:
            return int(found[1])
    return 0
