"""A session as its user sees it: one run, from opening to close (specs/10).

    with log.session("mva/experiment_2", experiment="plan.md", budget_usd=5.0) as session:
        client = OpenAI(http_client=session.http_client())

Safe to share between threads and tasks. What returns has made durable what it says it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ledger.capture.exchange import Request
from ledger.crossmodel.operations import Operations
from ledger.drafts import ParentLike, Receipt
from ledger.errors import LedgerError
from ledger.formats.payload import Parent
from ledger.formats.values import is_name
from ledger.log import Ledger
from ledger.session.call import Call
from ledger.session.calls import Calls
from ledger.session.changes import ModelChange
from ledger.session.closing import Ending, close_run
from ledger.session.costs import CostReport
from ledger.session.journal import Journal
from ledger.session.lineage import At, here
from ledger.session.numbering import REPLICATE_MAX
from ledger.session.scanning import SecretWarning
from ledger.session.stages import Stage, Stages
from ledger.session.steps import Steps

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation

__all__ = ["Session"]

T = TypeVar("T")


class Session(Steps):
    """One run of a session; made by `Ledger.session`."""

    def __init__(
        self,
        journal: Journal,
        calls: Calls,
        stages: Stages,
        operations: Operations,
        opened: Parent,
        previous: str | None,
    ) -> None:
        super().__init__(journal, calls.settings)
        self.name = journal.name
        self.run = calls.settings.run
        """Which run of the session this is, from 1."""
        self.previous = previous
        """How the run before ended: `complete`, `interrupted`, `killed`; None in the first."""
        self._calls = calls
        self._stages = stages
        self._opened = opened
        self._operations = operations

    # What there is to know

    @property
    def log(self) -> Ledger:
        """The ledger, with this run's own stream."""
        return self._journal.log

    @property
    def spent_usd(self) -> float:
        """What the answered calls of all runs cost, as far as their prices are known."""
        return self._calls.costs.total.cost_usd

    @property
    def saved_usd(self) -> float:
        """What the answers had cost that this run gave again."""
        return self._calls.saved_usd

    @property
    def counts(self) -> dict[str, int]:
        """Calls of this run so far: `answered`, `failed`, `unknown`, `reused`, `in_flight`."""
        totals, journal = self._calls.totals, self._journal
        return {
            "answered": totals.answered,
            "failed": totals.failed,
            "unknown": totals.unknown,
            "reused": journal.reused + journal.waiting(),
            "in_flight": len(self._calls.in_flight()),
        }

    @property
    def changes(self) -> list[ModelChange]:
        """What answers of all runs began to say about the model that was asked for."""
        return list(self._calls.drift.changes)

    @property
    def warnings(self) -> list[SecretWarning]:
        """Where bodies of this run seem to hold credentials."""
        return list(self._calls.scanner.found)

    def costs(self) -> CostReport:
        """What all runs of the session cost so far, by model and by stage."""
        with self._calls.lock:
            return self._calls.costs.report(self._calls.saved_usd)

    # Calls

    def begin(self, request: Request) -> Call:
        """Decide about a request before it leaves; blocks until the decision is durable.

        When `recorded` of the result is set, it is the answer, and nothing may be sent. Otherwise
        send, and report how it ended. Raises `SessionError` (`outcome_unknown`, `budget_exceeded`,
        `budget_unpriced`, `session_busy`, `session_closed`), `ContentError` for a recorded answer
        that is gone, `FormatError`, `StoreError`; then nothing may be sent either.
        """
        return self._calls.begin(request, here(self))

    def replicate(self, number: int) -> AbstractContextManager[None]:
        """Choose, for calls in the block, which of several equal calls they are; from 1."""
        if type(number) is not int or not 1 <= number <= REPLICATE_MAX:
            raise ValueError(f"a replicate is 1 to {REPLICATE_MAX}")
        return At(replace(here(self), replicate=number))

    # Stages

    def stage(self, name: str, type: Any = None) -> Stage:
        """A stage of the workflow, as a context manager; see `ledger.session.stages`."""
        return Stage(self, self._stages, name, type)

    def savepoint(
        self, stage: str, state: object, *, complete: bool = False, type: Any = None
    ) -> Receipt | None:
        """Save the state of a stage; None when it is complete with this very result already.

        Raises `SessionError` (`savepoint_invalid`, `stage_complete`).
        """
        return self._stages.save(stage, state, type, complete=complete)

    def saved(self, stage: str, type: Any = None) -> Any:
        """The state of a stage as saved last, in any run; None without one."""
        return self._stages.load(stage, type)

    def once(self, stage: str, function: Callable[..., T], /, *given: Any, type: Any = None) -> T:
        """The result of a stage: from the log, or else what the function returns now."""
        with self.stage(stage, type) as entered:
            if entered.needed:
                entered.result = function(*given)
        result: T = entered.result
        return result

    async def aonce(
        self, stage: str, function: Callable[..., Awaitable[T]], /, *given: Any, type: Any = None
    ) -> T:
        """As `once`, for a coroutine function."""
        async with self.stage(stage, type) as entered:
            if entered.needed:
                entered.result = await function(*given)
        result: T = entered.result
        return result

    # Cross-model operations

    def cross_model(
        self,
        name: str | None = None,
        *,
        insight: str | None = None,
        execution: str | None = None,
        number: int | None = None,
        parents: Sequence[ParentLike] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        """An operation in which knowledge passes between models; see `ledger.crossmodel.operation`.

        `insight` and `execution` are the models of its stages where these name none; the name is by
        default made of them. Operations of one name are numbered in the order in which the program
        comes to them, unless it chooses the number: that is how a later run finds one again.
        `parents` are what its insights build on, and so is what `headers` of a request name
        (W3C Trace Context). Raises `SessionError("operation_invalid")`, `LogError`, `FormatError`.
        """
        return self._operations.begin(
            self,
            name,
            number,
            insight=insight,
            execution=execution,
            parents=parents,
            headers=headers,
        )

    # HTTP clients

    def http_client(self, **options: Any) -> Any:
        """A client of httpx2 (or httpx) whose requests are calls of this session.

        Options are those of `ledger.capture.transports.sync_client`, and of the library's `Client`.
        """
        from ledger.capture.transports import sync_client

        return sync_client(self, **options)

    def async_http_client(self, **options: Any) -> Any:
        """As `http_client`, for asyncio."""
        from ledger.capture.transports import async_client

        return async_client(self, **options)

    def wrap(self, client: T) -> T:
        """An SDK's client whose requests are calls of this session."""
        from ledger.capture.transports import wrap

        return wrap(self, client)

    # The end

    def close(self, status: Ending = "complete", reason: str | None = None) -> None:
        """End the run: calls under way become `unknown`; a second call does nothing.

        Raises what `append` raises; the session is given back in any case.
        """
        journal = self._journal
        if journal.forked or not journal.begin_end():
            return
        try:
            journal.settle()
            if status == "complete":
                reason = None
            elif not is_name(reason):
                reason = "interrupted"
            close_run(journal, self._calls, self._opened, status, reason)
        finally:
            journal.release()

    def __enter__(self) -> Self:
        """The session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close it: complete, or interrupted by the exception."""
        if kind is None:
            self.close()
            return
        try:
            self.close("interrupted", kind.__name__)
        except LedgerError as failed:
            if error is not None:  # it is the caller's own, and goes before
                error.add_note(f"the session {self.name} could not be closed: {failed}")

    async def __aenter__(self) -> Self:
        """The session itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """As `__exit__`, in a thread."""
        await asyncio.to_thread(self.__exit__, kind, error, None)
