"""How the provider behaves: faults that wait for requests, gates, and what answers say of it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

FAULTS = frozenset(
    {
        "ok",  # none: lets a request of a queue pass
        "429",  # refused, not paid; asks to try again after one millisecond
        "500",  # refused, not paid
        "529",  # refused, not paid; what Anthropic answers when it is overloaded
        "400",  # refused, not paid; SDKs do not try again
        "hang_up",  # not paid, connection closed without a byte
        "drop_before",  # paid, connection closed without a byte
        "drop_midway",  # paid, connection closed within the body
        "end_early",  # paid, a stream that ends in good order before its end event
        "error_event",  # paid, a stream that ends with an error of its protocol
        "stall",  # paid, nothing comes until the gate is advanced
        "stall_midway",  # paid, the second half comes when the gate is advanced
        "slow_stream",  # paid, a pause after each chunk
        "die",  # paid, then the provider exits without a byte
        "die_midway",  # paid, then the provider exits within the body
    }
)
GONE_EVERY_SECONDS = 0.05
REFUSALS = {"429": 429, "500": 500, "529": 529, "400": 400}
SUFFIX = "!"
"""Between the name of a model and a fault: `demo!500`, or `demo!500x2` for the first two times."""


@dataclass(frozen=True)
class Options:
    """What `POST /control` sets."""

    gate: bool = False
    """Chunks of a stream after the first wait for `POST /control/advance`, one for each."""
    encoding: str | None = None
    """`gzip` or `deflate`."""
    fingerprint: str = "fp_loopback_1"
    version: str = "2026-06-01"
    """Follows the name of the model that was asked for in the one that answered."""
    region: str | None = None
    chunks: int = 8
    """Parts of the text in a stream."""
    words: int = 12
    """Words of an answer."""
    pause_ms: float = 0.0
    """Before the first byte of each answer."""
    repeatable: bool = False
    """What is said follows from request and fingerprint alone; ids and times still count up."""


class Settings:
    """Options, queue of faults and gate; safe for threads."""

    def __init__(self) -> None:
        self.options = Options()
        self._faults: deque[str] = deque()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()
        self._permits = 0
        self._waiting = 0

    def control(self, given: dict[str, Any]) -> None:
        """Take new options, and faults for the next paid requests; raises ValueError, TypeError."""
        faults = given.pop("faults", None)
        if faults is not None and not set(faults) <= FAULTS:
            raise ValueError(f"unknown faults: {sorted(set(faults) - FAULTS)}")
        with self._changed:
            self.options = replace(self.options, **given)
            if faults is not None:
                self._faults = deque(faults)
            if not self.options.gate:
                self._permits = 0
            self._changed.notify_all()

    def next_fault(self, model: str, digest: str) -> str | None:
        """Return what the model's name orders, or else the queue."""
        _, mark, ordered = model.partition(SUFFIX)
        with self._changed:
            if mark:
                fault, _, times = ordered.partition("x")
                if fault not in FAULTS or (times and not times.isdecimal()):
                    return None
                self._asked[digest, ordered] += 1
                over = times and self._asked[digest, ordered] > int(times)
                return None if over or fault == "ok" else fault
            fault = self._faults.popleft() if self._faults else "ok"
            return None if fault == "ok" else fault

    def advance(self, chunks: int) -> None:
        """Let chunks through the gate."""
        with self._changed:
            self._permits += chunks
            self._changed.notify_all()

    def wait(self, gone: Callable[[], bool], *, always: bool = False) -> bool:
        """Wait for one `advance`; without `always` only while the gate is down.

        Returns False when `gone` says that nobody waits for the answer any more.
        """

        def passes() -> bool:
            return self._permits > 0 or not (always or self.options.gate)

        with self._changed:
            self._waiting += 1
            try:
                while not self._changed.wait_for(passes, GONE_EVERY_SECONDS):
                    if gone():
                        return False
            finally:
                self._waiting -= 1
            self._permits = max(0, self._permits - 1)
            return True

    def state(self) -> dict[str, Any]:
        """Return everything as JSON."""
        with self._changed:
            return {
                **asdict(self.options),
                "faults": list(self._faults),
                "waiting": self._waiting,
                "permits": self._permits,
            }
