"""The statements of one run: where they are appended, and whether any still may be.

Every append takes the reused answers that wait with it. An append that failed may, rarely, have
happened all the same: when this process was interrupted in the middle of it, or the disk failed.
Then nothing more is appended but the end of the run, and what is there is read from the log.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence

from ledger.drafts import Draft, Receipt
from ledger.errors import LedgerError, SessionError, StoreError
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.log import Ledger
from ledger.session.reuse import ReuseBuffer, reuse_drafts
from ledger.store import FileLock

__all__ = ["Journal"]


class Journal:
    """One run's stream and the lock that makes it the only one; safe for threads."""

    def __init__(self, name: str, parent: Ledger, log: Ledger, lock: FileLock) -> None:
        self.name = name
        self.log = log
        self.doubtful = False
        """Whether it is not known what the last append did."""
        self.reused = 0
        """Answers given again that the log knows of."""
        self._parent = parent
        self._lock = lock
        self._pid = os.getpid()
        self._reuse = ReuseBuffer()
        self._state = threading.Condition()
        self._working = 0
        self._ending = False

    @property
    def ended(self) -> bool:
        """Whether the run is over, or about to be."""
        return self._ending

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that opened the session."""
        return self._pid != os.getpid()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Something that appends; the end of the run waits for it.

        Raises `SessionError`: `session_closed`, `session_busy` in a forked process,
        `capture_failed` after an append of which it is not known what it did.
        """
        if self.forked:
            raise SessionError(
                "session_busy",
                f"session {self.name} belongs to process {self._pid}, of which this is a fork",
                hint="open the ledger in each process; start workers with 'spawn'",
            )
        with self._state:
            if self._ending:
                raise SessionError("session_closed", f"session {self.name} was closed")
            if self.doubtful:
                raise SessionError(
                    "capture_failed",
                    "an append was interrupted, and it is not known what is in the log",
                    hint="leave the session and open it again: it looks what is there",
                )
            self._working += 1
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, MemoryError):
                self.doubtful = True  # it may have come between an append and its taking note
            raise
        finally:
            with self._state:
                self._working -= 1
                self._state.notify_all()

    def append(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Append in one commit, after the reused answers that wait; receipts are of the drafts."""
        waiting = self._reuse.drain()
        first = reuse_drafts(waiting)
        try:
            receipts = self.log.append_many([*first, *drafts])
        except BaseException as error:
            if self._happened_not(error):
                self._reuse.put_back(waiting)
            else:
                self.doubtful = True
            raise
        with self._state:
            self.reused += len(waiting)
        return receipts[len(first) :]

    def reuse(self, outcome: Parent) -> None:
        """Note that a recorded answer is given again."""
        if len(self._reuse) >= PARENTS_MAX:
            self.append([])
        self._reuse.add(outcome)

    def waiting(self) -> int:
        """How many reused answers wait to be appended."""
        return len(self._reuse)

    def begin_end(self) -> bool:
        """Let nothing new begin; False if the run ended before."""
        with self._state:
            began, self._ending = not self._ending, True
            return began

    def settle(self) -> None:
        """Wait for what began before the end did."""
        with self._state:
            while self._working:
                self._state.wait()

    def reopen(self) -> None:
        """Take the stream anew, to go on behind what is really there."""
        stream = self.log.stream_id
        self._reuse.drain()
        self.log.close()
        self.log = self._parent.open_stream(stream, session=self.name)

    def release(self) -> None:
        """Give stream and session back."""
        try:
            self.log.close()
        finally:
            self._lock.release()

    def _happened_not(self, error: BaseException) -> bool:
        if isinstance(error, StoreError):
            return error.code != "store_poisoned" and self.log.store.environment.poison is None
        return isinstance(error, LedgerError)
