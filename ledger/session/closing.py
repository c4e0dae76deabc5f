"""The end of a run: what is under way is abandoned, and the sums are stated (specs/10 §8)."""

from __future__ import annotations

from typing import Any, Literal

from ledger.drafts import Draft
from ledger.formats.payload import Parent
from ledger.model.session import Outcome, SessionClose
from ledger.session.calls import Calls
from ledger.session.journal import Journal
from ledger.session.replay import replay

__all__ = ["Ending", "close_run"]

Ending = Literal["complete", "interrupted"]


def close_run(
    journal: Journal, calls: Calls, opened: Parent, status: Ending, reason: str | None
) -> None:
    """Append the end of the run in one commit; nothing of it may be at work any more."""
    run = calls.settings.run
    if journal.doubtful:
        left, totals = _from_the_log(journal)
    else:
        left = [(begun.intent, begun.fetches) for begun in calls.in_flight()]
        totals = {
            "answered": calls.totals.answered,
            "failed": calls.totals.failed,
            "unknown": calls.totals.unknown + len(left),
            "reused": journal.reused + journal.waiting(),
            "cost_usd": calls.totals.cost_usd(),
            "unpriced": calls.totals.unpriced,
        }
    abandoned = [
        Draft(
            "outcome",
            Outcome(status="unknown", reason="abandoned", response_id=fetches),
            (intent,),
        )
        for intent, fetches in left
    ]
    close = SessionClose(run=run, status=status, reason=reason, **totals)
    journal.append([*abandoned, Draft("session_close", close, (opened,))])


def _from_the_log(journal: Journal) -> tuple[list[tuple[Parent, str | None]], dict[str, Any]]:
    """As above, when it is not known what the last append did: what is there counts."""
    journal.reopen()
    found = replay(journal.log, journal.name)
    left = [(intent.parent, intent.fetches) for intent in found.open.values()]
    run = found.runs[-1]
    return left, {
        "answered": run.answered,
        "failed": run.failed,
        "unknown": run.unknown + len(left),
        "reused": run.reused,
        "cost_usd": run.cost_usd if run.priced else None,
        "unpriced": run.answered - run.priced,
    }
