"""`vif key`: key files, and the key events of a ledger (specs/05)."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, OutputFile
from ledger.cli.failures import bad_call, write_new
from ledger.cli.keyevents import enrol, revoke, rotate
from ledger.cli.keyfiles import encrypt as encrypt_file
from ledger.cli.keyfiles import find_key, folder_of, short
from ledger.cli.keylist import info_json, list_
from ledger.cli.ledgers import reading
from ledger.cli.secret import PASSPHRASE, choose_passphrase
from ledger.formats import note
from ledger.keys import keyfile
from ledger.keys.keyfile import KeyInfo
from ledger.keys.trust import write_trust

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True,
    help="Make, list, protect, enrol, rotate and revoke keys.",
)

commands.command("list")(list_)

Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="Beginning of a key id, name, or file.", show_default=False),
]


@commands.command("new")
def new(
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="producer or log.", show_default=False)
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Who signs; for a log key, the origin.", show_default=False
        ),
    ],
    keys: KeysFolder = None,
    encrypted: Annotated[
        bool, typer.Option("--encrypt", help="Protect it with a passphrase.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a private key, to be enrolled in a ledger.

    With VIF_KEY_PASSPHRASE set it is encrypted.

    Example:
      vif key new producer lab-2
      vif key enrol runs.vif lab-2

    With --json: kid, role, name, public_key, encrypted, file.
    """
    if role not in ("producer", "log"):
        bad_call(
            f"a new key is for a producer or a log, not {role!r}",
            hint="the authority key is made by `vif init` and stays",
        )
    secret = choose_passphrase() if encrypted or PASSPHRASE in os.environ else None
    path = keyfile.generate(role, name, folder_of(keys).path, passphrase=secret)
    _show_info(keyfile.inspect(path), as_json)


@commands.command("show")
def show(key: Key, keys: KeysFolder = None, as_json: AsJson = False) -> None:
    """Show what a key file says; never the private key.

    Example:
      vif key show 72d16faf

    With --json as vif key new.
    """
    _show_info(find_key(folder_of(keys), key), as_json)


@commands.command("encrypt")
def encrypt(key: Key, keys: KeysFolder = None, as_json: AsJson = False) -> None:
    """Protect a key file with a passphrase, or change it.

    The passphrase is asked for, or taken from VIF_KEY_PASSPHRASE; when there is
    one already, the new one from VIF_KEY_NEW_PASSPHRASE. The old file may live
    on in backups and on free blocks of the disk.

    Example:
      vif key encrypt 72d16faf

    With --json as vif key new.
    """
    info = find_key(folder_of(keys), key)
    encrypt_file(info)
    _show_info(keyfile.inspect(info.path), as_json)


@commands.command("vkey")
def vkey(ledger: LedgerFolder, as_json: AsJson = False) -> None:
    """Print the verifier key of the log, for C2SP tools.

    Example:
      vif key vkey runs.vif

    With --json: vkey, kid.
    """
    with reading(ledger) as log:
        record = log.keys().log_key_at(log.head().size)
    text = note.vkey(record.name, record.public_key)
    if as_json:
        output.emit({"vkey": text, "kid": record.kid.hex()})
    else:
        output.say(text)


@commands.command("trust")
def trust(ledger: LedgerFolder, file: OutputFile = None, as_json: AsJson = False) -> None:
    """Write the trust file that pins a ledger.

    Publish it where auditors find it, apart from any package.

    Example:
      vif key trust runs.vif -o lab.trust.json
      vif-verify package/ --trust lab.trust.json

    With --json: origin, genesis, file.
    """
    with reading(ledger) as log:
        origin, genesis = log.origin, log.genesis
    content = write_trust(origin, genesis)
    if file is not None:
        write_new(file, content)
    if as_json:
        output.emit({"origin": origin, "genesis": genesis.hex(), "file": file and str(file)})
    elif file is None:
        output.say(content.decode().rstrip("\n"))
    else:
        output.facts([("origin", origin), ("genesis", genesis.hex()), ("written to", str(file))])


commands.command("enrol")(enrol)
commands.command("rotate")(rotate)
commands.command("revoke")(revoke)


def _show_info(info: KeyInfo, as_json: bool) -> None:
    if as_json:
        output.emit(info_json(info))
        return
    output.facts(
        [
            ("key", short(info.kid)),
            ("role", info.role),
            ("name", info.name),
            ("kid", info.kid.hex()),
            ("public key", info.public_key.hex()),
            ("passphrase", "yes" if info.encrypted else ("no", "yellow")),
            ("file", str(info.path)),
        ]
    )
