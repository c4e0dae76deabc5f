"""Group commit: many threads append, one of them commits for all who wait.

Each caller puts its request into a queue and then waits for one lock. Whoever gets it first leads:
it takes everything that is queued and commits it at once. The others find their request answered
when they get the lock. Under load a commit, and its wait for the disk, is shared by all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.drafts import Receipt
from ledger.errors import LedgerError, StoreError
from ledger.writer.prepare import Prepared

__all__ = ["GroupCommit", "Request"]

GROUP_MAX_STATEMENTS = 4096
"""Bounds what one commit holds in memory when very many threads wait."""


@dataclass(slots=True, eq=False)
class Request:
    """What one caller wants appended together: all of it, or nothing."""

    drafts: Sequence[Prepared]
    erased: Sequence[int] = ()
    """Numbers of blobs to be emptied in the same transaction."""
    closes: bool = False
    receipts: list[Receipt] = field(default_factory=list)
    error: LedgerError | None = None
    done: bool = False

    def fail(self, error: LedgerError) -> None:
        """Answer the caller with an error."""
        self.error, self.done = error, True

    def succeed(self, receipts: list[Receipt]) -> None:
        """Answer the caller with receipts."""
        self.receipts, self.done = receipts, True


class GroupCommit:
    """A queue of requests and the lock that makes a leader."""

    def __init__(self, commit: Callable[[list[Request]], None]) -> None:
        self._commit = commit
        self._queue: deque[Request] = deque()
        self.leader = threading.Lock()

    def submit(self, request: Request) -> list[Receipt]:
        """Append a request and return its receipts, or raise its error.

        An exception of another request never reaches this caller.
        """
        self._queue.append(request)
        with self.leader:
            while not request.done:
                self._lead()
        if request.error is not None:
            raise request.error
        return request.receipts

    def _lead(self) -> None:
        taken: list[Request] = []
        statements = 0
        while self._queue and statements < GROUP_MAX_STATEMENTS:
            taken.append(self._queue.popleft())
            statements += len(taken[-1].drafts)
        try:
            self._commit(taken)
        finally:
            # Whatever happened, nobody may wait for an answer that never comes.
            for request in taken:
                if not request.done:
                    request.fail(
                        StoreError(
                            "store_poisoned",
                            "the thread that was committing was interrupted",
                            hint="open the ledger again and look whether the record is there",
                        )
                    )
