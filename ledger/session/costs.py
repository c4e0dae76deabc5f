"""What a session cost, by model and by stage (specs/10 section 8, specs/03 section 1.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CostLine", "CostReport", "Costs"]


@dataclass(slots=True)
class CostLine:
    """Sums over some operations."""

    calls: int = 0
    unpriced: int = 0
    """Operations whose cost is not known; they are not in `cost_usd`."""
    cost_usd: float = 0.0
    usage: dict[str, int] = field(default_factory=dict)
    """Units billed, such as `input_tokens`."""

    def add(self, cost_usd: float | None, usage: Mapping[str, int]) -> None:
        """Count one operation."""
        self.calls += 1
        if cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += cost_usd
        for unit, count in usage.items():
            self.usage[unit] = self.usage.get(unit, 0) + count

    def copy(self) -> CostLine:
        """The same sums, no longer growing."""
        return CostLine(self.calls, self.unpriced, self.cost_usd, dict(self.usage))


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs of all runs of a session so far."""

    total: CostLine
    models: dict[str, CostLine]
    """By the model that answered."""
    stages: dict[str, CostLine]
    """By stage; "" is outside of any."""
    saved_usd: float
    """What the recorded answers that were given again had cost."""


class Costs:
    """Costs as they come in; not safe for threads by itself."""

    def __init__(self) -> None:
        self.total = CostLine()
        self._models: dict[str, CostLine] = {}
        self._stages: dict[str, CostLine] = {}

    def witness(self, body: Mapping[str, Any], stage: str | None) -> float | None:
        """Count the witness of an answered call; returns its cost if that is known."""
        cost = body.get("cost", {})
        cost_usd = cost.get("cost_usd")
        self.add(body["model"]["model_id"], stage, cost_usd, cost.get("usage", {}))
        return cost_usd if isinstance(cost_usd, float) else None

    def add(
        self, model: str, stage: str | None, cost_usd: float | None, usage: Mapping[str, int]
    ) -> None:
        """Count one operation."""
        for line in (
            self.total,
            self._models.setdefault(model, CostLine()),
            self._stages.setdefault(stage or "", CostLine()),
        ):
            line.add(cost_usd, usage)

    def report(self, saved_usd: float) -> CostReport:
        """The sums as of now."""
        return CostReport(
            self.total.copy(),
            {name: line.copy() for name, line in sorted(self._models.items())},
            {name: line.copy() for name, line in sorted(self._stages.items())},
            saved_usd,
        )
