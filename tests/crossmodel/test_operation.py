"""An operation in a session: stages around calls, and what their combination says (specs/12)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from ledger import Ledger, RecordError, SessionError
from ledger.crossmodel.operation import Operation
from ledger.formats.content import from_cbor
from tests.crossmodel.lab import (
    CHEAP,
    FINDING,
    STRONG,
    body,
    kinds,
    review,
    session,
    stages,
    think,
    work,
)
from tests.helpers.places import Place, problems
from tests.session.lab import answer, ask, bodies, do, entries


def test_calls_in_a_block_become_the_parents_of_its_stage(log: Ledger) -> None:
    """The insight has its call, the execution its transfer and its call, the whole its parts."""
    with session(log) as run:
        operation = review(run)
    assert kinds(log) == ["insight", "transfer", "execution", "provenance", "cross_model"]
    insight, transfer, execution, provenance, combined = stages(log)
    thought, worked = entries(log, "witness")
    named = [[parent.id for parent in one.payload.parents] for one in stages(log)]
    assert named == [
        [thought.id],
        [insight.id],
        [transfer.id, worked.id],
        [insight.id, transfer.id, execution.id],
        [insight.id, transfer.id, execution.id, provenance.id],
    ]
    assert operation.id == combined.id
    assert not operation.needed


def test_a_stage_takes_from_its_calls_what_is_not_said(log: Ledger) -> None:
    """Output, version and cost come from the calls; the model is the one that was named."""
    with session(log) as run, run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
        with operation.insight() as insight:
            do(run, ask("why?", model=STRONG), answer(FINDING, model=f"{STRONG}-2026-06-01"))
        assert insight.text == FINDING
        with operation.transfer(insight) as handed:
            assert handed.text == FINDING
        with operation.execute(handed) as execution:
            work(run, handed.text, "Dropped.")
        assert execution.text == "Dropped."
    said = body(log, "insight")
    (thought, _) = entries(log, "witness")
    assert said["model_id"] == STRONG
    assert said["model_version"] == f"{STRONG}-2026-06-01"
    assert said["output"] == thought.payload.body["output"]["output_hash"]
    cost = thought.payload.body["cost"]
    assert said["usage"] == {
        "operations": 1,
        "priced": 1,
        "cost_usd": cost["cost_usd"],
        "tokens": cost["tokens_used"],
    }
    transfer = body(log, "transfer")
    assert transfer["source"] == {"model_id": STRONG, "model_version": f"{STRONG}-2026-06-01"}
    assert transfer["target"] == {"model_id": CHEAP}
    assert transfer["content"] == said["output"]
    assert transfer["completeness"] == 1.0


def test_the_whole_is_computed_from_its_parts(log: Ledger) -> None:
    """Costs, quality, what was lost, what was saved: as specs/12 section 7 says."""
    with session(log) as run:
        review(run)
    said = body(log, "cross_model")
    total = sum(one["cost"]["cost_usd"] for one in bodies(log, "witness"))
    assert said["version"] == 2
    assert said["quality"] == {
        "components": {"insight": 0.9, "transfer": 0.8, "execution": 0.45},
        "overall": (0.9 + 0.8 + 0.45) / 3,
        "degradation": 0.9 - 0.45,
        "preservation": 0.45 / 0.9,
    }
    assert said["cost"]["total_usd"] == total
    assert said["cost"]["reduction_percent"] == (10.0 - total) / 10.0 * 100.0
    assert said["confidence"] == 0.75
    assert said["confidence_band"] == "C"
    assert said["insights"] == [{"model_id": STRONG, "quality": 0.9}]
    assert said["transfers"] == [{"quality": 0.8, "completeness": 1.0, "passed": 1, "failed": 0}]


def test_a_summary_is_handed_over_in_place_of_the_output(log: Ledger) -> None:
    """With the pieces of knowledge that are still in it, completeness is known."""
    with session(log) as run, run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
        with operation.insight() as insight:
            think(run)
            insight.atoms = ["premise", "ravens", "drop"]
        with operation.transfer(insight) as handed:
            handed.delivered = "Drop the premise."
            handed.atoms = ["premise", "drop"]
        with operation.execute(handed):
            work(run, "Drop the premise.")
    said = body(log, "transfer")
    assert said["completeness"] == 2 / 3
    assert said["compression_ratio"] == len(FINDING) / len("Drop the premise.")
    assert log.content(from_cbor(said["delivered"])) == b"Drop the premise."


def test_a_summary_that_lost_everything_says_so(log: Ledger) -> None:
    """No piece is left: complete to no part, which is not the same as not known."""
    with session(log) as run:
        operation = run.cross_model("x", insight=STRONG, execution=CHEAP)
        with operation.insight() as insight:
            think(run)
            insight.atoms = ["premise", "ravens"]
        with operation.transfer(insight) as handed:
            handed.delivered = "Something is wrong."
            handed.atoms = []
    assert handed.body["atoms"] == []
    assert handed.body["completeness"] == 0.0


def test_what_an_execution_never_saw_is_no_transfer_to_it(log: Ledger) -> None:
    """Its calls are in the log, and the stage is refused."""
    with session(log) as run:
        operation = run.cross_model("x", insight=STRONG, execution=CHEAP)
        with operation.insight() as insight:
            think(run)
        with operation.transfer(insight) as handed:
            pass
        execution = operation.execute(handed)
        execution.__enter__()
        work(run, "something else")
        with pytest.raises(RecordError, match="is not in a prompt") as caught:
            execution.__exit__(None, None, None)
        assert caught.value.code == "context_mismatch"
    assert kinds(log) == ["insight", "transfer"]
    assert len(entries(log, "witness")) == 2


def test_a_model_that_was_not_asked_is_refused(log: Ledger) -> None:
    """The insight is said to be of one model, and the call in it was to another."""
    with session(log) as run:
        insight = run.cross_model("x", insight=STRONG, execution=CHEAP).insight()
        insight.__enter__()
        work(run, "nothing")
        with pytest.raises(RecordError, match=f"said to be of {STRONG}") as caught:
            insight.__exit__(None, None, None)
        assert caught.value.code == "stage_mismatch"
    assert kinds(log) == []


def test_an_operation_inside_a_stage_counts_once(log: Ledger) -> None:
    """An agent that calls agents: the outer stage has the inner operation, not its calls."""
    with session(log) as run, run.cross_model("outer", insight=STRONG, execution=CHEAP) as outer:
        with outer.insight() as insight:
            think(run, "all of it")
            inner = review(run, "inner", "a part")
        with outer.transfer(insight) as handed:
            pass
        with outer.execute(handed):
            work(run, handed.text)
    first = next(
        one for one in stages(log, "insight") if one.payload.body["operation"]["name"] == "outer"
    )
    assert [parent.id for parent in first.payload.parents] == [
        entries(log, "witness")[0].id,
        inner.id,
    ]
    usage = first.payload.body["usage"]
    assert usage["operations"] == usage["priced"] == 3
    whole = [one.payload.body for one in stages(log, "cross_model")][-1]
    total = sum(one["cost"]["cost_usd"] for one in bodies(log, "witness"))
    assert whole["cost"]["total_usd"] == pytest.approx(total)


def test_fan_out_and_fan_in(log: Ledger) -> None:
    """Two insights into one execution, whose output goes on to two more models."""
    with session(log) as run, run.cross_model("fan") as operation:
        insights = []
        for topic in ("ravens", "swans"):
            with operation.insight(topic, model=STRONG) as insight:
                think(run, topic, f"About {topic}.")
            insights.append(insight)
        handed = [operation.transfer(one, target=CHEAP).record() for one in insights]
        with operation.execute(*handed, model=CHEAP) as merged:
            work(run, " and ".join(one.text for one in handed), "Merged.")
        for model in ("checker-1", "checker-2"):
            with operation.transfer(merged, model, target=model) as on:
                pass
            with operation.execute(on, label=model, model=model):
                do(run, ask(f"Check: {on.text}", model=model), answer("Fine.", model=model))
    whole = body(log, "cross_model")
    assert [len(whole[kind]) for kind in ("insights", "transfers", "executions")] == [2, 4, 3]
    assert len(body(log, "provenance")["steps"]) == 9


def test_an_unfinished_operation_says_what_it_lacks(log: Ledger) -> None:
    """An operation without an execution is not combined."""
    with session(log) as run:
        operation = run.cross_model("x", insight=STRONG, execution=CHEAP)
        with operation.insight():
            think(run)
        with pytest.raises(SessionError, match="has no transfer"):
            operation.combine()
    assert kinds(log) == ["insight"]


def test_interactions_data_and_the_whole(log: Ledger) -> None:
    """What else passed between models, what went in, and what the producer adds."""
    with session(log) as run, run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
        operation.data("corpus", "ravens.txt", "All ravens are black.")
        with operation.insight() as insight:
            think(run)
        with operation.transfer(insight) as handed:
            pass
        with operation.execute(handed) as execution:
            work(run, handed.text)
        operation.interaction(
            CHEAP, STRONG, "question", "Why drop it?", step=execution, quality=0.5
        )
        operation.describe(
            trends=[{"metric": "quality", "direction": "rising", "method": "last 3", "window": 3}],
            validation={"scope": "all", "level": "strict", "precision": 0.9},
            replay={"runs": 4, "succeeded": 3},
            metrics={"edits": 2.0},
            analytics={"by": "hand"},
        )
    said, whole = body(log, "provenance"), body(log, "cross_model")
    assert said["interactions"][0]["step"] == 2
    assert said["interactions"][0]["quality_method"] == "stated"
    assert log.content(said["data"][0]["content"]) == b"All ravens are black."
    assert whole["replay"]["success_rate"] == 0.75
    assert log.content(whole["analytics"]) == b'{"by":"hand"}'


def test_async_stages(log: Ledger) -> None:
    """The same with `async with`."""

    async def main() -> None:
        async with (
            session(log) as run,
            run.cross_model("x", insight=STRONG, execution=CHEAP) as operation,
        ):
            async with operation.insight() as insight:
                await asyncio.to_thread(think, run)
            async with operation.transfer(insight) as handed:
                pass
            async with operation.execute(handed):
                await asyncio.to_thread(work, run, handed.text)

    asyncio.run(main())
    assert kinds(log)[-1] == "cross_model"


def test_a_salted_ledger_has_operations_too(place: Place) -> None:
    """References carry salts, and what is handed over keeps its reference."""
    place.init(salted=True)
    with place.open() as log:
        with session(log) as run:
            review(run)
            with run.cross_model("by-hand") as operation:
                with operation.insight(model=STRONG) as insight:
                    insight.output = "Drop it."
                with operation.transfer(insight, target=CHEAP) as handed:
                    pass
                with operation.execute(handed, model=CHEAP) as execution:
                    execution.context = "You were told: Drop it."
                    execution.output = "Dropped."
        for transfer, insight_ in zip(stages(log, "transfer"), stages(log, "insight"), strict=True):
            assert transfer.payload.body["content"] == insight_.payload.body["output"]
            assert transfer.payload.body["content"]["salted"]
    assert problems(place.path) == []


def test_what_a_stage_builds_on_is_not_paid_again(log: Ledger) -> None:
    """An earlier operation, and a call made elsewhere, are parents and cost nothing here."""
    with session(log) as run:
        first = review(run, "first", "ravens")
        (_, worked) = entries(log, "witness")
        with run.cross_model("second", insight=STRONG, execution=CHEAP) as operation:
            with operation.insight(parents=[first, worked.id]) as insight:
                think(run, "swans")
            with operation.transfer(insight) as handed:
                pass
            with operation.execute(handed):
                work(run, handed.text)
    said = stages(log, "insight")[1].payload
    assert [parent.id for parent in said.parents[:2]] == [first.id, worked.id]
    assert said.body["made_with"] == 1
    assert said.body["usage"]["operations"] == 1
    whole = stages(log, "cross_model")[1].payload.body
    assert whole["cost"]["operations"] == 2


def test_a_chain_of_operations_costs_what_its_calls_cost(log: Ledger) -> None:
    """However long it is, and however often one builds on several before it."""
    with session(log) as run:
        before: list[Operation] = []
        for number in range(12):
            with run.cross_model("chain", insight=STRONG, execution=CHEAP) as operation:
                with operation.insight(parents=before[-2:]) as insight:
                    think(run, str(number))
                with operation.transfer(insight) as handed:
                    pass
                with operation.execute(handed):
                    work(run, f"{handed.text} {number}")
            before.append(operation)
    costs = [one.payload.body["cost"]["operations"] for one in stages(log, "cross_model")]
    assert costs == [2] * 12


def test_what_was_recorded_by_other_means_can_be_counted(log: Ledger) -> None:
    """`include` takes in what did not go through the session."""
    with session(log) as run, run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
        receipt = log.record(
            model=STRONG, prompt="p", output="Drop it.", cost_usd=0.5, price_table="by hand"
        )
        with operation.insight() as insight:
            insight.include(receipt)
        assert insight.text == "Drop it."
        assert insight.body["usage"]["cost_usd"] == 0.5
        with operation.transfer(insight) as handed:
            pass
        with operation.execute(handed):
            work(run, handed.text)


def test_an_operation_that_fails_inside_a_stage_leaves_its_stages_there(log: Ledger) -> None:
    """The outer stage catches the error and goes on: what there was is inside of it."""
    with session(log) as run, run.cross_model("outer", insight=STRONG, execution=CHEAP) as outer:
        with outer.insight() as insight:
            inner = run.cross_model("inner", insight=STRONG, execution=CHEAP)
            with contextlib.suppress(ZeroDivisionError), inner:
                with inner.insight() as part:
                    think(run, "a part")
                raise ZeroDivisionError
            think(run, "all of it")
        with outer.transfer(insight) as handed:
            pass
        with outer.execute(handed):
            work(run, handed.text)
    assert insight.entry.payload.parents[0].id == part.id
    assert insight.body["made_with"] == 2
    assert log.operation(outer.id).findings == ()


def test_stages_in_threads(log: Ledger) -> None:
    """Many executions at once, told apart by their labels."""
    with session(log) as run:
        with run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
            with operation.insight() as insight:
                think(run)
            with operation.transfer(insight) as handed:
                pass

            def execute(number: int) -> None:
                with operation.execute(handed, label=f"paper-{number}"):
                    work(run, f"{handed.text} {number}")

            with run.threads(8) as pool:
                list(pool.map(execute, range(24)))
        report = log.operation(operation.id)
    assert report.findings == ()
    assert len(stages(log, "execution")) == 24
    for one in stages(log, "execution"):
        (of, call) = one.payload.parents
        number = one.payload.body["label"].removeprefix("paper-")
        prompt = log.content(log.by_id(call.id).payload.body["data"]["prompt_hash"])
        assert of.id == handed.id
        assert prompt.endswith(f' {number}","role":"user"}}]'.encode())


@pytest.mark.parametrize(
    "said",
    [
        {"trends": [{"metric": "quality"}]},
        {"validation": {"scope": "all"}},
        {"replay": {"runs": 1}},
        {"predictions": [{"metric": "x", "value": float("nan"), "method": "m"}]},
    ],
)
def test_what_is_said_wrongly_is_refused_at_once(log: Ledger, said: Any) -> None:
    """And not when the operation ends, hours later."""
    with session(log) as run:
        operation = run.cross_model("x")
        with pytest.raises(RecordError) as caught:
            operation.describe(**said)
        assert caught.value.code == "body_invalid"
        with pytest.raises(TypeError, match="no keyword"):
            operation.describe(stategy="typo")
