"""What a run comes to, as its `session_close` says (specs/10 section 8).

>>> totals = Totals()
>>> totals.answer(7, 0.2), totals.answer(3, 0.1), totals.answer(9, None)
(None, None, None)
>>> totals.answered, totals.unpriced, totals.cost_usd() == 0.0 + 0.1 + 0.2
(3, 1, True)
"""

from __future__ import annotations

from array import array

__all__ = ["Totals"]


class Totals:
    """Counts and costs of one run; not safe for threads by itself."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self.unknown = 0
        self._indices = array("q")
        self._costs = array("d")

    @property
    def unpriced(self) -> int:
        """Answers without a known cost."""
        return self.answered - len(self._costs)

    def answer(self, witness: int | None, cost_usd: float | None) -> None:
        """Count an answer, whose witness stands at that index of the log."""
        self.answered += 1
        if witness is not None and cost_usd is not None:
            self._indices.append(witness)
            self._costs.append(cost_usd)

    def cost_usd(self) -> float | None:
        """The sum of doubles in log order, from 0.0; None when no answer has a cost."""
        total = 0.0
        for _, cost in sorted(zip(self._indices, self._costs, strict=True)):
            total += cost
        return total if self._costs else None
