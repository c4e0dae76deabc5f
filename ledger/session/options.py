"""What a session can be opened with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypedDict

from ledger.model.derive import Criticality

if TYPE_CHECKING:
    from ledger.session.prices import PriceBook

__all__ = ["FilePath", "OnUnknown", "Progress", "SessionOptions"]

FilePath = str | os.PathLike[str]
OnUnknown = Literal["ask", "retry", "fetch"]
Progress = Callable[[int, int], None]
"""Called with bytes read so far and bytes in all, while a corpus is hashed."""


class SessionOptions(TypedDict, total=False):
    """Keywords of `Ledger.session`; what is not given has the default said here."""

    experiment: FilePath | None
    """File (or folder of them) that says what is done; default none."""
    framework: FilePath | None
    """File (or folder of them) that says by what rules; default none."""
    files: Iterable[FilePath]
    """Other files that the run depends on; default none."""
    corpus: FilePath | None
    """Folder whose files are listed by hash, and not archived; default none."""
    on_change: Literal["refuse", "continue"]
    """What to do when these differ from the run before; default "refuse"."""
    on_unknown: OnUnknown
    """What to do about a call that may have been paid and has no answer; default "ask".

    "fetch" gets the answer from a provider that keeps it, and otherwise does as "ask".
    """
    budget_usd: float | None
    """What all runs of the session together may cost, US dollars; default no bound."""
    prices: PriceBook | None
    """What calls cost; by default the table of the library `genai-prices`, where installed."""
    allow_headers: Iterable[str]
    """HTTP headers to record besides the default ones."""
    task_criticality: Criticality
    """Of every operation of this run; default "routine"."""
    domain: str | None
    """Of every operation of this run; default none."""
    progress: Progress | None
    """Told how far the hashing of a corpus is."""
