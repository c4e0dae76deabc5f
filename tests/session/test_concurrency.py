"""Many threads in one session; one process at a time."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import SessionError
from tests.helpers.places import Place
from tests.session.lab import NAME, Prices, answer, ask, bodies, do, entries


def test_threads_share_a_session(log: Ledger, prices: Prices) -> None:
    """Equal and different calls at once: numbers without gaps, one outcome each, exact sums."""
    with log.session(NAME, prices=prices) as session, ThreadPoolExecutor(8) as pool:

        def work(number: int) -> None:
            do(session, ask(f"q{number % 10}"), answer(tokens=number))
            if number % 3 == 0:
                session.begin(ask(f"f{number}")).responded(answer(status=500))
            if number % 10 == 0:
                with session.stage(f"stage{number}") as stage:
                    stage.result = number

        list(pool.map(work, range(60)))
    asked = Counter(body["call"]["digest"] for body in bodies(log, "intent"))
    numbers: dict[bytes, list[int]] = {}
    for body in bodies(log, "intent"):
        numbers.setdefault(body["call"]["digest"], []).append(body["call"]["replicate"])
    for digest, count in asked.items():
        assert sorted(numbers[digest]) == list(range(1, count + 1))
    (close,) = bodies(log, "session_close")
    total = 0.0
    for body in bodies(log, "witness"):
        total += body["cost"]["cost_usd"]
    assert (close["answered"], close["failed"], close["unknown"]) == (60, 20, 0)
    assert close["cost_usd"] == total
    assert len({one.payload.parents[0].id for one in entries(log, "outcome")}) == 80
    with log.session(NAME, prices=prices) as session, ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda n: do(session, ask(f"q{n % 10}")), range(60)))
        assert all(call.recorded is not None for call in again)
    assert bodies(log, "session_close")[1]["reused"] == 60


def test_the_end_waits_for_what_is_at_work(log: Ledger) -> None:
    """A call that is being recorded while the session closes is recorded or refused, never lost."""
    for run in range(5):
        results: list[Any] = []
        session = log.session(NAME)

        def work(session: Any, results: list[Any], run: int) -> None:
            for number in range(50):
                try:
                    do(session, ask(f"{run}.{number}"))
                except SessionError as error:
                    results.append(error.code)
                    return

        threads = [threading.Thread(target=work, args=(session, results, run)) for _ in range(3)]
        for thread in threads:
            thread.start()
        session.close()
        for thread in threads:
            thread.join()
        assert results == ["session_closed"] * 3
    open_intents = {one.id for one in entries(log, "intent")}
    for outcome in entries(log, "outcome"):
        open_intents.remove(outcome.payload.parents[0].id)
    assert open_intents == set()
    last = entries(log)[-1]
    assert last.payload.type == "session_close"


def test_one_handle_at_a_time(log: Ledger, place: Place) -> None:
    """A second opening in this process is refused, too, and works when the first is closed."""
    with log.session(NAME), place.open() as other:
        for handle in (log, other):
            with pytest.raises(SessionError) as caught:
                handle.session(NAME)
            assert caught.value.code == "session_busy"
            assert "this process" in str(caught.value)
    with place.open() as other, other.session(NAME) as session:
        assert session.run == 2


def test_a_refused_opening_gives_the_session_back(log: Ledger) -> None:
    """Whatever an opening fails of, the next one is free to try."""
    with log.session(NAME):
        pass
    for _ in range(2):
        with pytest.raises(SessionError, match="session_changed"):
            log.session(NAME, files=[__file__])
    with log.session(NAME):
        pass


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_refuses_the_session(log: Ledger) -> None:
    """It would write as if it were its parent; leaving the block there writes nothing either."""
    with log.session(NAME) as session:
        call = session.begin(ask("a"))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            codes = []
            for use in (
                lambda: session.begin(ask("b")),
                lambda: call.responded(answer()),
                lambda: session.savepoint("s", 1),
            ):
                try:
                    use()
                except SessionError as error:
                    codes.append(error.code)
                except BaseException as error:
                    codes.append(type(error).__name__)
            session.close()
            os.write(writing, ",".join(codes).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 1000) == b"session_busy,session_busy,session_busy"
        os.close(reading)
        os.close(writing)
        call.responded(answer())
    assert bodies(log, "session_close")[0]["answered"] == 1
