"""`vif attach`: put somebody's replays into the package that they are of (specs/13 section 10)."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson
from ledger.export.attachments import attach as attach_package


def attach(
    package: Annotated[
        Path,
        typer.Argument(metavar="PACKAGE", help="A package that is a folder.", show_default=False),
    ],
    replays: Annotated[
        Path,
        typer.Argument(
            metavar="REPLAYS",
            help="A package, folder or zip, of the ledger that the replays are in.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Its name in attachments/."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Attach the package of somebody who ran a package again.

    Copies REPLAYS into attachments/ of PACKAGE. It is evidence beside it: neither
    manifests nor seal cover it, and vif-verify checks it by itself and against
    the records that were replayed. A zip takes no attachments; there,
    --beside of vif-verify does the same.

    Examples:
      vif attach package/ review.zip
      vif attach package/ other/review.zip --name second-opinion.zip

    With --json: attachment, genesis (of the ledger that did it), replays,
    succeeded.
    """
    made = attach_package(package, replays, name)
    if as_json:
        output.emit(
            {
                "attachment": str(made.path),
                "genesis": made.genesis.hex(),
                "replays": made.replays,
                "succeeded": made.succeeded,
            }
        )
        return
    replays_said = f"{made.replays:,} replay{'' if made.replays == 1 else 's'} of this ledger"
    output.facts(
        [
            ("attached", [(str(made.path), "bold")]),
            ("", f"{replays_said}, {made.succeeded:,} with success"),
            ("genesis", made.genesis.hex()),
        ]
    )
    output.say()
    output.say("To check both, pin the ledger that did it, too:")
    verify = f"vif-verify {shlex.quote(str(package))} --trust … --trust {made.genesis.hex()}"
    output.say("  ", (verify, "cyan"))
