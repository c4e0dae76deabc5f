"""How many parents a statement has, where body or type says so (specs/10 §1, specs/12 and 13)."""

from __future__ import annotations

from ledger.errors import RecordError
from ledger.model.base import Body
from ledger.model.crossmodel import CrossModel
from ledger.model.provenance import Provenance
from ledger.model.replay import ReplayOperation, ReplayRun
from ledger.model.session import Intent, Outcome, Reuse, SessionClose, SessionOpen
from ledger.model.stages import Execution, Insight, Transfer


def check_parents(body: Body, parents: int) -> None:
    """Raise `RecordError` `body_invalid` unless a statement may have so many parents.

    Bodies of other types pass: their parents are free.
    """
    match body:
        case SessionOpen():
            wanted = 0 if body.run == 1 else 1
        case Intent():
            wanted = 0 if body.attempt == 1 else 1
        case Reuse():
            wanted = body.calls
        case Outcome() | SessionClose() | ReplayRun():
            wanted = 1
        case Transfer():
            wanted = max(body.made_with + 1, parents)
        case Execution():
            wanted = max(1, body.made_with, parents)
        case Insight():
            wanted = max(body.made_with, parents)
        case Provenance():
            wanted = len(body.steps)
        case CrossModel():
            wanted = len(body.insights) + len(body.transfers) + len(body.executions) + 1
        case ReplayOperation():
            wanted = 1 + sum(stage.replays for stage in body.stages)
        case _:
            return
    if parents != wanted:
        name = type(body).__name__.lower()
        raise RecordError("body_invalid", f"{name}: {parents} parents where {wanted} must be")
