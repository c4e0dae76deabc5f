"""Numbers in words, as trees and pages show them.

>>> dollars(12.5), dollars(0.0123), dollars(0.00042), dollars(0.0)
('$12.50', '$0.0123', '$0.000420', '$0')
"""

from __future__ import annotations

import math

from ledger.views.basis import Usage

__all__ = ["cost_words", "dollars", "finite"]


def dollars(amount: float) -> str:
    """An amount of US dollars, with more digits the smaller it is."""
    if amount == 0:
        return "$0"
    digits = 2 if amount >= 1 else 4 if amount >= 0.01 else 6
    return f"${amount:,.{digits}f}"


def cost_words(usage: Usage) -> str:
    """A total cost, and how much of it is not known.

    >>> cost_words(Usage(statements=200, witnesses=160, unpriced=3, cost_usd=0.0123))
    '$0.0123 (3 of 160 calls without a price)'
    """
    if usage.witnesses == usage.unpriced:
        return "not known" if usage.witnesses else "none: no calls"
    if not usage.unpriced:
        return dollars(usage.cost_usd)
    return (
        f"{dollars(usage.cost_usd)} "
        f"({usage.unpriced:,} of {usage.witnesses:,} calls without a price)"
    )


def finite(amount: float) -> float | None:
    """The amount where JSON can hold it; sums of absurd amounts may be infinite."""
    return amount if math.isfinite(amount) else None
