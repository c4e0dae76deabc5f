"""Kills this process at a named step of a session, the k-th time it gets there.

Only the child of a test is patched, around what production code calls; the code itself has no
hooks. The kill is SIGKILL: nothing is flushed, closed or cleaned up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import httpx2

from ledger.capture.transports.core import Exchange
from ledger.log import Ledger
from ledger.session.call import Call
from ledger.session.session import Session
from ledger.session.stages import Stages

STEPS: dict[str, tuple[type, str, bool]] = {
    "before intent": (Session, "begin", True),
    "after intent": (Session, "begin", False),
    "before sending": (httpx2.HTTPTransport, "handle_request", True),
    "head of the answer": (httpx2.HTTPTransport, "handle_request", False),
    "a chunk of the answer": (Exchange, "add", True),
    "before outcome": (Call, "responded", True),
    "after outcome": (Call, "responded", False),
    "before append": (Ledger, "append_many", True),
    "after append": (Ledger, "append_many", False),
    "before savepoint": (Stages, "save", True),
    "after savepoint": (Stages, "save", False),
    "before close": (Session, "close", True),
    "after close": (Session, "close", False),
}
"""Class, method, and whether the process dies before or after the method ran."""


def kill() -> None:
    """Die at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step: str, time: int) -> None:
    """Let the process die when it comes to that step for the k-th time, counted from 1."""
    kind, name, before = STEPS[step]
    original: Callable[..., Any] = getattr(kind, name)
    left = time

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            kill()

    def patched(*given: Any, **options: Any) -> Any:
        if before:
            reached()
        result = original(*given, **options)
        if not before:
            reached()
        return result

    setattr(kind, name, patched)
