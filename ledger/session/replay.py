"""What the earlier runs of a session recorded, read once in log order (specs/10).

Memory does not grow with bodies: of an answered call its key and the index of its outcome are kept,
of a call without answer its latest attempt. Whatever else is needed is read when it is asked for.

Rules of specs/10 are not judged here, which is what auditors do; what could not be understood at
all is passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ledger.crossmodel.past import PastOperations
from ledger.formats.payload import CROSS_MODEL_TYPES, Parent
from ledger.reader import Entry, Reader
from ledger.session.changes import Drift
from ledger.session.costs import Costs
from ledger.store import StreamTail

__all__ = [
    "Attempt",
    "OpenIntent",
    "Replay",
    "Run",
    "SavedStage",
    "call_key",
    "key_parts",
    "replay",
    "session_entries",
]

_STATEMENTS = 64
_CHAIN = 1024


def call_key(digest: bytes, replicate: int) -> bytes:
    """A call's identity in 36 bytes."""
    return digest + replicate.to_bytes(4)


def key_parts(key: bytes) -> tuple[bytes, int]:
    """The digest and the replicate of a call's identity."""
    return key[:-4], int.from_bytes(key[-4:])


@dataclass(frozen=True, slots=True)
class Attempt:
    """The latest attempt at a call that has no answer."""

    number: int
    status: str
    reason: str
    outcome: Parent
    run: int
    """The run of the intent."""
    intent: int
    """Index of the intent."""
    reserved_usd: float | None
    response_id: str | None
    """As its outcome says: under which the provider may keep an answer."""


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A request that was announced and has no outcome yet."""

    key: bytes
    attempt: int
    parent: Parent
    index: int
    run: int
    stage: str | None
    model: str | None
    reserved_usd: float | None
    fetches: str | None


@dataclass(frozen=True, slots=True)
class SavedStage:
    """The last savepoint of a stage."""

    index: int
    complete: bool


@dataclass(slots=True)
class Run:
    """One run as its statements tell it."""

    number: int
    index: int
    parent: Parent
    opened_at: str
    on_unknown: str
    last_at: str
    changed: int = 0
    status: str | None = None
    """As its `session_close` says; None without one."""
    reason: str | None = None
    closed_at: str | None = None
    answered: int = 0
    failed: int = 0
    unknown: int = 0
    reused: int = 0
    priced: int = 0
    cost_usd: float = 0.0
    """Added in log order."""


@dataclass(slots=True)
class Replay:
    """The state of a session, statement by statement."""

    runs: list[Run] = field(default_factory=list)
    last_open: dict[str, Any] | None = None
    """Body of the newest `session_open`."""
    answered: dict[bytes, int] = field(default_factory=dict)
    attempts: dict[bytes, Attempt] = field(default_factory=dict)
    open: dict[str, OpenIntent] = field(default_factory=dict)
    """Intents without outcome by their id."""
    stages: dict[str, SavedStage] = field(default_factory=dict)
    staged: dict[str, list[bytes]] = field(default_factory=dict)
    """Keys of the answered calls of each stage."""
    drift: Drift = field(default_factory=Drift)
    costs: Costs = field(default_factory=Costs)
    operations: PastOperations = field(default_factory=PastOperations)
    at_risk_usd: float = 0.0
    """What calls with unknown outcome, and answers without a price, were expected to cost."""
    _answers: dict[str, OpenIntent] = field(default_factory=dict)
    """Answered calls whose witness has not come yet, by the outcome's id."""

    def take(self, entry: Entry) -> None:
        """Take in the next statement of the session."""
        match entry.payload.type:
            case "session_open":
                self._opened(entry)
            case "intent" if self.runs:
                self._intended(entry)
            case "outcome" if self.runs:
                self._came_out(entry)
            case "witness" if self.runs:
                self._witnessed(entry)
            case "reuse" if self.runs:
                self.runs[-1].reused += entry.payload.body["calls"]
            case "savepoint" if self.runs:
                body = entry.payload.body
                self.stages[body["stage"]] = SavedStage(entry.index, body["complete"])
            case "session_close" if self.runs:
                body, run = entry.payload.body, self.runs[-1]
                run.status, run.reason = body["status"], body.get("reason")
                run.closed_at = entry.payload.created_at
            case kind if kind in CROSS_MODEL_TYPES:
                self.operations.take(entry)
        if self.runs:
            self.runs[-1].last_at = entry.payload.created_at

    def finish(self) -> None:
        """End the reading: what no witness followed was no operation, or has no price."""
        self._answers.clear()

    def _opened(self, entry: Entry) -> None:
        body = entry.payload.body
        self.last_open = body
        at = entry.payload.created_at
        self.runs.append(
            Run(
                body["run"],
                entry.index,
                parent_of(entry),
                at,
                body["on_unknown"],
                at,
                changed=len(body.get("changed", ())),
            )
        )

    def _intended(self, entry: Entry) -> None:
        body = entry.payload.body
        call = body["call"]
        self.open[entry.id] = OpenIntent(
            call_key(call["digest"], call["replicate"]),
            body["attempt"],
            parent_of(entry),
            entry.index,
            self.runs[-1].number,
            body.get("stage"),
            body.get("model"),
            body.get("reserved_usd"),
            body.get("fetches"),
        )
        if "fetches" in body:  # what was at risk before is what is reserved now
            self.at_risk_usd -= body.get("reserved_usd", 0.0)

    def _came_out(self, entry: Entry) -> None:
        body, parents = entry.payload.body, entry.payload.parents
        intent = self.open.pop(parents[0].id, None) if parents else None
        if intent is None:
            return
        run = next(run for run in reversed(self.runs) if run.number == intent.run)
        if body["status"] == "answered":
            self.answered[intent.key] = entry.index
            if intent.stage is not None:
                self.staged.setdefault(intent.stage, []).append(intent.key)
            self.attempts.pop(intent.key, None)
            run.answered += 1
            self._answers[entry.id] = intent
            self.at_risk_usd += intent.reserved_usd or 0.0
            return
        if body["status"] == "failed":
            run.failed += 1
        else:
            run.unknown += 1
        if body["status"] == "unknown" or intent.fetches is not None:
            self.at_risk_usd += intent.reserved_usd or 0.0
        self.attempts[intent.key] = Attempt(
            intent.attempt,
            body["status"],
            body.get("reason", ""),
            parent_of(entry),
            intent.run,
            intent.index,
            intent.reserved_usd,
            body.get("response_id"),
        )

    def _witnessed(self, entry: Entry) -> None:
        body, parents = entry.payload.body, entry.payload.parents
        self.drift.witness(body, entry.payload.created_at)
        intent = self._answers.pop(parents[0].id, None) if parents else None
        if intent is None:
            return
        cost = self.costs.witness(body, intent.stage)
        if cost is not None:
            run = self.runs[-1]
            run.priced += 1
            run.cost_usd += cost
            self.at_risk_usd -= intent.reserved_usd or 0.0


def parent_of(entry: Entry) -> Parent:
    """A statement as others name it."""
    return Parent(entry.id, entry.leaf_hash)


def replay(log: Reader, name: str) -> Replay:
    """Read the session of that name; without a run it is empty."""
    found = Replay()
    for entry in session_entries(log, name):
        found.take(entry)
    found.finish()
    return found


def session_entries(log: Reader, name: str) -> Iterator[Entry]:
    """All statements of a session in log order, in constant memory.

    By its streams: every statement of a stream has the stream's session (specs/02 section 3), so
    that no view has to be brought up to date first.
    """
    with log.store.reading() as snapshot:
        tails = [tail for tail in snapshot.streams() if tail.session == name]
    merged = heapq.merge(*(_chain(log, tail) for tail in tails))
    while indices := list(islice(merged, _STATEMENTS)):
        with log.store.reading() as snapshot:
            statements = [(index, snapshot.entry(index)) for index in indices]
        for index, statement in statements:
            if statement is not None:
                yield Entry.parse(index, statement)


def _chain(log: Reader, tail: StreamTail) -> Iterator[int]:
    seq = 0
    while seq <= tail.seq:
        with log.store.reading() as snapshot:
            stop = min(_CHAIN, tail.seq + 1 - seq)
            indices = list(islice(snapshot.chain_from(tail.no, seq), stop))
        if not indices:
            return
        yield from indices
        seq += len(indices)
