"""`vif session calls`: one line a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer

from ledger import Entry, Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder
from ledger.cli.ledgers import reading
from ledger.cli.session_options import SessionName
from ledger.cli.session_words import STATUS_STYLES, usd
from ledger.cli.text import clip, counted, moment, pad, visible
from ledger.errors import SessionError
from ledger.session.replay import session_entries

__all__ = ["calls"]

_MODEL_COLUMNS = 24


class CallStatus(StrEnum):
    """How the latest attempt at a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    OPEN = "open"


@dataclass(slots=True)
class _Call:
    """A call by its latest attempt; the names are those of the JSON form."""

    index: int
    status: str
    reason: str | None
    model: str | None
    stage: str | None
    method: str
    url: str
    digest: str
    replicate: int
    attempts: int
    sent_at: str
    reserved_usd: float | None
    http_status: int | None = None
    streaming: str | None = None
    duration_ms: float | None = None
    response_id: str | None = None
    outcome: int | None = None
    witness: int | None = None
    cost_usd: float | None = None
    reused: int = field(default=0)


def calls(
    ledger: LedgerFolder,
    name: SessionName,
    status: Annotated[
        CallStatus | None,
        typer.Option("--status", help="Only these.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the calls of a session, one line each.

    Attempts of one call are one line; it tells of the latest. A call whose
    outcome is unknown may have been paid and has no answer, one that is open
    has been sent just now, or by a process that was killed.

    Examples:
      vif session calls runs.vif pilot
      vif session calls runs.vif pilot --status unknown

    With --json one object a line: index (of the intent), status, reason, model,
    stage, method, url, digest, replicate, attempts, sent_at, reserved_usd (what
    it may cost at most), http_status, streaming, duration_ms, response_id,
    outcome, witness (their indices), cost_usd, reused (how often the answer was
    given again); null where there is none.
    """
    with reading(ledger) as log:
        found = _calls(log, name)
    chosen = [call for call in found if status is None or call.status == status.value]
    if as_json:
        for call in chosen:
            output.emit(asdict(call))
        return
    if not chosen:
        output.note(("no calls", "dim") if status is None else (f"none {status.value}", "dim"))
        return
    room = output.columns()
    head = f"{'#':>6}  " + pad("SENT (UTC)", 21) + pad("STATUS", 10)
    output.say((head + pad("MODEL", _MODEL_COLUMNS + 2) + "WHAT", "bold"))
    for call in chosen:
        _show(call, room)


def _show(call: _Call, room: int | None) -> None:
    said = [call.reason if call.reason != "http_status" else f"status {call.http_status}"]
    said.append(usd(call.cost_usd))
    if call.status in (CallStatus.UNKNOWN, CallStatus.OPEN):
        said.append("may cost " + (f"up to {usd(call.reserved_usd)}" if call.reserved_usd else "?"))
    said.append(f"replicate {call.replicate}" if call.replicate > 1 else "")
    said.append(counted(call.attempts, "attempt") if call.attempts > 1 else "")
    said.append(f"given again {counted(call.reused, 'time')}" if call.reused else "")
    said.append(f"stage {call.stage}" if call.stage else "")
    said.append("" if call.status == CallStatus.ANSWERED else f"{call.method} {call.url}")
    what = visible("  ".join(part for part in said if part))
    if room is not None:
        what = clip(what, max(8, room - 41 - _MODEL_COLUMNS))
    output.say(
        f"{call.index:>6}  ",
        (moment(call.sent_at) + "  ", "dim"),
        (pad(call.status, 10), STATUS_STYLES.get(call.status, "")),
        pad(visible(call.model or "-"), _MODEL_COLUMNS) + "  ",
        what,
    )


def _calls(log: Ledger, name: str) -> Iterator[_Call]:
    """Return the calls in the order in which they were first asked.

    Raises SessionError `session_missing`.
    """
    found: dict[tuple[bytes, int], _Call] = {}
    by_intent: dict[str, _Call] = {}
    by_outcome: dict[str, _Call] = {}
    opened = False
    for entry in session_entries(log, name):
        body, parents = entry.payload.body, entry.payload.parents
        match entry.payload.type:
            case "session_open":
                opened = True
            case "intent":
                call = body["call"]
                found[call["digest"], call["replicate"]] = by_intent[entry.id] = _sent(entry)
            case "outcome" if parents and parents[0].id in by_intent:
                ended = by_intent.pop(parents[0].id)
                _came_out(ended, entry.index, body)
                by_outcome[entry.id] = ended
            case "witness" if parents and parents[0].id in by_outcome:
                answered = by_outcome[parents[0].id]
                answered.witness = entry.index
                answered.cost_usd = body.get("cost", {}).get("cost_usd")
            case "reuse":
                for parent in parents:
                    if parent.id in by_outcome:
                        by_outcome[parent.id].reused += 1
    if not opened:
        raise SessionError("session_missing", f"the ledger has no session {name}")
    return iter(found.values())


def _sent(entry: Entry) -> _Call:
    body: dict[str, Any] = dict(entry.payload.body)
    return _Call(
        index=entry.index,
        status="open",
        reason=None,
        model=body.get("model"),
        stage=body.get("stage"),
        method=body["method"],
        url=body["url"],
        digest=body["call"]["digest"].hex(),
        replicate=body["call"]["replicate"],
        attempts=body["attempt"],
        sent_at=entry.payload.created_at,
        reserved_usd=body.get("reserved_usd"),
    )


def _came_out(call: _Call, index: int, body: dict[str, Any]) -> None:
    call.outcome = index
    call.status = body["status"]
    for name in ("reason", "http_status", "streaming", "duration_ms", "response_id"):
        setattr(call, name, body.get(name))
