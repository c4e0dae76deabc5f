"""`vif operation`: work of several models, computed again from its parts (specs/12)."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder
from ledger.cli.failures import bad_call
from ledger.cli.ledgers import find_statement, reading
from ledger.cli.operation_json import listed, whole
from ledger.cli.operation_show import show_operation
from ledger.cli.operation_words import STATUS_STYLES
from ledger.cli.session_words import usd
from ledger.cli.text import clip, counted, pad, visible
from ledger.operations import OperationReport
from ledger.operations.figures import figures

__all__ = ["operation"]

_NAME_COLUMNS = 26
_MODEL_COLUMNS = 34
_MODELS_SHOWN = 3


def operation(
    ledger: LedgerFolder,
    statement: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="Any statement of the operation: id or index; without it a list.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", "-s", metavar="NAME", help="Only this session.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List operations across models, or show one in full.

    Everything is computed from the stages and their calls, and compared with
    what was recorded. Exit code 0 if nothing is wrong, 1 if something is.

    Examples:
      vif operation runs.vif
      vif operation runs.vif 27

    With --json one object a line: session, name, number, index, id, models,
    stages, state, cost_usd, quality, preservation, status, sound; for one
    operation also parts, figures, provenance, cross_model, computed, findings,
    not_judged.
    """
    if statement is not None and session is not None:
        bad_call("--session is for the list: an ID says which operation is meant")
    with reading(ledger) as log:
        if statement is not None:
            found = log.operation(find_statement(log, statement).id)
            if as_json:
                output.emit(whole(found))
            else:
                show_operation(found)
            sound = found.sound
        else:
            sound, number = True, 0
            for number, report in enumerate(log.operations(session), 1):
                sound = sound and report.sound
                if as_json:
                    output.emit(listed(report))
                else:
                    _show(report, first=number == 1, with_session=session is None)
            if not number and not as_json:
                output.note(("no operations", "dim"))
    if not sound:
        raise typer.Exit(output.EXIT_NO)


def _show(report: OperationReport, *, first: bool, with_session: bool) -> None:
    if first:
        head = "     #  " + pad("OPERATION", _NAME_COLUMNS + 2) + pad("MODELS", _MODEL_COLUMNS + 2)
        more = f"{'STAGES':>6}  " + pad("STATE", 13) + f"{'COST':>14}{'QUALITY':>9}{'KEPT':>6}  "
        output.say((head + more + "STATUS" + ("      SESSION" if with_session else ""), "bold"))
    found = figures(report)
    models = " → ".join(report.models[:_MODELS_SHOWN])
    if len(report.models) > _MODELS_SHOWN:
        models = counted(len(report.models), "model")
    status = "failed" if not report.sound else ""
    if not status and report.computed is not None:
        status = report.computed.status
    quality = "" if found is None or found.quality is None else f"{found.quality:.2f}"
    kept = "" if found is None or found.preservation is None else f"{found.preservation:.0%}"
    session = f"  {report.name.session or '-'}" if with_session else ""
    output.say(
        f"{report.first_index:>6}  ",
        pad(_short(report), _NAME_COLUMNS) + "  ",
        pad(visible(models), _MODEL_COLUMNS) + "  ",
        f"{len(report.parts):>6}  ",
        (pad(report.state, 13), STATUS_STYLES[report.state]),
        f"{usd(found.cost_usd) if found else '':>14}{quality:>9}{kept:>6}  ",
        (pad(status or "-", 10), STATUS_STYLES.get(status, "dim")),
        (session, "dim"),
    )


def _short(report: OperationReport) -> str:
    """Return its name as far as there is room, and its number, which tells it from others."""
    number = f"/{report.name.number}"
    return clip(visible(report.name.name), _NAME_COLUMNS - len(number)) + number
