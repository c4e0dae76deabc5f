"""An operation that was run again, and an operation across models that was (specs/13 §7 and §8).

| what a body says | follows from |
|---|---|
| `success` | the state of `wanted` is `match` |
| `level` | the last level that is `match` |
| `text` observed | both have an output |
| `tokens`, `logprobs`, `raw_identical` | both have an observation, or the witness a response |
| `environment_identical` | both have an environment |
| `bits` observed | `raw_identical` and `environment_identical` are there |
| `not_run` | nothing was run or nothing answered: every level but `archive` |

A level can only be `match` where none before it `differs`; what would be is `differs` too. What
needs the witness or contents, such as the first difference itself, is checked by whoever has them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ledger.model.base import Body, Group
from ledger.model.groups import NotEmpty
from ledger.model.operation import Checks, OperationId, Spanned
from ledger.model.provenance import STEPS_MAX, StageType
from ledger.model.values import Amount, Array, Count, Digest, Finite, Label, Prose, Ratio, Ref

REPLAY_VERSION: Final = 1
RUNS_MAX: Final = 10_000
ARCHIVE: Final = "archive"
"""The engine that runs nothing, and the level that it judges."""

Level = Literal["archive", "text", "tokens", "logprobs", "bits"]
Reached = Literal["none", "archive", "text", "tokens", "logprobs", "bits"]
State = Literal["match", "differs", "not_observable", "not_run"]
Reason = Literal[
    "prompt_mismatch",
    "parameters_mismatch",
    "tool_results_mismatch",
    "content_missing",
    "weights_mismatch",
    "model_unavailable",
    "engine_unknown",
    "not_recorded",
    "engine_failed",
    "output_differs",
    "environment_differs",
    "not_observable",
]

LEVELS: Final[tuple[Level, ...]] = ("archive", "text", "tokens", "logprobs", "bits")
REASONS_COMPARED: Final = frozenset({"output_differs", "environment_differs", "not_observable"})
"""Reasons of what was run and answered; with all others nothing was."""

_OBSERVED: Final = frozenset({"match", "differs"})

RunOf = Annotated[int, Field(ge=1, le=RUNS_MAX)]
Difference = Annotated[Finite, Field(ge=-1.0, le=1.0)]


class RunNumber(Group):
    """Which of how many runs in a row."""

    number: RunOf
    of: RunOf

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError("number is at most of")
        return self


class Levels(Group):
    """The state of each level (specs/13 §6)."""

    archive: Literal["match", "differs"]
    text: State
    tokens: State
    logprobs: State
    bits: State

    @model_validator(mode="after")
    def _each_implies_those_before(self) -> Self:
        differs = None
        for level, state in self.by_name().items():
            if state == "match" and differs:
                raise ValueError(f"{level} is match after {differs} differs")
            differs = differs or (level if state == "differs" else None)
        return self

    def by_name(self) -> dict[Level, State]:
        """Return the states in the order of the levels."""
        return {level: getattr(self, level) for level in LEVELS}

    def reached(self) -> Reached:
        """Return the last level that is `match`."""
        found: Reached = "none"
        for level, state in self.by_name().items():
            found = level if state == "match" else found
        return found

    def differ_before(self, level: Level) -> bool:
        """Say whether one of the levels before this one differs."""
        return any(getattr(self, one) == "differs" for one in LEVELS[: LEVELS.index(level)])


class Expected(Group):
    """What the witness has: `sha256` of its references, and its confidence."""

    output: Digest | None = None
    observation: Digest | None = None
    environment: Digest | None = None
    request: Digest | None = None
    response: Digest | None = None
    confidence: Ratio | None = None


class Replayed(Group):
    """What came back this time."""

    output: Ref | None = None
    observation: Ref | None = None
    environment: Ref | None = None
    response: Ref | None = None
    confidence: Ratio | None = None


class FirstDifference(Group):
    """Where tokens, or characters of the decoded outputs, first differ; from 0."""

    token: Count | None = None
    character: Count | None = None


class ReplayRun(Spanned, Body):
    """One run of one operation (specs/13 §7); the body of a `replay`."""

    version: Literal[1] = REPLAY_VERSION
    engine: Label
    wanted: Level
    success: bool
    level: Reached
    levels: Levels
    run: RunNumber
    expected: Expected
    replayed: Replayed | None = None
    epsilon: Amount | None = None
    logprob_difference: Amount | None = None
    confidence_difference: Difference | None = None
    first_difference: Annotated[FirstDifference, NotEmpty] | None = None
    raw_identical: bool | None = None
    environment_identical: bool | None = None
    reason: Reason | None = None
    message: Prose

    @model_validator(mode="after")
    def _states_and_result_agree(self) -> Self:
        if self.level != self.levels.reached():
            raise ValueError("level is the last level that is match")
        if self.success != (getattr(self.levels, self.wanted) == "match"):
            raise ValueError("success is whether the state of wanted is match")
        if self.success != (self.reason is None):
            raise ValueError("reason is there iff not success")
        ran = {getattr(self.levels, level) != "not_run" for level in LEVELS[1:]}
        if ran != {self.replayed is not None}:
            raise ValueError("every level but archive is not_run iff replayed is absent")
        return self

    @model_validator(mode="after")
    def _reason_fits(self) -> Self:
        reason, levels = self.reason, self.levels
        if self.engine == ARCHIVE:
            self._archive_runs_nothing()
            return self
        if reason is None:
            return self
        if (reason in REASONS_COMPARED) != (self.replayed is not None):
            raise ValueError(f"{reason} does not go with whether replayed is there")
        if reason == "not_observable":
            if getattr(levels, self.wanted) != "not_observable":
                raise ValueError("not_observable is the state of wanted")
        elif reason in REASONS_COMPARED:
            if not levels.differ_before(self.wanted) and getattr(levels, self.wanted) != "differs":
                raise ValueError(f"{reason} needs a level up to wanted that differs")
            if (self.environment_identical is False) != (reason == "environment_differs"):
                raise ValueError(f"{reason} does not go with environment_identical")
        return self

    def _archive_runs_nothing(self) -> None:
        if self.replayed is not None:
            raise ValueError("the engine archive runs nothing")
        if self.reason is None:
            return
        possible = set()
        if self.levels.archive == "differs":
            possible.add("content_missing")
        if self.wanted != ARCHIVE:
            possible.add("not_observable")
        if self.reason not in possible:
            raise ValueError(f"{self.reason} does not go with the engine archive")

    @model_validator(mode="after")
    def _observed_is_what_both_have(self) -> Self:
        expected, replayed = self.expected, self.replayed or Replayed()
        observed = {level: state in _OBSERVED for level, state in self.levels.by_name().items()}
        outputs = expected.output is not None and replayed.output is not None
        _only("text", observed["text"], when=outputs)
        seen = expected.observation is not None or expected.response is not None
        if not (seen and replayed.observation is not None):
            for name, there in (
                ("tokens", observed["tokens"]),
                ("logprobs", observed["logprobs"]),
                ("raw_identical", self.raw_identical is not None),
            ):
                if there:
                    raise ValueError(f"{name} needs two observations")
        compared = self.environment_identical is not None
        if replayed.environment is None:
            _only("environment_identical", compared, when=False)
        elif expected.environment is not None:
            _only("environment_identical", compared, when=True)
        both = self.raw_identical is not None and compared
        _only("bits", observed["bits"], when=both)
        return self

    @model_validator(mode="after")
    def _numbers_follow(self) -> Self:
        levels = self.levels
        if (self.epsilon is not None) != (levels.logprobs in _OBSERVED):
            raise ValueError("epsilon is there iff log-probabilities are compared")
        difference = self.logprob_difference
        if difference is not None:
            if self.epsilon is None:
                raise ValueError("logprob_difference is there only with epsilon")
            same = difference <= self.epsilon and not levels.differ_before("logprobs")
            if same != (levels.logprobs == "match"):
                raise ValueError("logprobs is not what logprob_difference says")
        if levels.bits in _OBSERVED:
            same = bool(self.raw_identical and self.environment_identical)
            if (same and not levels.differ_before("bits")) != (levels.bits == "match"):
                raise ValueError("bits is not what raw_identical and environment_identical say")
        before = self.expected.confidence
        after = self.replayed.confidence if self.replayed else None
        wanted = None if before is None or after is None else after - before
        if self.confidence_difference != wanted:
            raise ValueError("confidence_difference is replayed less expected confidence")
        return self

    @model_validator(mode="after")
    def _difference_is_of_what_differs(self) -> Self:
        levels, first = self.levels, self.first_difference or FirstDifference()
        if first.token is not None and levels.tokens != "differs":
            raise ValueError("first_difference.token is there only where tokens differ")
        if first.character is not None and levels.text != "differs":
            raise ValueError("first_difference.character is there only where text differs")
        alone = levels.tokens == "differs" and not levels.differ_before("tokens")
        if alone and first.token is None:
            raise ValueError("first_difference.token must be there where tokens differ")
        return self


def _only(what: str, there: bool, *, when: bool) -> None:
    if there != when:
        raise ValueError(f"{what} {'must' if when else 'must not'} be compared")


class ReplayedStage(Group):
    """How a stage came out: the replays of what it was made with, and the lowest level reached."""

    stage: StageType
    label: Label
    replays: Count
    succeeded: Count
    level: Reached | None = None

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.succeeded > self.replays:
            raise ValueError("succeeded is at most replays")
        if (self.level is not None) != (self.replays > 0):
            raise ValueError("level is there iff replays is above 0")
        return self


def _once(stages: tuple[ReplayedStage, ...]) -> tuple[ReplayedStage, ...]:
    if len({(one.stage, one.label) for one in stages}) != len(stages):
        raise ValueError("no two stages have one type and label")
    return stages


class ReplayOperation(Spanned, Body):
    """A cross-model operation replayed stage by stage (specs/13 §8)."""

    version: Literal[1] = REPLAY_VERSION
    operation: OperationId
    wanted: Level
    stages: Annotated[
        tuple[ReplayedStage, ...],
        Array,
        Field(min_length=1, max_length=STEPS_MAX),
        AfterValidator(_once),
    ]
    checks: Checks
    success: bool
    message: Prose

    @model_validator(mode="after")
    def _success_follows(self) -> Self:
        succeeded = all(stage.succeeded == stage.replays for stage in self.stages)
        if self.success != (succeeded and all(check.passed for check in self.checks)):
            raise ValueError("success is whether every replay succeeded and every check passed")
        return self
