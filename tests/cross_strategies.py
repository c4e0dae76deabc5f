"""Hypothesis strategies for the bodies of specs/12: stages, and what is made from them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ledger import model
from ledger.formats.content import ContentRef
from ledger.model import combine
from tests.strategies import amounts, content_refs, counts, labels, maybe, names, ratios, times

METHODS = ["logprobs", "entropy", "verbal", "markers", "heuristic"]

# Costs as they are, and numbers at the ends of what a double holds.
costs = st.sampled_from([0.0, 5e-324, 2.2e-308, 1e-9, 0.1, 1.0, 1e308]) | amounts
operations = st.builds(model.OperationId, name=labels, number=st.integers(1, 1_000_000))
metadata = st.dictionaries(
    labels.filter(lambda key: key != "blake3"),
    names | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(-1e300, 1e300),
    min_size=1,
    max_size=4,
).map(lambda drawn: {k: v + 0.0 if type(v) is float else v for k, v in drawn.items()})
traces = st.builds(
    model.Trace,
    trace_id=st.from_regex(r"[0-9a-f]{31}[1-9a-f]", fullmatch=True),
    span_id=st.from_regex(r"[0-9a-f]{15}[1-9a-f]", fullmatch=True),
)
checks = st.lists(
    st.builds(
        model.Check,
        name=labels,
        passed=st.booleans(),
        score=maybe(ratios),
        method=maybe(names),
        detail=maybe(names),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda check: check.name,
).map(tuple)
atom_lists = st.lists(names, min_size=1, max_size=5, unique=True).map(tuple)


@st.composite
def ratings(draw: st.DrawFn) -> dict[str, Any]:
    """The four fields of a rating."""
    confidence, quality = draw(maybe(ratios)), draw(maybe(ratios))
    return {
        "confidence": confidence,
        "confidence_method": None if confidence is None else draw(st.sampled_from(METHODS)),
        "quality": quality,
        "quality_method": None if quality is None else draw(names),
    }


@st.composite
def usages(draw: st.DrawFn) -> model.Usage:
    """Usages; their numbers need not be those of any parents."""
    number = draw(st.integers(0, 5))
    priced = draw(st.integers(0, number))
    return model.Usage(
        operations=number,
        priced=priced,
        cost_usd=draw(maybe(costs)) if priced else None,
        tokens=draw(maybe(counts)),
    )


@st.composite
def stage_fields(draw: st.DrawFn) -> dict[str, Any]:
    """What every stage says."""
    began, ended = sorted((draw(times), draw(times)))
    return {
        "operation": draw(operations),
        "label": draw(labels),
        "made_with": draw(st.integers(0, 255)),
        "usage": draw(usages()),
        "started_at": began,
        "ended_at": ended,
        "metadata": draw(maybe(metadata)),
        "trace": draw(maybe(traces)),
        **draw(ratings()),
    }


@st.composite
def thoughts(draw: st.DrawFn, kind: type[model.Insight] = model.Insight) -> model.Insight:
    """Insights, or executions."""
    return kind(
        model_id=draw(names),
        model_version=draw(maybe(names)),
        output=draw(content_refs()),
        context=draw(maybe(content_refs())),
        atoms=draw(maybe(atom_lists)),
        **draw(stage_fields()),
    )


@st.composite
def transfers(draw: st.DrawFn, source: model.Insight | None = None) -> model.Transfer:
    """Transfers of a source, whole or as something delivered in its place."""
    source = source or draw(thoughts())
    delivered: ContentRef | None = draw(maybe(content_refs()))
    atoms = None
    if delivered is not None and source.atoms is not None:
        atoms = draw(maybe(st.just(source.atoms[:1])))
    return combine.transfer(
        source,
        target=model.Party(model_id=draw(names), model_version=draw(maybe(names))),
        context=draw(maybe(content_refs())),
        delivered=delivered,
        atoms=atoms,
        accuracy=draw(maybe(ratios)),
        checks=draw(maybe(checks)),
        latency_ms=draw(maybe(amounts)),
        **draw(stage_fields()),
    )


@st.composite
def parts(draw: st.DrawFn) -> list[tuple[str, model.Body]]:
    """The stages of an operation, at least one of each type, in some order."""
    drawn: list[tuple[str, model.Body]] = []
    for kind, made in (
        ("insight", thoughts()),
        ("transfer", transfers()),
        ("execution", thoughts(model.Execution)),
    ):
        drawn += [(kind, one) for one in draw(st.lists(made, min_size=1, max_size=2))]
    return draw(st.permutations(drawn))


@st.composite
def provenances(draw: st.DrawFn) -> model.Provenance:
    """Provenances."""
    kinds = st.sampled_from(["insight", "transfer", "execution"])
    steps = draw(st.lists(st.tuples(kinds, labels), min_size=1, max_size=4, unique=True))
    interaction = st.builds(
        lambda rating, **fields: model.Interaction(**fields, **rating),
        ratings(),
        source=names,
        target=names,
        type=labels,
        content=content_refs(),
        step=maybe(st.integers(0, len(steps) - 1)),
        metadata=maybe(metadata),
        checks=maybe(checks),
    )
    item = st.builds(model.DataItem, role=labels, name=names, content=content_refs())
    claims = st.builds(
        model.Claims,
        chain_verified=maybe(st.booleans()),
        trust_chain=maybe(st.just((bytes(32),))),
        status=st.sampled_from(["verified", "outside", "failed"]),
    )
    return model.Provenance(
        operation=draw(operations),
        steps=tuple(model.Step(stage=kind, label=label) for kind, label in steps),
        interactions=draw(maybe(st.lists(interaction, min_size=1, max_size=2).map(tuple))),
        data=draw(maybe(st.lists(item, min_size=1, max_size=2).map(tuple))),
        claims=draw(maybe(claims)),
    )


@st.composite
def combinations(draw: st.DrawFn) -> model.CrossModel:
    """Combinations of drawn stages, with whatever only the producer knows."""
    baseline, runs = draw(maybe(costs)), draw(maybe(st.integers(0, 9)))
    metric = draw(labels)
    trend = model.Trend(metric=metric, direction="steady", method=draw(names))
    guess = model.Prediction(metric=metric, value=draw(st.floats(-1e300, 1e300)), method="m")
    return combine.combine(
        draw(operations),
        draw(parts()),
        strategy=draw(maybe(names)),
        baseline_usd=baseline,
        baseline_method=None if baseline is None else draw(names),
        trends=draw(maybe(st.just([trend]))),
        predictions=draw(maybe(st.just([guess]))),
        validation=draw(
            maybe(st.builds(model.CrossValidation, scope=names, level=labels, results=checks))
        ),
        replay=None if runs is None else model.CrossReplay(runs=runs, succeeded=runs // 2),
        metrics=draw(maybe(st.just({"a": 0.5}))),
        analytics=draw(maybe(content_refs())),
        metadata=draw(maybe(metadata)),
        trace=draw(maybe(traces)),
    )


cross_bodies = st.one_of(
    st.tuples(st.just("insight"), thoughts()),
    st.tuples(st.just("transfer"), transfers()),
    st.tuples(st.just("execution"), thoughts(model.Execution)),
    st.tuples(st.just("provenance"), provenances()),
    st.tuples(st.just("cross_model"), combinations()),
)
