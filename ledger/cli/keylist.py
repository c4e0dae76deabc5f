"""`vif key list`: the keys of a person, and those of a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder
from ledger.cli.failures import show_error
from ledger.cli.keyfiles import folder_of, short, usable
from ledger.cli.ledgers import reading
from ledger.cli.text import pad
from ledger.keys.events import KeyRecord
from ledger.keys.keyfile import KeyFolder, KeyInfo

__all__ = ["info_json", "list_"]


def list_(
    ledger: Annotated[
        Path | None,
        typer.Argument(metavar="LEDGER", help="List the keys of this ledger instead."),
    ] = None,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """List your private keys, or the keys of a ledger.

    Examples:
      vif key list
      vif key list runs.vif

    With --json one object a line: kid, role, name, public_key, encrypted, file;
    for a ledger also introduced, ended, last_good_index (null where not), and
    encrypted and file are null where the private key is not in your folder.
    """
    folder = folder_of(keys)
    if ledger is None:
        _list_folder(folder, as_json)
    else:
        _list_ledger(ledger, folder, as_json)


def _list_folder(folder: KeyFolder, as_json: bool) -> None:
    infos, refused = usable(folder)
    if as_json:
        for info in infos:
            output.emit(info_json(info))
    elif infos:
        output.say((f"{pad('KEY', 18)}{pad('ROLE', 11)}{pad('NAME', 34)}PASSPHRASE", "bold"))
        for info in infos:
            output.say(
                pad(short(info.kid), 18),
                (pad(info.role, 11), "dim"),
                pad(info.name, 34),
                "yes" if info.encrypted else ("no", "yellow"),
            )
    elif not refused:
        output.note(f"no keys in {folder.path}")
    for error in refused:
        show_error(error, as_json=as_json)
    if refused:
        raise typer.Exit(output.EXIT_NO)


def _list_ledger(ledger: Path, folder: KeyFolder, as_json: bool) -> None:
    with reading(ledger) as log:
        records = log.keys().keys
    infos, _ = usable(folder)
    mine = {info.kid: info for info in infos}
    if as_json:
        for record in records:
            output.emit(_record_json(record, mine.get(record.kid)))
        return
    head = f"{pad('KEY', 18)}{pad('ROLE', 11)}{pad('NAME', 19)}{pad('VALID', 19)}PRIVATE KEY"
    output.say((head, "bold"))
    for record in records:
        info = mine.get(record.kid)
        valid, style = _validity(record)
        here = "not here" if info is None else "here, locked" if info.encrypted else "here"
        output.say(
            pad(short(record.kid), 18),
            (pad(record.role, 11), "dim"),
            pad(record.name, 19),
            (pad(valid, 19), style),
            (here, "dim" if info is None else ""),
        )


def _validity(record: KeyRecord) -> tuple[str, str]:
    start = f"#{record.introduced + (1 if record.introduced else 0)}"
    if record.last_good_index is not None:
        return f"{start} to #{record.last_good_index} revoked", "red"
    if record.ended is not None:
        return f"{start} to #{record.ended}", "dim"
    return f"from {start}", "green"


def info_json(info: KeyInfo) -> dict[str, Any]:
    """Return the JSON form of a key file."""
    return {
        "kid": info.kid.hex(),
        "role": info.role,
        "name": info.name,
        "public_key": info.public_key.hex(),
        "encrypted": info.encrypted,
        "file": str(info.path),
    }


def _record_json(record: KeyRecord, info: KeyInfo | None) -> dict[str, Any]:
    return {
        "kid": record.kid.hex(),
        "role": record.role,
        "name": record.name,
        "public_key": record.public_key.hex(),
        "encrypted": None if info is None else info.encrypted,
        "file": None if info is None else str(info.path),
        "introduced": record.introduced,
        "ended": record.ended,
        "last_good_index": record.last_good_index,
    }
