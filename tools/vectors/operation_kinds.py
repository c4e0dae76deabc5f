"""Cases of operations in packages of a session and of a range (specs/12 section 8)."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors.bagged import PAGES, Files, bag, sealed
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, TEXT, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, OTHER, alone, example
from tools.vectors.telling import LABEL


def cases() -> Iterator[Case]:
    """Yield the cases of parts of a ledger."""
    yield from _sessions()
    yield from _ranges()


def _session(t: Operating) -> Files:
    return t.part(LABEL, {index for index, one in enumerate(t.log.sessions) if one == LABEL})


def _sessions() -> Iterator[Case]:
    t = example()
    t.work(b"Another.", b"42", session=OTHER)
    yield _case("session", "an operation in the package of its session", t, files=_session(t))
    rows: list[tuple[str, str, dict[str, Body], str]] = [
        ("model", "a stage contradicts its calls", {"insight": {"model_id": "other"}},
         "stage_mismatch"),
        ("value", "the combination repeats another value",
         {"cross_model": {"executions.0.quality": 0.1}}, "part_mismatch"),
        ("usage", "a cost does not follow", {"insight": {"usage.cost_usd": 0.01}},
         "derivation_mismatch"),
        ("number", "a number of the combination does not follow", {"lies": {"operations": 3}},
         "derivation_mismatch"),
        ("claim", "a claim is not so", {"provenance": {"claims": {"status": "failed"}}},
         "claim_mismatch"),
    ]  # fmt: skip
    for name, told, changes, code in rows:
        t = example(changes)
        yield _case(f"session_{name}", told, t, code, files=_session(t))
    t = Operating()
    t.finish(*alone(t))
    t.insight(change={"label": "late"})
    yield _case("session_late", "an insight comes after the combination", t, "part_dropped",
                files=_session(t))  # fmt: skip
    t = example(ask=b"What is 6 times 7?")
    yield _case("session_context", "the prompt does not contain what was handed over", t,
                "context_mismatch", files=_session(t))  # fmt: skip
    t = Operating()
    t.transfer(t.insight())
    yield _case("session_open", "an operation that was not combined", t, files=_session(t),
                notes=("operation_open",))  # fmt: skip

    t = Operating()
    there = t.insight(session=OTHER)
    handed = t.transfer(there)
    done = t.execution(handed, t.work(ASK, b"42", SMALL))
    chain = t.provenance(there, handed, done)
    t.combination(there, handed, done, chain, change={"insights.0.model_id": "unknown"})
    yield _case("session_joined", "an insight of a session that is not in the package: not judged",
                t, files=_session(t), notes=("parent_outside",))  # fmt: skip
    t = Operating()
    call = t.work(b"Read.", THOUGHT, "other-model", session=OTHER)
    insight = t.insight(call)
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
    yield _case("session_call", "a call of a session that is not in the package: not judged",
                t, files=_session(t), notes=("parent_outside",))  # fmt: skip


def _ranges() -> Iterator[Case]:
    """Contradictions all over: nothing of it is judged, and bodies still are."""
    contradictions: dict[str, Body] = {
        "insight": {"model_id": "other", "usage.operations": 7},
        "transfer": {"target.model_id": "another"},
        "execution": {"started_at": "2026-11-20T09:00:00.000000Z"},
        "provenance": {"steps.1.label": "none", "claims": {"status": "failed"}},
        "cross_model": {"insights.0.quality": 0.1},
        "lies": {"operations": 99},
    }
    codes = ("partial_ledger", "stream_partial")
    t = example(contradictions, ask=b"What?")
    yield _case("range", "a range: statements are not judged together", t, files=_range(t, 2),
                codes=codes, notes=("parent_outside",))  # fmt: skip
    broken = {"cross_model": {"duration_ms": 1.0}}
    t = example(broken)
    yield _case("range_body", "a range: numbers of one body are judged", t, "derivation_mismatch",
                files=_range(t, 2))  # fmt: skip
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed, change={"context": t.ref(b"What?", TEXT)}))
    unsigned = bag(PAGES | t.archived() | t.log.proved(range(len(t.log.statements))))
    yield _case("unsigned_part", "an unsigned part: statements are not judged together", t,
                files=unsigned, codes=("export_unsigned", "partial_ledger"))  # fmt: skip


def _range(t: Operating, start: int) -> Files:
    """Return the signed package of all statements from an index on."""
    end = len(t.log.statements)
    indices = range(start, end)
    covered = sealed(PAGES | t.archived(indices))
    counted = {"keys": 1, LABEL: end - 1}
    streams = [{"id": name, "statements": count} for name, count in counted.items()]
    selection = {"kind": "range", "start": start, "end": end}
    t.log.export(covered, selection=selection, statements=end - start, streams=streams)
    return bag(covered | t.log.proved({0, *indices, end}))
