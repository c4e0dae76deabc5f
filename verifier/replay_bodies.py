"""The bodies of `replay` and `replay_operation`, as tables and rules (specs/13 sections 7, 8)."""

from __future__ import annotations

from typing import Any

from .content import looks_like_ref
from .errors import BadValue
from .fields import iff
from .levels import (
    DIFFERS,
    LEVELS,
    MATCH,
    NONE,
    NOT_OBSERVABLE,
    NOT_RUN,
    STATES,
    chained,
    reached,
)
from .operation_values import at_most, checks, operation, span
from .statement import STAGE_TYPES
from .values import (
    Check,
    amount,
    array,
    boolean,
    closed,
    column_rule,
    count,
    digest,
    integer,
    label,
    one_of,
    prose,
    ratio,
    time,
)

REPLAY_VERSION = 1
RUNS_MAX = 10_000
ARCHIVE_ENGINE = "archive"
NOT_RUN_REASONS = (
    "prompt_mismatch",
    "parameters_mismatch",
    "tool_results_mismatch",
    "content_missing",
    "weights_mismatch",
    "model_unavailable",
    "engine_unknown",
    "not_recorded",
    "engine_failed",
)
RUN_REASONS = ("output_differs", "environment_differs", "not_observable")
_ARCHIVE_REASONS = ("content_missing", "not_observable")
_SPAN = {"started_at": time, "ended_at": time}


@column_rule(lambda c: {*map(type, c)} == {float} and min(c) >= -1.0 and max(c) <= 1.0)
def _difference(v: Any) -> None:
    if type(v) is not float or not -1.0 <= v <= 1.0:
        raise BadValue("not a float from -1.0 to 1.0")


def _replay_rule(b: Any) -> None:
    """Check what a replay says against itself (sections 6 and 7)."""
    span(b)
    levels, wanted = b["levels"], b["wanted"]
    run = "replayed" in b
    archive = b["engine"] == ARCHIVE_ENGINE
    if levels["archive"] not in (MATCH, DIFFERS):
        raise BadValue("levels: archive can always be observed")
    if run and archive:
        raise BadValue("replayed, though the engine archive runs nothing")
    for level in LEVELS[1:]:
        iff(levels[level] == NOT_RUN, not run, f"levels.{level}: {NOT_RUN}")
    if levels != chained(levels):
        raise BadValue("levels: match after one that differs")
    if b["level"] != reached(levels):
        raise BadValue("level: not the last one that is match")
    if b["success"] is not (levels[wanted] == MATCH):
        raise BadValue("success: not whether the wanted level is match")
    iff("reason" in b, not b["success"], "reason")
    if "reason" in b:
        _check_reason(b, run, archive)
    _check_differences(b)
    _check_sides(b, b["expected"], b.get("replayed", {}))


def _check_reason(b: dict[str, Any], run: bool, archive: bool) -> None:
    """Check why the wanted level was not reached."""
    reason, levels, wanted = b["reason"], b["levels"], b["wanted"]
    if reason not in (_ARCHIVE_REASONS if archive else RUN_REASONS if run else NOT_RUN_REASONS):
        raise BadValue(f"reason {reason} {'with' if run else 'without'} replayed")
    if archive:
        if (wanted == "archive" and reason != "content_missing") or (
            reason == "content_missing" and levels["archive"] == MATCH
        ):
            raise BadValue(f"reason {reason} contradicts the levels")
        return
    if not run:
        return
    if reason == NOT_OBSERVABLE:
        if levels[wanted] != NOT_OBSERVABLE:
            raise BadValue("reason not_observable, and the wanted level is observable")
        return
    if DIFFERS not in [levels[level] for level in LEVELS[: LEVELS.index(wanted) + 1]]:
        raise BadValue(f"reason {reason}, and no level up to the wanted one differs")
    elsewhere = b.get("environment_identical") is False
    iff(reason == "environment_differs", elsewhere, "reason environment_differs")


def _check_differences(b: dict[str, Any]) -> None:
    """Check numbers and first differences against the levels, as far as they follow."""
    levels = b["levels"]
    compared = levels["logprobs"] in (MATCH, DIFFERS)
    iff("epsilon" in b, compared, "epsilon")
    if "logprob_difference" in b:
        iff(True, compared, "logprob_difference")
        within = b["logprob_difference"] <= b["epsilon"]
        _follows(levels, "logprobs", within, "logprob_difference")
    first = b.get("first_difference", {})
    for level, part in (("text", "character"), ("tokens", "token")):
        if part in first and levels[level] != DIFFERS:
            raise BadValue(f"first_difference.{part}, and {level} does not differ")
    if _differs_by_itself(levels, "tokens") and "token" not in first:
        raise BadValue("first_difference.token is missing")
    same = [b.get("raw_identical"), b.get("environment_identical")]
    iff(levels["bits"] in (MATCH, DIFFERS), None not in same, "levels.bits: compared")
    if None not in same:
        _follows(levels, "bits", same == [True, True], "raw_identical, environment_identical")


def _check_sides(b: dict[str, Any], expected: dict[str, Any], replayed: dict[str, Any]) -> None:
    """Check what can be compared against what there is on both sides."""
    levels = b["levels"]
    texts = "output" in expected and "output" in replayed
    iff(levels["text"] in (MATCH, DIFFERS), texts, "levels.text: compared")
    seen = [levels[level] in (MATCH, DIFFERS) for level in ("tokens", "logprobs")]
    if (any(seen) or "raw_identical" in b) and "observation" not in replayed:
        raise BadValue("replayed.observation is missing")
    if (any(seen) or "raw_identical" in b) and not expected.keys() & {"observation", "response"}:
        raise BadValue("expected: neither observation nor response")
    if "environment_identical" in b and "environment" not in replayed:
        raise BadValue("replayed.environment is missing")
    if "environment" in expected and "environment" in replayed:
        iff("environment_identical" in b, True, "environment_identical")
    scores = "confidence" in expected and "confidence" in replayed
    iff("confidence_difference" in b, scores, "confidence_difference")
    if scores and b["confidence_difference"] != replayed["confidence"] - expected["confidence"]:
        raise BadValue("confidence_difference: not replayed - expected")


def _differs_by_itself(levels: dict[str, str], level: str) -> bool:
    """Return whether a level differs without one before it that does."""
    before = [levels[one] for one in LEVELS[: LEVELS.index(level)]]
    return levels[level] == DIFFERS and DIFFERS not in before


def _follows(levels: dict[str, str], level: str, same: bool, what: str) -> None:
    if levels[level] == MATCH and not same:
        raise BadValue(f"{what}: contradicts {level}, which is match")
    if same and _differs_by_itself(levels, level):
        raise BadValue(f"{what}: contradicts {level}, which differs")


def _stage_rule(m: Any) -> None:
    at_most(m, "succeeded", "replays")
    iff("level" in m, m["replays"] > 0, "level")


def _operation_rule(m: Any) -> None:
    span(m)
    stages = m["stages"]
    if len({(one["stage"], one["label"]) for one in stages}) != len(stages):
        raise BadValue("two stages of one type and label")
    ran = all(one["succeeded"] == one["replays"] for one in stages)
    if m["success"] != (ran and all(one["passed"] for one in m["checks"])):
        raise BadValue("success does not follow from stages and checks")


_level, _reached, _state = one_of(*LEVELS), one_of(NONE, *LEVELS), one_of(*STATES)
_digests: dict[str, Check] = dict.fromkeys(
    ("output", "observation", "environment", "request", "response"), digest
)
_refs: dict[str, Check] = dict.fromkeys(
    ("output", "observation", "environment", "response"), looks_like_ref
)
REPLAY_BODIES: dict[str, Check] = {
    "replay": closed(
        {
            "version": integer(REPLAY_VERSION, REPLAY_VERSION),
            "engine": label,
            "wanted": _level,
            "success": boolean,
            "level": _reached,
            "levels": closed(dict.fromkeys(LEVELS, _state)),
            "run": closed(
                {"number": integer(1, RUNS_MAX), "of": integer(1, RUNS_MAX)},
                rule=lambda m: at_most(m, "number", "of"),
            ),
            "expected": closed({}, {**_digests, "confidence": ratio}),
            "message": prose,
            **_SPAN,
        },
        {
            "replayed": closed({}, {**_refs, "confidence": ratio}),
            "epsilon": amount,
            "logprob_difference": amount,
            "confidence_difference": _difference,
            "first_difference": closed({}, {"token": count, "character": count}, minimum=1),
            "raw_identical": boolean,
            "environment_identical": boolean,
            "reason": one_of(*NOT_RUN_REASONS, *RUN_REASONS),
        },
        rule=_replay_rule,
    ),
    "replay_operation": closed(
        {
            "version": integer(REPLAY_VERSION, REPLAY_VERSION),
            "operation": operation,
            "wanted": _level,
            "stages": array(
                closed(
                    {
                        "stage": one_of(*STAGE_TYPES),
                        "label": label,
                        "replays": count,
                        "succeeded": count,
                    },
                    {"level": _reached},
                    rule=_stage_rule,
                ),
                1,
                255,
            ),
            "checks": checks,
            "success": boolean,
            "message": prose,
            **_SPAN,
        },
        rule=_operation_rule,
    ),
}
"""Type -> check of its body; each raises BadValue (`body_invalid`)."""


def check_replay_envelope(p: dict[str, Any]) -> None:
    """Check the number of parents of a checked body of these types."""
    given = len(p.get("parents", ()))
    if p["type"] == "replay" and given != 1:
        raise BadValue(f"{given} parents, not 1")
    if p["type"] == "replay_operation" and not given:
        raise BadValue("type replay_operation without parents")
