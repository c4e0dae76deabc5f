"""A session that keeps its calls in memory: what a transport tells it, in the order it tells it."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field

from ledger.capture.exchange import Request, Response
from ledger.errors import LedgerError

PLACE: ContextVar[str] = ContextVar("place", default="nowhere")


@dataclass
class FakeCall:
    """What was told of one call; `how` is the streaming of an answer or the reason without one."""

    session: FakeSession
    request: Request
    place: str
    recorded: Response | None = None
    instead: Request | None = None
    outcome: str | None = None
    how: str | None = None
    response: Response | None = None
    first_byte_ms: float | None = None
    duration_ms: float | None = None

    def responded(self, response, *, streaming, first_byte_ms=None, duration_ms=None) -> None:
        self.session.before_responded()
        assert self.outcome is None
        self.outcome, self.how, self.response = "responded", streaming, response
        self.first_byte_ms, self.duration_ms = first_byte_ms, duration_ms
        self.session.settled.set()

    def broke(self, reason, partial=None) -> None:
        self.session.before_broke()
        assert self.outcome is None
        self.outcome, self.how, self.response = "broke", reason, partial
        self.session.settled.set()


@dataclass
class FakeSession:
    """`archive` is what `begin` gives again, by the bodies of requests."""

    calls: list[FakeCall] = field(default_factory=list)
    archive: dict[bytes, Response] = field(default_factory=dict)
    refusal: LedgerError | None = None
    failure: LedgerError | None = None
    begin_gate: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)

    def begin(self, request: Request) -> FakeCall:
        if self.refusal is not None:
            raise self.refusal
        self.begun.set()
        if self.begin_gate is not None:
            assert self.begin_gate.wait(60)
        call = FakeCall(self, request, PLACE.get(), self.archive.get(request.body))
        self.calls.append(call)
        return call

    def before_responded(self) -> None:
        if self.failure is not None:
            raise self.failure

    before_broke = before_responded

    @property
    def call(self) -> FakeCall:
        """The only call."""
        (one,) = self.calls
        return one

    def remember(self) -> None:
        """Give again what was answered, from now on."""
        for call in self.calls:
            if call.outcome == "responded" and call.how in (None, "complete", "closed"):
                assert call.response is not None
                self.archive[call.request.body] = call.response
