"""Cases of parts: exchanged, left out, missing, there twice (specs/12 sections 5, 6 and 8)."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import lab
from tools.vectors.body import DROP, Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, TEXT, Operating, Told
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, OTHER, alone, example

_CODE = "part_mismatch"
_NOWHERE = {"id": lab.moment(900)[0], "leaf_hash": b"\x2a" * 32}


def cases() -> Iterator[Case]:
    """Yield the cases of parts that are refused."""
    yield from _steps()
    yield from _repeated()
    yield from _places()
    yield from _transplanted()
    yield from _dropped()
    yield from _missing()
    yield from _twice()


def _steps() -> Iterator[Case]:
    rows: list[tuple[str, str, dict[str, Body]]] = [
        ("step_type", "a step says another type",
         {"insight": {"label": "paper"}, "provenance": {"steps.0.stage": "execution"}}),
        ("step_label", "a step says another label", {"provenance": {"steps.1.label": "one"}}),
        ("step_case", "a label in other letters",
         {"insight": {"label": "paper"}, "provenance": {"steps.0.label": "Paper"}}),
        ("chain_operation", "a provenance of another operation than its parts",
         {"provenance": {"operation.number": 2}}),
    ]  # fmt: skip
    for name, told, changes in rows:
        yield _case(name, told, example(changes), _CODE)
    t = Operating()
    call = t.work(b"What?", b"42")
    stages = alone(t)
    steps = [{"stage": kind, "label": "1"} for kind in ("insight", "transfer", "execution")]
    steps.insert(0, {"stage": "insight", "label": "0"})
    t.finish(*stages)
    t.operation = {"name": "other", "number": 1}
    t.tell("provenance", {"operation": t.operation, "steps": steps[:1]}, call)
    yield _case("step_witness", "a part of a provenance is a witness", t, _CODE)
    t = Operating()
    stages = alone(t)
    chain = t.provenance(*stages)
    body = {"operation": t.operation, "steps": [*steps, {"stage": "execution", "label": "p"}][1:]}
    t.combination(*stages, t.tell("provenance", body, *stages, chain))
    yield _case("step_provenance", "a part of a provenance is a provenance", t, _CODE)


def _repeated() -> Iterator[Case]:
    """Every value that a combination repeats: another one, none, and one that is not there."""
    changes: list[tuple[str, object]] = []
    for part in ("insights.0.", "executions.0."):
        changes += [(part + "model_id", "other-model"), (part + "confidence", 0.99),
                    (part + "quality", 0.5), (part + "confidence", DROP),
                    (part + "quality", DROP), (part + "model_version", "2025-01-01")]  # fmt: skip
    changes += [("insights.0.model_version", DROP)]
    changes += [(f"transfers.0.{key}", value) for key, value in (
        ("confidence", 0.99), ("confidence", DROP), ("quality", 0.5), ("quality", DROP),
        ("completeness", 0.5), ("completeness", DROP), ("passed", 2), ("passed", 0),
        ("failed", 0), ("failed", 2))]  # fmt: skip
    for number, (path, value) in enumerate(changes):
        what = "left out" if value is DROP else "another"
        told = f"{path} is {what}" if value is DROP else f"{path} is {what} than the part's"
        yield _case(f"part_value_{number:02}", told, example({"cross_model": {path: value}}), _CODE)
    for number, (path, value) in enumerate((
        ("insights.0.confidence", 0.5), ("executions.0.quality", 0.5),
        ("transfers.0.confidence", 0.5), ("transfers.0.quality", 0.5),
    )):  # fmt: skip
        t = Operating()
        stages = alone(t)
        t.combination(*stages, t.provenance(*stages), change={path: value})
        yield _case(f"part_value_new_{number}", f"{path} is nothing that the part says", t, _CODE)
    t = Operating()
    first = t.insight(model="first")
    second = t.insight(model="second", change={"label": "2"})
    one, two = t.transfer(first), t.transfer(second, change={"label": "2"})
    done = t.execution(one, two, t.work(ASK, b"42", SMALL))
    chain = t.provenance(first, second, one, two, done)
    t.combination(first, second, one, two, done, chain,
                  change={"insights": [{"model_id": "second"}, {"model_id": "first"}]})  # fmt: skip
    yield _case("part_value_swapped", "the values of two parts are exchanged", t, _CODE)


def _places() -> Iterator[Case]:
    """The parents of a combination, in another order or others."""

    def placed(*order: int) -> Operating:
        """Combine insight 1 and 2, transfer, execution, provenance as parents in this order."""
        t = Operating()
        second = t.insight(change={"label": "2"})
        insight, handed, done = alone(t)
        stages = (second, insight, handed, done)
        every = (*stages, t.provenance(*stages))
        t.combination(*every, parents=[every[place] for place in order])
        return t

    yield _case("place_as_it_is", "two insights, in order", placed(0, 1, 2, 3, 4))
    for name, told, order in (
        ("place_insights", "the insights stand in another order than in the provenance",
         (1, 0, 2, 3, 4)),
        ("place_groups", "the transfer stands before an insight", (0, 2, 1, 3, 4)),
        ("place_execution", "the execution stands before the transfer", (0, 1, 3, 2, 4)),
        ("place_first", "the provenance stands first", (4, 0, 1, 2, 3)),
    ):  # fmt: skip
        yield _case(name, told, placed(*order), _CODE)

    t = Operating()
    insight, handed, done = alone(t)
    t.provenance(insight, handed, done)
    t.combination(insight, handed, done, t.work(b"What?", b"42"))
    yield _case("place_no_chain", "a witness stands where the provenance must be", t, _CODE)
    t = Operating()
    insight, handed, done = alone(t)
    call = t.work(b"What?", b"42")
    chain = t.provenance(insight, handed, done)
    t.combination(insight, handed, done, chain, parents=(call, handed, done, chain))
    yield _case("place_witness", "a witness stands where an insight must be", t, _CODE)
    t = Operating()
    insight, handed, done = alone(t)
    t.operation = {"name": "other", "number": 1}
    theirs = alone(t)
    other = t.provenance(*theirs)
    t.combination(*theirs, other)
    t.operation = {"name": "review", "number": 1}
    t.combination(insight, handed, done, other)
    yield _case("place_other_chain", "the provenance is that of another operation", t, _CODE)
    t = Operating()
    joined = t.insight(session=OTHER, stream="elsewhere")
    insight, handed, done = alone(t)
    chain = t.provenance(insight, handed, done)
    t.combination(insight, joined, handed, done, chain)
    yield _case("place_more", "a stage of the combination is not in its provenance", t, _CODE)
    t = Operating()
    joined = t.insight(session=OTHER, stream="elsewhere", change={"label": "2"})
    insight, handed, done = alone(t)
    chain = t.provenance(joined, insight, handed, done)
    t.combination(insight, handed, done, chain)
    yield _case("place_fewer", "a stage of the provenance is not in the combination", t, _CODE)


def _transplanted() -> Iterator[Case]:
    """A stage of another operation of the session, whole and signed, stands for one's own."""
    context: Body
    for kind in ("insight", "transfer", "execution"):
        t = Operating()
        context = {"context": t.ref(ASK, TEXT)}
        insight = -1 if kind == "insight" else t.insight()
        handed = t.transfer(insight) if kind == "execution" else -1
        t.operation = {"name": "review", "number": 2}
        theirs = alone(t)
        t.finish(*theirs)
        t.operation = {"name": "review", "number": 1}
        if kind == "insight":
            insight = theirs[0]
            handed = t.transfer(insight)
        elif kind == "transfer":
            handed = theirs[1]
        done = theirs[2] if kind == "execution" else t.execution(handed, change=context)
        t.finish(insight, handed, done)
        yield _case(f"transplanted_{kind}", f"the {kind} is that of another operation", t, _CODE)
    t = Operating()
    stages = alone(t)
    chain = t.provenance(*stages)
    t.combination(*stages, chain, change={"operation.name": "other"})
    yield _case("transplanted_whole", "a combination under the name of another operation", t, _CODE)
    t = Operating()
    t.operation = {"name": "review", "number": 2}
    t.insight(session=OTHER)
    t.operation = {"name": "review", "number": 1}
    stages = alone(t, session=OTHER)
    t.finish(*stages)
    yield _case("transplanted_session", "all stages of another session: joined, and allowed", t,
                notes=("operation_open",))  # fmt: skip


def _dropped() -> Iterator[Case]:
    code = "part_dropped"
    for kind in ("insight", "transfer", "execution"):
        t = Operating()
        insight, handed, done = alone(t)
        more: Body = {"label": "2"}
        if kind == "insight":
            t.insight(change=more)
        elif kind == "transfer":
            t.transfer(insight, change=more)
        else:
            t.execution(handed, change=more | {"context": t.ref(ASK, TEXT)})
        t.finish(insight, handed, done)
        yield _case(f"dropped_{kind}", f"a {kind} is left out of provenance and combination", t,
                    code)  # fmt: skip
    t = Operating()
    second = t.insight(change={"label": "2"})
    stages = alone(t)
    t.combination(*stages, t.provenance(second, *stages))
    yield _case("dropped_whole", "an insight is left out of the combination alone", t, code)
    t = Operating()
    second = t.insight(change={"label": "2"})
    stages = alone(t)
    t.combination(second, *stages, t.provenance(*stages))
    yield _case("dropped_chain", "an insight is left out of the provenance alone", t, code)
    t = Operating()
    t.finish(*alone(t))
    t.insight(change={"label": "late"})
    yield _case("dropped_late", "an insight comes after the combination", t, code)
    t = Operating()
    stages = alone(t)
    t.finish(*stages)
    t.insight(change={"label": "late"}, stream="mva/experiment_2.2")
    yield _case("dropped_stream", "it comes in another stream of the session", t, code)
    t = Operating()
    stages = alone(t)
    chain = t.provenance(*stages)
    t.insight(change={"label": "between"})
    t.combination(*stages, chain)
    yield _case("dropped_between", "an insight comes between provenance and combination", t, code)


def _missing() -> Iterator[Case]:
    t = Operating()
    stages = alone(t)
    links: tuple[Told, ...] = (stages[0], _NOWHERE, *stages[1:])
    steps = [{"stage": kind, "label": f"{n}"} for n, kind in (
        (1, "insight"), (2, "insight"), (1, "transfer"), (1, "execution"))]  # fmt: skip
    body = {"operation": dict(t.operation), "steps": steps}
    chain = t.tell("provenance", body, *links)
    t.combination(*stages, chain, parents=(*links, chain),
                  change={"insights": [{"model_id": "large-model"}] * 2})  # fmt: skip
    yield _case("missing", "a part is not in the log", t, "part_missing")
    yield _case("missing_parent", "it is a missing parent, too", t, "parent_missing")
    t = Operating()
    stages = alone(t)
    chain = t.provenance(*stages)
    t.combination(*stages, chain, parents=(_NOWHERE, *stages[1:], chain))
    yield _case("missing_whole", "a part of the combination alone is not in the log", t,
                "part_missing")  # fmt: skip
    t = Operating()
    stages = alone(t)
    t.combination(*stages, t.provenance(*stages), parents=(*stages, _NOWHERE))
    yield _case("missing_chain", "the provenance is not in the log", t, "part_missing")


def _twice() -> Iterator[Case]:
    code = "operation_duplicate"
    for kind in ("insight", "transfer", "execution"):
        t = Operating()
        insight, handed, _ = alone(t)
        if kind == "insight":
            t.insight()
        elif kind == "transfer":
            t.transfer(insight)
        else:
            t.execution(handed, change={"context": t.ref(ASK, TEXT)})
        yield _case(f"duplicate_{kind}", f"two of type {kind} have one label", t, code)
    t = Operating()
    stages = alone(t)
    t.provenance(*stages)
    t.finish(*stages)
    yield _case("duplicate_chain", "an operation has two provenances", t, code)
    t = Operating()
    stages = alone(t)
    chain = t.provenance(*stages)
    t.combination(*stages, chain)
    t.combination(*stages, chain)
    yield _case("duplicate_whole", "an operation has two combinations", t, code)
    t = Operating()
    t.finish(*alone(t))
    t.finish(*alone(t, stream="mva/experiment_2.2"), stream="mva/experiment_2.2")
    yield _case("duplicate_stream", "an operation is told again in another stream", t, code)
