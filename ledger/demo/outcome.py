"""What an experiment recorded, read back from its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger import Entry, Reader

__all__ = ["Outcome", "read_outcome"]


@dataclass(slots=True)
class Outcome:
    """Sums over all runs of a session."""

    runs: int = 0
    calls: int = 0
    """Answers that were recorded."""
    unknown: int = 0
    """Calls whose answer was lost with the run that was killed."""
    reused: int = 0
    annotations: int = 0
    links: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    bands: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0, "C": 0})
    confidences: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    agreements: list[float] = field(default_factory=list)
    last: Entry | None = None
    """The newest witness."""


def read_outcome(log: Reader, session: str) -> Outcome:
    """Add up what a session recorded."""
    outcome = Outcome()
    for entry in log.find(session=session):
        body = entry.payload.body
        match entry.payload.type:
            case "session_open":
                outcome.runs += 1
            case "outcome":
                outcome.unknown += body["status"] == "unknown"
            case "reuse":
                outcome.reused += body["calls"]
            case "annotation":
                outcome.annotations += 1
                outcome.agreements.append(body["value"])
                outcome.links += len(entry.payload.parents)
            case "witness":
                _count(outcome, entry)
    return outcome


def _count(outcome: Outcome, entry: Entry) -> None:
    body = entry.payload.body
    outcome.calls += 1
    outcome.links += len(entry.payload.parents)
    outcome.tokens += body["output"].get("total_tokens", 0)
    outcome.cost_usd += body.get("cost", {}).get("cost_usd", 0.0)
    certainty = body.get("uncertainty", {})
    if "confidence_score" in certainty:
        outcome.confidences.append(certainty["confidence_score"])
        outcome.bands[certainty["confidence_band"]] += 1
    if "entropy" in certainty:
        outcome.entropies.append(certainty["entropy"])
    outcome.last = entry
