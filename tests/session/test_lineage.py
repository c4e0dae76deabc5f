"""Steps, and what operations are made of (specs/03; `ledger.session.steps`)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ledger import Entry, Ledger, LogError, RecordError
from ledger.formats.payload import PARENTS_MAX
from tests.session.lab import NAME, Prices, answer, ask, bodies, do, entries


def steps(log: Ledger) -> dict[str, Entry]:
    """The witnesses of steps by name; of several with one name the last."""
    return {
        entry.payload.body["tools"]["tool_ids"][0]: entry
        for entry in entries(log, "witness")
        if "tools" in entry.payload.body
    }


def prompts(log: Ledger, parents: Any) -> list[str]:
    """The prompts of the calls among some parents, the names of the steps among them."""
    found = []
    for parent in parents:
        body = log.by_id(parent.id).payload.body
        if "tools" in body:
            found.append(body["tools"]["tool_ids"][0])
        else:
            found.append(json.loads(log.content(body["data"]["prompt_hash"]))[0]["content"])
    return found


def test_a_step_is_an_operation(log: Ledger) -> None:
    """Arguments by name with their defaults, the result, the time it took, its own model."""
    with log.session(NAME, task_criticality="important", domain="maths") as session:

        @session.step
        def add(one: int, two: int = 2, *rest: int, **more: object) -> dict[str, int]:
            """Add."""
            return {"sum": one + two}

        @session.step(name="ask the oracle", operation="invoke_agent", model="oracle-1")
        def oracle() -> str:
            return "42"

        assert add(1) == {"sum": 3}
        assert add.__doc__ == "Add."
        assert oracle() == "42"
    body = steps(log)["add"].payload.body
    assert json.loads(log.content(body["data"]["prompt_hash"])) == {
        "one": 1,
        "two": 2,
        "rest": [],
        "more": {},
    }
    assert body["tools"]["tool_parameters"] == body["data"]["prompt_hash"]
    assert log.content(body["tools"]["tool_results_hash"]) == b'{"sum":3}'
    assert body["output"] == {"output_hash": body["tools"]["tool_results_hash"]}
    assert body["operation"] == "execute_tool"
    assert body["capture"]["vantage"] == "hook"
    assert body["meta"]["task_criticality"] == "important"
    assert body["temporal"]["execution_time_ms"] >= 0
    other = steps(log)["ask the oracle"].payload.body
    assert (other["operation"], other["model"]["model_id"]) == ("invoke_agent", "oracle-1")


def test_parents_are_the_operations_made_inside(log: Ledger) -> None:
    """Direct ones only: those of an inner step are that step's; a recorded answer counts."""
    for _ in range(2):
        with log.session(NAME) as session:

            @session.step
            def inner(session: Any) -> None:
                do(session, ask("b"))
                do(session, ask("c"))

            @session.step
            def outer(session: Any) -> None:
                do(session, ask("a"))
                inner(session)
                session.record(model="m", prompt="[]")

            do(session, ask("before"))
            outer(session)
            do(session, ask("after"))
        found = steps(log)
        assert prompts(log, found["inner"].payload.parents) == ["b", "c"]
        assert prompts(log, found["outer"].payload.parents[:2]) == ["a", "inner"]
        assert len(found["outer"].payload.parents) == 3
    assert len(bodies(log, "intent")) == 5


def test_a_failed_step_is_recorded(log: Ledger) -> None:
    """Without output, with the kind of error and never its message; the error goes on."""
    with log.session(NAME) as session:

        @session.step
        def fails(session: Any) -> None:
            do(session, ask("a"))
            raise LookupError("secret-4711")

        with pytest.raises(LookupError):
            fails(session)
    (witness,) = [one for one in entries(log, "witness") if "tools" in one.payload.body]
    assert witness.payload.body["output"] == {"finish_reason": "error"}
    assert prompts(log, witness.payload.parents) == ["a"]
    (note,) = entries(log, "annotation")
    assert note.payload.body == {"kind": "error", "value": "LookupError"}
    assert note.payload.parents[0].id == witness.id
    assert all(b"4711" not in entry.statement for entry in entries(log))


def test_what_is_no_data_is_recorded_by_its_type(log: Ledger) -> None:
    """No text is asked of an object: it may hold anything."""

    class Client:
        def __repr__(self) -> str:
            return "key-4711"

    endless: list[Any] = []
    endless.append(endless)
    with log.session(NAME) as session:

        @session.step
        def use(client: object, number: float, data: bytes, names: set[str]) -> object:
            return endless

        use(Client(), float("nan"), b"\xff", {"x"})
    body = steps(log)["use"].payload.body
    assert json.loads(log.content(body["tools"]["tool_parameters"])) == {
        "client": {"type": Client.__qualname__},
        "number": "NaN",
        "data": "_w==",
        "names": ["x"],
    }
    assert json.loads(log.content(body["tools"]["tool_results_hash"])) == {"type": "list"}


def test_methods_are_steps_too(log: Ledger) -> None:
    with log.session(NAME) as session:

        class Pipeline:
            @session.step
            def run(self, number: int) -> int:
                return number

        assert Pipeline().run(3) == 3
    body = steps(log)["Pipeline.run"].payload.body
    assert log.content(body["tools"]["tool_parameters"]) == b'{"number":3}'


def test_generators_are_refused_when_decorated(log: Ledger) -> None:
    def generate() -> Iterator[int]:
        yield 1

    with log.session(NAME) as session, pytest.raises(TypeError, match="generator"):
        session.step(generate)


def test_coroutines_and_their_tasks(log: Ledger) -> None:
    """Tasks inherit where they were started; steps at once do not mix."""

    async def run(session: Any) -> None:
        @session.step
        async def one(name: str) -> str:
            await asyncio.gather(
                *(asyncio.to_thread(do, session, ask(f"{name}{n}")) for n in range(3))
            )
            return name

        assert await asyncio.gather(one("x"), one("y")) == ["x", "y"]

        @session.step
        async def fails() -> None:
            await asyncio.sleep(0)
            raise LookupError

        with pytest.raises(LookupError):
            await fails()

    async def opened() -> None:
        async with log.session(NAME) as session:
            await run(session)

    asyncio.run(opened())
    found = [one for one in entries(log, "witness") if "tools" in one.payload.body]
    made = sorted(sorted(prompts(log, one.payload.parents)) for one in found)
    assert made == [[], ["x0", "x1", "x2"], ["y0", "y1", "y2"]]


def test_a_cancelled_step_is_recorded(log: Ledger) -> None:
    async def run(session: Any) -> None:
        @session.step
        async def waits() -> None:
            await asyncio.sleep(60)

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with log.session(NAME) as session:
        asyncio.run(run(session))
    assert bodies(log, "annotation") == [{"kind": "error", "value": "CancelledError"}]


def test_threads_know_where_they_were_started(log: Ledger) -> None:
    """A bound function and the session's own pool do; a plain thread knows nothing."""
    with log.session(NAME) as session:

        @session.step
        def outer() -> None:
            with session.threads(2) as pool:
                assert len(list(pool.map(lambda n: do(session, ask(f"p{n}")), range(4)))) == 4
                with pool.submit(do, session, ask("s")).result().witness and session.replicate(1):
                    pass
            bound = session.bind(lambda n: do(session, ask(f"b{n}")))
            with ThreadPoolExecutor(2) as plain:
                list(plain.map(bound, range(4)))
            thread = threading.Thread(target=do, args=(session, ask("lost")))
            thread.start()
            thread.join()

        outer()
    made = prompts(log, steps(log)["outer"].payload.parents)
    assert sorted(made) == sorted([*(f"p{n}" for n in range(4)), "s", *(f"b{n}" for n in range(4))])


def test_a_task_that_outlives_its_step(log: Ledger) -> None:
    """What it makes then belongs to the step around it."""
    with log.session(NAME) as session:

        @session.step
        def inner() -> Any:
            do(session, ask("in time"))
            return session.bind(do)

        @session.step
        def outer() -> None:
            late = inner()
            late(session, ask("late"))

        outer()
    assert prompts(log, steps(log)["inner"].payload.parents) == ["in time"]
    assert prompts(log, steps(log)["outer"].payload.parents) == ["inner", "late"]


def test_more_operations_than_a_statement_has_parents(log: Ledger) -> None:
    """They are gathered by annotations; nothing is lost, and order stays."""
    count = PARENTS_MAX + 40
    with log.session(NAME) as session:

        @session.step
        def many() -> int:
            for number in range(count):
                session.record(model="m", prompt=str(number))
            return count

        many()
    step = steps(log)["many"]
    *direct, note = [log.by_id(parent.id) for parent in step.payload.parents]
    assert note.payload.body == {"kind": "note", "name": "lineage"}
    gathered = [parent.id for parent in note.payload.parents]
    records = [one.id for one in entries(log, "witness")[:-1]]
    assert [*gathered, *(one.id for one in direct)] == records


def test_two_sessions_do_not_mix(log: Ledger) -> None:
    """Each has its own stage, replicate and step, also when one is open around the other."""
    with log.session(NAME) as one, log.session("other") as two:

        @one.step
        def outer() -> None:
            with one.stage("s"), two.replicate(3):
                do(one, ask("a"))
                do(two, ask("b"))

        outer()
    assert prompts(log, steps(log)["outer"].payload.parents) == ["a"]
    (intent,) = [one.payload.body for one in log.find(session="other", type="intent")]
    assert intent["call"]["replicate"] == 3
    assert "stage" not in intent
    assert bodies(log, "intent")[0]["stage"] == "s"


def test_a_step_whose_record_fails(log: Ledger) -> None:
    """An error of the ledger is raised in place of the result, and never in place of an error."""
    session = log.session(NAME)

    @session.step
    def works() -> int:
        session.close()
        return 1

    @session.step
    def fails() -> int:
        raise LookupError

    with pytest.raises(Exception, match="session_closed"):
        works()
    with pytest.raises(LookupError) as caught:
        fails()
    assert "not recorded" in caught.value.__notes__[0]


def test_what_an_operation_builds_on_is_looked_up_at_once(log: Ledger) -> None:
    """Not when an answer has come: it must not be lost for a parent that does not exist."""
    with log.session(NAME) as session:
        do(session, ask("a"))
        for wrong in ("01a1f82f-1e80-7000-9870-bd86592733f5", "x", entries(log, "outcome")[0]):
            with pytest.raises(LogError), session.about(parents=[wrong]):
                pass
            with pytest.raises(LogError):
                session.record(model="m", prompt="p", parents=[wrong])
        with session.about(
            parents=[entries(log, "witness")[0].id, entries(log, "session_open")[0]]
        ):
            session.record(model="m", prompt="p")
    assert len(entries(log, "witness")[1].payload.parents) == 2


def test_more_is_said_about_the_operations_of_a_block(log: Ledger) -> None:
    """Fields that the wire does not show, for calls, steps and records; inner blocks go first."""
    with log.session(NAME, domain="all") as session:

        @session.step
        def step() -> None:
            with session.about(context_atom_ids=["atom-7"], domain="inner") as inner:
                do(session, ask("b"))
            assert len(inner.witnesses) == 1

        with session.about(
            context_snapshot_id="s1", context_atom_ids=["x"], task_criticality="critical"
        ) as outer:
            do(session, ask("a"))
            step()
            session.record(model="m", prompt="p", context_atom_ids=["own"], domain=None)
        assert len(outer.witnesses) == 4
        do(session, ask("c"))
    said = [
        (
            body["data"].get("context_snapshot_id"),
            body["data"].get("context_atom_ids"),
            body["meta"]["task_criticality"],
            body["meta"]["domain"],
        )
        for body in bodies(log, "witness")
    ]
    assert said == [
        ("s1", ["x"], "critical", "all"),
        ("s1", ["atom-7"], "critical", "inner"),
        ("s1", ["x"], "critical", "all"),
        ("s1", ["own"], "critical", "all"),
        (None, None, "routine", "all"),
    ]
    assert prompts(log, steps(log)["step"].payload.parents) == ["b"]
    with log.session(NAME) as session, session.about() as again:
        do(session, ask("a"))
        assert again.witnesses == outer.witnesses[:1]


def test_what_a_prompt_was_made_from_is_said_once_for_a_block(log: Ledger) -> None:
    """Template, variables and texts of the parts are archived with every call of the block."""
    with (
        log.session(NAME) as session,
        session.about(
            prompt_template="{{atoms}} {{name}}?",
            prompt_variables={"name": "Ada"},
            context_snapshot={"atoms": {"x": "six"}},
            context_atom_ids=["x"],
        ),
    ):
        do(session, ask("a"))
        session.record(model="m", prompt="p", prompt_variables={"name": "Bo"})
    said = [body["data"] for body in bodies(log, "witness")]
    assert [log.content(one["prompt_variables"]) for one in said] == [
        b'{"name":"Ada"}',
        b'{"name":"Bo"}',
    ]
    assert {log.content(one["context_snapshot"]) for one in said} == {b'{"atoms":{"x":"six"}}'}


def test_what_is_said_is_checked_before_anything_is_sent(log: Ledger) -> None:
    """And a statement that it would make too large is made without it, cost and all."""
    with log.session(NAME, prices=Prices()) as session:
        for wrong in (
            {"context_atom_ids": [""]},
            {"domain": "a\n"},
            {"prompt_variables": {"a": 1}},
        ):
            with pytest.raises(RecordError), session.about(**wrong):  # type: ignore[arg-type]
                pass
        with pytest.raises(TypeError), session.about(output="x"):  # type: ignore[call-arg]
            pass
        with session.about(context_atom_ids=["x" * 200] * 1000):
            do(session, ask("a"))
    (witness,) = bodies(log, "witness")
    assert "context_atom_ids" not in witness["data"]
    assert witness["model"]["model_id"] == "demo-1"
    assert witness["cost"]["cost_usd"] > 0


def test_records_take_part(log: Ledger) -> None:
    """`record` and `append` write into the run's stream, with the context's lineage."""
    with log.session(NAME, domain="d") as session:
        first = do(session, ask("a"), answer()).witness
        assert first is not None
        with session.about(parents=[first]):
            receipt = session.record(model="m", prompt="p", domain="own")
        session.append("annotation", {"kind": "score", "value": 1}, parents=[receipt])
    witness = entries(log, "witness")[1]
    assert [parent.id for parent in witness.payload.parents] == [first.id]
    assert witness.payload.body["meta"]["domain"] == "own"
    assert len({entry.payload.stream_id for entry in entries(log)}) == 1
