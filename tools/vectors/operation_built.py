"""Cases of what a stage builds on, told apart from what it was made with (specs/12 section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tools.vectors.bagged import Files
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import LARGE, SMALL, TEXT, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_ledgers import Far
from tools.vectors.operation_stories import ASK, OTHER, READ, example
from tools.vectors.telling import LABEL

_OLD, _OLDER = b"What did they find?", "other-model"
_BOTH: Body = {"operations": 2, "priced": 2, "cost_usd": 0.0 + 0.5 + 0.25, "tokens": 150}
_STAGES = ("insight", "transfer", "execution")


def cases() -> Iterator[Case]:
    """Yield the cases of what stages build on."""
    yield from _calls()
    yield from _wholes()
    yield from _contexts()
    yield from _inside()
    yield from _outside()
    yield from _elsewhere()
    yield from _too_many()


def built(
    kind: str, change: Body | None = None, *, made: int | None = 1, at: str = ""
) -> Operating:
    """Tell an operation with one stage that builds on a call and was made with another one.

    The older call went to another model; `at` is its session, if that is another.
    """
    t = Operating()
    changes = {kind: change}

    def calls(one: str, prompt: bytes, model: str) -> tuple[int, ...]:
        if one != kind:
            return ()
        session = at or LABEL
        old = t.work(_OLD, b"Much.", _OLDER, cost=0.5, tokens=100, session=session)
        return old, t.work(prompt, THOUGHT, model, cost=0.25, tokens=50)

    def count(one: str) -> int | None:
        return made if one == kind else None

    read = calls("insight", READ, LARGE)
    insight = t.insight(*read, change=changes.get("insight"), made=count("insight"))
    summary = calls("transfer", THOUGHT, SMALL)
    handed = t.transfer(insight, *summary, change=changes.get("transfer"), made=count("transfer"))
    asked = calls("execution", ASK, SMALL) or (t.work(ASK, b"42", SMALL),)
    done = t.execution(handed, *asked, change=changes.get("execution"), made=count("execution"))
    t.finish(insight, handed, done)
    return t


def _calls() -> Iterator[Case]:
    """A stage that builds on a call to another model."""
    for kind in _STAGES:
        yield _case(f"built_{kind}", f"the {kind} builds on a call, which does not count again",
                    built(kind))  # fmt: skip
        yield _case(f"built_{kind}_counted", "its usage counts the call that it builds on",
                    built(kind, {"usage": _BOTH}), "derivation_mismatch")  # fmt: skip
        yield _case(f"built_{kind}_instead", "its usage counts that call in place of its own",
                    built(kind, {"usage": {"operations": 1, "priced": 1, "cost_usd": 0.5,
                                           "tokens": 100}}), "derivation_mismatch")  # fmt: skip
        yield _case(f"made_{kind}_two", "made with both, both count",
                    built(kind, {"usage": _BOTH}, made=2))  # fmt: skip
        yield _case(f"made_{kind}_uncounted", "made with both, and one counts",
                    built(kind, {"usage": {"operations": 1, "priced": 1, "cost_usd": 0.25,
                                           "tokens": 50}}, made=2),
                    "derivation_mismatch")  # fmt: skip
        yield _case(f"made_{kind}_none", "made with none, none counts",
                    built(kind, {"context": _ref(ASK)} if kind == "execution" else {},
                          made=0))  # fmt: skip
        yield _case(f"made_{kind}_none_counted", "made with none, and its usage counts both",
                    built(kind, {"usage": _BOTH} | ({"context": _ref(ASK)} if kind == "execution"
                                                    else {}), made=0),
                    "derivation_mismatch")  # fmt: skip
    code = "stage_mismatch"
    named: Body = {"model_id": _OLDER}
    yield _case("built_model", "an insight is of the model that only the call before it went to",
                built("insight", named), code)  # fmt: skip
    yield _case("made_model", "the same, made with both calls", built("insight", named, made=2))
    yield _case("built_model_free", "without calls inside it is of any model",
                built("insight", {"model_id": "person"}, made=0))  # fmt: skip
    yield _case("built_version", "a version that only the call before it names",
                built("insight", {"model_version": _OLDER}), code)  # fmt: skip
    for made, expect in ((1, code), (2, "ok")):
        t = Operating()
        insight = t.insight()
        handed = t.transfer(insight, model=_OLDER)
        calls = t.work(_OLD, b"Much.", _OLDER), t.work(ASK, b"42", SMALL)
        t.finish(insight, handed, t.execution(handed, *calls, model=_OLDER, made=made))
        name, what = ("built", "only built on") if made == 1 else ("made", "made with")
        yield _case(f"{name}_model_execution", f"an execution is of the model of a call {what}", t,
                    expect)  # fmt: skip


def _ref(content: bytes) -> Body:
    """Return the reference to what a prompt of the operation says."""
    return Operating().ref(content, TEXT)


def _wholes() -> Iterator[Case]:
    """A stage that builds on another operation as a whole."""

    def told(kind: str, change: Body | None = None) -> Operating:
        t = Operating()
        t.operation = {"name": "inner", "number": 1}
        example(t=t)
        inner = len(t.log.statements) - 1
        t.operation = {"name": "outer", "number": 1}
        call = t.work(READ, THOUGHT, cost=0.25, tokens=7)
        if kind == "insight":
            insight = t.insight(inner, call, made=1, change=change)
        else:
            insight = t.insight(call)
        if kind == "transfer":
            handed = t.transfer(insight, inner, made=0, change=change)
        else:
            handed = t.transfer(insight)
        asked = t.work(ASK, b"42", SMALL)
        if kind == "execution":
            done = t.execution(inner, handed, asked, made=1, change=change)
        else:
            done = t.execution(handed, asked)
        t.finish(insight, handed, done)
        return t

    spent = {"operations": 2, "priced": 2, "cost_usd": 0.0 + 0.03 + 0.002, "tokens": 1020}
    counted: dict[str, Body] = {
        "insight": {"operations": 3, "priced": 3, "cost_usd": 0.0 + (0.03 + 0.002) + 0.25,
                    "tokens": 1027},
        "transfer": spent,
        "execution": spent | {"operations": 3},
    }  # fmt: skip
    for kind, usage in counted.items():
        yield _case(f"built_whole_{kind}", f"the {kind} builds on another operation", told(kind))
        yield _case(f"built_whole_{kind}_counted", "its usage counts that operation again",
                    told(kind, {"usage": usage}), "derivation_mismatch")  # fmt: skip


def _contexts() -> Iterator[Case]:
    """What was handed over stands in a prompt of a call that the execution only builds on."""

    def told(made: int, old: bytes, new: bytes, beside: bytes | None = None) -> Operating:
        t = Operating()
        change = None if beside is None else {"context": t.ref(beside, TEXT)}
        insight = t.insight()
        handed = t.transfer(insight)
        calls = t.work(old, b"42", SMALL), t.work(new, b"42", SMALL)
        t.finish(insight, handed, t.execution(handed, *calls, made=made, change=change))
        return t

    code, other = "context_mismatch", b"What is 6 times 7?"
    yield _case("built_context", "it stands in the prompt of the call inside", told(1, other, ASK))
    yield _case("built_context_before", "it stands only in that of the call before",
                told(1, ASK, other), code)  # fmt: skip
    yield _case("built_context_none", "no call is inside of the execution", told(0, ASK, ASK), code)
    yield _case("built_context_beside", "no call is inside, and it stands in the context beside",
                told(0, other, other, ASK))  # fmt: skip
    yield _case("made_context", "both calls are inside", told(2, ASK, other))

    def given(made: int, party: str) -> Operating:
        t = Operating()
        read = t.work(_OLD, b"Much."), t.work(READ, THOUGHT)
        insight = t.insight(*read, made=made if party == "source" else 2)
        handed = t.transfer(insight, change={f"{party}.context": _ref(_OLD)})
        asked = t.work(_OLD, b"42", SMALL), t.work(ASK, b"42", SMALL)
        done = t.execution(handed, *asked, made=made if party == "target" else 2)
        t.finish(insight, handed, done)
        return t

    for party in ("source", "target"):
        yield _case(f"built_{party}_context", f"the {party} was not given that prompt",
                    given(1, party), "stage_mismatch")  # fmt: skip
        yield _case(f"made_{party}_context", f"the {party} was given that prompt", given(2, party))


def _inside() -> Iterator[Case]:
    """Other things than calls and combinations among what a stage was made with."""

    def told(change: Body | None = None) -> Operating:
        t = Operating()
        first = t.insight(t.work(_OLD, b"Much.", _OLDER, cost=0.5), model=_OLDER)
        call = t.work(READ, THOUGHT, cost=0.25)
        note = t.tell("annotation", {"kind": "note"}, call)
        second = t.insight(first, call, note, made=3, change={"label": "2"} | (change or {}))
        handed = t.transfer(second)
        t.finish(first, second, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
        return t

    yield _case("made_others", "a stage and an annotation inside count nothing", told())
    yield _case("made_others_counted", "the usage of the stage inside is counted",
                told({"usage": {"operations": 2, "priced": 2, "cost_usd": 0.75}}),
                "derivation_mismatch")  # fmt: skip
    yield _case("made_others_model", "the calls of a stage inside are not its calls",
                told({"model_id": _OLDER}), "stage_mismatch")  # fmt: skip

    def handing(target: str) -> Operating:
        t = Operating()
        insight = t.insight()
        handed = t.transfer(insight, model=target)
        t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL), made=2))
        return t

    yield _case("made_transfer", "a transfer inside of the execution", handing(SMALL))
    yield _case("made_transfer_model", "it was for another model", handing(_OLDER),
                "stage_mismatch")  # fmt: skip

    def late(change: Body) -> Operating:
        t = Operating()
        call = t.work(READ, THOUGHT, cost=0.25)
        t.finish(*_with(t, t.insight(call, t.insight(change={"label": "0"}), change=change)))
        return t

    def _with(t: Operating, insight: int) -> tuple[int, ...]:
        handed = t.transfer(insight)
        done = t.execution(handed, t.work(ASK, b"42", SMALL))
        return insight - 1, insight, handed, done

    yield _case("built_order", "a call before what it builds on is not inside", late({}))
    yield _case("built_order_counted", "and its usage counts it",
                late({"usage": {"operations": 1, "priced": 1, "cost_usd": 0.25}}),
                "derivation_mismatch")  # fmt: skip
    yield _case("built_order_model", "and it is of any model", late({"model_id": "person"}))


def _outside() -> Iterator[Case]:
    """A stage made with a call in another ledger: it is no call of its own, and counts nothing."""
    far = Far()
    call = far.t.outside(far.call)

    def told(change: Body | None = None) -> Operating:
        t = Operating()
        insight = t.insight(call, model="person", made=1, change=change)
        handed = t.transfer(insight)
        t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
        return t

    usage = {"operations": 1, "priced": 1, "cost_usd": 0.25}
    beside, pins = [far.package()], [far.t.genesis]
    yield _case("made_outside", "made with a call in another ledger, which counts nothing", told(),
                notes=("parent_outside",))  # fmt: skip
    yield _case("made_outside_counted", "the call in another ledger is counted",
                told({"usage": usage}), "derivation_mismatch")  # fmt: skip
    yield _case("made_beside", "the same with its package", told(), beside=beside, also=pins)
    yield _case("made_beside_counted", "counted, and its package is there",
                told({"usage": usage}), "derivation_mismatch", beside=beside,
                also=pins)  # fmt: skip


def _elsewhere() -> Iterator[Case]:
    """In the package of a session: a call that a stage builds on is not at hand, nor needed."""

    def files(t: Operating) -> Files:
        return t.part(LABEL, {index for index, one in enumerate(t.log.sessions) if one == LABEL})

    def case(name: str, told: str, t: Operating, expect: str = "ok") -> Case:
        return _case(f"session_{name}", told, t, expect, files=files(t),
                     notes=("parent_outside",))  # fmt: skip

    for kind in _STAGES:
        yield case(f"built_{kind}", f"the {kind} builds on a call of another session",
                   built(kind, at=OTHER))  # fmt: skip
        yield case(f"built_{kind}_usage", "its usage is judged without that call",
                   built(kind, {"usage": _BOTH}, at=OTHER), "derivation_mismatch")  # fmt: skip
        yield case(f"made_{kind}_usage", "made with that call, its usage is not judged",
                   built(kind, {"usage": _BOTH | {"operations": 9}}, made=2,
                         at=OTHER))  # fmt: skip
    named: Body = {"model_id": _OLDER}
    yield case("built_model", "its model is judged without that call",
               built("insight", named, at=OTHER), "stage_mismatch")  # fmt: skip
    yield case("made_model", "made with that call, its model is not judged",
               built("insight", named, made=2, at=OTHER))  # fmt: skip


def _too_many() -> Iterator[Case]:
    """More operations inside than parents; in a transfer the source is never inside."""
    code = "body_invalid"
    rows: list[tuple[str, str, Callable[[Operating], int]]] = [
        ("insight_1", "one more than there are parents",
         lambda t: t.insight(t.work(READ, THOUGHT), made=2)),
        ("insight_0", "one, and there are no parents", lambda t: t.insight(made=1)),
        ("insight_large", "the largest count", lambda t: t.insight(made=2**63 - 1)),
        ("transfer_1", "the source itself", lambda t: t.transfer(t.insight(), made=1)),
        ("transfer_2", "the source and a call",
         lambda t: t.transfer(t.insight(), t.work(READ, THOUGHT), made=2)),
        ("transfer_3", "one more than there are parents",
         lambda t: t.transfer(t.insight(), t.work(READ, THOUGHT), made=3)),
        ("execution_1", "one more than there are parents",
         lambda t: t.execution(t.transfer(t.insight()), t.work(ASK, b"42", SMALL), made=3)),
        ("execution_large", "the largest count",
         lambda t: t.execution(t.transfer(t.insight()), change={"context": t.ref(ASK, TEXT)},
                               made=2**63 - 1)),
    ]  # fmt: skip
    for name, told, tell in rows:
        t = Operating()
        tell(t)
        yield _case(f"made_too_many_{name}", told, t, code)
    t = Operating()
    t.insight(t.work(READ, THOUGHT), made=2)
    t.work(ASK, b"42", session=OTHER)
    part = t.part(LABEL, {index for index, one in enumerate(t.log.sessions) if one == LABEL})
    yield _case("session_made_too_many", "in the package of a session", t, code, files=part)
    t = Operating()
    insight = t.insight(change={"made_with": -1})
    t.transfer(insight)
    yield _case("made_negative", "fewer than none", t, code)
