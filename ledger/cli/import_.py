"""`vif import`: logs of other programs become statements of this ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ledger import Ledger
from ledger.capture.importing import ImportResult
from ledger.capture.inspect_log import import_inspect, session_label
from ledger.capture.jsonl import import_jsonl
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.failures import check_readable
from ledger.cli.head import known_head
from ledger.cli.ledgers import writing
from ledger.cli.text import counted
from ledger.errors import ImportSourceError

__all__ = ["commands"]

_SKIPPED_SHOWN = 20

commands = typer.Typer(
    no_args_is_help=True,
    help="Take over a log of Inspect AI, or JSON Lines.",
)

SourceFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file to import.", show_default=False)
]
Again = Annotated[bool, typer.Option("--again", help="Also if it was imported before.", metavar="")]
Skip = Annotated[
    bool,
    typer.Option("--skip-unreadable", help="Leave out what cannot be read.", metavar=""),
]
Session = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="NAME", help="The run it belongs to."),
]


@commands.command("inspect")
def inspect(
    ledger: LedgerFolder,
    file: SourceFile,
    session: Session = None,
    again: Again = False,
    skip_unreadable: Skip = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import an Inspect AI log (.eval).

    Model calls become witnesses, scores annotations. The file itself is kept in
    the archive. The session is named for task and run unless it is given.

    Example:
      vif import inspect runs.vif logs/theory-of-mind.eval

    With --json: witnesses, annotations, skipped (place, reason), session, index,
    id, size, root, known_head.
    """
    check_readable(file)
    label = session or session_label(file)
    with writing(ledger, keys, signer, session=label) as log:
        made = _take_over(import_inspect, log, file, again, skip_unreadable)
    _report(made, label, as_json)


@commands.command("jsonl")
def jsonl(
    ledger: LedgerFolder,
    file: SourceFile,
    session: Session = None,
    again: Again = False,
    skip_unreadable: Skip = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import witnesses from JSON Lines; the file is taken whole or not at all.

    An object a line, its members named as in vif record. Calls that are still
    to come are better piped into vif record, which takes each line at once.
    The file itself is kept in the archive.

    Example:
      vif import jsonl runs.vif calls.jsonl --session pilot

    With --json as vif import inspect.
    """
    check_readable(file)
    with writing(ledger, keys, signer, session=session) as log:
        made = _take_over(import_jsonl, log, file, again, skip_unreadable)
    _report(made, session, as_json)


def _take_over(
    importer: Callable[..., ImportResult],
    log: Ledger,
    file: Path,
    again: bool,
    skip_unreadable: bool,
) -> ImportResult:
    with output.progress("importing") as tick:
        try:
            return importer(log, file, again=again, skip_unreadable=skip_unreadable, progress=tick)
        except ImportSourceError as error:
            options = {"already_imported": "--again", "source_unreadable": "--skip-unreadable"}
            option = options.get(error.code)
            if option is None or skip_unreadable:
                raise
            deed = "records it a second time" if option == "--again" else "leaves such parts out"
            raise ImportSourceError(error.code, error.message, hint=f"{option} {deed}") from None


def _report(made: ImportResult, session: str | None, as_json: bool) -> None:
    receipt = made.receipt
    if as_json:
        output.emit(
            {
                "witnesses": made.witnesses,
                "annotations": made.annotations,
                "skipped": [{"place": one.place, "reason": one.reason} for one in made.skipped],
                "session": session,
                "index": receipt.index,
                "id": receipt.id,
                "size": receipt.size,
                "root": receipt.root.hex(),
                "known_head": known_head(receipt.size, receipt.root),
            }
        )
    else:
        witnesses = counted(made.witnesses, "witness", "witnesses")
        output.facts(
            [
                ("imported", f"{witnesses}, {counted(made.annotations, 'annotation')}"),
                ("session", session or ""),
                ("statement", f"#{receipt.index}  {receipt.id}"),
                ("head", known_head(receipt.size, receipt.root)),
            ]
        )
        for one in made.skipped[:_SKIPPED_SHOWN]:
            output.note(("skipped ", "yellow"), f"{one.place}: {one.reason}")
        if len(made.skipped) > _SKIPPED_SHOWN:
            output.note(f"and {len(made.skipped) - _SKIPPED_SHOWN} more")
    if made.skipped:
        raise typer.Exit(output.EXIT_NO)
