"""`vif init`: a new ledger, and the keys to write to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import ledger as api
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder
from ledger.cli.secret import PASSPHRASE, choose_passphrase


def init(
    ledger: Annotated[
        Path, typer.Argument(metavar="LEDGER", help="Folder to make.", show_default=False)
    ],
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin",
            metavar="NAME",
            help="Its name in every head, such as example.org/lab; made up by default.",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Who signs the statements.")
    ] = "producer",
    salted: Annotated[
        bool,
        typer.Option(
            "--salted", help="Salt every content hash, so that none can be guessed.", metavar=""
        ),
    ] = False,
    keys: KeysFolder = None,
    encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Protect the keys with a passphrase.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a ledger and three keys: authority, log and producer.

    The keys go into your key folder and never into the ledger. Choose --salted
    when prompts are easy to guess or may have to be erased. With
    VIF_KEY_PASSPHRASE set the keys are encrypted.

    Examples:
      vif init runs.vif --origin example.org/lab --name lab-1
      vif init runs.vif --salted --keys ~/lab-keys --encrypt

    With --json: ledger, origin, genesis, salted, size, key_files (by role),
    trust.
    """
    secret = choose_passphrase() if encrypted or PASSPHRASE in os.environ else None
    made = api.init(ledger, origin=origin, salted=salted, keys=keys, name=name, passphrase=secret)
    if as_json:
        output.emit(
            {
                "ledger": str(made.path),
                "origin": made.origin,
                "genesis": made.genesis.hex(),
                "salted": salted,
                "size": 1,
                "key_files": {role: str(path) for role, path in made.key_files.items()},
                "trust": made.trust.decode().strip(),
            }
        )
        return
    output.facts(
        [
            ("ledger", (str(ledger), "bold")),
            ("origin", made.origin),
            ("genesis", made.genesis.hex()),
            ("contents", "salted" if salted else "plain hashes"),
        ]
    )
    output.say()
    output.say(("Private keys", "bold"), "  encrypted" if secret else "  not encrypted")
    output.facts([(role, str(path)) for role, path in made.key_files.items()], indent=2)
    output.say()
    output.say(("Next", "bold"))
    output.say("  Move the authority key to a place that is offline: appending does not need")
    output.say("  it, whoever has it can enrol keys, and without it no key can be revoked.")
    output.say("  Publish the genesis, so that auditors can pin it: ", ("vif key trust", "cyan"))
