"""`vif import`: logs of other programs become statements of this ledger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from ledger.cli.import_files import otlp, vcr
from ledger.cli.import_folder import experiment
from ledger.cli.importing import Again, Session, Skip, SourceFile, refused, report
from ledger.cli.ledgers import writing
from ledger.errors import ImportSourceError

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True,
    help="Take over what other programs have recorded.",
)


@commands.command("inspect")
def inspect(
    ledger: LedgerFolder,
    file: SourceFile,
    session: Session = None,
    again: Again = False,
    skip_unreadable: Skip = False,
    cross_model: Annotated[
        bool,
        typer.Option(
            "--cross-model", help="Graded answers are operations across models.", metavar=""
        ),
    ] = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import an Inspect AI log (.eval).

    Model calls become witnesses, scores annotations. The file itself is kept in
    the archive. The session is named for task and run unless it is given.

    With --cross-model each sample that a model answered and another call graded
    becomes an operation: the answer, its transfer to the grader, the verdict.

    Examples:
      vif import inspect runs.vif logs/theory-of-mind.eval
      vif import inspect runs.vif logs/theory-of-mind.eval --again --cross-model

    With --json: witnesses, annotations, skipped (place, reason), session, index,
    id, size, root, known_head; with --cross-model also operations and left_out
    (place, reason).
    """
    check_readable(file)
    label = session or session_label(file)
    with writing(ledger, keys, signer, session=label) as log:
        made = _take_over(
            partial(import_inspect, cross_model=cross_model), log, file, again, skip_unreadable
        )
    report(made, label, as_json)


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
    report(made, session, as_json)


commands.command("vcr")(vcr)
commands.command("otlp")(otlp)
commands.command("experiment")(experiment)


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
            raise refused(error, skip_unreadable) from None
