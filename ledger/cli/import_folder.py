"""`vif import experiment`: a whole folder of an old experiment."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer

from ledger.capture.experiment.importer import ExperimentResult, import_experiment, session_label
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.failures import bad_call
from ledger.cli.head import known_head
from ledger.cli.importing import Redact, Session, listed, place, show_lists
from ledger.cli.ledgers import writing
from ledger.cli.text import counted

__all__ = ["experiment"]

_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")

SourceFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The experiment's folder.", show_default=False)
]
UtcOffset = Annotated[
    str | None,
    typer.Option("--utc-offset", metavar="+HH:MM", help="Meant by times that say none."),
]


def experiment(
    ledger: LedgerFolder,
    folder: SourceFolder,
    session: Session = None,
    redact: Redact = False,
    utc_offset: UtcOffset = None,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import an old experiment folder: every file, and what it says.

    Every file is archived. Model calls in conversations/ and logs/ become
    witnesses, workflow events and results/state_*.json annotations; what is not
    recognised is listed. Run again, it adds what is new. The folder is not
    changed. The session is named for the folder unless it is given.

    Example:
      vif import experiment runs.vif experiment_2

    With --json: files, added, witnesses, annotations, skipped and passed (place,
    reason), redacted (place, kind), session, and, if something was new, index,
    id, size, root, known_head.
    """
    label = session or session_label(folder)
    offset = _offset(utc_offset)
    with (
        writing(ledger, keys, signer, session=label) as log,
        output.progress("importing") as tick,
    ):
        made = import_experiment(
            log, folder, session=label, redact=redact, offset=offset, progress=tick
        )
    if as_json:
        output.emit(
            {
                "files": made.files,
                "added": made.added,
                "witnesses": made.witnesses,
                "annotations": made.annotations,
                "skipped": listed(made.skipped),
                "passed": listed(made.passed),
                "redacted": listed(made.redacted),
                "session": label,
                **(place(made.receipt) if made.receipt else {}),
            }
        )
    else:
        _show(made, label)
    if made.skipped:
        raise typer.Exit(output.EXIT_NO)


def _show(made: ExperimentResult, label: str) -> None:
    witnesses = counted(made.witnesses, "witness", "witnesses")
    receipt = made.receipt
    output.facts(
        [
            ("files", f"{counted(made.files, 'file')}, {made.added:,} new"),
            ("imported", f"{witnesses}, {counted(made.annotations, 'annotation')}"),
            ("session", label),
            ("statement", f"#{receipt.index}  {receipt.id}" if receipt else ""),
            ("head", known_head(receipt.size, receipt.root) if receipt else ""),
        ]
    )
    show_lists(made.skipped, made.passed, made.redacted)


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    found = _OFFSET.fullmatch("+00:00" if text == "Z" else text)
    if not found:
        bad_call(f"--utc-offset {text!r} is not an offset", hint="write +02:00, -05:00 or Z")
    distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-distance if found[1] == "-" else distance)
