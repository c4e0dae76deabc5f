"""One run of one operation: check, run, compare, and say so (specs/13 section 7).

    witness ─► recipe ─► checks ─► engine ─► levels ─► body of a `replay` statement

Nothing is recorded here: what comes out is a `Draft` for whoever has a ledger to append to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, get_args

from ledger.drafts import Archived, Draft
from ledger.errors import ContentError, FormatError, LedgerError, RecordError, ReplayError
from ledger.formats.observation import environment as environment_bytes
from ledger.formats.payload import Parent
from ledger.formats.values import is_name
from ledger.model.archive import JSON, Media
from ledger.model.confidence import TokenLogprob, from_logprobs
from ledger.model.replay import (
    ARCHIVE,
    LEVELS,
    REASONS_COMPARED,
    Expected,
    FirstDifference,
    Level,
    Levels,
    Reason,
    Replayed,
    ReplayRun,
    RunNumber,
    State,
)
from ledger.reader import Entry
from ledger.replay.checks import check_contents, check_request
from ledger.replay.engine import Engine, Resources, Result, Task, find
from ledger.replay.levels import Comparison, Seen, compare
from ledger.replay.recipe import HTTP_ENGINES, Recipe, archived_contents, expectation, recipe
from ledger.replay.source import Source
from ledger.replay.wording import describe

__all__ = ["EMBEDDED", "Options", "Ran", "Runner", "expected_of", "numbers"]

EMBEDDED = "embedded"
NO_ENGINE = "none"
_REFUSALS = frozenset(get_args(Reason)) - REASONS_COMPARED


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay."""

    wanted: Level = "text"
    epsilon: float = 1e-5
    engine: str | Engine | None = None
    """An engine, or its name, in place of the one that each witness says."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a run; `output` and `expected` are there where they are known."""

    draft: Draft
    body: ReplayRun
    expected: Media | None = None
    output: Media | None = None
    failure: BaseException | None = None
    """What was raised in the engine; it is not recorded, since its text may hold anything."""


@dataclass(slots=True)
class Runner:
    """Replays witnesses of one source; keeps the engines that it made."""

    source: Source
    resources: Resources
    options: Options
    archive: Callable[[Media], Archived]
    now: Callable[[], str]
    own: bytes
    """Genesis of the ledger that the statements are for."""
    _engines: dict[str, Engine] = field(default_factory=dict)

    def run(self, entry: Entry, number: int = 1, of: int = 1) -> Ran:
        """Run the operation of a witness; what goes wrong with it is what the result says."""
        started = self.now()
        attempt = _Attempt(self, entry)
        result = attempt.result()
        contents: list[Archived] = []
        body = attempt.body(result, RunNumber(number=number, of=of), started, contents)
        ledger = None if self.source.genesis == self.own else self.source.genesis
        parent = Parent(entry.id, entry.leaf_hash, ledger)
        output = result.output if isinstance(result, Result) else None
        draft = Draft("replay", body, (parent,), tuple(contents))
        failure = result.__cause__ if isinstance(result, ReplayError) else None
        return Ran(draft, body, attempt.expected.output, output, failure)

    def engine(self, name: str) -> Engine:
        """An engine by name, or the one that was given."""
        if self.options.engine is not None and not isinstance(self.options.engine, str):
            return self.options.engine
        if name not in self._engines:
            self._engines[name] = find(name, self.resources)
        return self._engines[name]

    def close(self) -> None:
        """Let the engines that were made here give back what they hold."""
        for engine in self._engines.values():
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def name_of(self, how: Recipe) -> str:
        """Which engine runs a recipe, by name."""
        given = self.options.engine
        if given is None:
            return how.engine
        return given if isinstance(given, str) else str(getattr(given, "name", how.engine))


class _Attempt:
    """One witness being replayed."""

    def __init__(self, runner: Runner, entry: Entry) -> None:
        self._runner = runner
        self._witness = entry.payload
        self.engine = NO_ENGINE
        self.archived: State = "match"
        self.expected = Seen()

    def result(self) -> Result | ReplayError | None:
        """What came back, why nothing did, or None where nothing was to be run."""
        try:
            return self._try()
        except ReplayError as error:
            known = error.code in _REFUSALS
            return error if known else ReplayError("engine_failed", str(error))
        except (ContentError, FormatError, RecordError) as error:
            return ReplayError("content_missing", str(error))

    def _try(self) -> Result | None:
        runner, source, witness = self._runner, self._runner.source, self._witness
        given = runner.options.engine
        self.engine = given if isinstance(given, str) else self.engine
        try:
            check_contents(source, witness)
        except ReplayError:
            self.archived = "differs"
            self._name_engine()
            raise
        if given == ARCHIVE:
            return None
        how = recipe(source, witness)
        self.engine = runner.name_of(how)
        if self.engine == ARCHIVE:
            return None
        check_request(source, witness, how)
        self.expected = expectation(source, witness, how)
        task = self._task(how)
        try:
            engine = runner.engine(self.engine)
            engine.check(task)
            result = engine.run(task)
            _check(result)
            return result
        except ReplayError:
            raise
        except Exception as error:  # an engine is somebody else's code; it must not end the others
            # Its text may hold anything, and what is said here is signed.
            raise ReplayError("engine_failed", f"{type(error).__name__} in the engine") from error

    def _name_engine(self) -> None:
        """Name the engine of a witness whose contents are gone, as far as it can be told."""
        with contextlib.suppress(LedgerError):
            self.engine = self._runner.name_of(recipe(self._runner.source, self._witness))

    def _task(self, how: Recipe) -> Task:
        body = self._witness.body
        # another engine is given the prompt of what was asked in a protocol
        as_sent = how.protocol is None or self.engine in (*HTTP_ENGINES, EMBEDDED)
        ref = how.request if as_sent else archived_contents(body)["prompt"]
        return Task(
            engine=self.engine,
            operation=body["operation"],
            model=body["model"].get("requested_model", body["model"]["model_id"]),
            content=Media(self._runner.source.content(ref), ref.media_type),
            parameters=how.parameters,
            weights=how.weights,
            tool=how.tool,
            protocol=how.protocol.name if how.protocol else None,
            path=how.path,
            url=how.url,
            headers=how.headers or {},
        )

    # What is said of it

    def body(
        self,
        result: Result | ReplayError | None,
        run: RunNumber,
        started: str,
        contents: list[Archived],
    ) -> ReplayRun:
        """The body of the statement; adds what is to be archived with it."""
        options = self._runner.options
        ended = max(started, self._runner.now())
        expected = expected_of(self._witness.body)
        fields: dict[str, Any] = {}
        comparison = seen = None
        if isinstance(result, Result):
            replayed, seen = self._replayed(result, contents), _seen(result)
            comparison = compare(self.expected, seen, options.epsilon)
            fields = {"replayed": replayed, **numbers(comparison, options.epsilon)}
            if expected.confidence is not None and replayed.confidence is not None:
                fields["confidence_difference"] = replayed.confidence - expected.confidence
        levels: dict[Level, State] = {"archive": self.archived}
        for level in LEVELS[1:]:
            levels[level] = comparison.levels[level] if comparison else "not_run"
        states = Levels.model_validate(levels)
        reason = _reason(options.wanted, levels, result, comparison)
        success = levels[options.wanted] == "match"
        return ReplayRun(
            engine=self.engine,
            wanted=options.wanted,
            success=success,
            level=states.reached(),
            levels=states,
            run=run,
            expected=expected,
            reason=None if success else reason,
            message=describe(options.wanted, levels, comparison, result, self.expected, seen),
            started_at=started,
            ended_at=ended,
            **fields,
        )

    def _replayed(self, result: Result, contents: list[Archived]) -> Replayed:
        def keep(content: Media | None) -> Any:
            if content is None:
                return None
            contents.append(self._runner.archive(content))
            return contents[-1].ref

        seen = _seen(result)
        observation = seen.observation
        return Replayed(
            output=keep(seen.output),
            observation=keep(Media(observation.encode(), JSON) if observation else None),
            environment=keep(Media(seen.environment, JSON) if seen.environment else None),
            response=keep(result.response),
            confidence=self._confidence(result),
        )

    def _confidence(self, result: Result) -> float | None:
        """How sure it was this time; comparable only where it was recorded by logprobs too."""
        if self._witness.body.get("uncertainty", {}).get("confidence_method") != "logprobs":
            return None
        if result.confidence is not None:
            return result.confidence
        logprobs = result.observation.logprobs if result.observation else None
        if not logprobs:
            return None
        try:
            said = from_logprobs([TokenLogprob("", one) for one in logprobs])
        except LedgerError:
            return None
        return said.get("confidence_score")


def _check(result: Result) -> None:
    """Refuse what no statement can say; an engine is somebody else's code."""
    _seen(result)
    contents = [one for one in (result.output, result.response) if one is not None]
    if not all(type(one.data) is bytes and is_name(one.media_type) for one in contents):
        raise ReplayError("engine_failed", "the engine gave content without a media type")
    if result.confidence is not None and not 0.0 <= result.confidence <= 1.0:
        raise ReplayError("engine_failed", "the engine gave a confidence outside 0 to 1")


def expected_of(witness: dict[str, Any]) -> Expected:
    """What a witness's body says came out: digests, and how sure it was."""
    refs = archived_contents(witness)
    digests = {name: ref.sha256 for name, ref in refs.items() if name != "prompt"}
    return Expected(confidence=witness.get("uncertainty", {}).get("confidence_score"), **digests)


def _seen(result: Result) -> Seen:
    said = result.environment
    return Seen(
        result.output, result.observation, None if said is None else environment_bytes(said)
    )


def numbers(comparison: Comparison, epsilon: float) -> dict[str, Any]:
    """The fields of a replay that a comparison gives, by name; None for one that is not there."""
    judged = comparison.levels["logprobs"] in ("match", "differs")
    place = (comparison.first_token, comparison.first_character)
    first = None if place == (None, None) else FirstDifference(token=place[0], character=place[1])
    return {
        "epsilon": epsilon if judged else None,
        "logprob_difference": comparison.logprob_difference if judged else None,
        "first_difference": first,
        "raw_identical": comparison.raw_identical,
        "environment_identical": comparison.environment_identical,
    }


def _reason(
    wanted: Level,
    levels: dict[Level, State],
    result: Result | ReplayError | None,
    comparison: Comparison | None,
) -> Reason | None:
    if isinstance(result, ReplayError):
        return result.code  # type: ignore[return-value]  # codes of refusals are the reasons
    if levels[wanted] == "match":
        return None
    until = LEVELS[: LEVELS.index(wanted) + 1]
    if comparison is not None and any(levels[level] == "differs" for level in until):
        return (
            "environment_differs"
            if comparison.environment_identical is False
            else ("output_differs")
        )
    return "not_observable"
