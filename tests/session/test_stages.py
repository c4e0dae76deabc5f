"""Savepoints and stages (specs/10 section 6)."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from ledger import Ledger
from ledger.errors import SessionError
from tests.session.lab import NAME, answer, ask, bodies, do, entries, text_of


class Analysis(BaseModel):
    title: str
    score: float
    on: datetime.date | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: tuple[int, ...] = ()


def refused(session: Any, state: object, type_: Any = None) -> str:
    """Why a state is not saved."""
    with pytest.raises(SessionError) as caught:
        session.savepoint("s", state, type=type_)
    assert caught.value.code == "savepoint_invalid"
    return str(caught.value)


def test_a_complete_stage_is_not_needed_again(log: Ledger) -> None:
    """In the same run and in the next one the result comes from the log, as its type."""
    result = [Analysis(title="a", score=0.5, on=datetime.date(2026, 1, 2))]
    for run in (1, 2):
        with log.session(NAME) as session:
            for time in (1, 2):
                with session.stage("extraction", type=list[Analysis]) as stage:
                    assert stage.needed == (run == 1 and time == 1)
                    if stage.needed:
                        stage.result = result
                assert stage.result == result
    assert [(body["stage"], body["complete"]) for body in bodies(log, "savepoint")] == [
        ("extraction", True)
    ]


def test_an_exception_leaves_the_stage_open(log: Ledger) -> None:
    """Its savepoints stay, so that the next run goes on from them."""

    def interrupted() -> None:
        with log.session(NAME) as session, session.stage("s") as stage:
            stage.savepoint({"done": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with log.session(NAME) as session:
        assert session.saved("s") == {"done": 1}
        assert session.saved("other") is None
        with session.stage("s") as stage:
            assert stage.needed
            assert stage.saved() == {"done": 1}
            stage.result = 2
        assert session.saved("s") == 2
    assert [body["complete"] for body in bodies(log, "savepoint")] == [False, True]


def test_the_result_of_a_complete_stage_stands(log: Ledger) -> None:
    """The same again changes nothing, another one is refused."""
    with log.session(NAME) as session:
        session.savepoint("s", {"a": 1}, complete=True)
        assert session.savepoint("s", {"a": 1}, complete=True) is None
        for late in (
            lambda: session.savepoint("s", {"a": 2}, complete=True),
            lambda: session.savepoint("s", {"a": 1}),
        ):
            with pytest.raises(SessionError, match="stage_complete"):
                late()
        with pytest.raises(SessionError, match="stage_complete"), session.stage("s") as stage:
            stage.result = {"a": 3}
        assert session.saved("s") == {"a": 1}
    assert len(bodies(log, "savepoint")) == 1


def test_a_function_runs_once(log: Ledger) -> None:
    """`once` and `aonce` are stages around a function."""
    ran: list[int] = []

    def double(number: int) -> list[int]:
        ran.append(number)
        return [number, number]

    async def triple(number: int) -> list[int]:
        return [number, *double(number)]

    for _ in range(2):
        with log.session(NAME) as session:
            assert session.once("double", double, 2) == [2, 2]
            assert asyncio.run(session.aonce("triple", triple, 3, type=list[int])) == [3, 3, 3]
    assert ran == [2, 3]


def test_stages_inside_each_other(log: Ledger) -> None:
    """Labels are paths, also in the intents of calls, in threads that were bound, and async."""
    with log.session(NAME) as session:
        with session.stage("outer"):
            do(session, ask("a"))

            async def inner() -> None:
                async with session.stage("inner"):
                    await asyncio.to_thread(do, session, ask("b"))

            asyncio.run(inner())
            thread = threading.Thread(target=session.bind(do), args=(session, ask("c")))
            thread.start()
            thread.join()
            do(session, ask("d"))
        do(session, ask("e"))
    stages = [body.get("stage") for body in bodies(log, "intent")]
    assert stages == ["outer", "outer/inner", "outer", "outer", None]
    assert [body["stage"] for body in bodies(log, "savepoint")] == ["outer/inner", "outer"]


def test_costs_are_told_by_stage(log: Ledger) -> None:
    with log.session(NAME) as session:
        with session.stage("one"):
            do(session, ask("a"))
        do(session, ask("b"))
        report = session.costs()
    assert {name: line.calls for name, line in report.stages.items()} == {"": 1, "one": 1}


@pytest.mark.parametrize(
    ("state", "type_"),
    [
        (None, None),
        ({"a": [1, 2.5, "x", True, None, {"b": []}]}, None),
        ("\U0001f600 ünicode", None),
        (Point(1, (2, 3)), Point),
        ({1: Analysis(title="t", score=1.0)}, dict[int, Analysis]),
        (b"text", bytes),
        ((1, "a"), tuple[int, str]),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.datetime),
    ],
)
def test_what_is_saved_comes_back(log: Ledger, state: object, type_: Any) -> None:
    """Equal, and of the same type."""
    with log.session(NAME) as session:
        session.savepoint("s", state, type=type_)
    with log.session(NAME) as session:
        found = session.saved("s", type_)
    assert found == state
    assert type(found) is type(state)


def test_what_is_no_data_is_refused_with_its_place(log: Ledger) -> None:
    """Where it is saved, so that it is not missed where it is needed."""
    with log.session(NAME) as session:
        assert "state.a[1] is not finite" in refused(session, {"a": [1, float("nan")]})
        assert "state.b is a set" in refused(session, {"b": {1}})
        assert "state is a set" in refused(session, {1}, set[int])
        assert "state[0].score is not finite" in refused(
            session, [Analysis(title="a", score=float("inf"))], list[Analysis]
        )
        assert "a key of state.m is int" in refused(session, {"m": {1: 2}})
        assert "state.t is tuple" in refused(session, {"t": (1, 2)})
        assert "state is object" in refused(session, object())
        assert "state is Analysis" in refused(session, Analysis(title="a", score=1))
        assert "type of the stage" in refused(session, "text", int)
        assert "type of the stage" in refused(session, b"\xff", bytes)
        assert "state is bytes" in refused(session, b"text")
        assert "type of the stage" in refused(session, object(), object)
        assert "pydantic" in refused(session, 1, threading.Lock())
        for name in ("", "a b", "x" * 129):
            with pytest.raises(SessionError, match="label"):
                session.savepoint(name, 1)
            with pytest.raises(SessionError, match="label"), session.stage(name):
                pass
    assert bodies(log, "savepoint") == []


class Grown(Analysis):
    """The same class in a later version of the program."""

    note: str = ""


def test_a_type_may_grow(log: Ledger) -> None:
    """A result that was recorded before a field with a default came is still the result."""
    with log.session(NAME) as session, session.stage("s", type=Analysis) as stage:
        stage.result = Analysis(title="a", score=1.0)
    with log.session(NAME) as session:
        with session.stage("s", type=Grown) as stage:
            assert not stage.needed
        assert stage.result == Grown(title="a", score=1.0)
    assert len(bodies(log, "savepoint")) == 1


def test_a_recorded_state_of_another_type(log: Ledger) -> None:
    """When the program changed meanwhile: said with the place, not handed out."""
    with log.session(NAME) as session:
        session.savepoint("s", [{"title": "a"}], complete=True)
        with pytest.raises(SessionError, match=r"savepoint_invalid.*0\.score"):
            session.saved("s", list[Analysis])


def test_a_savepoint_does_not_wait_for_calls(log: Ledger) -> None:
    """It is a statement like others, in the order in which things happened."""
    with log.session(NAME) as session:
        call = session.begin(ask("a"))
        receipt = session.savepoint("s", 1)
        assert receipt is not None
        call.broke("timeout")
    kinds = [entry.payload.type for entry in entries(log)]
    assert kinds == ["session_open", "intent", "savepoint", "outcome", "session_close"]


def test_a_complete_stage_keeps_the_numbers_of_its_calls(log: Ledger) -> None:
    """Two stages ask the same; when the first is not run again, the second gets its own answer."""
    with log.session(NAME) as session:
        for name in ("one", "two"):
            with session.stage(name) as stage:
                do(session, ask("same"), answer(name))
                stage.result = name
    for forgets_to_look in (False, True):
        with log.session(NAME) as session:
            with session.stage("one") as stage:
                if stage.needed or forgets_to_look:
                    assert text_of(do(session, ask("same"))) == "one"
                    stage.result = "one"
            assert text_of(do(session, ask("same"))) == "two"
