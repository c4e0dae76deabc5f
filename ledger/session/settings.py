"""How a run was opened, as far as its calls depend on it."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.model.derive import Criticality
from ledger.session.options import OnUnknown
from ledger.session.pricing import Pricing

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What does not change during a run."""

    run: int
    on_unknown: OnUnknown
    budget_usd: float | None
    pricing: Pricing
    writer: str
    criticality: Criticality
    domain: str | None
