"""Cases of numbers that do not follow from other statements (specs/12 section 7)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tools.vectors import lab
from tools.vectors.body import DROP, Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, READ, example, summary

_CODE = "derivation_mismatch"


def cases() -> Iterator[Case]:
    """Yield the cases of derived numbers that are refused."""
    yield from _usage()
    yield from _completeness()
    yield from _wholes()


def _usage() -> Iterator[Case]:
    rows: list[tuple[str, str, str, Body]] = [
        ("operations", "an operation too many", "insight", {"usage.operations": 2}),
        ("operations_few", "a call is not counted", "execution",
         {"usage": {"operations": 0, "priced": 0}}),
        ("priced", "a price is not counted", "insight",
         {"usage": {"operations": 1, "priced": 0, "tokens": 900}}),
        ("cost", "a cost a little too large", "insight",
         {"usage.cost_usd": math.nextafter(0.03, 1.0)}),
        ("cost_missing", "a cost is left out", "insight", {"usage.cost_usd": DROP}),
        ("tokens", "a token too few", "insight", {"usage.tokens": 899}),
        ("tokens_missing", "tokens are left out", "execution", {"usage.tokens": DROP}),
        ("transfer", "costs of a transfer without calls", "transfer",
         {"usage": {"operations": 1, "priced": 1, "cost_usd": 0.5}}),
        ("tokens_new", "tokens of no call", "transfer",
         {"usage": {"operations": 0, "priced": 0, "tokens": 0}}),
    ]  # fmt: skip
    for name, told, kind, change in rows:
        yield _case(f"usage_{name}", told, example({kind: change}), _CODE)

    def counted(change: Body) -> Operating:
        t = Operating()
        calls = [t.work(READ, THOUGHT, cost=cost) for cost in (0.3, 0.2, 0.1)]
        said = {"data.prompt_tokens": 3, "output.output_tokens": 4, "output.total_tokens": 7,
                "output.token_source": "provider"}  # fmt: skip
        calls.append(t.work(READ, THOUGHT, tokens=50, change=said))
        insight = t.insight(*calls, change=change)
        handed = t.transfer(insight)
        t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
        return t

    yield _case("usage_order", "costs added in another order",
                counted({"usage.cost_usd": 0.0 + 0.1 + 0.2 + 0.3}), _CODE)  # fmt: skip
    yield _case("usage_counted", "tokens that were counted, and not those billed",
                counted({"usage.tokens": 7}), _CODE)  # fmt: skip
    yield _case("usage_both", "tokens billed and counted", counted({"usage.tokens": 57}), _CODE)
    for name, told, change in (
        ("nested", "an operation inside a stage is not counted",
         {"usage": {"operations": 0, "priced": 0}}),
        ("nested_one", "an operation inside a stage counts as one", {"usage.operations": 1,
                                                                     "usage.priced": 1}),
        ("nested_cost", "its cost is not counted", {"usage.cost_usd": 0.03}),
        ("nested_tokens", "its tokens are not counted", {"usage.tokens": DROP}),
    ):  # fmt: skip
        t = Operating()
        t.operation = {"name": "inner", "number": 1}
        example(t=t)
        inner = len(t.log.statements) - 1
        t.operation = {"name": "outer", "number": 1}
        insight = t.insight(inner, change=change)
        handed = t.transfer(insight)
        t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
        yield _case(f"usage_{name}", told, t, _CODE)
    t = Operating()
    call = t.work(READ, THOUGHT, cost=0.5)
    first = t.insight(call)
    second = t.insight(first, change={"label": "2", "usage": {"operations": 1, "priced": 1,
                                                              "cost_usd": 0.5}})  # fmt: skip
    handed = t.transfer(second)
    t.finish(first, second, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
    yield _case("usage_stage", "the usage of a stage that is a parent does not count again", t,
                _CODE)  # fmt: skip


def _completeness() -> Iterator[Case]:
    source = ["six", "seven", "product"]
    rows: list[tuple[str, str, list[str] | None, list[str] | None, Any]] = [
        ("wrong", "another share of the atoms", ["six"], source, 0.5),
        ("all", "all is said to be delivered", ["six"], source, 1.0),
        ("missing", "the share is left out", ["six"], source, DROP),
        ("none_left", "something is said to be delivered where nothing is left", [], source, 1.0),
        ("no_atoms", "a share, and no atoms are named", None, source, 1.0),
        ("no_source", "a share, and the source has no atoms", None, None, 0.5),
    ]
    for name, told, atoms, have, value in rows:
        t = summary(Operating(), atoms, source=have, change={"completeness": value})
        yield _case(f"completeness_{name}", told, t, _CODE)


def _wholes() -> Iterator[Case]:
    split = {"insight": 0.03, "execution": 0.002}
    means = {"insight": 0.8, "transfer": 0.7, "execution": 0.6}
    rows: list[tuple[str, str, Body]] = [
        ("operations", "an operation too many", {"operations": 3}),
        ("priced", "a price too few", {"priced": 1}),
        ("tokens", "a token too many", {"tokens": 1021}),
        ("tokens_missing", "tokens are left out", {"tokens": None}),
        ("breakdown", "insights were dearer than they say",
         {"breakdown": split | {"insight": 0.3}}),
        ("breakdown_execution", "executions were cheaper than they say",
         {"breakdown": split | {"execution": 0.001}}),
        ("breakdown_part", "the cost of the executions is left out",
         {"breakdown": {"insight": 0.03}}),
        ("breakdown_new", "a cost of transfers, and none has one",
         {"breakdown": split | {"transfer": 0.0}}),
        ("breakdown_missing", "costs are left out", {"breakdown": None}),
        ("components", "a better insight than it says", {"components": means | {"insight": 0.9}}),
        ("components_transfer", "a worse transfer", {"components": means | {"transfer": 0.6}}),
        ("components_execution", "an execution a little better",
         {"components": means | {"execution": math.nextafter(0.6, 1.0)}}),
        ("components_part", "the quality of the transfers is left out",
         {"components": {"insight": 0.8, "execution": 0.6}}),
        ("components_missing", "all qualities are left out", {"components": None}),
        ("confidence", "the largest confidence, not the smallest", {"confidence": 0.95}),
        ("confidence_less", "a confidence that no stage has", {"confidence": 0.5}),
        ("confidence_missing", "confidence is left out", {"confidence": None}),
        ("began", "it began earlier than its first stage", {"started_at": lab.moment(0)[1]}),
        ("began_late", "it began with the execution", {"started_at": lab.moment(4)[1]}),
        ("ended", "it ended later than its last stage", {"ended_at": lab.moment(6)[1]}),
        ("ended_early", "it ended before its last stage", {"ended_at": lab.moment(4)[1]}),
    ]  # fmt: skip
    for name, told, lies in rows:
        yield _case(f"whole_{name}", told, example({"lies": lies}), _CODE)
    t = Operating()
    qualities = (0.1, 0.2, 0.3)
    made = [
        t.insight(change={"label": f"{n}", "quality": value, "quality_method": "rubric"})
        for n, value in enumerate(qualities)
    ]
    handed = t.transfer(made[0])
    done = t.execution(handed, t.work(ASK, b"42", SMALL))
    chain = t.provenance(*made, handed, done)
    t.combination(*made, handed, done, chain,
                  lies={"components": {"insight": (0.0 + 0.3 + 0.2 + 0.1) / 3.0}})  # fmt: skip
    yield _case("whole_mean_order", "qualities added in another order", t, _CODE)
    t = Operating()
    insight = t.insight(change={"confidence": 0.9, "confidence_method": "verbal"})
    handed = t.transfer(insight)
    done = t.execution(handed, t.work(ASK, b"42", SMALL))
    stages = (insight, handed, done)
    t.combination(*stages, t.provenance(*stages), lies={"components": {"insight": 0.5}})
    yield _case("whole_components_new", "a quality, and no part has one", t, _CODE)
