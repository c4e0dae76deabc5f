"""A bound on what a session may cost, and what it did cost (`ledger.session.budget`)."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from ledger import Ledger
from ledger.capture.exchange import Request, Response
from ledger.errors import SessionError
from tests.session.lab import NAME, Prices, answer, ask, bodies, do, kill


class Broken:
    """A price book with a defect."""

    def price(self, *_: Any) -> None:
        raise ZeroDivisionError

    def bound(self, *_: Any) -> None:
        raise ZeroDivisionError


def code(session: Any, request: Request) -> str:
    with pytest.raises(SessionError) as caught:
        session.begin(request)
    return caught.value.code


def test_what_would_exceed_the_budget_is_not_sent(log: Ledger) -> None:
    """Each call costs 0.5 and may cost 1: the third could go beyond 1.6 and is refused."""
    with log.session(NAME, prices=Prices(1.0), budget_usd=1.6) as session:
        do(session, ask("a"))
        do(session, ask("b"), answer(tokens=1))
        with pytest.raises(SessionError) as caught:
            session.begin(ask("c"))
        assert caught.value.code == "budget_exceeded"
        for figure in ("1.000000", "1.600000", f"{session.spent_usd:.6f}"):
            assert figure in str(caught.value)
    assert [body["reserved_usd"] for body in bodies(log, "intent")] == [1.0, 1.0]
    assert bodies(log, "session_open")[0]["budget_usd"] == 1.6


def test_calls_under_way_count_with_what_they_may_cost(log: Ledger) -> None:
    """Until they are answered; failed ones free everything, recorded ones cost nothing."""
    with log.session(NAME, prices=Prices(1.0), budget_usd=2.0) as session:
        one = session.begin(ask("a"))
        two = session.begin(ask("b"))
        assert code(session, ask("c")) == "budget_exceeded"
        two.responded(answer(status=500))
        two = session.begin(ask("b"))
        one.responded(answer())
        assert code(session, ask("c")) == "budget_exceeded"
        two.responded(answer())
        do(session, ask("c"))
        with session.replicate(1):
            assert session.begin(ask("a")).recorded is not None


def test_the_budget_is_of_all_runs(log: Ledger) -> None:
    """And what was sent and may have been paid counts as if it had been."""
    prices = Prices(1.0)
    session = log.session(NAME, prices=prices, budget_usd=3.0)
    do(session, ask("a"))
    session.begin(ask("b"))
    kill(session)
    with log.session(NAME, prices=prices, budget_usd=2.4) as session:
        assert code(session, ask("c")) == "budget_exceeded"
    with log.session(NAME, prices=prices, budget_usd=2.5 + 1e-9, on_unknown="retry") as session:
        do(session, ask("b"))
        assert code(session, ask("c")) == "budget_exceeded"


def test_unknown_outcomes_of_this_run_count(log: Ledger) -> None:
    with log.session(NAME, prices=Prices(1.0), budget_usd=1.5) as session:
        session.begin(ask("a")).broke("timeout")
        assert code(session, ask("b")) == "budget_exceeded"


def test_what_has_no_price_is_not_sent_under_a_budget(log: Ledger) -> None:
    """Nor a call whose bound the price book cannot tell; without a budget both are."""
    for prompt, prices in (("a", Prices()), ("b", Broken())):
        with log.session(NAME, prices=prices, budget_usd=9.0) as session:
            assert code(session, ask(prompt, model="unpriced")) == "budget_unpriced"
        with log.session(NAME, prices=prices) as session:
            do(session, ask(prompt, model="unpriced"), answer(model="unpriced"))


def test_an_answer_without_price_is_counted_at_its_bound(log: Ledger) -> None:
    """The provider answered as another model: what was set aside stays set aside."""
    with log.session(NAME, prices=Prices(1.0), budget_usd=1.5) as session:
        do(session, ask("a"), answer(model="unpriced"))
        assert session.spent_usd == 0.0
        assert code(session, ask("b")) == "budget_exceeded"
    with log.session(NAME, prices=Prices(1.0), budget_usd=1.5) as session:
        assert code(session, ask("b")) == "budget_exceeded"


def test_reading_costs_nothing(log: Ledger) -> None:
    """A list of models is no operation and needs no price."""
    with log.session(NAME, prices=Prices(), budget_usd=0.0) as session:
        call = session.begin(Request("GET", "https://api.example.org/v1/models", (), b""))
        call.responded(Response(200, (), b"{}"))
        assert code(session, ask("a")) == "budget_exceeded"


def test_threads_do_not_exceed_it_together(log: Ledger) -> None:
    """Of many calls at once only as many leave as fit with what they may cost."""
    refused: list[str] = []
    with log.session(NAME, prices=Prices(1.0), budget_usd=3.0) as session:

        def one(number: int) -> None:
            try:
                session.begin(ask(str(number)))
            except SessionError as error:
                refused.append(error.code)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == ["budget_exceeded"] * 5
    assert len(bodies(log, "intent")) == 3


def test_a_price_book_with_a_defect_costs_no_answer(
    log: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is recorded without price, and it is said once."""
    caplog.set_level(logging.WARNING, "ledger.session")
    with log.session(NAME, prices=Broken()) as session:
        do(session, ask("a"))
        do(session, ask("b"))
        assert session.costs().total.unpriced == 2
    assert [witness["cost"].get("cost_usd") for witness in bodies(log, "witness")] == [None, None]
    assert len(caplog.records) == 1
    assert bodies(log, "session_close")[0]["unpriced"] == 2


def test_the_report_tells_what_reuse_saved(log: Ledger, prices: Prices) -> None:
    with log.session(NAME, prices=prices) as session:
        do(session, ask("a"))
        cost = session.spent_usd
    with log.session(NAME, prices=prices) as session:
        do(session, ask("a"))
        do(session, ask("b"))
        report = session.costs()
    assert (report.saved_usd, report.total.cost_usd) == (cost, cost + cost)
