"""`vif check-output`: is this file what that statement speaks of?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder, StatementRef
from ledger.cli.ledgers import find_statement, reading
from ledger.cli.refs import CONTENTS, named_content, refer_file


def check_output(
    ledger: LedgerFolder,
    statement: StatementRef,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file in question.", show_default=False)
    ],
    content: Annotated[
        str,
        typer.Option(
            "--content", "-c", metavar="NAME", help=f"Compare with: {', '.join(CONTENTS)}."
        ),
    ] = "output",
    as_json: AsJson = False,
) -> None:
    """Tell whether a file is the output that was recorded.

    Byte for byte. Exit code 0 if it is, 1 if it is not.

    Examples:
      vif check-output runs.vif 12 answer.txt
      vif check-output runs.vif 12 prompt.txt --content prompt

    With --json: matches, content, salted, sha256 (as recorded), size_bytes,
    index, id.
    """
    with reading(ledger) as log:
        entry = find_statement(log, statement)
        ref = named_content(entry, content)
        found = refer_file(log, ref, file)
    matches = found == ref
    if as_json:
        output.emit(
            {
                "matches": matches,
                "content": content,
                "salted": ref.salted,
                "sha256": ref.sha256.hex(),
                "size_bytes": ref.size_bytes,
                "index": entry.index,
                "id": entry.id,
            }
        )
    else:
        verdict = ("matches", "bold green") if matches else ("does not match", "bold red")
        output.say(verdict, f"  {file} and the {content} of #{entry.index} ({entry.id})")
        rows = [("recorded", ref.sha256.hex()), ("file", "" if matches else found.sha256.hex())]
        output.facts(rows, indent=2)
        if ref.salted:
            output.say(("  SHA-256 of salt and content: sha256sum alone cannot show it", "dim"))
    if not matches:
        raise typer.Exit(output.EXIT_NO)
