"""Arguments and options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.failures import bad_call

__all__ = [
    "AsJson",
    "KeysFolder",
    "LedgerFolder",
    "OutputFile",
    "SignerKey",
    "StatementRef",
    "index_range",
]

LedgerFolder = Annotated[
    Path, typer.Argument(metavar="LEDGER", help="Folder of the ledger.", show_default=False)
]
StatementRef = Annotated[
    str,
    typer.Argument(
        metavar="STATEMENT",
        help="Index (12 or '#12'), id or unique beginning of an id, or 'last'.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.", metavar="")]
KeysFolder = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FOLDER",
        envvar="VIF_KEYS",
        help="Folder of private keys; yours by default.",
        show_default=False,
    ),
]
SignerKey = Annotated[
    str | None,
    typer.Option(
        "--signer",
        metavar="KEY",
        help="Sign with this one of your keys: id or name.",
        show_default=False,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to this new file, not to standard output.",
        show_default=False,
    ),
]


def index_range(text: str) -> tuple[int, int]:
    """Read `A:B`, indices from A up to but without B; raises LedgerError `usage`."""
    first, colon, last = text.partition(":")
    if not (colon and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        bad_call(f"{text!r} is not a range", hint="write A:B, such as 10:20 for 10 to 19")
    start, stop = int(first[:20]), int(last[:20])
    if start >= stop:
        bad_call(f"the range {text} is empty", hint="A:B takes the indices from A up to B - 1")
    return start, stop
