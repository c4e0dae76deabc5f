"""What calls cost: prices per billed unit (specs/03 §1.9), and what a call can cost at most.

A price book is asked for two things: the prices of an answer's units, with which `cost_usd` is then
derived (specs/03 §2), and before a call, for a budget, what it can cost.

| unit of `usage` | priced as, the first of them that has a price |
|---|---|
| `cache_write_5m_tokens`, `cache_write_1h_tokens` | itself, `cache_write_tokens`, `input_tokens` |
| `cache_read_tokens`, `cache_write_tokens`, `input_audio_tokens` | itself, `input_tokens` |
| `output_reasoning_tokens`, `output_audio_tokens` | itself, `output_tokens` |
| any other | itself |

An answer with a unit that has no price has no price at all; units of which there were none and that
have no price are left out.

`bound` is an upper bound for a request that limits its output and holds its whole input: a token is
at least a byte. It is an **estimate** where the request does not limit the output (16,384 tokens
are assumed, or the model's context where that is smaller), and where what is billed is not in it as
text: images, files by reference, earlier turns by id, tools that the provider runs.

>>> book = FixedPrices({"m": {"input_tokens": 2.0, "output_tokens": 8.0}}, "lab 2026-11")
>>> book.price(None, "m", {"input_tokens": 10, "cache_read_tokens": 5, "output_tokens": 1}, 0)
Priced(usage={'input_tokens': 10, 'cache_read_tokens': 5, 'output_tokens': 1}, \
prices={'input_tokens': 2.0, 'cache_read_tokens': 2.0, 'output_tokens': 8.0}, \
price_table='lab 2026-11')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ledger.capture import fitting
from ledger.capture.exchange import Request
from ledger.capture.readers import PARSE_MAX_BYTES
from ledger.errors import RecordError, SessionError
from ledger.formats.values import is_name

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

__all__ = [
    "OUTPUT_TOKENS",
    "FixedPrices",
    "GenaiPrices",
    "PriceBook",
    "PriceLibraryError",
    "Priced",
]

OUTPUT_TOKENS = 16_384
"""Assumed of a request that does not say how much output it wants at most."""
TOOLS_TOKENS = 1024
"""Assumed of what a provider tells its model about using tools, which the request does not hold."""
UNITS_MAX = 16

_UNIT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DATED = re.compile(r"[-@]20[0-9]{2}-?[0-9]{2}-?[0-9]{2}$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTEAD = {
    "cache_write_5m_tokens": ("cache_write_tokens", "input_tokens"),
    "cache_write_1h_tokens": ("cache_write_tokens", "input_tokens"),
    "cache_read_tokens": ("input_tokens",),
    "cache_write_tokens": ("input_tokens",),
    "input_audio_tokens": ("input_tokens",),
    "output_reasoning_tokens": ("output_tokens",),
    "output_audio_tokens": ("output_tokens",),
}
_INPUT_UNITS = (
    "input_tokens",
    "input_audio_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)

PROVIDERS = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "mistral_ai": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
}
"""Names of `gen_ai.provider.name` to those of the library."""
STANDARD = frozenset({"auto", "default", "on_demand", "standard", "standard_only"})
"""Values of a price context with which the standard prices are meant."""

Rate = Callable[[str], float | None]
"""US dollars per 1,000,000 of a unit, by the unit's own price."""


class Priced(NamedTuple):
    """The units of an answer, US dollars per 1,000,000 of each, and where the prices are from."""

    usage: dict[str, int]
    prices: dict[str, float]
    price_table: str


class PriceLibraryError(SessionError, ImportError):
    """The library with public prices is not installed (`budget_unpriced`)."""


class PriceBook(Protocol):
    """Where prices come from; both methods give None for what is not known, and do not raise."""

    def price(
        self,
        provider: str | None,
        model: str,
        usage: Mapping[str, int],
        at: int,
        context: Mapping[str, str] | None = None,
    ) -> Priced | None:
        """Return the prices of an answer's units (`Reading.usage`).

        `at` is the time of the call in microseconds since 1970, `context` what else the price
        depends on (`Reading.price_context`).
        """

    def bound(self, provider: str | None, model: str, request: Request) -> float | None:
        """Return in US dollars what a call can cost at most, or an estimate of it."""


class FixedPrices:
    """Prices that the caller states: by model, US dollars per 1,000,000 of each unit."""

    def __init__(self, table: Mapping[str, Mapping[str, float]], name: str) -> None:
        """Take a table and its name, such as "contract 2026-11".

        A model is looked up by its name, and then without the date at its end. Raises `RecordError`
        `record_invalid` for a name, unit or price that cannot be recorded.
        """
        if not is_name(name):
            raise RecordError("record_invalid", "a price table needs a name of 1 to 256 bytes")
        self._name = name
        self._table: dict[str, dict[str, float]] = {}
        for model, prices in table.items():
            kept = {unit: fitting.amount(price) for unit, price in prices.items()}
            if not all(_UNIT.fullmatch(unit) and kept[unit] is not None for unit in kept):
                raise RecordError(
                    "record_invalid",
                    f"prices of {model!a}: units are a-z 0-9 _, prices numbers from 0",
                )
            self._table[model] = {unit: price for unit, price in kept.items() if price is not None}

    def price(
        self,
        provider: str | None,
        model: str,
        usage: Mapping[str, int],
        at: int,
        context: Mapping[str, str] | None = None,
    ) -> Priced | None:
        """Return the table's prices; provider, time and context make no difference to it."""
        found = self._find(model)
        return None if found is None else _priced(found.get, usage, self._name)

    def bound(self, provider: str | None, model: str, request: Request) -> float | None:
        """Return what a call can cost at most, or an estimate of it."""
        found = self._find(model)
        return None if found is None else _bound(found.get, request, _asked(request))

    def _find(self, model: str) -> dict[str, float] | None:
        found = self._table.get(model)
        return self._table.get(_DATED.sub("", model)) if found is None else found


class GenaiPrices:
    """The public prices that come with the library `genai-prices`; never fetches newer ones."""

    def __init__(self) -> None:
        """Load the library; raises `PriceLibraryError`."""
        try:
            from genai_prices import __version__
            from genai_prices.data import providers
            from genai_prices.data_snapshot import DataSnapshot
        except ImportError:
            raise PriceLibraryError(
                "budget_unpriced",
                "public prices are in the library genai-prices, which is not installed",
                hint="pip install 'vif-ledger[prices]'",
            ) from None
        # A snapshot of its own: another part of the program may let the library update itself.
        self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        self._name = f"genai-prices {__version__}"

    def price(
        self,
        provider: str | None,
        model: str,
        usage: Mapping[str, int],
        at: int,
        context: Mapping[str, str] | None = None,
    ) -> Priced | None:
        """Return the prices at a time, of the tier that the size of the input is in.

        None for a model that the library does not know, and for a context, such as a service tier,
        for which it has no prices.
        """
        found = self._find(provider, model)
        if found is None:
            return None
        moment = _EPOCH + timedelta(microseconds=at)
        given = (context or {}).items()
        special = {key: value for key, value in given if value not in STANDARD}
        if not all(_has_variant(*found, moment, {key: special[key]}) for key in special):
            return None
        rate = _rate(found[1], moment, special, sum(usage.get(unit, 0) for unit in _INPUT_UNITS))
        fee = {"requests": 1} if rate("requests") is not None else {}
        return _priced(rate, {**usage, **fee} if usage else {}, self._name)

    def bound(self, provider: str | None, model: str, request: Request) -> float | None:
        """Return what a call can cost at most, or an estimate of it; at the prices of today.

        Some prices go by the hour, and a call may end in a dearer one than it began in.
        """
        found = self._find(provider, model)
        if found is None:
            return None
        asked, now = _asked(request), datetime.now(UTC)
        moments = (now, now + timedelta(hours=12))
        wanted = {key: fitting.name(asked.get(key)) for key in ("service_tier", "speed")}
        contexts: list[dict[str, str]] = [{}, {key: one for key, one in wanted.items() if one}]
        sizes = (0, len(request.body))
        rates = [
            _rate(found[1], moment, one, size)
            for moment in moments
            for one in contexts
            for size in sizes
        ]

        def highest(unit: str) -> float | None:
            return max((one for rate in rates if (one := rate(unit)) is not None), default=None)

        return _bound(highest, request, asked, found[1].context_window)

    def _find(self, provider: str | None, model: str) -> tuple[Provider, ModelInfo] | None:
        name = PROVIDERS.get(provider or "")
        if name is None:
            return None
        try:
            return self._snapshot.find_provider_model(model, None, name, None)
        except LookupError:
            return None


def _has_variant(
    provider: Provider, model: ModelInfo, moment: datetime, context: dict[str, str]
) -> bool:
    """Tell whether there are prices for a context; those of another provider are not meant."""
    if not any(model is own for own in provider.models):
        return False
    return any(
        variant.when == context
        and (variant.constraint is None or variant.constraint.active(moment))
        for variant in model.price_variants or ()
    )


def _rate(model: ModelInfo, moment: datetime, context: dict[str, str], input_tokens: int) -> Rate:
    from genai_prices.types import TieredPrices

    prices = model.get_prices(moment, context)

    def rate(unit: str) -> float | None:
        # The library prices tokens by the million, requests and searches by the thousand.
        token = unit.endswith("_tokens")
        key = f"{unit.removesuffix('_tokens')}_mtok" if token else f"{unit}_kcount"
        price: Any = getattr(prices, key, None)
        if isinstance(price, TieredPrices):  # a tier is the price of all tokens, not of the rest
            reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
            price = reached[-1] if reached else price.base
        return None if price is None else float(price if token else price * 1000)

    return rate


def _chain(rate: Rate, unit: str) -> float | None:
    found = (rate(one) for one in (unit, *_INSTEAD.get(unit, ())))
    return next((price for price in found if price is not None), None)


def _priced(rate: Rate, usage: Mapping[str, int], name: str) -> Priced | None:
    prices = {unit: _chain(rate, unit) for unit in usage}
    if any(price is None and usage[unit] for unit, price in prices.items()):
        return None
    known = {unit: price for unit, price in prices.items() if price is not None}
    if not 1 <= len(known) <= UNITS_MAX:
        return None
    return Priced({unit: usage[unit] for unit in known}, known, name)


def _asked(request: Request) -> dict[str, Any]:
    if len(request.body) > PARSE_MAX_BYTES:
        return {}
    return fitting.as_map(fitting.parse_json(request.body))


def _bound(
    rate: Rate, request: Request, asked: dict[str, Any], context_window: int | None = None
) -> float | None:
    body = request.body
    into = ["input_tokens", "cache_write_tokens", "cache_write_5m_tokens"]
    into += ["cache_write_1h_tokens"] if b'"1h"' in body else []
    into += ["input_audio_tokens"] if b"input_audio" in body else []
    out = ["output_tokens", "output_reasoning_tokens"]
    out += ["output_audio_tokens"] if b'"audio"' in body else []
    dearest = max((price for unit in into if (price := rate(unit)) is not None), default=None)
    if dearest is None:
        return None
    limits = ("max_completion_tokens", "max_output_tokens", "max_tokens")
    limit = next((found for key in limits if (found := fitting.count(asked.get(key)))), None)
    if limit is None:
        limit = min(OUTPUT_TOKENS, context_window or OUTPUT_TOKENS)
    times = max(1, *(fitting.count(asked.get(key)) or 1 for key in ("n", "best_of")))
    dearest_out = max((price for unit in out if (price := rate(unit)) is not None), default=0.0)
    fee = rate("requests") or 0.0
    tokens = len(body) + (TOOLS_TOKENS if b'"tools"' in body else 0)
    return (tokens * dearest + limit * times * dearest_out + fee) / 1_000_000.0
