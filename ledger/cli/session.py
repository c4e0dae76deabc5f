"""`vif session`: experiments whose paid answers survive crashes (specs/10)."""

from __future__ import annotations

import json

import typer

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder
from ledger.cli.ledgers import reading
from ledger.cli.session_calls import calls
from ledger.cli.session_options import SessionName
from ledger.cli.session_run import run
from ledger.cli.session_show import show
from ledger.cli.session_words import STATUS_STYLES
from ledger.cli.text import clip, moment, pad, visible
from ledger.errors import ContentError
from ledger.session.history import StageListing, sessions, summary

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True,
    help="Run a command in a session, and look at sessions.",
)

_NAME_COLUMNS = 32
_STAGE_COLUMNS = 24


@commands.command("list")
def list_(ledger: LedgerFolder, as_json: AsJson = False) -> None:
    """List the sessions of a ledger.

    Example:
      vif session list runs.vif

    With --json one object a line: name, runs, status (of the newest run:
    complete, interrupted, killed, running), opened_at, last_at.
    """
    with reading(ledger) as log:
        found = sessions(log)
    if as_json:
        for one in found:
            output.emit(
                {
                    "name": one.name,
                    "runs": one.runs,
                    "status": one.status,
                    "opened_at": one.opened_at,
                    "last_at": one.last_at,
                }
            )
        return
    if not found:
        output.note(("no sessions", "dim"))
        return
    head = pad("SESSION", _NAME_COLUMNS) + f"{'RUNS':>6}  " + pad("STATUS", 13)
    output.say((head + pad("FIRST (UTC)", 21) + "LAST (UTC)", "bold"))
    for one in found:
        output.say(
            pad(visible(one.name), _NAME_COLUMNS),
            f"{one.runs:>6}  ",
            (pad(one.status, 13), STATUS_STYLES.get(one.status, "")),
            (f"{moment(one.opened_at)}  {moment(one.last_at)}", "dim"),
        )


@commands.command("savepoints")
def savepoints(ledger: LedgerFolder, name: SessionName, as_json: AsJson = False) -> None:
    """List the stages of a session, each with its last state.

    Example:
      vif session savepoints runs.vif pilot

    With --json one object a line: stage, complete, index, saved_at, state; where
    its content is gone, state is null and missing says why.
    """
    with reading(ledger) as log:
        stages = summary(log, name).stages
        if not stages:
            if not as_json:
                output.note(("no savepoints", "dim"))
            return
        if not as_json:
            head = f"{'#':>6}  " + pad("TIME (UTC)", 21) + pad("STAGE", _STAGE_COLUMNS + 2)
            output.say((head + pad("", 10) + "STATE", "bold"))
        for stage in stages:
            text, missing = _state(log, stage.index)
            if as_json:
                members = {"stage": stage.name, "complete": stage.complete, "index": stage.index}
                members |= {"saved_at": stage.saved_at}
                members |= {"state": None if text is None else json.loads(text)}
                output.emit(members if missing is None else members | {"missing": missing})
            else:
                _show_stage(stage, text, missing)


def _show_stage(stage: StageListing, text: str | None, missing: str | None) -> None:
    done: output.Part = ("complete  ", "green") if stage.complete else "so far    "
    room = output.columns()
    shown = visible(text or "")
    if room is not None:
        shown = clip(shown, max(8, room - _STAGE_COLUMNS - 41))
    output.say(
        f"{stage.index:>6}  ",
        (f"{moment(stage.saved_at)}  ", "dim"),
        pad(visible(stage.name), _STAGE_COLUMNS) + "  ",
        done,
        shown if missing is None else (missing, "red"),
    )


def _state(log: Ledger, index: int) -> tuple[str | None, str | None]:
    """Return the state of a savepoint as JSON text, or why it is not to be had."""
    try:
        text = log.content(log.get(index).payload.body["state"]).decode()
        json.loads(text)
    except ContentError as error:
        return None, error.code.removeprefix("content_")
    except (ValueError, RecursionError):
        return None, "not JSON"
    return text, None


commands.command("show")(show)
commands.command("calls")(calls)
commands.command("run")(run)
