"""`vif prove`: proofs that stand alone, without the ledger (specs/04 section 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder, OutputFile, StatementRef
from ledger.cli.failures import bad_call, write_new
from ledger.cli.ledgers import find_statement, reading
from ledger.formats.note import parse_checkpoint
from ledger.formats.proof_file import parse_consistency, parse_inclusion

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True,
    help="Prove that a statement is in, or that the log only grew.",
)


@commands.command("inclusion")
def inclusion(
    ledger: LedgerFolder, statement: StatementRef, file: OutputFile = None, as_json: AsJson = False
) -> None:
    """Prove that a statement is in the log.

    The proof is a C2SP tlog-proof with the newest signed head, and needs nothing
    else to be checked but the log's key.

    Examples:
      vif prove inclusion runs.vif 12
      vif prove inclusion runs.vif 12 -o receipt.txt

    With --json: index, id, leaf_hash, size, root, hashes (hex), proof (the
    file), file.
    """
    with reading(ledger) as log:
        entry = find_statement(log, statement)
        proof = log.proof(entry.index)
    if file is not None:
        write_new(file, proof)
    parsed = parse_inclusion(proof)
    if as_json:
        output.emit(
            {
                "index": entry.index,
                "id": entry.id,
                "leaf_hash": entry.leaf_hash.hex(),
                **_proof_json(parsed.hashes, parsed.checkpoint, proof, file),
            }
        )
    elif file is None:
        output.say(proof.decode().removesuffix("\n"), keep="\n")
    else:
        output.facts(
            [
                ("statement", f"#{entry.index}  {entry.id}"),
                ("leaf hash", entry.leaf_hash.hex()),
                ("proof", f"{len(parsed.hashes)} hashes"),
                ("written to", str(file)),
            ]
        )


@commands.command("consistency")
def consistency(
    ledger: LedgerFolder,
    old: Annotated[
        int, typer.Argument(metavar="OLD", min=1, help="The earlier size.", show_default=False)
    ],
    new: Annotated[
        int | None,
        typer.Argument(metavar="NEW", min=1, help="The later size; by default the newest."),
    ] = None,
    file: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the log of size OLD is the beginning of the log of size NEW.

    Only the newest head is signed and kept, so a file needs NEW to be the newest
    size; for an earlier one --json gives the hashes.

    Examples:
      vif prove consistency runs.vif 7
      vif prove consistency runs.vif 7 -o growth.txt
      vif prove consistency runs.vif 7 20 --json

    With --json: old, old_root, size, root, hashes (hex), proof (the file, or
    null), file.
    """
    with reading(ledger) as log:
        size = log.head().size
        proof: bytes | None = None
        if new is None or new == size:
            proof = log.consistency_file(old)
            parsed = parse_consistency(proof)
            # Of the head in the file, since the log may have grown in between.
            new, hashes = parse_checkpoint(parsed.checkpoint)[0].size, list(parsed.hashes)
        else:
            hashes = log.prove_consistency(old, new)
        old_root, root = log.root_at(old), log.root_at(new)
    if proof is None and (file is not None or not as_json):
        bad_call(
            f"there is no signed head of size {new}; the newest is {size}",
            hint="leave NEW away, or use --json without a file for the hashes alone",
        )
    if file is not None and proof is not None:
        write_new(file, proof)
    if as_json:
        output.emit(
            {
                "old": old,
                "old_root": old_root.hex(),
                "size": new,
                "root": root.hex(),
                "hashes": [value.hex() for value in hashes],
                "proof": proof and proof.decode(),
                "file": file and str(file),
            }
        )
    elif file is None and proof is not None:
        output.say(proof.decode().removesuffix("\n"), keep="\n")
    else:
        output.facts(
            [
                ("from", f"{old}:{old_root.hex()}"),
                ("to", f"{new}:{root.hex()}"),
                ("proof", f"{len(hashes)} hashes"),
                ("written to", str(file)),
            ]
        )


def _proof_json(
    hashes: tuple[bytes, ...] | list[bytes], checkpoint: bytes, proof: bytes, file: Path | None
) -> dict[str, object]:
    head = parse_checkpoint(checkpoint)[0]
    return {
        "size": head.size,
        "root": head.root.hex(),
        "hashes": [value.hex() for value in hashes],
        "proof": proof.decode(),
        "file": file and str(file),
    }
