"""`vif head`: the newest head, which an auditor is given from outside any package."""

from __future__ import annotations

from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder, OutputFile
from ledger.cli.failures import write_new
from ledger.cli.ledgers import reading
from ledger.cli.text import counted


def head(ledger: LedgerFolder, file: OutputFile = None, as_json: AsJson = False) -> None:
    """Show the newest signed head.

    Publish it: what is before a head that others know cannot be changed
    unseen.

    Examples:
      vif head runs.vif
      vif head runs.vif -o head.txt            the signed checkpoint (C2SP)
      vif-verify package/ --known-head head.txt

    With --json: origin, genesis, size, root, known_head (SIZE:ROOT),
    checkpoint, file.
    """
    with reading(ledger) as log:
        note, genesis = log.head_note(), log.genesis
        newest = log.head()
    if file is not None:
        write_new(file, note)
    known = known_head(newest.size, newest.root)
    if as_json:
        output.emit(
            {
                "origin": newest.origin,
                "genesis": genesis.hex(),
                "size": newest.size,
                "root": newest.root.hex(),
                "known_head": known,
                "checkpoint": note.decode(),
                "file": file and str(file),
            }
        )
        return
    output.facts(
        [
            ("origin", newest.origin),
            ("genesis", genesis.hex()),
            ("size", counted(newest.size, "statement")),
            ("root", newest.root.hex()),
            ("written to", str(file) if file else ""),
        ]
    )
    output.say()
    output.say(known)


def known_head(size: int, root: bytes) -> str:
    """Return a head as `SIZE:ROOT`, the form that fits on one line (specs/05 section 5)."""
    return f"{size}:{root.hex()}"
