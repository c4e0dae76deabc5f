"""A bound on what all runs of a session together may cost.

Before a request leaves, what was spent, what may have been spent (calls whose outcome is unknown,
answers without a price), what the requests under way may cost at most, and what this one may, have
to fit into the budget together.

>>> budget = Budget(1.0, spent_usd=0.5, at_risk_usd=0.0)
>>> budget.reserve(0.4, "demo")
>>> budget.settle(0.4, cost_usd=0.1, at_risk=False)
>>> budget.reserve(0.5, "demo")
Traceback (most recent call last):
ledger.errors.SessionError: budget_exceeded: demo may cost 0.500000 USD; of 1.000000 USD ...
"""

from __future__ import annotations

from ledger.errors import SessionError

__all__ = ["Budget"]


class Budget:
    """What is spent and reserved; not safe for threads by itself."""

    def __init__(self, budget_usd: float | None, *, spent_usd: float, at_risk_usd: float) -> None:
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        self.at_risk_usd = max(at_risk_usd, 0.0)
        self.reserved_usd = 0.0

    def reserve(self, bound_usd: float | None, what: str) -> None:
        """Set aside what a call may cost; raises `SessionError`.

        `budget_unpriced` when there is a budget and no bound, `budget_exceeded` for too much.
        """
        if self.budget_usd is not None:
            if bound_usd is None:
                raise SessionError(
                    "budget_unpriced",
                    f"there is a budget, and what {what} may cost is not known",
                    hint="give a price book that knows the model, or no budget",
                )
            taken = self.spent_usd + self.at_risk_usd + self.reserved_usd
            if taken + bound_usd > self.budget_usd:
                raise SessionError(
                    "budget_exceeded",
                    f"{what} may cost {bound_usd:.6f} USD; of {self.budget_usd:.6f} USD "
                    f"{self.spent_usd:.6f} are spent, {self.at_risk_usd:.6f} may have been, "
                    f"and {self.reserved_usd:.6f} are set aside for calls under way",
                    hint="open the session again with a larger budget_usd, or bound the output",
                )
        self.reserved_usd += bound_usd or 0.0

    def fetch(self, bound_usd: float | None) -> None:
        """Set aside what may have been spent on a call: asking for its answer costs nothing."""
        bound = bound_usd or 0.0
        self.at_risk_usd = max(self.at_risk_usd - bound, 0.0)
        self.reserved_usd += bound

    def settle(self, bound_usd: float | None, *, cost_usd: float | None, at_risk: bool) -> None:
        """A call is over: it had a cost, or may have had one, or had none."""
        bound = bound_usd or 0.0
        self.reserved_usd = max(self.reserved_usd - bound, 0.0)
        if cost_usd is not None:
            self.spent_usd += cost_usd
        elif at_risk:
            self.at_risk_usd += bound
