"""What sessions recorded, for people who look at a ledger; needs no key (specs/10).

`sessions` lists them, `summary` tells one: its runs, its calls by status, what is open or unknown,
what it cost. Both read and change nothing, so that they work on a ledger opened for reading only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import SessionError
from ledger.formats.payload import Parent
from ledger.reader import Reader
from ledger.session.changes import ModelChange
from ledger.session.costs import CostReport
from ledger.session.lock import running
from ledger.session.replay import Replay, Run, parent_of, session_entries

__all__ = [
    "CallListing",
    "RunListing",
    "SessionListing",
    "StageListing",
    "Summary",
    "sessions",
    "summary",
]


@dataclass(frozen=True, slots=True)
class SessionListing:
    """One session in a list."""

    name: str
    runs: int
    status: str
    """Of the newest run, as in `RunListing`."""
    opened_at: str
    """Beginning of the first run."""
    last_at: str
    """Beginning or end of the newest."""


@dataclass(frozen=True, slots=True)
class RunListing:
    """One run of a session."""

    run: int
    index: int
    """Of its `session_open`."""
    status: str
    """`complete`, `interrupted`, `killed`, or `running` while its process holds the session."""
    reason: str | None
    opened_at: str
    last_at: str
    """Time of its last statement."""
    on_unknown: str
    changed: int
    """How many of the files it depends on differ from the run before."""
    answered: int
    failed: int
    unknown: int
    reused: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class CallListing:
    """A call without an answer."""

    index: int
    """Of its latest intent."""
    digest: bytes
    replicate: int
    attempt: int
    status: str
    """`open` (no outcome yet), `failed` or `unknown`."""
    reason: str | None
    run: int
    method: str
    url: str
    model: str | None
    stage: str | None
    sent_at: str
    reserved_usd: float | None


@dataclass(frozen=True, slots=True)
class StageListing:
    """A stage and its last savepoint."""

    name: str
    complete: bool
    index: int
    saved_at: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything about one session."""

    name: str
    runs: list[RunListing]
    answered: int
    """Calls that have an answer, each counted once."""
    failed: list[CallListing]
    """Calls whose latest attempt failed."""
    unknown: list[CallListing]
    """Calls whose latest attempt may have been paid and has no answer."""
    open: list[CallListing]
    """Requests that are under way, or were when their process was killed."""
    reused: int
    stages: list[StageListing]
    costs: CostReport
    changes: list[ModelChange]


def sessions(log: Reader) -> list[SessionListing]:
    """The sessions of a ledger that have runs, in order of name."""
    opened: dict[str, list[str]] = {}
    ended: dict[str, tuple[int, str, str]] = {}
    for entry in log.find(type="session_open"):
        if entry.payload.session is not None:
            opened.setdefault(entry.payload.session, []).append(entry.payload.created_at)
    for entry in log.find(type="session_close"):
        name, body = entry.payload.session, entry.payload.body
        if name is not None:
            ended[name] = body["run"], body["status"], entry.payload.created_at
    found = []
    for name, times in sorted(opened.items()):
        run, status, at = ended.get(name, (0, "", ""))
        if run != len(times):
            status, at = _unfinished(log, name), times[-1]
        found.append(SessionListing(name, len(times), status, times[0], at))
    return found


def summary(log: Reader, name: str) -> Summary:
    """One session; raises `SessionError("session_missing")`, `StoreError`."""
    state, reused = Replay(), _Reused(log)
    for entry in session_entries(log, name):
        state.take(entry)
        if entry.payload.type == "reuse":
            reused.add(entry.payload.parents)
    if not state.runs:
        raise SessionError("session_missing", f"the ledger has no session {name}")
    listed = [
        _call(log, attempt.intent, attempt.status, attempt.reason, attempt.run)
        for attempt in sorted(state.attempts.values(), key=lambda one: one.intent)
    ]
    opened = {intent.index: intent.run for intent in state.open.values()}
    return Summary(
        name=name,
        runs=[_run(log, name, run, run is state.runs[-1]) for run in state.runs],
        answered=len(state.answered),
        failed=[call for call in listed if call.status == "failed"],
        unknown=[call for call in listed if call.status == "unknown"],
        open=[_call(log, index, "open", None, run) for index, run in sorted(opened.items())],
        reused=sum(run.reused for run in state.runs),
        stages=[
            StageListing(
                stage, saved.complete, saved.index, log.get(saved.index).payload.created_at
            )
            for stage, saved in sorted(state.stages.items())
        ],
        costs=state.costs.report(reused.cost_usd),
        changes=state.drift.changes,
    )


class _Reused:
    """What recorded answers had cost, each time one was given again."""

    def __init__(self, log: Reader) -> None:
        self._log = log
        self._known: dict[str, float] = {}
        self.cost_usd = 0.0

    def add(self, outcomes: tuple[Parent, ...]) -> None:
        for outcome in outcomes:
            if outcome.id not in self._known:
                self._known[outcome.id] = self._cost(outcome.id)
            self.cost_usd += self._known[outcome.id]

    def _cost(self, identifier: str) -> float:
        entry = self._log.by_id(identifier)
        for witness in self._log.entries(entry.index + 1, entry.index + 2):
            if witness.payload.type == "witness" and parent_of(entry) in witness.payload.parents:
                cost: float = witness.payload.body.get("cost", {}).get("cost_usd", 0.0)
                return cost
        return 0.0


def _unfinished(log: Reader, name: str) -> str:
    return "killed" if running(log.path, name) is None else "running"


def _run(log: Reader, name: str, run: Run, newest: bool) -> RunListing:
    status = run.status
    if status is None:
        status = _unfinished(log, name) if newest else "killed"
    return RunListing(
        run=run.number,
        index=run.index,
        status=status,
        reason=run.reason,
        opened_at=run.opened_at,
        last_at=run.last_at,
        on_unknown=run.on_unknown,
        changed=run.changed,
        answered=run.answered,
        failed=run.failed,
        unknown=run.unknown,
        reused=run.reused,
        cost_usd=run.cost_usd if run.priced else None,
    )


def _call(log: Reader, index: int, status: str, reason: str | None, run: int) -> CallListing:
    payload = log.get(index).payload
    body = payload.body
    return CallListing(
        index=index,
        digest=body["call"]["digest"],
        replicate=body["call"]["replicate"],
        attempt=body["attempt"],
        status=status,
        reason=reason,
        run=run,
        method=body["method"],
        url=body["url"],
        model=body.get("model"),
        stage=body.get("stage"),
        sent_at=payload.created_at,
        reserved_usd=body.get("reserved_usd"),
    )
