"""Prices of billed units and bounds of what calls can cost: the library's own numbers, or none."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.capture.exchange import Request
from ledger.errors import LedgerError, RecordError
from ledger.model.build import witness
from ledger.model.derive import cost
from ledger.session.prices import (
    OUTPUT_TOKENS,
    PROVIDERS,
    TOOLS_TOKENS,
    FixedPrices,
    GenaiPrices,
    PriceBook,
    PriceLibraryError,
)
from tests.capture.readers.bodies import (
    CHAT,
    CHAT_REQUEST,
    MESSAGE,
    MESSAGES_REQUEST,
    RESPONSE,
    RESPONSES_REQUEST,
    post,
)

BOOK = GenaiPrices()
MOMENT = datetime(2026, 11, 20, 10, 41, tzinfo=UTC)
AT = int(MOMENT.timestamp()) * 1_000_000
LIBRARY = {provider.id: provider for provider in providers}
MODELS = [
    (name, model.id)
    for name, library in sorted(PROVIDERS.items())
    for model in LIBRARY[library].models
]
INSIDE = {
    "input_tokens": ("cache_read_tokens", "cache_write_tokens", "input_audio_tokens"),
    "output_tokens": ("output_reasoning_tokens", "output_audio_tokens"),
    "cache_write_tokens": ("cache_write_5m_tokens", "cache_write_1h_tokens"),
}
UNITS = ["input_tokens", "output_tokens", *(unit for units in INSIDE.values() for unit in units)]


def nested(usage: dict[str, int]) -> genai_prices.Usage:
    """The same usage as the library counts it: what is inside of another unit is in it too."""

    def whole(unit: str) -> int:
        return usage.get(unit, 0) + sum(whole(part) for part in INSIDE.get(unit, ()))

    found = {unit: whole(unit) for unit in UNITS}
    return genai_prices.Usage(**found, web_searches=usage.get("web_searches", 0))


def of_library(
    provider: str, model: str, usage: dict[str, int], context: dict[str, str] | None = None
) -> Decimal:
    return genai_prices.calc_price(
        nested(usage),
        model,
        provider_id=PROVIDERS[provider],
        genai_request_timestamp=MOMENT,
        price_context=context,
    ).total_price


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.dictionaries(st.sampled_from([*UNITS, "web_searches"]), st.integers(0, 400_000), min_size=1),
)
def test_the_cost_is_the_one_of_the_library(where: tuple[str, str], usage: dict[str, int]) -> None:
    """Of every model it knows and any units, tiers and fees included."""
    assume(not (usage.get("input_audio_tokens") and usage.get("cache_read_tokens")))
    priced = BOOK.price(*where, usage, AT)
    assume(priced is not None)
    assert priced is not None
    assert priced.prices.keys() == priced.usage.keys()
    assert priced.price_table == f"genai-prices {genai_prices.__version__}"
    expected = float(of_library(*where, usage))
    assert cost(priced.usage, priced.prices) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_most_models_have_a_price() -> None:
    """The property above is not about nothing."""
    usage = {"input_tokens": 100, "cache_read_tokens": 5, "output_tokens": 10}
    known = [where for where in MODELS if BOOK.price(*where, usage, AT)]
    assert len(known) > 0.7 * len(MODELS)


CALLS = [
    ("https://api.openai.com/v1/chat/completions", CHAT_REQUEST, CHAT),
    ("https://api.openai.com/v1/responses", RESPONSES_REQUEST, RESPONSE),
    ("https://api.anthropic.com/v1/messages", MESSAGES_REQUEST, MESSAGE),
]


@pytest.mark.parametrize(
    ("url", "request_", "answer"), CALLS, ids=["chat", "responses", "messages"]
)
def test_an_answer_costs_what_the_library_says_of_its_body(
    url: str, request_: dict[str, Any], answer: dict[str, Any]
) -> None:
    """From the body to the cost in the record, beside the library's own way from body to cost."""
    reading = post(url, request_, answer)
    assert reading.provider is not None
    assert reading.model is not None
    priced = BOOK.price(reading.provider, reading.model, reading.usage, AT, reading.price_context)
    assert priced is not None
    kinds = {"openai": "responses" if "output" in answer else "chat", "anthropic": "default"}
    extracted = genai_prices.extract_usage(
        answer, provider_id=reading.provider, api_flavor=kinds[reading.provider]
    )
    expected = extracted.calc_price(genai_request_timestamp=MOMENT).total_price
    record, _ = witness(**reading.fields, **priced._asdict())
    assert record.cost is not None
    assert record.cost.cost_usd == pytest.approx(float(expected), rel=1e-12)


def test_a_tier_is_the_price_of_all_tokens() -> None:
    """The size of the whole input decides, cached tokens included."""
    small = {"input_tokens": 150_000, "cache_read_tokens": 50_000, "output_tokens": 1}
    large = {**small, "cache_read_tokens": 50_001}
    below, above = (
        BOOK.price("anthropic", "claude-sonnet-4-5-20250929", usage, AT) for usage in (small, large)
    )
    assert below is not None
    assert above is not None
    assert below.prices["input_tokens"] == 3.0
    assert above.prices == {
        "input_tokens": 6.0,
        "cache_read_tokens": 0.6,
        "output_tokens": 22.5,
    }


def test_a_service_tier_has_prices_of_its_own_or_none() -> None:
    """The standard tiers have the standard prices; of another one they would be wrong."""
    usage = {"input_tokens": 10, "output_tokens": 1}

    def priced(model: str, **context: str) -> Any:
        return BOOK.price("openai", model, usage, AT, context)

    standard = priced("gpt-4.1")
    assert priced("gpt-4.1", service_tier="default") == standard
    context = {"service_tier": "priority"}
    dear = priced("gpt-4.1", **context)
    assert dear.prices["input_tokens"] > standard.prices["input_tokens"]
    expected = of_library("openai", "gpt-4.1", usage, context)
    assert cost(dear.usage, dear.prices) == pytest.approx(float(expected), rel=1e-12)
    assert priced("gpt-4.1", service_tier="scale") is None
    assert BOOK.price("azure.ai.openai", "gpt-4.1", usage, AT, context) is None


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "no-such-model", {"input_tokens": 1}),
        ("no.such.provider", "gpt-4o", {"input_tokens": 1}),
        (None, "gpt-4o", {"input_tokens": 1}),
        ("openai", "gpt-4o", {}),
        ("openai", "gpt-4o", {"input_tokens": 1, "unheard_of": 1}),
        ("openai", "text-embedding-3-small", {"input_tokens": 1, "output_tokens": 1}),
    ],
)
def test_what_is_not_known_has_no_price(
    provider: str | None, model: str, usage: dict[str, int]
) -> None:
    """One unit without a price leaves the whole answer without one."""
    assert BOOK.price(provider, model, usage, AT) is None


def test_units_of_which_there_were_none_need_no_price() -> None:
    """They are left out."""
    priced = BOOK.price(
        "openai", "text-embedding-3-small", {"input_tokens": 9, "output_tokens": 0}, AT
    )
    assert priced is not None
    assert priced.usage == {"input_tokens": 9}


def test_prices_are_those_of_the_time_of_the_call() -> None:
    """A call of last year keeps the price that it had."""
    usage = {"input_tokens": 250_000, "output_tokens": 1}
    then = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
    before, now = (BOOK.price("anthropic", "claude-sonnet-4-6", usage, at) for at in (then, AT))
    assert before is not None
    assert now is not None
    assert (before.prices["input_tokens"], now.prices["input_tokens"]) == (6.0, 3.0)


def test_prices_never_come_from_the_network() -> None:
    """What another part of the program lets the library fetch is not the table that is named."""
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert GenaiPrices().price("openai", "gpt-4o", {"input_tokens": 1}, AT) is not None
        assert BOOK.price("openai", "gpt-4o", {"output_tokens": 1}, AT) is not None
    finally:
        set_custom_snapshot(None)


def request(**members: Any) -> Request:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **members})
    return Request("POST", "https://api.openai.com/v1/chat/completions", (), body.encode())


PRICES = {"input_tokens": 2.0, "output_tokens": 8.0}
FIXED = FixedPrices({"m": PRICES, "vectors": {"input_tokens": 1.0}}, "contract 2026-11")


@pytest.mark.parametrize(
    ("members", "output_tokens"),
    [
        ({}, OUTPUT_TOKENS),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 50, "max_tokens": 100}, 50),
        ({"max_output_tokens": 70}, 70),
        ({"max_tokens": 100, "n": 3}, 300),
        ({"max_tokens": 100, "n": 2, "best_of": 5}, 500),
        ({"max_tokens": "many"}, OUTPUT_TOKENS),
        ({"max_tokens": None, "n": None}, OUTPUT_TOKENS),
    ],
)
def test_a_bound_is_every_byte_as_a_token_and_the_output_that_is_allowed(
    members: dict[str, Any], output_tokens: int
) -> None:
    """With more than one answer, of each of them; without a limit, an assumption."""
    asked = request(**members)
    expected = (len(asked.body) * 2.0 + output_tokens * 8.0) / 1e6
    assert FIXED.bound(None, "m", asked) == pytest.approx(expected, rel=1e-12)


def test_a_bound_of_what_has_no_output_is_its_input() -> None:
    """Nor does a body that is no JSON hinder it."""
    asked = Request("POST", "u", (), b"x" * 1000)
    assert FIXED.bound(None, "vectors", asked) == pytest.approx(1000 / 1e6)
    assert FIXED.bound(None, "other", asked) is None


def test_a_bound_counts_what_a_provider_adds_about_tools() -> None:
    """The instructions for tools are billed and not in the request."""
    plain, tools = request(max_tokens=1), request(max_tokens=1, tools=[])
    found = [FIXED.bound(None, "m", asked) or 0.0 for asked in (plain, tools)]
    longer = len(tools.body) - len(plain.body)
    assert found[1] - found[0] == pytest.approx((longer + TOOLS_TOKENS) * 2.0 / 1e6)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(MODELS), st.integers(1, 5000), st.integers(1, 5000), st.data())
def test_a_bound_is_never_below_the_cost(
    where: tuple[str, str], size: int, output: int, data: st.DataObject
) -> None:
    """Whatever the library's model, tokens within the body and the limit cost no more."""
    asked = request(max_tokens=output, padding="x" * size)
    entry = data.draw(st.integers(0, len(asked.body)))
    cached = data.draw(st.integers(0, entry))
    unit = data.draw(st.sampled_from(["cache_read_tokens", "cache_write_tokens"]))
    usage = {"input_tokens": entry - cached, unit: cached, "output_tokens": output}
    priced, bound = BOOK.price(*where, usage, AT), BOOK.bound(*where, asked)
    assume(priced is not None)
    assert priced is not None
    assert bound is not None
    assert cost(priced.usage, priced.prices) <= bound * (1 + 1e-12)


def test_a_bound_of_the_library_knows_dear_tiers_and_caches() -> None:
    """A request for a dear tier, one that writes to a cache, and one that limits its output."""

    def bound(provider: str, model: str, **members: Any) -> float:
        found = BOOK.bound(provider, model, request(**members))
        assert found is not None
        return found

    assert bound("openai", "gpt-4.1", service_tier="priority") > bound("openai", "gpt-4.1") * 1.5
    plain = bound("anthropic", "claude-sonnet-4-5", max_tokens=1)
    marked = bound("anthropic", "claude-sonnet-4-5", max_tokens=1, cache_control={"ttl": "1h"})
    assert marked > 1.5 * plain
    assert bound("openai", "gpt-4o") > bound("openai", "gpt-4o", max_tokens=16)
    assert BOOK.bound("openai", "no-such-model", request()) is None
    assert BOOK.bound(None, "gpt-4o", request()) is None


def test_own_prices() -> None:
    """By the name of the model, then without its date; nested units at the price of the outer."""
    usage = {"input_tokens": 10, "cache_read_tokens": 5, "output_tokens": 2}
    priced = FIXED.price("openai", "m-2026-11-01", usage, AT, {"service_tier": "flex"})
    assert priced is not None
    assert priced.prices == {"input_tokens": 2.0, "cache_read_tokens": 2.0, "output_tokens": 8.0}
    assert priced.price_table == "contract 2026-11"
    assert cost(priced.usage, priced.prices) == pytest.approx(46 / 1e6)
    assert FIXED.price(None, "other", usage, AT) is None
    assert FIXED.price(None, "vectors", usage, AT) is None
    own = FixedPrices({"m": PRICES, "m-2026-11-01": {"input_tokens": 1}}, "t")
    assert own.price(None, "m-2026-11-01", {"input_tokens": 1}, AT) == (
        {"input_tokens": 1},
        {"input_tokens": 1.0},
        "t",
    )


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ({"m": {"input_tokens": -1.0}}, "t"),
        ({"m": {"input_tokens": float("nan")}}, "t"),
        ({"m": {"input_tokens": "2"}}, "t"),
        ({"m": {"Input": 1.0}}, "t"),
        ({"m": {}}, ""),
        ({"m": {}}, "a\nb"),
    ],
)
def test_a_table_that_cannot_be_recorded_is_refused(table: Any, name: str) -> None:
    """When it is given, not when the first call comes."""
    with pytest.raises(RecordError, match="record_invalid"):
        FixedPrices(table, name)


def test_both_are_price_books() -> None:
    """The protocol that a session asks for."""
    books: list[PriceBook] = [BOOK, FIXED]
    assert [book.price(None, "x", {"input_tokens": 1}, AT) for book in books] == [None, None]


WITHOUT = """
import sys
sys.modules["genai_prices"] = None
from ledger.session.prices import GenaiPrices
try:
    GenaiPrices()
except ImportError as error:
    print(error.code, error.hint)
"""


def test_without_the_library_there_is_a_hint() -> None:
    """And importing the module loads no library."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "budget_unpriced pip install 'vif-ledger[prices]'\n"
    assert issubclass(PriceLibraryError, LedgerError)
    light = "import ledger.session.prices, sys; print('genai_prices' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
