"""Each rule of specs/12 where it is broken: the code, and the statement that it is found at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger import Ledger
from tests.helpers.places import problems
from tests.operations.lab import CHEAP, TIMES, Story, content, failed, only

Body = dict[str, Any]


def put(path: str, value: Any) -> Callable[[Body], None]:
    """A change of one value of a body; None takes it out."""

    def change(body: Body) -> None:
        *groups, last = path.split(".")
        for group in groups:
            body = body[int(group)] if isinstance(body, list) else body[group]
        if value is None:
            del body[last]
        else:
            body[last] = value

    return change


NOTHING = {"operations": 0, "priced": 0}
TWO_CALLS = {"operations": 2, "priced": 2, "cost_usd": 0.5, "tokens": 200}


def both(*changes: Callable[[Body], None]) -> Callable[[Body], None]:
    """Several changes."""

    def change(body: Body) -> None:
        for one in changes:
            one(body)

    return change


def test_a_sound_operation_has_no_findings(log: Ledger) -> None:
    """Everything holds, and what was computed says so."""
    Story(log).tell()
    report = only(log)
    assert report.findings == report.not_judged == ()
    assert report.computed is not None
    assert (report.computed.status, report.state) == ("verified", "combined")
    assert report.models == ("strong-1", CHEAP)
    assert problems(log.path) == []


CASES: dict[str, tuple[str, Callable[[Body], None], str]] = {
    "model": ("insight", put("model_id", "another"), "stage_mismatch"),
    "version": ("insight", put("model_version", "never heard"), "stage_mismatch"),
    "source model": ("transfer", put("source.model_id", "another"), "stage_mismatch"),
    "source version": ("transfer", put("source.model_version", "1"), "stage_mismatch"),
    "target": ("transfer", put("target.model_id", "another"), "stage_mismatch"),
    "target version": ("transfer", put("target.model_version", "1"), "stage_mismatch"),
    "times": ("execution", put("started_at", TIMES[1]), "stage_times"),
    "usage": ("insight", put("usage.operations", 2), "derivation_mismatch"),
    "usage cost": ("execution", put("usage.cost_usd", 0.5), "derivation_mismatch"),
    "usage tokens": ("execution", put("usage.tokens", None), "derivation_mismatch"),
    "usage of none": ("transfer", put("usage.tokens", 1), "derivation_mismatch"),
    "label": ("provenance", put("steps.0.label", "x"), "part_mismatch"),
    "chain of another": ("provenance", put("operation.number", 2), "part_mismatch"),
    "repeated": ("cross_model", put("insights.0.model_id", "another"), "part_mismatch"),
    "repeated quality": ("cross_model", put("executions.0.quality", 0.25), "part_mismatch"),
    "checks": ("cross_model", put("transfers.0.passed", 1), "part_mismatch"),
    "operations": ("cross_model", put("cost.operations", 5), "derivation_mismatch"),
    "tokens": (
        "cross_model",
        both(put("cost.tokens", 100), put("cost.cost_per_token_usd", 0.005)),
        "derivation_mismatch",
    ),
    "breakdown": (
        "cross_model",
        both(
            put("cost.breakdown.insight", 0.125),
            put("cost.total_usd", 0.375),
            put("cost.cost_per_token_usd", 0.375 / 200),
            put("cost.cost_per_quality_point_usd", 0.375 / 50.0),
        ),
        "derivation_mismatch",
    ),
    "components": (
        "cross_model",
        both(
            put("quality.components.execution", None),
            put("quality.degradation", None),
            put("quality.preservation", None),
        ),
        "derivation_mismatch",
    ),
    "confidence": (
        "cross_model",
        both(put("confidence", 0.9), put("confidence_band", "B")),
        "derivation_mismatch",
    ),
    "began": (
        "cross_model",
        both(put("started_at", TIMES[1]), put("duration_ms", 4000.0)),
        "derivation_mismatch",
    ),
    "claim": ("provenance", put("claims", {"chain_verified": False}), "claim_mismatch"),
    "claim of status": ("provenance", put("claims", {"status": "outside"}), "claim_mismatch"),
    "claim of keys": ("provenance", put("claims", {"trust_chain": [bytes(32)]}), "claim_mismatch"),
}


ELSEWHERE = {"target": "execution", "target version": "execution"}
"""Where it is found, if not at the statement that is wrong."""


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_found_where_it_is(log: Ledger, case: str) -> None:
    """By the reader and by the doctor; a claim of its own does not make it true."""
    kind, change, code = CASES[case]
    story = Story(log).tell(**{kind: change})
    findings = [one for report in log.operations() for one in failed(report)]
    found = {(one.code, log.get(one.index).payload.type) for one in findings}
    assert (code, ELSEWHERE.get(case, kind)) in found
    report = log.operation(story.stages[0].id)
    if kind in ("insight", "transfer", "execution"):
        assert report.computed is not None
        assert (report.computed.status, report.computed.lineage_verified) == ("failed", False)
    doctored = {(one.code, int(one.key)) for one in problems(log.path) if one.severity == "fail"}
    assert {(one.code, one.index) for one in findings} == doctored


def test_a_context_that_was_never_seen(log: Ledger) -> None:
    """What was handed over stands in no prompt of the execution."""
    story = Story(log)
    moved = story.transfer(story.insight())
    other = story.call(CHEAP, "Something else", "Done.")
    execution = story.execution(moved, parents=[moved, other])
    (finding,) = failed(only(log))
    assert (finding.code, finding.index) == ("context_mismatch", execution.index)


def test_a_context_of_a_party_has_to_be_one(log: Ledger) -> None:
    """Those of source and target are references of their stages, as a whole."""
    story, strange = Story(log), content(log, b"never given")
    prompt = story.thought.payload.body["data"]["prompt_hash"]
    insight = story.insight()
    story.transfer(insight, put("source.context", prompt))
    assert failed(only(log)) == []
    wrong = story.transfer(insight, put("source.context", strange), label="2")
    moved = story.transfer(insight, put("target.context", strange), label="3")
    execution = story.execution(moved)
    found = [(one.code, one.index) for one in failed(only(log))]
    assert found == [("stage_mismatch", wrong.index), ("stage_mismatch", execution.index)]


def test_a_transfer_hands_over_what_its_source_gave(log: Ledger) -> None:
    """Its content, its atoms, and that there is a source at all."""
    story, other = Story(log), content(log, b"another text")
    insight = story.insight(put("atoms", ["a", "b"]))
    short = content(log, b"short")
    size = insight.payload.body["output"]["size_bytes"]
    atoms = both(
        put("delivered", short),
        put("compression_ratio", size / 5),
        put("atoms", ["c"]),
        put("completeness", 0.5),
    )
    found = {
        story.transfer(insight, put("content", other)).index: "stage_mismatch",
        story.transfer(insight, atoms, label="2").index: "stage_mismatch",
        story.transfer(insight, label="3", parents=[story.thought, insight]).index: (
            "stage_mismatch"
        ),
    }
    codes = {(one.index, one.code) for one in failed(only(log))}
    assert set(found.items()) <= codes


def test_completeness_follows_from_the_atoms(log: Ledger) -> None:
    """Half of them is not all of them."""
    story, short = Story(log), content(log, b"short")
    insight = story.insight(put("atoms", ["a", "b"]))
    size = insight.payload.body["output"]["size_bytes"]
    said = both(put("delivered", short), put("compression_ratio", size / 5), put("atoms", ["a"]))
    story.transfer(insight, both(said, put("completeness", 0.5)))
    assert failed(only(log)) == []
    wrong = story.transfer(insight, both(said, put("completeness", 1.0)), label="2")
    (finding,) = failed(only(log))
    assert (finding.code, finding.index) == ("derivation_mismatch", wrong.index)
    assert (finding.expected, finding.actual) == ("0.5", "1.0")


def test_an_execution_without_a_transfer(log: Ledger) -> None:
    """It is none."""
    story = Story(log)
    moved = story.transfer(story.insight())
    execution = story.execution(moved, parents=[story.call(CHEAP, "x", "y")])
    codes = {(one.code, one.index) for one in failed(only(log))}
    assert codes == {("stage_mismatch", execution.index)}


def test_a_chain_out_of_order(log: Ledger) -> None:
    """A transfer before its source."""
    story = Story(log).tell()
    insight, transfer, execution = story.stages
    chain = story.chain(parents=[transfer, insight, execution])
    codes = {(one.code, one.index) for one in failed(only(log))}
    assert ("stage_order", chain.index) in codes
    assert ("operation_duplicate", chain.index) in codes


def test_a_chain_names_stages_only(log: Ledger) -> None:
    """A witness is no part."""
    story = Story(log)
    insight = story.insight()
    steps = [{"stage": "insight", "label": "1"}, {"stage": "execution", "label": "1"}]
    body = {"operation": story.name, "steps": steps}
    wrong = log.append("provenance", body, parents=[insight.id, story.thought.id])
    found = {(one.code, one.index) for one in failed(only(log))}
    assert ("part_mismatch", wrong.index) in found


def test_a_stage_left_out_is_dropped(log: Ledger) -> None:
    """Before the combination, and after it."""
    story = Story(log)
    dropped = story.insight(label="extra")
    story.stages.clear()
    story.tell()
    late = story.insight(label="late")
    found = [(one.code, one.index) for one in failed(only(log))]
    assert found == [("part_dropped", dropped.index), ("part_dropped", late.index)]
    assert only(log).parts[-1].index == late.index


def test_what_is_there_twice(log: Ledger) -> None:
    """The later one is the fault."""
    story = Story(log).tell()
    again = story.insight()
    story.stages.pop()
    chain = story.chain()
    whole = story.whole(chain)
    codes = {one.index: one.code for one in failed(only(log)) if one.code == "operation_duplicate"}
    assert set(codes) == {again.index, chain.index, whole.index}


def test_an_operation_that_was_not_combined_is_open(log: Ledger) -> None:
    """A note at its first stage, which is no fault."""
    story = Story(log)
    insight = story.insight()
    story.transfer(insight)
    report = only(log)
    (note,) = report.findings
    assert (note.code, note.index, note.severity) == ("operation_open", insight.index, "note")
    assert (report.state, report.sound, report.computed) == ("interrupted", True, None)
    assert [(one.code, one.severity) for one in problems(log.path)] == [("operation_open", "note")]


def test_the_combination_has_the_parts_of_its_chain(log: Ledger) -> None:
    """Two insights exchanged, and one that the chain does not know."""
    story = Story(log)
    first, second = story.insight(), story.insight(label="2")
    moved = story.transfer(first)
    done = story.execution(moved)
    chain = story.chain()
    whole = story.whole(chain, parents=[second, first, moved, done])
    found = {(one.code, one.index) for one in failed(only(log))}
    assert found == {("part_mismatch", whole.index)}


def test_what_a_stage_only_builds_on_does_not_count(log: Ledger) -> None:
    """Neither its cost, nor its model, nor its prompt."""
    story = Story(log)
    before = story.call("another", "Earlier", "So.", cost_usd=8.0)
    parents = [before, story.thought]
    story.insight(put("made_with", 1), parents=parents)
    assert failed(only(log)) == []
    wrong = story.insight(label="2", parents=parents)
    assert {(one.code, one.index) for one in failed(only(log))} == {
        ("derivation_mismatch", wrong.index)
    }
    alone = story.insight(both(put("made_with", 0), put("usage", NOTHING)), label="3")
    assert alone.index not in [one.index for one in failed(only(log))]


def test_a_prompt_that_a_stage_only_builds_on_is_no_context(log: Ledger) -> None:
    """What it was made with is what it was given."""
    story = Story(log)
    moved = story.transfer(story.insight())
    seen = story.call(CHEAP, "Apply: The premise is not used.", "Done.")
    worked = story.call(CHEAP, "Something else", "Done.")
    story.execution(moved, parents=[moved, worked, seen], change=put("usage", TWO_CALLS))
    assert failed(only(log)) == []
    change = put("made_with", 1)
    wrong = story.execution(moved, change, label="2", parents=[seen, moved, worked])
    assert [(one.code, one.index) for one in failed(only(log))] == [
        ("context_mismatch", wrong.index)
    ]
