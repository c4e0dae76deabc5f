"""Cases of the bodies of specs/13, each by itself: what is good, and what contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tools.vectors import lab, replay_lab
from tools.vectors.body import DROP, Body, altered, body_case
from tools.vectors.case import Case
from tools.vectors.cross_values import Changes, of_checks, of_operation, of_span
from tools.vectors.replay_lab import (
    agreeing,
    archived,
    differing,
    digest,
    full_operation,
    not_run,
    operation,
    reproduced,
    stages,
    states,
)

_BEFORE = (
    "prompt_mismatch", "parameters_mismatch", "tool_results_mismatch", "content_missing",
    "weights_mismatch", "model_unavailable", "engine_unknown", "not_recorded", "engine_failed",
)  # fmt: skip
_STAGE_FIELDS: dict[str, tuple[Any, ...]] = {
    "stage": (DROP, "witness", "", 1),
    "label": (DROP, "", "a b", 1),
    "replays": (DROP, -1, 1.0, True),
    "succeeded": (DROP, -1, 1.0, True),
    "level": (DROP, "", "all", None),
    "note": (1,),
}
_NO_DIGESTS: tuple[Any, ...] = (bytes(31), "00" * 32, lab.ref("42"))
_NO_REFS: tuple[Any, ...] = (digest("42"), {}, "42")
_COMPARED = ("output_differs", "environment_differs", "not_observable")


def cases() -> Iterator[Case]:
    """Yield the cases of kind body for the types of specs/13."""
    for name, told, body in _accepted():
        yield body_case(f"replay_{name}".rstrip("_"), told, "replay", body)
    for name, told, body in _operations():
        yield body_case(f"replay_operation_{name}".rstrip("_"), told, "replay_operation", body)
    numbers: Counter[str] = Counter()
    for kind, base, changes in (
        ("replay", archived(), [(key, DROP) for key in archived()]),
        ("replay", differing(), _shape()),
        ("replay_operation", operation(), [(key, DROP) for key in operation()]),
        ("replay_operation", full_operation(), _operation_shape()),
    ):
        for path, value in changes:
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{kind}_{path.replace('.', '_')}"
            numbers[name] += 1
            body = altered(base, path, value)
            yield body_case(f"{name}_{numbers[name]}", told, kind, body, "body_invalid")
    for name, told, body in _contradictions():
        yield body_case(f"replay_rule_{name}", told, "replay", body, "body_invalid")
    for name, told, body in _operation_contradictions():
        yield body_case(
            f"replay_operation_rule_{name}", told, "replay_operation", body, "body_invalid"
        )


def _with(base: Body, *changes: tuple[str, Any]) -> Body:
    for path, value in changes:
        base = altered(base, path, value)
    return base


def _accepted() -> Iterator[tuple[str, str, Body]]:
    yield "", "every field", differing()
    yield "smallest", "only what must be there", archived()
    yield "reproduced", "a chat completion, the same as far as it can be seen", reproduced()
    yield "agreeing", "every level agrees", agreeing()
    for reason in _BEFORE:
        yield reason, f"it did not come to an answer: {reason}", not_run(reason)
    yield ("archive_differs", "a content is missing, and all the rest was not run",
           not_run("content_missing", "differs"))  # fmt: skip
    yield ("archive_wanted", "it did not answer; the archive was wanted",
           _with(not_run(), ("wanted", "archive"), ("success", True),
                 ("reason", DROP)))  # fmt: skip
    looked = _with(archived(), ("success", False), ("level", "none"),
                   ("levels.archive", "differs"), ("reason", "content_missing"))  # fmt: skip
    yield "looked_missing", "the engine archive finds that a content is missing", looked
    unable = _with(archived(), ("wanted", "bits"), ("success", False),
                   ("reason", "not_observable"))  # fmt: skip
    yield "looked_other", "the engine archive runs nothing that could agree", unable
    yield ("looked_both", "the engine archive lacks a content, and more was wanted",
           _with(looked, ("wanted", "text")))  # fmt: skip
    yield "run_10000", "the last of the most runs", _with(archived(), ("run.number", 10_000),
                                                          ("run.of", 10_000))  # fmt: skip
    yield "label_128", "an engine of 128 characters", _with(archived(), ("engine", "e" * 128))
    yield ("nothing_back", "it answered, and there is nothing that could be compared",
           _with(archived(), ("engine", "step"), ("replayed", {}),
                 ("levels", states("match", "not_observable"))))  # fmt: skip
    yield ("missing_before", "contents are missing, so that no later level agrees",
           _with(differing(), ("level", "none"), ("levels.archive", "differs")))  # fmt: skip
    yield ("same_text", "the text agrees, its tokens do not",
           _with(differing(), ("levels.text", "match"), ("level", "text"),
                 ("first_difference", {"token": 1})))  # fmt: skip
    yield ("same_tokens", "tokens agree, log-probabilities do not",
           _with(differing(), ("levels.text", "match"), ("levels.tokens", "match"),
                 ("level", "tokens"), ("first_difference", DROP)))  # fmt: skip
    yield ("within_epsilon", "log-probabilities would agree, but the text does not",
           _with(differing(), ("logprob_difference", 0.001)))  # fmt: skip
    yield ("epsilon_0", "log-probabilities agree to the bit",
           _with(agreeing(), ("epsilon", 0.0)))  # fmt: skip
    yield ("no_logprobs", "both have no log-probability, which is as many",
           _with(agreeing(), ("logprob_difference", DROP)))  # fmt: skip
    yield ("fewer_logprobs", "there are not as many log-probabilities",
           _with(differing(), ("logprob_difference", DROP)))  # fmt: skip
    yield ("character", "only the text could be compared",
           _with(differing(), ("levels", states("match", "differs", "not_observable")),
                 ("first_difference", {"character": 0}), ("raw_identical", DROP),
                 ("epsilon", DROP), ("logprob_difference", DROP)))  # fmt: skip
    yield ("binary", "outputs that are no text differ",
           _with(differing(), ("first_difference", {"token": 0})))  # fmt: skip
    yield ("output_differs", "in the same environment it is the output that differs",
           _with(differing(), ("environment_identical", True),
                 ("reason", "output_differs")))  # fmt: skip
    unknown = _with(differing(), ("environment_identical", DROP), ("expected.environment", DROP),
                    ("levels.bits", "not_observable"), ("reason", "output_differs"))  # fmt: skip
    yield "environment_unknown", "one environment is not known", unknown
    yield ("skipped", "a level that cannot be observed, before one that agrees",
           _with(reproduced(), ("wanted", "bits")))  # fmt: skip
    beyond = _with(reproduced(), ("wanted", "tokens"), ("success", False),
                   ("reason", "not_observable"))  # fmt: skip
    yield "not_observable", "what was wanted cannot be observed, though more agrees", beyond
    for reason in ("environment_differs", "not_observable"):
        yield (f"either_{reason}", "what was wanted cannot be observed, and a level before differs",
               _with(differing(), ("wanted", "tokens"), ("levels.tokens", "not_observable"),
                     ("first_difference", {"character": 1}), ("reason", reason)))  # fmt: skip
    yield ("confidence_lower", "as much less as there can be",
           _with(differing(), ("expected.confidence", 1.0), ("replayed.confidence", 0.0),
                 ("confidence_difference", -1.0)))  # fmt: skip
    yield ("confidence_rounded", "a difference that no double holds exactly",
           _with(differing(), ("expected.confidence", 0.1), ("replayed.confidence", 0.3),
                 ("confidence_difference", 0.3 - 0.1)))  # fmt: skip
    yield ("confidence_before", "only the witness has a confidence",
           _with(differing(), ("replayed.confidence", DROP),
                 ("confidence_difference", DROP)))  # fmt: skip
    yield ("salted", "references that are salted",
           _with(differing(), ("replayed.output.salted", True)))  # fmt: skip


def _operations() -> Iterator[tuple[str, str, Body]]:
    yield "", "every field", full_operation()
    yield "smallest", "only what must be there", operation()
    yield ("succeeded", "every replay agrees",
           operation() | {"stages": stages((1, 1), (1, 1), (253, 253))})  # fmt: skip
    yield ("unchecked", "every replay agrees, and a check does not",
           _with(operation(), ("checks.0.passed", False), ("success", False)))  # fmt: skip
    yield ("failed", "a replay does not agree, and every check does",
           _with(operation(), ("stages", stages((1, 0))), ("success", False)))  # fmt: skip
    many = [{"stage": "insight", "label": f"{n}", "replays": 0, "succeeded": 0} for n in range(255)]
    yield "stages_255", "255 stages", operation() | {"stages": many}
    for level in ("none", *replay_lab.LEVELS):
        yield (f"level_{level}", f"the lowest level reached is {level}",
               _with(full_operation(), ("stages.2.level", level)))  # fmt: skip


def _shape() -> Changes:
    """What the fields of a replay may not be."""
    counts: Changes = [
        (f"run.{key}", value)
        for key in ("number", "of")
        for value in (DROP, 0, 10_001, 1.0, True, "1")
    ]
    listed: Changes = [
        (f"levels.{level}", value)
        for level in replay_lab.LEVELS
        for value in (DROP, "same", None, True)
    ]
    digests: Changes = [
        (f"expected.{key}", value)
        for key in ("output", "observation", "environment", "request", "response")
        for value in _NO_DIGESTS
    ]
    refs: Changes = [
        (f"replayed.{key}", value)
        for key in ("output", "observation", "environment", "response")
        for value in _NO_REFS
    ]
    return [
        ("version", 2), ("version", 1.0), ("version", True),
        ("engine", ""), ("engine", "a b"), ("engine", "e" * 129), ("engine", 1),
        ("wanted", "none"), ("wanted", "all"), ("wanted", 1), ("wanted", None),
        ("success", 0), ("success", "false"), ("success", None),
        ("level", "all"), ("level", ""), ("level", None),
        ("levels", {}), ("levels", []), ("levels.note", "match"),
        ("levels.archive", "not_observable"), ("levels.archive", "not_run"),
        *listed,
        ("run", {}), ("run", 1), ("run.note", 1), ("run.number", 4), *counts,
        ("expected", None), ("expected", []), ("expected.note", bytes(32)),
        ("expected.confidence", 1), ("expected.confidence", 1.5), ("expected.confidence", -0.5),
        *digests,
        ("replayed", None), ("replayed", []), ("replayed.note", 1), ("replayed.request", {}),
        ("replayed.confidence", 1), ("replayed.confidence", 1.5), *refs,
        ("replayed.output.note", 1),
        ("epsilon", 0), ("epsilon", -0.5), ("epsilon", "0.1"),
        ("logprob_difference", 0), ("logprob_difference", -0.25),
        ("confidence_difference", 0), ("confidence_difference", -1.5),
        ("confidence_difference", "0.1"),
        ("first_difference", {}), ("first_difference", 1), ("first_difference.note", 1),
        ("first_difference.token", -1), ("first_difference.token", 1.0),
        ("first_difference.character", -1), ("first_difference.character", 2**63),
        ("raw_identical", 0), ("raw_identical", None),
        ("environment_identical", 0), ("environment_identical", "false"),
        ("reason", ""), ("reason", "other"), ("reason", None), ("reason", 1),
        ("message", 1), ("message", "a\0"), ("message", "a" * 4097), ("message", None),
        *of_span(), ("note", 1),
    ]  # fmt: skip


def _contradictions() -> Iterator[tuple[str, str, Body]]:
    """What the fields of a replay may not say together (specs/13 sections 6 and 7)."""
    yield "run", "the third of two", _with(archived(), ("run", {"number": 3, "of": 2}))
    yield from _results()
    yield from _reasons()
    yield from _presence()
    yield from _numbers()


def _results() -> Iterator[tuple[str, str, Body]]:
    yield "success_not", "no success, though what was wanted agrees", _with(
        reproduced(), ("success", False), ("reason", "output_differs"))  # fmt: skip
    yield "success", "success, though what was wanted differs", _with(
        differing(), ("success", True), ("reason", DROP))  # fmt: skip
    yield "success_unobserved", "success, though what was wanted cannot be observed", _with(
        reproduced(), ("wanted", "tokens"))  # fmt: skip
    yield "success_not_run", "success, though nothing was run", _with(
        not_run(), ("success", True), ("reason", DROP))  # fmt: skip
    yield "level_high", "a level that was not reached", _with(differing(), ("level", "text"))
    yield "level_low", "a lower level than was reached", _with(reproduced(), ("level", "text"))
    yield "level_first", "the first level, not the last", _with(agreeing(), ("level", "archive"))
    yield "level_none", "none, though the archive agrees", _with(archived(), ("level", "none"))
    order = replay_lab.LEVELS
    for at, level in enumerate(order[:-1]):
        found = ["match"] * at + ["differs"] + ["match"] * (4 - at)
        body = _with(agreeing(), ("levels", states(*found)))
        if level == "tokens":
            body["first_difference"] = {"token": 0}
        yield f"implied_{level}", f"levels agree after {level} differs", body
    body = _with(agreeing(), ("levels", states("match", "match", "differs", "differs", "match")),
                 ("first_difference", {"token": 0}))  # fmt: skip
    yield "implied_far", "bits agree, tokens do not", body
    for level in order[1:]:
        yield f"run_{level}", f"it answered, and {level} was not run", _with(
            agreeing() | {"wanted": "archive", "level": "bits" if level != "bits" else "logprobs"},
            (f"levels.{level}", "not_run"))  # fmt: skip
        yield f"not_run_{level}", f"nothing was run, and {level} cannot be observed", _with(
            not_run(), (f"levels.{level}", "not_observable"))  # fmt: skip
    yield "not_run_match", "nothing was run, and the text agrees", _with(
        not_run(), ("levels.text", "match"), ("level", "text"), ("success", True),
        ("reason", DROP))  # fmt: skip
    yield "replayed", "it answered, and there is nothing of it", _with(
        reproduced(), ("replayed", DROP))  # fmt: skip
    yield "not_replayed", "nothing was run, and something came back", _with(
        not_run(), ("replayed", {}))  # fmt: skip


def _reasons() -> Iterator[tuple[str, str, Body]]:
    yield "reason", "no success without a reason", _with(differing(), ("reason", DROP))
    yield "reason_success", "success, and a reason", _with(reproduced(), ("reason", "not_recorded"))
    for reason in _BEFORE:
        yield f"{reason}_after", f"it answered, and {reason}", _with(
            differing(), ("reason", reason))  # fmt: skip
    for reason in _COMPARED:
        yield f"{reason}_before", f"nothing was run, and {reason}", not_run(reason)
    for reason in sorted({*_BEFORE, *_COMPARED} - {"content_missing", "not_observable"}):
        yield f"looked_{reason}", f"the engine archive runs nothing, so not {reason}", _with(
            archived(), ("wanted", "text"), ("success", False), ("reason", reason))  # fmt: skip
    yield "looked_not_observable", "the engine archive observes the archive", _with(
        archived(), ("success", False), ("level", "none"), ("levels.archive", "differs"),
        ("reason", "not_observable"))  # fmt: skip
    yield "looked_content_missing", "nothing of what the engine archive looks at is missing", _with(
        archived(), ("wanted", "text"), ("success", False),
        ("reason", "content_missing"))  # fmt: skip
    yield "looked_and_ran", "the engine archive has an answer", _with(
        agreeing(), ("engine", "archive"))  # fmt: skip
    yield "output_differs_beyond", "what differs is a level beyond the one wanted", _with(
        reproduced(), ("wanted", "tokens"), ("levels.bits", "differs"), ("level", "text"),
        ("raw_identical", False), ("success", False), ("reason", "output_differs"))  # fmt: skip
    yield "output_differs_nowhere", "no level differs", _with(
        reproduced(), ("wanted", "tokens"), ("success", False),
        ("reason", "output_differs"))  # fmt: skip
    yield "output_differs_elsewhere", "the environments are not identical", _with(
        differing(), ("reason", "output_differs"))  # fmt: skip
    yield "environment_differs_not", "the environments are identical", _with(
        differing(), ("environment_identical", True))  # fmt: skip
    yield "environment_differs_unknown", "one environment is not known", _with(
        differing(), ("environment_identical", DROP), ("expected.environment", DROP),
        ("levels.bits", "not_observable"))  # fmt: skip
    yield "environment_differs_nowhere", "no level up to the one wanted differs", _with(
        reproduced(), ("wanted", "tokens"), ("levels.bits", "differs"), ("level", "text"),
        ("environment_identical", False), ("success", False),
        ("reason", "environment_differs"))  # fmt: skip
    yield "not_observable", "what was wanted was observed", _with(
        differing(), ("reason", "not_observable"))  # fmt: skip


def _presence() -> Iterator[tuple[str, str, Body]]:
    """What can be compared only if both have it."""
    yield "text_unobserved", "both have an output, and the text cannot be observed", _with(
        reproduced(), ("levels.text", "not_observable"), ("wanted", "bits"))  # fmt: skip
    for side in ("expected", "replayed"):
        yield f"text_{side}", f"{side} has no output, and the text agrees", _with(
            reproduced(), (f"{side}.output", DROP))  # fmt: skip
    bare = _with(agreeing(), ("levels", states("match", "match", "not_observable")),
                 ("wanted", "text"), ("level", "text"), ("epsilon", DROP),
                 ("logprob_difference", DROP), ("raw_identical", DROP))  # fmt: skip
    unseen = {
        "expected": _with(bare, ("expected.observation", DROP), ("expected.response", DROP)),
        "replayed": _with(bare, ("replayed.observation", DROP)),
    }
    for side, base in unseen.items():
        yield f"tokens_{side}", f"{side} has no observation, and tokens agree", _with(
            base, ("levels.tokens", "match"), ("level", "tokens"))  # fmt: skip
        yield f"logprobs_{side}", f"{side} has no observation, and log-probabilities agree", _with(
            base, ("levels.logprobs", "match"), ("level", "logprobs"),
            ("epsilon", 0.5), ("logprob_difference", 0.25))  # fmt: skip
        yield f"raw_{side}", f"{side} has no observation, and its raw output is compared", _with(
            base, ("raw_identical", True), ("levels.bits", "match"), ("level", "bits"))  # fmt: skip
    yield "environment_replayed", "no environment came back, and it is identical", _with(
        bare, ("replayed.environment", DROP))  # fmt: skip
    yield "environment_unsaid", "both have an environment, and it is not said how they compare", (
        _with(bare, ("environment_identical", DROP)))  # fmt: skip
    yield "environment_not_run", "nothing was run, and environments are compared", _with(
        not_run(), ("environment_identical", True))  # fmt: skip
    yield "raw_not_run", "nothing was run, and raw outputs are compared", _with(
        not_run(), ("raw_identical", False))  # fmt: skip
    yield "bits_unobserved", "raw output and environment of both, and bits cannot be observed", (
        _with(reproduced(), ("levels.bits", "not_observable"), ("level", "text")))  # fmt: skip
    yield "bits_raw", "bits agree without raw outputs", _with(
        reproduced(), ("raw_identical", DROP))  # fmt: skip
    yield "bits_environment", "bits agree without environments", _with(
        reproduced(), ("environment_identical", DROP))  # fmt: skip


def _numbers() -> Iterator[tuple[str, str, Body]]:
    yield "bits_raw_differs", "bits agree, raw outputs do not", _with(
        reproduced(), ("raw_identical", False))  # fmt: skip
    yield "bits_environment_differs", "bits agree, environments do not", _with(
        reproduced(), ("environment_identical", False))  # fmt: skip
    yield "bits_identical", "bits differ, though all is identical", _with(
        reproduced(), ("levels.bits", "differs"), ("level", "text"))  # fmt: skip
    yield "epsilon", "log-probabilities compared without epsilon", _with(
        agreeing(), ("epsilon", DROP))  # fmt: skip
    yield "epsilon_alone", "epsilon, though no log-probabilities were compared", _with(
        reproduced(), ("epsilon", 0.5))  # fmt: skip
    yield "epsilon_not_run", "epsilon, though nothing was run", _with(
        not_run(), ("epsilon", 0.5))  # fmt: skip
    yield "difference_alone", "a difference, though no log-probabilities were compared", _with(
        reproduced(), ("logprob_difference", 0.5))  # fmt: skip
    yield "difference_above", "log-probabilities agree beyond epsilon", _with(
        agreeing(), ("logprob_difference", 0.0010000000000000002))  # fmt: skip
    yield "difference_below", "log-probabilities differ within epsilon", _with(
        agreeing(), ("levels.logprobs", "differs"), ("levels.bits", "differs"),
        ("level", "tokens"), ("success", False), ("reason", "output_differs"))  # fmt: skip
    yield "confidence", "both have a confidence, and no difference is said", _with(
        differing(), ("confidence_difference", DROP))  # fmt: skip
    yield "confidence_sign", "expected less replayed", _with(
        differing(), ("confidence_difference", 0.125))  # fmt: skip
    yield "confidence_other", "not the difference", _with(
        differing(), ("confidence_difference", -0.12500000000000003))  # fmt: skip
    for side in ("expected", "replayed"):
        yield f"confidence_{side}", f"{side} has no confidence, and a difference is said", _with(
            differing(), (f"{side}.confidence", DROP))  # fmt: skip
    yield "confidence_not_run", "nothing was run, and a difference is said", _with(
        not_run(), ("confidence_difference", 0.0))  # fmt: skip
    yield "token", "tokens differ, and it is not said where", _with(
        differing(), ("levels.text", "match"), ("level", "text"),
        ("first_difference", DROP))  # fmt: skip
    yield "token_match", "tokens agree, and yet differ somewhere", _with(
        agreeing(), ("first_difference", {"token": 0}))  # fmt: skip
    yield "token_unobserved", "tokens cannot be observed, and differ somewhere", _with(
        reproduced(), ("first_difference", {"token": 0}))  # fmt: skip
    yield "character_match", "the text agrees, and yet differs somewhere", _with(
        agreeing(), ("first_difference", {"character": 0}))  # fmt: skip
    yield "difference_not_run", "nothing was run, and a first difference is said", _with(
        not_run(), ("first_difference", {"character": 0}))  # fmt: skip


def _operation_shape() -> Changes:
    """What the fields of a replay_operation may not be."""
    fields: Changes = [
        (f"stages.0.{key}", value) for key, values in _STAGE_FIELDS.items() for value in values
    ]
    one = stages((0, 0))[0]
    many = [one | {"label": f"{n}"} for n in range(256)]
    return [
        ("version", 2), ("version", 1.0), *of_operation(),
        ("wanted", "none"), ("wanted", ""), ("wanted", None),
        ("stages", []), ("stages", {}), ("stages", [one, one]), ("stages", many),
        ("stages", ["insight"]), *fields, *of_checks("checks"),
        ("success", 0), ("success", None),
        ("message", 1), ("message", "a\0"), ("message", "a" * 4097),
        *of_span(), ("note", 1),
    ]  # fmt: skip


def _operation_contradictions() -> Iterator[tuple[str, str, Body]]:
    """What the fields of a replay_operation may not say together (specs/13 section 8)."""
    yield "succeeded", "more succeeded than were run", _with(
        operation(), ("stages", stages((1, 1))), ("stages.0.succeeded", 2))  # fmt: skip
    yield "level", "a level, though there are no replays", _with(
        operation(), ("stages.0.level", "none"))  # fmt: skip
    yield "success", "success, though a replay failed", _with(
        operation(), ("stages", stages((2, 1))))  # fmt: skip
    yield "success_checks", "success, though a check failed", _with(
        operation(), ("checks.0.passed", False))  # fmt: skip
    yield "success_not", "no success, though nothing failed", _with(
        operation(), ("success", False))  # fmt: skip
