"""What the import commands share: their options, and how they say what was taken over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.capture.importing import ImportResult, Skipped
from ledger.capture.redaction import REDACTED, Secret
from ledger.cli import output
from ledger.cli.head import known_head
from ledger.cli.text import counted
from ledger.drafts import Receipt
from ledger.errors import ImportSourceError

__all__ = [
    "Again",
    "Redact",
    "Session",
    "Skip",
    "SourceFile",
    "SourceFiles",
    "listed",
    "members",
    "place",
    "refused",
    "report",
    "show",
    "show_lists",
]

_SHOWN = 20

SourceFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file to import.", show_default=False)
]
SourceFiles = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="The files.", show_default=False)
]
Again = Annotated[bool, typer.Option("--again", help="Also if it was imported before.", metavar="")]
Skip = Annotated[
    bool,
    typer.Option("--skip-unreadable", help="Leave out what cannot be read.", metavar=""),
]
Redact = Annotated[
    bool,
    typer.Option("--redact", help="Keep a copy without the credentials in it.", metavar=""),
]
Session = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="NAME", help="The run it belongs to."),
]

_OPTIONS = {
    "already_imported": ("--again", "records it a second time"),
    "source_unreadable": ("--skip-unreadable", "leaves such parts out"),
    "source_secrets": ("--redact", f"imports a copy in which they are {REDACTED}"),
}


def refused(error: ImportSourceError, skip_unreadable: bool) -> ImportSourceError:
    """Return an importer's error with the option, if there is one, that lets it go on."""
    option, deed = _OPTIONS.get(error.code, ("", ""))
    if not option or (option == "--skip-unreadable" and skip_unreadable):
        return error
    return ImportSourceError(error.code, error.message, hint=f"{option} {deed}")


def report(made: ImportResult, session: str | None, as_json: bool) -> None:
    """Say what an import of one file did; leaves with 1 if something was skipped."""
    if as_json:
        output.emit(members(made, session))
    else:
        show(made, session)
    if made.skipped:
        raise typer.Exit(output.EXIT_NO)


def members(made: ImportResult, session: str | None) -> dict[str, Any]:
    """Return what an import did, as members of a JSON answer."""
    answer: dict[str, Any] = {"witnesses": made.witnesses, "annotations": made.annotations}
    if made.operations or made.left_out:
        answer |= {"operations": made.operations, "left_out": listed(made.left_out)}
    return answer | {
        "skipped": listed(made.skipped),
        "session": session,
        **place(made.receipt),
    }


def place(receipt: Receipt) -> dict[str, Any]:
    """Return where a statement is and the head above it."""
    return {
        "index": receipt.index,
        "id": receipt.id,
        "size": receipt.size,
        "root": receipt.root.hex(),
        "known_head": known_head(receipt.size, receipt.root),
    }


def show(made: ImportResult, session: str | None, file: str = "") -> None:
    """Print what an import did."""
    receipt = made.receipt
    witnesses = counted(made.witnesses, "witness", "witnesses")
    again = counted(made.resumed, "statement") + " of them by an interrupted import before"
    output.facts(
        [
            ("file", file),
            ("imported", f"{witnesses}, {counted(made.annotations, 'annotation')}"),
            ("operations", f"{made.operations:,}" if made.operations or made.left_out else ""),
            ("resumed", again if made.resumed else ""),
            ("session", session or ""),
            ("statement", f"#{receipt.index}  {receipt.id}"),
            ("head", known_head(receipt.size, receipt.root)),
        ]
    )
    show_lists(made.skipped, made.passed, made.redacted, made.left_out)


def show_lists(
    skipped: Sequence[Skipped],
    passed: Sequence[Skipped],
    redacted: Sequence[Secret],
    left_out: Sequence[Skipped] = (),
) -> None:
    """Print what did not become a statement, and what was taken out."""
    told = [
        ("skipped ", "yellow", [f"{one.place}: {one.reason}" for one in skipped]),
        ("no statement ", "dim", [f"{one.place}: {one.reason}" for one in passed]),
        ("no operation ", "dim", [f"{one.place}: {one.reason}" for one in left_out]),
        ("redacted ", "yellow", [f"{one.place}: {one.kind}" for one in redacted]),
    ]
    for word, style, lines in told:
        for line in lines[:_SHOWN]:
            output.note((word, style), line)
        if len(lines) > _SHOWN:
            output.note((word, style), f"and {len(lines) - _SHOWN} more")


def listed(items: Iterable[Skipped | Secret]) -> list[dict[str, str]]:
    """Return a list of places as JSON."""
    return [one._asdict() for one in items]
