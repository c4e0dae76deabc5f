"""`vif key enrol | rotate | revoke`: key events, which are statements of the log (specs/05)."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ledger import Receipt
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder
from ledger.cli.failures import bad_call
from ledger.cli.keyfiles import find_key, folder_of, short
from ledger.cli.ledgers import writing
from ledger.cli.secret import PASSPHRASE, ask_passphrase, choose_passphrase
from ledger.errors import LogError
from ledger.keys import keyfile
from ledger.keys.events import KeyHistory, KeyRecord

__all__ = ["enrol", "revoke", "rotate"]

KeyArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", help="Beginning of a key id, or a name.", show_default=False),
]


def enrol(
    ledger: LedgerFolder, key: KeyArgument, keys: KeysFolder = None, as_json: AsJson = False
) -> None:
    """Let a key sign in a ledger from now on.

    The key is one of your folder, and its role the one that it was made for.
    Needs the authority key. A log key takes the place of the one before.

    Example:
      vif key new producer lab-2
      vif key enrol runs.vif lab-2

    With --json: event, kid, role, name, index, id, size.
    """
    info = find_key(folder_of(keys), key)
    signer = keyfile.load(info.path, ask_passphrase)
    with writing(ledger, keys) as log:
        receipt = log.enrol(signer)
    _report("enrolled", signer.kid, info.role, info.name, receipt, as_json)


def rotate(
    ledger: LedgerFolder, key: KeyArgument, keys: KeysFolder = None, as_json: AsJson = False
) -> None:
    """Replace a key by a new one of the same name.

    Signed by the old key. The new one is made in your folder, encrypted if
    VIF_KEY_PASSPHRASE is set. The old file stays: delete it when nothing uses
    it any more.

    Example:
      vif key rotate runs.vif lab-2

    With --json as vif key enrol; kid is that of the new key.
    """
    folder = folder_of(keys)
    with writing(ledger, keys) as log:
        record = _in_ledger(log.keys(), key)
        if record.role == "authority":
            bad_call("the authority key of a ledger cannot be rotated")
        path = folder.find(record.kid)
        if path is None:
            raise LogError(
                "no_signer",
                f"the key {short(record.kid)} that would sign this is not in {folder.path}",
                hint="name its folder with --keys",
            )
        old = keyfile.load(path, ask_passphrase)
        secret = choose_passphrase() if PASSPHRASE in os.environ else None
        made = keyfile.generate(record.role, record.name, folder.path, passphrase=secret)
        try:
            new = keyfile.load(made, secret)
            receipt = log.rotate(new, old=old)
        except BaseException:
            # A key that was not enrolled would only be mistaken for one that was.
            made.unlink(missing_ok=True)
            raise
    _report("rotated", new.kid, record.role, record.name, receipt, as_json)


def revoke(
    ledger: LedgerFolder,
    key: KeyArgument,
    last_good: Annotated[
        int,
        typer.Option(
            "--last-good",
            metavar="INDEX",
            min=0,
            help="The last statement of this key that is still trusted.",
            show_default=False,
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the log for good.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", metavar="")] = False,
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Distrust everything that a key signed after an index.

    Needs the authority key. It works backwards, by position in the log, and
    cannot be taken back.

    Example:
      vif key revoke runs.vif lab-2 --last-good 41 --reason "laptop stolen"

    With --json as vif key enrol.
    """
    with writing(ledger, keys) as log:
        record = _in_ledger(log.keys(), key)
        if not yes:
            _confirm(record, last_good)
        receipt = log.revoke(record.kid, last_good_index=last_good, reason=reason)
    _report("revoked", record.kid, record.role, record.name, receipt, as_json)


def _in_ledger(history: KeyHistory, typed: str) -> KeyRecord:
    """Find a key of the ledger by its name (the one in use) or the beginning of its id."""
    named = [key for key in history.keys if key.name == typed and key.ended is None]
    by_id = [key for key in history.keys if key.kid.hex().startswith(typed.lower())]
    found = named or (by_id if len(typed) >= 4 else [])
    if not found:
        raise LogError(
            "not_found",
            f"the ledger has no key {typed!r} in use",
            hint="`vif key list LEDGER` shows its keys",
        )
    if len(found) > 1:
        ids = ", ".join(f"{short(key.kid)} ({key.role})" for key in found)
        bad_call(f"{typed!r} may be any of {ids}", hint="name the key by its id")
    return found[0]


def _confirm(record: KeyRecord, last_good: int) -> None:
    if not sys.stdin.isatty():
        bad_call("a revocation cannot be taken back", hint="confirm it with --yes")
    output.note(f"Key {short(record.kid)}, {record.role} {record.name}:")
    output.note(f"nothing that it signed after #{last_good} will be trusted any more.")
    typer.confirm("Revoke it for good?", abort=True, err=True)


def _report(what: str, kid: bytes, role: str, name: str, receipt: Receipt, as_json: bool) -> None:
    if as_json:
        output.emit(
            {
                "event": what,
                "kid": kid.hex(),
                "role": role,
                "name": name,
                "index": receipt.index,
                "id": receipt.id,
                "size": receipt.size,
            }
        )
        return
    output.facts(
        [
            (what, [(short(kid), "bold"), f"  {role} {name}"]),
            ("statement", f"#{receipt.index}  {receipt.id}"),
        ]
    )
