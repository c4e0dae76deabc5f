"""Recorded answers that were given again and wait to be recorded as such (specs/10 section 5).

They are written together with the next statement of another type, so that a run that mostly repeats
an earlier one makes few statements. A statement names each answer once: one that is given again
while it waits begins another statement.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ledger.drafts import Draft
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.model.session import Reuse

__all__ = ["ReuseBuffer", "reuse_drafts"]


class ReuseBuffer:
    """Answers in the order in which they were handed out; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Parent] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, outcome: Parent) -> None:
        """Take in an answer."""
        with self._lock:
            self._waiting.append(outcome)

    def drain(self) -> list[Parent]:
        """Take out everything that waits."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return taken

    def put_back(self, taken: list[Parent]) -> None:
        """Let answers that could not be written wait again, before the others."""
        with self._lock:
            self._waiting[:0] = taken


def reuse_drafts(outcomes: Iterable[Parent]) -> list[Draft]:
    """The statements that name these answers, in their order."""
    groups: list[dict[Parent, None]] = []
    for outcome in outcomes:
        if not groups or outcome in groups[-1] or len(groups[-1]) == PARENTS_MAX:
            groups.append({})
        groups[-1][outcome] = None
    return [Draft("reuse", Reuse(calls=len(group)), tuple(group)) for group in groups]
