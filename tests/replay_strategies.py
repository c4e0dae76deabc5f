"""Hypothesis strategies for specs/13: replays that are consistent, documents of their contents."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ledger import model
from ledger.formats.observation import Observation, Raw
from ledger.model.replay import LEVELS
from tests.cross_strategies import checks, operations
from tests.strategies import amounts, content_refs, counts, digests, labels, maybe, ratios, times

BEFORE = [
    "prompt_mismatch", "parameters_mismatch", "tool_results_mismatch", "content_missing",
    "weights_mismatch", "model_unavailable", "engine_unknown", "not_recorded", "engine_failed",
]  # fmt: skip
prose = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
engines = labels.filter(lambda name: name != "archive")

json_integers = st.integers(-(2**53) + 1, 2**53 - 1)
json_strings = st.text(st.characters(codec="utf-8"), max_size=8)
plain = json_strings | json_integers | st.booleans()
environments = st.dictionaries(
    json_strings, plain | st.dictionaries(json_strings, plain, max_size=4), max_size=5
)
logprobs = st.floats(-1000.0, 0.0).map(lambda value: value + 0.0)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Observations, any of their members now there and now absent."""
    count = draw(st.integers(0, 6))
    kinds = draw(st.sets(st.sampled_from(["ids", "texts", "logprobs", "raw"]), min_size=1))

    def listed(kind: str, of: st.SearchStrategy[Any]) -> Any:
        return draw(st.lists(of, min_size=count, max_size=count)) if kind in kinds else None

    raw = draw(st.builds(Raw, digests, st.integers(0, 2**53 - 1))) if "raw" in kinds else None
    return Observation(
        token_ids=listed("ids", st.integers(0, 2**32 - 1)),
        token_texts=listed("texts", json_strings),
        logprobs=listed("logprobs", logprobs),
        raw=raw,
    )


@st.composite
def _frames(draw: st.DrawFn) -> dict[str, Any]:
    """The fields that no other follows from."""
    began, ended = sorted(draw(st.tuples(times, times)))
    number, of = sorted(draw(st.tuples(*[st.integers(1, 10_000)] * 2)))
    return {
        "wanted": draw(st.sampled_from(LEVELS)),
        "run": model.RunNumber(number=number, of=of),
        "expected": model.Expected(
            **{
                name: draw(maybe(digests))
                for name in ("output", "observation", "environment", "request", "response")
            },
            confidence=draw(maybe(ratios)),
        ),
        "message": draw(prose),
        "started_at": began,
        "ended_at": ended,
    }


def _concluded(frame: dict[str, Any], states: list[str], reasons: list[str]) -> dict[str, Any]:
    levels = model.Levels(**dict(zip(LEVELS, states, strict=True)))
    success = getattr(levels, frame["wanted"]) == "match"
    return frame | {
        "levels": levels,
        "level": levels.reached(),
        "success": success,
        "reason": None if success else reasons[0],
    }


@st.composite
def not_run(draw: st.DrawFn) -> model.ReplayRun:
    """Replays without an answer, and what the engine archive found."""
    frame = draw(_frames())
    archive = draw(st.sampled_from(["match", "differs"]))
    looked = draw(st.booleans())
    reason = draw(st.sampled_from(BEFORE))
    if looked:
        reason = "content_missing" if archive == "differs" else "not_observable"
        if frame["wanted"] != "archive":
            reason = draw(st.sampled_from([reason, "not_observable"]))
    return model.ReplayRun(
        engine="archive" if looked else draw(engines),
        **_concluded(frame, [archive] + ["not_run"] * 4, [reason]),
    )


@st.composite
def answered(draw: st.DrawFn) -> model.ReplayRun:
    """Replays with an answer, whose states follow from facts that are drawn."""
    frame = draw(_frames())
    expected, refs = frame["expected"], content_refs()
    replayed = model.Replayed(
        **{name: draw(maybe(refs)) for name in ("output", "observation", "environment")},
        response=draw(maybe(refs)),
        confidence=draw(maybe(ratios)),
    )
    seen = (expected.observation or expected.response) and replayed.observation
    text = expected.output is not None and replayed.output is not None
    tokens, probable, raw = (bool(seen) and draw(st.booleans()) for _ in range(3))
    where = replayed.environment is not None and (
        expected.environment is not None or draw(st.booleans())
    )
    same = {name: draw(st.booleans()) for name in ("archive", "text", "tokens", "raw", "where")}
    epsilon = draw(amounts) if probable else None
    difference = draw(maybe(amounts | st.just(epsilon))) if probable else None
    close = difference <= epsilon if difference is not None else draw(st.booleans())
    facts = [
        (True, same["archive"]),
        (text, same["text"]),
        (tokens, same["tokens"]),
        (probable, close),
        (raw and where, same["raw"] and same["where"]),
    ]
    states: list[str] = []
    for observed, equal in facts:
        found = "match" if equal and "differs" not in states else "differs"
        states.append(found if observed else "not_observable")
    environment = same["where"] if where else None
    first = model.FirstDifference(
        token=draw(counts) if tokens and not same["tokens"] else None,
        character=draw(maybe(counts)) if text and not same["text"] else None,
    )
    wanted = LEVELS.index(frame["wanted"])
    differs = "environment_differs" if environment is False else "output_differs"
    reasons = [differs] if "differs" in states[: wanted + 1] else []
    reasons += ["not_observable"] if states[wanted] == "not_observable" else []
    if len(reasons) > 1 and draw(st.booleans()):
        reasons.reverse()
    confident = expected.confidence is not None and replayed.confidence is not None
    return model.ReplayRun(
        engine=draw(engines),
        replayed=replayed,
        epsilon=epsilon,
        logprob_difference=difference,
        confidence_difference=replayed.confidence - expected.confidence if confident else None,
        first_difference=None if first.is_empty() else first,
        raw_identical=same["raw"] if raw else None,
        environment_identical=environment,
        **_concluded(frame, states, reasons or ["unused"]),
    )


@st.composite
def replayed_stages(draw: st.DrawFn) -> model.ReplayedStage:
    """Stages with any number of replays."""
    replays = draw(st.integers(0, 20))
    return model.ReplayedStage(
        stage=draw(st.sampled_from(["insight", "transfer", "execution"])),
        label=draw(labels),
        replays=replays,
        succeeded=draw(st.integers(0, replays)),
        level=draw(st.sampled_from(["none", *LEVELS])) if replays else None,
    )


@st.composite
def replayed_operations(draw: st.DrawFn) -> model.ReplayOperation:
    """Operations replayed, with at most as many replays as a statement has room for."""
    stages = draw(
        st.lists(
            replayed_stages(), min_size=1, max_size=6, unique_by=lambda one: (one.stage, one.label)
        )
    )
    examined = draw(checks)
    began, ended = sorted(draw(st.tuples(times, times)))
    succeeded = all(stage.succeeded == stage.replays for stage in stages)
    return model.ReplayOperation(
        operation=draw(operations),
        wanted=draw(st.sampled_from(LEVELS)),
        stages=tuple(stages),
        checks=examined,
        success=succeeded and all(check.passed for check in examined),
        message=draw(prose),
        started_at=began,
        ended_at=ended,
    )


replays = not_run() | answered()
replay_bodies = st.one_of(
    st.tuples(st.just("replay"), not_run()),
    st.tuples(st.just("replay"), answered()),
    st.tuples(st.just("replay_operation"), replayed_operations()),
)
