"""One call, from its durable intent to its durable outcome (specs/10 section 4).

Who begins a call reports once how it ended: `responded` or `broke`. Both return when the outcome,
and the witness of an operation, are durable; an error out of them means that the answer is not
recorded, and must not be used. Such a call, and one that nobody reports, is `unknown` when the run
ends.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.capture.exchange import Request, Response, decode_body
from ledger.capture.readers import Reading, begun_id
from ledger.drafts import Archived, Draft, Receipt
from ledger.errors import FormatError, RecordError, SessionError
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.formats.values import is_name, parse_time
from ledger.model import to_body
from ledger.model.archive import Media
from ledger.model.session import Outcome
from ledger.session.asking import Asked, media_type, read_safely
from ledger.session.fetching import GONE, UNDER_WAY, fetching, judge, status_of
from ledger.session.lineage import Here, fold
from ledger.session.operations import Exchanged, Operation, witnesses
from ledger.session.outcomes import Broken, Streaming, Verdict, decide

if TYPE_CHECKING:
    from ledger.session.calls import Calls

__all__ = ["Begun", "Call"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A call whose intent is in the log."""

    asked: Asked
    key: bytes
    replicate: int
    attempt: int
    intent: Parent
    index: int
    """Of the intent."""
    request: Archived | None
    place: Here
    fetches: str | None
    """The id of the answer that is fetched; None when the call is asked."""


class Call:
    """What `Session.begin` returns; safe to report from another thread."""

    def __init__(self, calls: Calls | None, begun: Begun | None, recorded: Response | None) -> None:
        self.recorded = recorded
        """The recorded answer: when it is there, hand it to the caller and send nothing."""
        self.witness: Parent | None = None
        """The operation's witness, once it is answered."""
        self.instead: Request | None = None
        """When it is there, send this in place of what was begun: it fetches the answer."""
        if begun is not None and begun.fetches is not None:
            self.instead = fetching(begun.asked.request, begun.fetches)
        self._calls = calls
        self._begun = begun
        self._lock = threading.Lock()
        self._over = begun is None

    def responded(
        self,
        response: Response,
        *,
        streaming: Streaming | None = None,
        first_byte_ms: float | None = None,
        duration_ms: float | None = None,
    ) -> None:
        """Record an answer; `streaming` says how a stream ended, and is None for a whole body.

        Times are milliseconds from sending. Raises `SessionError("session_closed")` and what
        `Ledger.append` raises; then the answer is not recorded. `SessionError("outcome_unknown")`
        for what was fetched and is no answer.
        """
        verdict = decide(response.http_status, streaming)
        self._report(verdict, response, first_byte_ms, duration_ms, late=False)

    def broke(self, reason: Broken, partial: Response | None = None) -> None:
        """Record that no whole answer came; raises as `responded` does.

        Does nothing when the end of the call was reported before, or written by the end of the run.
        """
        verdict = decide(partial.http_status if partial else None, None, reason)
        self._report(verdict, partial, None, None, late=True)

    def _report(
        self,
        verdict: Verdict,
        response: Response | None,
        first_byte_ms: float | None,
        duration_ms: float | None,
        *,
        late: bool,
    ) -> None:
        with self._lock:
            over, self._over = self._over, True
        if over:
            if late:
                return
            raise RuntimeError("the end of this call was reported before")
        assert self._calls is not None
        assert self._begun is not None
        calls, begun = self._calls, self._begun
        if late and calls.journal.ended:
            return
        with calls.journal.working():
            _Report(calls, begun, verdict, response, first_byte_ms, duration_ms).write(self)


class _Report:
    """The outcome of a call on its way into the log."""

    def __init__(
        self,
        calls: Calls,
        begun: Begun,
        verdict: Verdict,
        response: Response | None,
        first_byte_ms: float | None,
        duration_ms: float | None,
    ) -> None:
        self._calls, self._begun, self._verdict = calls, begun, verdict
        self._response = response
        self._duration_ms = _amount(duration_ms)
        self._log = calls.journal.log
        self._body = response.body if response else b""
        self._decoded: bytes | None = None
        self._archived: Archived | None = None
        self._headers: dict[str, str] = {}
        if response is not None:
            self._headers = calls.asker.allowed.select(response.headers)
        if response is not None and self._body:
            self._decoded = decode_body(response)
            calls.scanner.look(
                self._body if self._decoded is None else self._decoded,
                f"response of {begun.asked.place}",
            )
            self._archived = self._log.archive(self._body, media_type(response.headers))
        if begun.fetches is not None:
            self._verdict = judge(verdict, self._decoded)
        self._none_yet = verdict.status == "answered" != self._verdict.status
        self._reading = self._read()
        fields: dict[str, Any] = {
            "response": self._archived.ref if self._archived else None,
            "response_headers": self._headers or None,
            "decoded": self._decoded_digest(),
            "first_byte_ms": _amount(first_byte_ms),
            "duration_ms": self._duration_ms,
        }
        self._response_id = self._id()
        if self._response_id is not None:
            fields["response_id"] = self._response_id
        self._outcome = Draft(
            "outcome",
            Outcome(**self._verdict._asdict(), **fields),
            (begun.intent,),
            (self._archived,) if self._archived else (),
        )

    def write(self, call: Call) -> None:
        """Append outcome and witness in one commit, then let the session know."""
        calls, begun = self._calls, self._begun
        answered = self._verdict.status == "answered"
        operation = self._reading.is_operation if self._reading else not begun.asked.safe
        if not (answered and operation):
            receipts = calls.journal.append([self._outcome])
            calls.settle(begun, self._verdict, receipts[0], None, {}, self._response_id)
            if self._none_yet:
                raise self._not_an_answer()
            return
        receipts, body = self._append_with_witness()
        call.witness = Parent(receipts[-1].id, receipts[-1].leaf_hash)
        calls.settle(begun, self._verdict, receipts[-2], receipts[-1], body, self._response_id)
        begun.place.witnessed(call.witness)

    def _append_with_witness(self) -> tuple[list[Receipt], dict[str, Any]]:
        notes, based_on = fold(self._begun.place.based_on, PARENTS_MAX - 1)
        refused: RecordError | FormatError | None = None
        for record, contents in witnesses(self._exchanged(), self._operation()):
            witness = Draft("witness", record, (self._outcome, *based_on), contents)
            try:
                receipts = self._calls.journal.append([*notes, self._outcome, witness])
            except (RecordError, FormatError) as error:
                refused = error
            else:
                return receipts, to_body(record)
        assert refused is not None  # there is at least the bare witness
        raise refused

    def _read(self) -> Reading | None:
        response = self._response
        if response is None or self._verdict.status != "answered":
            return None
        return read_safely(
            self._begun.asked.request, self._decoded, response.http_status, response.headers
        )

    def _id(self) -> str | None:
        """The provider's id of the answer, also of one that is unknown: it may be fetched."""
        if self._reading is not None:
            return self._reading.response_id if is_name(self._reading.response_id) else None
        if self._verdict.status != "unknown":
            return None
        if self._begun.fetches is not None and self._verdict.http_status == GONE:
            return None
        return self._begun.fetches or begun_id(self._begun.asked.request, self._decoded)

    def _not_an_answer(self) -> SessionError:
        status = status_of(self._decoded) or "not said"
        hint = 'open the session with on_unknown="retry" to send such calls again'
        if status in UNDER_WAY:
            hint = "ask again to fetch it when the provider has finished it"
        return SessionError(
            "outcome_unknown",
            f"{self._begun.asked.place}: the provider keeps {self._begun.fetches}, whose status "
            f"is {status}; that is no answer",
            hint=hint,
        )

    def _operation(self) -> Operation | None:
        reading = self._reading
        if reading is None:
            return None
        at = parse_time(self._log.now())
        billed = self._calls.settings.pricing.fields(reading, at)
        return Operation(reading.operation, reading.fields, billed)

    def _exchanged(self) -> Exchanged:
        settings, begun = self._calls.settings, self._begun
        asked = begun.asked
        return Exchanged(
            salted=self._log.salted,
            writer=settings.writer,
            criticality=settings.criticality,
            domain=settings.domain,
            attempts=begun.attempt,
            body=Media(asked.request.body, media_type(asked.request.headers)),
            request=begun.request.ref if begun.request else None,
            response=self._archived.ref if self._archived else None,
            request_headers=asked.headers,
            response_headers=self._headers,
            duration_ms=self._duration_ms,
            details=begun.place.details,
        )

    def _decoded_digest(self) -> dict[str, Any] | None:
        """Of a body that was encoded; in a salted ledger it would confirm a guessed answer."""
        if self._decoded is None or self._response is None or self._log.salted:
            return None
        if "content-encoding" not in self._headers:  # as a reader of the log will undo it
            return None
        return {
            "sha256": hashlib.sha256(self._decoded).digest(),
            "size_bytes": len(self._decoded),
        }


def _amount(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) and value >= 0 else None
