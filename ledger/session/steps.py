"""Steps: functions whose inputs, results and calls are recorded (specs/03, vantage `hook`).

    @session.step
    def extract(paper: str) -> dict: ...

A step is an operation like a call to a model: its inputs are the arguments by name, its output is
what it returned, its parents are the operations made inside it. One that fails is recorded too,
without output, with an annotation that names the kind of error and never its message.

Arguments and results are recorded as JSON as far as they have one; of an object that is not data
only the name of its type is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeVar, Unpack, cast, overload

from ledger.drafts import Archived, BodyLike, Draft, ParentLike, Receipt
from ledger.errors import LedgerError, LogError
from ledger.formats.content import SALT_BYTES
from ledger.formats.payload import Parent
from ledger.formats.values import NAME_MAX_BYTES, is_name
from ledger.model.archive import Media
from ledger.model.build import witness
from ledger.model.fields import WitnessFields
from ledger.model.statements import Annotation
from ledger.session.journal import Journal
from ledger.session.jsonable import jsonable
from ledger.session.lineage import About, AboutFields, At, Frame, fold, here
from ledger.session.replay import parent_of
from ledger.session.settings import Settings
from ledger.session.threads import BoundThreads, bound

__all__ = ["Steps"]

F = TypeVar("F", bound=Callable[..., Any])
_OBJECTS = frozenset({"self", "cls"})
"""What a method is called on is no input."""


class Steps:
    """What a session offers to record besides calls; safe for threads and tasks."""

    def __init__(self, journal: Journal, settings: Settings) -> None:
        self._journal = journal
        self._settings = settings

    @contextlib.contextmanager
    def about(
        self, *, parents: Sequence[ParentLike] = (), **details: Unpack[AboutFields]
    ) -> Iterator[About]:
        """Say more about all operations made in the block, and learn which they were.

        `parents` are statements that they build on; `witnesses` of the result can be parents of
        others, and of annotations. Raises `LogError("parent_missing")` and `RecordError` at once,
        so that no answer is lost for it later.
        """
        unknown = details.keys() - AboutFields.__annotations__.keys()
        if unknown:
            raise TypeError(f"about() has no keyword {min(unknown)!r}")
        witness(model="unknown", prompt="", **details)
        place, about = here(self), About()
        based_on = (*place.based_on, *(self.named_parent(parent) for parent in parents))
        said: AboutFields = {**place.details, **details}
        with At(replace(place, based_on=based_on, details=said, abouts=(*place.abouts, about))):
            yield about

    def record(
        self, *, parents: Sequence[ParentLike] = (), **fields: Unpack[WitnessFields]
    ) -> Receipt:
        """Record an operation as `Ledger.record` does, as a part of the step that it is made in."""
        record, contents = self._built(dict(fields))
        named = [self.named_parent(parent) for parent in parents]
        return self._append([*named, *here(self).based_on], record, contents)

    def append(
        self,
        type: str,
        body: BodyLike,
        *,
        parents: Sequence[ParentLike] = (),
        contents: Sequence[Archived] = (),
    ) -> Receipt:
        """Append a statement to the run's stream, as `Ledger.append` does."""
        return self.append_drafts([Draft(type, body, parents, tuple(contents))])[0]

    def append_drafts(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Append statements to the run's stream in one commit, as `Ledger.append_many` does."""
        with self._journal.working():
            return self._journal.append(drafts)

    @overload
    def step(self, function: F, /) -> F: ...
    @overload
    def step(
        self, /, *, name: str | None = None, operation: str = ..., model: str | None = None
    ) -> Callable[[F], F]: ...
    def step(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        operation: str = "execute_tool",
        model: str | None = None,
    ) -> Any:
        """Record each run of a function as an operation; for functions and coroutine functions.

        `name` is by default the function's, `model` the model behind it, if there is one. Raises
        `TypeError` for a generator function, whose results come one by one.
        """
        if function is None:
            return functools.partial(self._decorated, name=name, operation=operation, model=model)
        return self._decorated(function, name=name, operation=operation, model=model)

    def bind(self, function: F) -> F:
        """A function that runs, in any thread, as if it were called here: same step, same stage."""
        return bound(function)

    def threads(self, max_workers: int | None = None) -> BoundThreads:
        """A `ThreadPoolExecutor` whose tasks run as if called where they are submitted."""
        return BoundThreads(max_workers)

    def _decorated(self, function: F, *, name: str | None, operation: str, model: str | None) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a step returns its result; a generator function cannot be one")
        named = str(name or getattr(function, "__qualname__", type(function).__name__))
        named = named.rpartition("<locals>.")[2]
        if not is_name(named):
            raise ValueError("the name of a step is 1 to 256 bytes without control characters")
        signature = inspect.signature(function)

        def begin(given: tuple[Any, ...], keywords: dict[str, Any]) -> _Step:
            call = signature.bind(*given, **keywords)
            call.apply_defaults()
            inputs = {key: value for key, value in call.arguments.items() if key not in _OBJECTS}
            return _Step(self, named, operation, model, jsonable(inputs))

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def stepping(*given: Any, **keywords: Any) -> Any:
                step = begin(given, keywords)
                try:
                    with step.inside():
                        result = await function(*given, **keywords)
                except BaseException as error:
                    step.failed(error)
                    raise
                await asyncio.to_thread(step.succeeded, result)
                return result

        else:

            @functools.wraps(function)
            def stepping(*given: Any, **keywords: Any) -> Any:
                step = begin(given, keywords)
                try:
                    with step.inside():
                        result = function(*given, **keywords)
                except BaseException as error:
                    step.failed(error)
                    raise
                step.succeeded(result)
                return result

        return cast(F, stepping)

    def _built(self, fields: dict[str, Any]) -> tuple[Any, tuple[Archived, ...]]:
        """A witness; what is given goes before what is said about the block, and that before all.

        None is as good as not given.
        """
        made: dict[str, Any] = {
            "task_criticality": self._settings.criticality,
            "domain": self._settings.domain,
        }
        for more in (here(self).details, fields):
            made.update({name: value for name, value in more.items() if value is not None})
        salt = (lambda: os.urandom(SALT_BYTES)) if self._journal.log.salted else None
        return witness(**made, salt=salt)

    def named_parent(self, named: ParentLike) -> Parent:
        """A statement that an operation builds on; an outcome belongs to its own witness alone.

        One in another ledger is taken as it is (specs/12 section 9). Raises
        `LogError("parent_missing")`, `LogError("not_found")`.
        """
        if isinstance(named, Draft):
            raise TypeError("a draft is no statement yet")
        if isinstance(named, Parent) and named.ledger not in (None, self._journal.log.genesis):
            return named
        entry = self._journal.log.by_id(named if isinstance(named, str) else named.id)
        if not isinstance(named, str) and named.leaf_hash != entry.leaf_hash:
            raise LogError("parent_missing", f"the statement {entry.id} has another leaf hash")
        if entry.payload.type == "outcome":
            raise LogError(
                "parent_missing",
                f"the statement {entry.id} is an outcome",
                hint="name its witness, which follows it",
            )
        return parent_of(entry)

    def _append(
        self,
        parents: Sequence[ParentLike],
        record: Any,
        contents: Sequence[Archived],
        error: str | None = None,
    ) -> Receipt:
        """Append a witness, make it part of the step around it, and say why it failed."""
        notes, named = fold(parents)
        draft = Draft("witness", record, tuple(named), tuple(contents))
        drafts = [*notes, draft]
        if error is not None:
            drafts.append(Draft("annotation", Annotation(kind="error", value=error), (draft,)))
        receipt = self.append_drafts(drafts)[len(notes)]
        here(self).witnessed(Parent(receipt.id, receipt.leaf_hash))
        return receipt


class _Step:
    """One run of a step."""

    def __init__(
        self, steps: Steps, name: str, operation: str, model: str | None, inputs: Media
    ) -> None:
        self._steps = steps
        self._place = here(steps)
        self._frame = Frame(self._place.frame)
        self._started = perf_counter()
        self._fields: dict[str, Any] = {
            "model": model or "unknown",
            "operation": operation,
            "vantage": "hook",
            "prompt": inputs,
            "tool_ids": [name],
            "tool_parameters": inputs,
        }

    def inside(self) -> AbstractContextManager[None]:
        """Be inside the step: operations belong to it."""
        return At(replace(self._place, frame=self._frame))

    def succeeded(self, result: object) -> None:
        """Record what the step gave."""
        output = jsonable(result)
        self._write({"output": output, "tool_results": output})

    def failed(self, error: BaseException) -> None:
        """Record that it failed; that this fails too must not hide why it did."""
        try:
            self._write({"finish_reason": "error"}, type(error).__name__[:NAME_MAX_BYTES])
        except LedgerError as failure:
            error.add_note(f"the failed step was not recorded: {failure}")

    def _write(self, outcome: dict[str, Any], error: str | None = None) -> None:
        elapsed = (perf_counter() - self._started) * 1000
        fields = {**self._fields, **outcome, "execution_time_ms": elapsed}
        record, contents = self._steps._built(fields)
        parents = [*self._frame.end(), *self._place.based_on]
        self._steps._append(parents, record, contents, error)
