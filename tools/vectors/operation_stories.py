"""Operations as they should be; the other cases of specs/12 are these with one change each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.vectors import lab
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.cross_lab import CHECKS, METADATA, TRACE, full_combination
from tools.vectors.operating import LARGE, SMALL, TEXT, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case

READ = b"Read the paper and say what it finds."
ASK = THOUGHT + b" So what is 6 times 7?"
VERSION = "2026-07-18"
OTHER = "mva/other"

Changes = Mapping[str, Body]


def rated(confidence: float, quality: float) -> Body:
    """Return the fields of a rating."""
    return {"confidence": confidence, "confidence_method": "verbal", "quality": quality,
            "quality_method": "rubric"}  # fmt: skip


def example(changes: Changes | None = None, t: Operating | None = None, *, ask: bytes = ASK,
            media: str = TEXT, **where: Any) -> Operating:  # fmt: skip
    """Tell the example of specs/12: indices 1 to 7.

    Changes are by name: `read` and `ask` for the two calls, the types, and `lies` for numbers of
    the combination that do not follow. `where` is the place of the execution.
    """
    t, said = t or Operating(), dict(changes or {})
    fingerprint = {"model.system_fingerprint": VERSION}
    read = t.work(READ, THOUGHT, cost=0.03, tokens=900, change=fingerprint | said.get("read", {}))
    rating = rated(0.9, 0.8) | {"model_version": VERSION}
    insight = t.insight(read, change=rating | said.get("insight", {}))
    rating = rated(0.95, 0.7) | {"checks": [dict(check) for check in CHECKS]}
    handed = t.transfer(insight, change=rating | said.get("transfer", {}))
    asked = t.work(ask, b"42", SMALL, media=media, cost=0.002, tokens=120,
                   change=said.get("ask", {}))  # fmt: skip
    rating = rated(0.85, 0.6)
    done = t.execution(handed, asked, change=rating | said.get("execution", {}), **where)
    stages = (insight, handed, done)
    chain = t.provenance(*stages, change=said.get("provenance"))
    lies = {"baseline_usd": 0.5} | said.get("lies", {})
    t.combination(*stages, chain, lies=lies, change=said.get("cross_model"))
    return t


def alone(t: Operating, prompt: bytes = ASK, **where: Any) -> tuple[int, int, int]:
    """Tell the stages of an operation without calls; return their indices."""
    context = {"context": t.ref(prompt, TEXT)}
    insight = t.insight(**where)
    handed = t.transfer(insight, **where)
    return insight, handed, t.execution(handed, change=context, **where)


def summary(t: Operating, atoms: list[str] | None = None, delivered: bytes = b"6 x 7 = 42",
            source: list[str] | None = None, change: Body | None = None) -> Operating:  # fmt: skip
    """Tell an operation in which a summary was delivered, with atoms."""
    insight = t.insight(change={} if source is None else {"atoms": source})
    made = t.work(THOUGHT, delivered, SMALL, cost=0.001)
    handed = t.transfer(insight, made, delivered=delivered, atoms=atoms, change=change)
    done = t.execution(handed, t.work(b"Know that 6 x 7 = 42.", b"42", SMALL))
    t.finish(insight, handed, done)
    return t


def cases() -> Iterator[Case]:
    """Yield the cases of operations that are as they should be."""
    yield _case("story", "the example of the page", example())
    yield _case("salted", "the same in a salted ledger", example(t=Operating(salted=True)))
    t = Operating()
    t.finish(*alone(t))
    yield _case("alone", "stages without calls and numbers", t)
    t = Operating()
    t.finish(*alone(t, session=None, stream="by/1"), session=None, stream="by/1")
    yield _case("no_session", "an operation of no session", t)
    yield from _shapes()
    yield from _models()
    yield from _numbers()
    yield from _several()
    yield from _open()


def _shapes() -> Iterator[Case]:
    t = Operating()
    first = t.insight(change={"label": "1"})
    second = t.insight(output=b"Seven sixes, too.", change={"label": "2"})
    one = t.transfer(first, change={"label": "1"})
    two = t.transfer(second, change={"label": "2"})
    both = t.work(ASK + b" Seven sixes, too.", b"42", SMALL)
    joint = t.execution(one, two, both, change={"label": "both"})
    single = t.execution(one, t.work(ASK, b"42", SMALL), change={"label": "single"})
    t.finish(first, second, one, two, joint, single)
    yield _case("fan", "two insights meet in one execution, one transfer serves two", t)

    t = Operating()
    insight, handed, done = alone(t)
    again = t.transfer(done, model=LARGE, change={"label": "back"})
    prompt = {"context": t.ref(b"The answer is 42, why?", TEXT), "label": "2"}
    reason = t.execution(again, model=LARGE, change=prompt)
    more = t.insight(reason, done, change={"label": "after"})
    t.finish(insight, handed, done, again, reason, more)
    yield _case("hops", "an execution is the source of a further transfer, and insight grows on it",
                t)  # fmt: skip

    t = Operating()
    t.operation = {"name": "inner", "number": 1}
    example(t=t)
    inner = len(t.log.statements) - 1
    t.operation = {"name": "outer", "number": 1}
    insight = t.insight(inner, t.work(READ, THOUGHT, cost=0.25))
    handed = t.transfer(insight)
    done = t.execution(handed, inner, change={"context": t.ref(ASK, TEXT)})
    t.finish(insight, handed, done)
    yield _case("nested", "an operation inside the stages of another, whose costs count", t)

    told = "stages in several streams may overlap"
    yield _case("streams", told, example({"execution": {"started_at": lab.moment(1)[1]}},
                                         stream="mva/experiment_2.2"))  # fmt: skip

    t = Operating()
    extra = {
        "claims": {"chain_verified": True, "lineage_verified": True, "status": "verified",
                   "trust_chain": [lab.PRODUCER.kid]},
        "data": [{"role": "corpus", "name": "papers", "content": t.ref(b"papers", TEXT)}],
        "interactions": [{"source": SMALL, "target": LARGE, "type": "review", "step": 2,
                          "content": t.ref(b"Is that so?", TEXT)}],
    }  # fmt: skip
    whole = {key: value for key, value in full_combination().items() if key in ("metrics",)}
    checks = [dict(check) for check in CHECKS]
    whole |= {
        "metadata": METADATA, "trace": TRACE, "analytics": t.ref(b"{}", "application/json"),
        "validation": {"scope": "all", "level": "full", "results": checks},
        "replay": {"configuration": t.ref(b"{}", "application/json"), "runs": 4, "succeeded": 3,
                   "success_rate": 0.75},
        "cost.strategy": "strong reads", "quality.trends": [
            {"metric": "quality", "direction": "steady", "method": "slope"}],
    }  # fmt: skip
    given: Body = {"source.context": t.ref(READ, TEXT), "target.context": t.ref(ASK, TEXT),
              "latency_ms": 1.5, "accuracy": 1.0}  # fmt: skip
    example({"provenance": extra, "cross_model": whole, "transfer": given}, t)
    yield _case("full", "claims, data, interactions, validation, replay and contexts", t)


def _models() -> Iterator[Case]:
    """What a stage may call its model."""
    names = {"requested_model": "alias", "actual_model": "exact", "system_fingerprint": "fp_1"}
    call = {f"model.{key}": value for key, value in names.items()}
    for number, (model, version) in enumerate([
        ("alias", "exact"), ("exact", "fp_1"), (LARGE, LARGE), ("alias", "fp_1")
    ]):  # fmt: skip
        said = {"read": call, "insight": {"model_id": model, "model_version": version}}
        yield _case(f"model_{number}", "a stage is of a model by one of its names", example(said))
    t = Operating()
    one = t.work(READ, THOUGHT, "first", change={"model.actual_model": "first-2026"})
    two = t.work(READ, THOUGHT, "second")
    tool = t.work(b"{}", b"1", "tool", change={"operation": "execute_tool"})
    insight = t.insight(one, two, tool, model="second", change={"model_version": "first-2026"})
    handed = t.transfer(insight)
    done = t.execution(handed, tool, change={"context": t.ref(ASK, TEXT), "model_version": "any"})
    t.finish(insight, handed, done)
    yield _case("model_calls", "names come from any of the calls; a tool is no call", t)
    t = Operating()
    example({"ask": {"model.system_fingerprint": "fp_2"}, "execution": {"model_version": "fp_2"},
             "transfer": {"target.model_version": "fp_2"}}, t)  # fmt: skip
    yield _case("model_target", "a transfer names the version of its target", t)


def _numbers() -> Iterator[Case]:
    t = Operating()
    summary(t, ["six"], source=["six", "seven", "product"])
    yield _case("summary", "a summary with a third of the atoms, made by a call", t)
    yield _case("summary_none_left", "a summary in which none of the atoms is left",
                summary(Operating(), [], source=["six", "seven"]))  # fmt: skip
    yield _case("summary_no_atoms", "a summary of which no atoms are known",
                summary(Operating(), source=["six"]))  # fmt: skip
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight, delivered=b"")
    t.finish(insight, handed, t.execution(handed, t.work(b"Guess.", b"42", SMALL)))
    yield _case("summary_empty", "nothing was delivered, which every context contains", t)
    t = Operating()
    calls = [t.work(READ, THOUGHT, cost=cost) for cost in (0.3, 0.2, 0.1)]
    counted = {"data.prompt_tokens": 3, "output.output_tokens": 4, "output.total_tokens": 7,
               "output.token_source": "provider"}  # fmt: skip
    calls.append(t.work(READ, THOUGHT, change=counted))
    calls.append(t.work(READ, THOUGHT, tokens=50, change=counted))
    insight = t.insight(*calls)
    handed = t.transfer(insight)
    done = t.execution(handed, t.work(ASK, b"42", SMALL, cost=0.0))
    t.finish(insight, handed, done)
    yield _case("usage", "costs in order, tokens billed or else counted, a call that was free", t)
    t = Operating()
    calls = [t.work(READ, THOUGHT, cost=1e308) for _ in range(2)]
    insight = t.insight(*calls, change={"usage": {"operations": 2, "priced": 2}})
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL, cost=1e308)))
    yield _case("usage_lost", "costs whose sum no double holds", t)
    t = Operating()
    stages = alone(t)
    t.combination(*stages, t.provenance(*stages), lies={"baseline_usd": 2.0})
    yield _case("unpriced", "a baseline, and nothing has a price", t)


def _several() -> Iterator[Case]:
    t = Operating()
    for number in (1, 2):
        t.operation = {"name": "review", "number": number}
        example(t=t)
    for name in ("review/1", "Review"):
        t.operation = {"name": name, "number": 1}
        t.finish(*alone(t))
    t.operation = {"name": "review", "number": 1}
    t.finish(*alone(t, session=OTHER), session=OTHER)
    t.finish(*alone(t, session=None, stream="by/1"), session=None, stream="by/1")
    yield _case("two", "operations of one name: by number, spelling and session", t)

    t = Operating()
    there = t.insight(session=OTHER, change={"label": "theirs"})
    handed = t.transfer(there)
    done = t.execution(handed, t.work(ASK, b"42", SMALL))
    chain = t.provenance(there, handed, done, labels={"0": "ours"})
    t.combination(there, handed, done, chain)
    yield _case("joined", "an insight of another session, under a name of this operation", t,
                notes=("operation_open",))  # fmt: skip
    t = Operating()
    theirs = alone(t, session=OTHER)
    t.finish(*theirs, session=OTHER)
    handed = t.transfer(theirs[0], change={"label": "2"})
    done = t.execution(handed, t.work(ASK, b"42", SMALL))
    t.finish(theirs[0], handed, done)
    yield _case("joined_whole", "an insight of an operation that was combined there", t)


def _open() -> Iterator[Case]:
    t = Operating()
    t.transfer(t.insight())
    yield _case("open", "an operation that goes on, or was interrupted", t,
                notes=("operation_open",))  # fmt: skip
    t = Operating()
    t.provenance(*alone(t))
    yield _case("open_chain", "a provenance, and no combination", t, notes=("operation_open",))
    t = Operating()
    example(t=t)
    t.operation = {"name": "review", "number": 2}
    t.insight()
    yield _case("open_second", "one operation is combined, the next is open", t,
                notes=("operation_open",))  # fmt: skip
