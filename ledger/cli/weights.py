"""`vif weights`: the digest under which a witness names a model's weights (specs/13 section 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson
from ledger.replay.weights import USERS_CACHE, Weights, measure

_MIB = 2**20


def weights(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files or folders of weights.", show_default=False),
    ],
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Read every byte, and remember nothing.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the digest of weights, as witnesses name them.

    BLAKE3 of a file; of a folder, of the list of its files. What was hashed
    before and has not changed since is not read again.

    Examples:
      vif weights model.gguf
      vif weights models/small --no-cache

    With --json, one line for each PATH: path, blake3 (hex), kind (file or
    folder), files, size_bytes.
    """
    for path in paths:
        found = measured(path, cached=not no_cache)
        if as_json:
            output.emit(
                {
                    "path": str(path),
                    "blake3": found.digest.hex(),
                    "kind": "folder" if path.is_dir() else "file",
                    "files": found.files,
                    "size_bytes": found.size_bytes,
                }
            )
        else:
            output.say(found.digest.hex(), "  ", str(path))


def measured(path: Path, *, cached: bool = True) -> Weights:
    """Hash weights, and show how far it is."""
    with output.progress(f"hashing {path} (MiB)") as tick:
        return measure(
            path,
            progress=lambda done, total: tick(done // _MIB, -(-total // _MIB)),
            cache=USERS_CACHE if cached else None,
        )
