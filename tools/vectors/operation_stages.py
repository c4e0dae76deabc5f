"""Cases of stages that contradict their calls, sources or each other (specs/12 sections 2-4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.formats.values import format_time, parse_time
from tools.vectors import lab
from tools.vectors.body import DROP, Body
from tools.vectors.case import Case
from tools.vectors.operating import LARGE, SMALL, TEXT, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, READ, VERSION, alone, example, summary

_CODE = "stage_mismatch"


def cases() -> Iterator[Case]:
    """Yield the cases of stages that are refused."""
    yield from _models()
    yield from _sources()
    yield from _targets()
    yield from _times()


def _models() -> Iterator[Case]:
    other: Body = {"model_id": "other-model"}
    renamed: Body = {"model.requested_model": "alias", "model.actual_model": "exact"}
    rows: list[tuple[str, str, dict[str, Body]]] = [
        ("model", "an insight is of a model that none of its calls went to", {"insight": other}),
        ("model_version", "a version that none of its calls names",
         {"insight": {"model_version": "2025-01-01"}}),
        ("model_requested", "a version is not what was asked for",
         {"read": renamed, "insight": {"model_version": "alias"}}),
        ("model_fingerprint", "a model is not called by its fingerprint",
         {"insight": {"model_id": VERSION}}),
        ("model_vendor", "a model is not called by its vendor",
         {"read": {"model.vendor": "maker"}, "insight": {"model_id": "maker"}}),
        ("model_execution", "an execution is of a model that none of its calls went to",
         {"execution": other, "transfer": {"target.model_id": "other-model"}}),
        ("model_execution_version", "its version is none of its calls'",
         {"execution": {"model_version": "2025-01-01"}}),
    ]  # fmt: skip
    for name, told, changes in rows:
        yield _case(name, told, example(changes), _CODE)
    t = Operating()
    tool = t.work(b"{}", b"1", "calculator", change={"operation": "execute_tool"})
    insight = t.insight(tool, t.work(READ, THOUGHT), model="calculator")
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
    yield _case("model_tool", "a tool is no model when there are calls", t, _CODE)


def _sources() -> Iterator[Case]:
    text = {"content.media_type": "text/markdown"}
    rows: list[tuple[str, str, dict[str, Body]]] = [
        ("content_type", "a transfer's content has another media type", {"transfer": text}),
        ("source_model", "a transfer names another model as its source",
         {"transfer": {"source.model_id": SMALL}}),
        ("source_version", "another version",
         {"transfer": {"source.model_version": "2025-01-01"}}),
        ("source_no_version", "no version, and the source has one",
         {"transfer": {"source.model_version": DROP}}),
        ("source_new_version", "a version, and the source has none",
         {"insight": {"model_version": DROP}, "transfer": {"source.model_version": VERSION}}),
    ]  # fmt: skip
    for name, told, changes in rows:
        yield _case(name, told, example(changes), _CODE)
    for name, told, context in (
        ("source_context", "the source was not given this context", b"Another paper."),
        ("source_output", "the source's output is not its context", THOUGHT),
    ):
        t = Operating()
        yield _case(name, told, example({"transfer": {"source.context": t.ref(context, TEXT)}}, t),
                    _CODE)  # fmt: skip
    t = Operating()
    same = t.ref(READ, TEXT) | {"media_type": "text/markdown"}
    yield _case("source_context_type", "its context with another media type",
                example({"transfer": {"source.context": same}}, t), _CODE)  # fmt: skip
    t = Operating()
    part = t.ref(b"forty-two", TEXT)
    yield _case("content", "a transfer's content is not the output of its source",
                example({"transfer": {"content": part}}, t), _CODE)  # fmt: skip

    def handed_on(what: str) -> Operating:
        t = Operating()
        insight = t.insight()
        first = t.transfer(insight)
        read = t.work(READ, THOUGHT)
        party = {"source": {"model_id": LARGE}, "label": "2"}
        parents = {"transfer": (first, insight), "witness": (read, insight)}[what]
        second = t.transfer(*parents, change=party)
        done = t.execution(first, second, t.work(ASK, b"42", SMALL))
        t.finish(insight, first, second, done)
        return t

    yield _case("source_transfer", "the first parent of a transfer is a transfer",
                handed_on("transfer"), _CODE)  # fmt: skip
    yield _case("source_witness", "the first parent of a transfer is a witness",
                handed_on("witness"), _CODE)  # fmt: skip
    yield _case("atoms", "an atom was delivered that the source does not have",
                summary(Operating(), ["six", "eight"], source=["six", "seven"]), _CODE)  # fmt: skip
    yield _case("atoms_none", "atoms were delivered, and the source has none",
                summary(Operating(), ["six"]), _CODE)  # fmt: skip


def _targets() -> Iterator[Case]:
    rows: list[tuple[str, str, dict[str, Body]]] = [
        ("target_model", "it was handed to another model than the one that used it",
         {"transfer": {"target.model_id": "other-model"}}),
        ("target_version", "another version used it",
         {"ask": {"model.system_fingerprint": "fp_2"}, "execution": {"model_version": "fp_2"},
          "transfer": {"target.model_version": "fp_1"}}),
        ("target_no_version", "the version that used it is not known",
         {"transfer": {"target.model_version": "fp_1"}}),
    ]  # fmt: skip
    for name, told, changes in rows:
        yield _case(name, told, example(changes), _CODE)
    t = Operating()
    yield _case("target_context", "the target was not given this context",
                example({"transfer": {"target.context": t.ref(READ, TEXT)}}, t), _CODE)  # fmt: skip
    t = Operating()
    insight = t.insight()
    first = t.transfer(insight)
    second = t.transfer(insight, model="other-model", change={"label": "2"})
    t.finish(insight, first, second, t.execution(first, second, t.work(ASK, b"42", SMALL)))
    yield _case("target_second", "one of two transfers was for another model", t, _CODE)
    for name, told in (
        ("no_transfer", "nothing was handed to the execution"),
        ("insight_direct", "an execution of an insight without a transfer"),
    ):
        t = Operating()
        insight, handed, done = alone(t)
        parents = (t.work(ASK, b"42", SMALL),) if name == "no_transfer" else (insight,)
        bare = t.execution(*parents, change={"label": "2"})
        t.finish(insight, handed, done, bare)
        yield _case(name, told, t, _CODE)


def _earlier(index: int) -> str:
    """Return the moment just before that of a statement."""
    return format_time(parse_time(lab.moment(index)[1]) - 1)


def _times() -> Iterator[Case]:
    code = "stage_times"
    begun: dict[str, Any] = {"started_at": _earlier(3)}
    yield _case("times", "an execution begins before its transfer has ended",
                example({"execution": begun}), code)  # fmt: skip
    yield _case("times_transfer", "a transfer begins before its insight has ended",
                example({"transfer": {"started_at": _earlier(2)}}), code)  # fmt: skip
    yield _case("times_equal", "stages that begin when their sources end",
                example({"execution": {"started_at": lab.moment(3)[1]},
                         "transfer": {"started_at": lab.moment(2)[1]}}))  # fmt: skip
    t = Operating()
    insight, handed, done = alone(t)
    more = t.insight(done, change={"label": "2", "started_at": _earlier(3)})
    t.finish(insight, handed, done, more)
    yield _case("times_insight", "an insight begins before what it builds on has ended", t, code)
    t = Operating()
    first = t.insight()
    t.operation = {"name": "other", "number": 1}
    stages = alone(t)
    late = t.insight(first, change={"label": "2", "started_at": _earlier(1)})
    t.finish(*stages, late)
    t.operation = {"name": "review", "number": 1}
    yield _case("times_other", "the stage that had not ended is of another operation", t, code)

    code = "stage_order"
    t = Operating()
    insight, handed, done = alone(t)
    t.finish(handed, insight, done)
    yield _case("order", "a transfer stands before its source", t, code)
    t = Operating()
    insight, handed, done = alone(t)
    t.finish(insight, done, handed)
    yield _case("order_execution", "an execution stands before its transfer", t, code)
    t = Operating()
    second = t.insight(change={"label": "2"})
    stages = alone(t)
    t.finish(stages[0], second, *stages[1:])
    yield _case("order_index", "insights that do not stand in the order of the log", t, code)
