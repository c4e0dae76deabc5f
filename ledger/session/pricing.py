"""Asking a price book; a defect in it costs the price of an answer, and never the answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ledger.capture.exchange import Request
from ledger.capture.readers import Reading

if TYPE_CHECKING:
    from ledger.session.prices import PriceBook

__all__ = ["Pricing", "default_prices"]

_log = logging.getLogger("ledger.session")


def default_prices() -> PriceBook | None:
    """The price book of the library `genai-prices`, None where it is not installed."""
    try:
        from ledger.session.prices import GenaiPrices

        return GenaiPrices()
    except ImportError:
        return None


class Pricing:
    """A price book, or none."""

    def __init__(self, book: PriceBook | None) -> None:
        self._book = book
        self._failed = False

    def bound(self, reading: Reading | None, model: str | None, request: Request) -> float | None:
        """What a request may cost at most, US dollars; None when that is not known."""
        if self._book is None or reading is None or model is None:
            return None
        try:
            bound = self._book.bound(reading.provider, model, request)
        except Exception as error:
            self._warn(error)
            return None
        return bound if bound is not None and 0.0 <= bound < float("inf") else None

    def fields(self, reading: Reading, at_us: int) -> dict[str, Any]:
        """What an answer of that time was billed, as keywords of `ledger.model.build.witness`."""
        if not reading.usage:
            return {}
        found: dict[str, Any] = {"usage": dict(reading.usage)}
        model = reading.model
        if self._book is None or model is None:
            return found
        try:
            priced = self._book.price(
                reading.provider, model, reading.usage, at_us, reading.price_context
            )
            if priced is not None:
                found["usage"], found["prices"] = dict(priced.usage), dict(priced.prices)
                found["price_table"] = priced.price_table
        except Exception as error:
            self._warn(error)
        return found

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            _log.warning("the price book failed (%s); costs are not recorded", type(error).__name__)
