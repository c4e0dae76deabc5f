"""`vif log`: what is in a ledger, one line a statement."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ledger import Entry
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder
from ledger.cli.describe import TYPE_STYLES, statement_json, summary
from ledger.cli.ledgers import reading
from ledger.cli.text import moment, pad, width
from ledger.cli.times import since as parse_since
from ledger.cli.times import until as parse_until

_TYPE_COLUMNS = 13
_SESSION_COLUMNS = 14


def log(
    ledger: LedgerFolder,
    type_: Annotated[
        str | None, typer.Option("--type", "-t", metavar="TYPE", help="Only this type.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", "-s", metavar="NAME", help="Only this session.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="Only this model.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Only this stream.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="From this time on: 2026-11-20, 2h, 7d."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Up to the end of this day, minute, second."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", metavar="N", min=1, help="Only the newest N.", show_default=False
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", "-r", help="Newest first.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the statements of a ledger, newest last.

    Times are those of the producers' clocks, in UTC.

    Examples:
      vif log runs.vif
      vif log runs.vif --type witness --session pilot --limit 20
      vif log runs.vif --since 2h --json | jq .body.model.model_id

    With --json one object a line: index, id, leaf_hash, type, created_at,
    stream, seq, session, issuer, kid, parents, body.
    """
    with reading(ledger) as log:
        conditions: dict[str, Any] = {
            "type": type_,
            "session": session,
            "model": model,
            "stream": stream,
            "since": parse_since(since),
            "until": parse_until(until),
        }
        entries: Iterable[Entry]
        if any(value is not None for value in conditions.values()):
            entries = log.find(**conditions)
        else:
            # The newest few of a large log are found without reading the others.
            entries = log.entries(0 if limit is None else max(0, len(log) - limit))
        if limit is not None or reverse:
            # Newest first cannot begin before the newest is known; the memory is that of `limit`.
            entries = deque(entries, maxlen=limit)
        if reverse:
            entries = reversed(list(entries))
        if as_json:
            for entry in entries:
                output.emit(statement_json(entry))
            return
        shown, room = 0, output.columns()
        for entry in entries:
            if not shown:
                _show_head(room)
            _show_line(entry, room)
            shown += 1
    if not shown:
        output.note(("nothing matches", "dim"))


def _show_head(room: int | None) -> None:
    head = "     #  " + pad("TIME (UTC)", 21) + pad("TYPE", _TYPE_COLUMNS + 2)
    output.say((head + pad("SESSION", _session_columns(room) + 2) + "WHAT", "bold"))


def _show_line(entry: Entry, room: int | None) -> None:
    payload = entry.payload
    session, columns = payload.session or "-", _session_columns(room)
    if room is not None or width(session) < columns:
        session = pad(session, columns)
    head: list[output.Part] = [
        f"{entry.index:>6}  ",
        (moment(payload.created_at) + "  ", "dim"),
        (pad(payload.type, _TYPE_COLUMNS) + "  ", TYPE_STYLES.get(payload.type, "yellow")),
        (session + "  ", "" if payload.session else "dim"),
    ]
    what = summary(payload.type, payload.body)
    if room is not None:
        # On a terminal a line that wraps hides the columns; in a pipe nothing is cut.
        left = max(8, room - sum(width(output.text_of(part)) for part in head))
        what = output.fit(what, left)
    output.say(*head, *what)


def _session_columns(room: int | None) -> int:
    """Return the width of the session: what 80 columns leave, and more where there is more."""
    return _SESSION_COLUMNS if room is None else max(_SESSION_COLUMNS, min(room - 67, 40))
