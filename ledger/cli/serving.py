"""A proxy as a command runs it: from its address to the signal that ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ledger.cli import output
from ledger.cli.session_words import usd
from ledger.cli.text import counted
from ledger.proxy.serve import Proxy

if TYPE_CHECKING:
    from ledger.session import Session

__all__ = ["ENDING_SIGNALS", "ending_json", "handling", "say_before", "say_ending", "say_waiting"]

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling(act: Callable[[int], None]) -> Iterator[None]:
    """Have `act` called, in the main thread, with each signal that would end this process."""

    def handle(number: int, _: FrameType | None) -> None:
        act(number)

    before = {number: signal.signal(number, handle) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_before(session: Session, ledger: object) -> None:
    """Say on standard error what the run before left to be known."""
    if session.previous == "killed":
        output.note(
            ("the run before was killed; what may have been paid without an answer: ", "yellow"),
            f"vif session calls {ledger} {session.name} --status unknown",
        )


def say_waiting(proxy: Proxy) -> None:
    """Say that answers are still under way, where there are some."""
    if proxy.under_way:
        output.note(
            (f"waiting for {counted(proxy.under_way, 'answer')}; Ctrl-C abandons them", "dim")
        )


def ending_json(session: Session, status: str) -> dict[str, Any]:
    """Return what a run came to, which is to be read before it is closed."""
    counts = {name: count for name, count in session.counts.items() if name != "in_flight"}
    return {
        "session": session.name,
        "run": session.run,
        "status": status,
        **counts,
        "spent_usd": session.spent_usd,
        "unpriced": session.costs().total.unpriced,
        "saved_usd": session.saved_usd,
    }


def say_ending(ending: dict[str, Any]) -> None:
    """Say on standard error what a run came to."""
    names = ("answered", "failed", "unknown", "reused")
    counts = ", ".join(f"{ending[name]} {name}" for name in names if ending[name]) or "no calls"
    cost = usd(ending["spent_usd"])
    if ending["unpriced"]:
        cost += f" and {counted(ending['unpriced'], 'call')} without a price"
    saved = f", saved {usd(ending['saved_usd'])}" if ending["saved_usd"] else ""
    output.note(
        (f"run {ending['run']} of {ending['session']} {ending['status']}: ", "bold"),
        f"{counts}; session so far {cost}{saved}",
    )
