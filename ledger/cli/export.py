"""`vif export`: a package that anybody can check without this ledger."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey, index_range
from ledger.cli.export_replay import replay_counts, show_replay, whereabouts
from ledger.cli.failures import bad_call
from ledger.cli.ledgers import reading, writing
from ledger.cli.text import human_bytes
from ledger.export import ExportResult
from ledger.export import export as write_package

_SESSION_FOLDER = "data/session"
_PARTS = {
    "experiment_snapshot.md": "the experiment, as the newest run froze it",
    "framework_snapshot.md": "the framework, as the newest run froze it",
    "corpus_manifest.json": "names and hashes of the corpus",
    "files": "other files that the newest run froze",
    "sessions": "when what happened, one list a run",
    "llm_archive": "requests and responses, byte for byte",
    "analysis_results": "outputs",
    "system_state": "savepoints",
    "fault_recovery": "crashes, unknown outcomes, repeats, reuse",
}


def export(
    ledger: LedgerFolder,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET",
            help="Folder to make, or a zip if it ends in .zip.",
            show_default=False,
        ),
    ],
    session: Annotated[
        str | None, typer.Option("--session", "-s", metavar="NAME", help="Only this session.")
    ] = None,
    range_: Annotated[
        str | None, typer.Option("--range", metavar="A:B", help="Only indices A to B - 1.")
    ] = None,
    contents: Annotated[
        str,
        typer.Option("--contents", metavar="HOW", help="included, or withheld: hashes only."),
    ] = "included",
    consistency_from: Annotated[
        list[int] | None,
        typer.Option(
            "--consistency-from",
            metavar="SIZE",
            min=1,
            help="For a part: prove that it goes on from this earlier head; may be repeated.",
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="With a plan for running operations again, and REPLAY.md.", metavar=""
        ),
    ] = False,
    weights_at: Annotated[
        list[str] | None,
        typer.Option(
            "--weights-at",
            metavar="NAME=TEXT",
            help="Where weights are to be had, by model or BLAKE3 hex; may be repeated.",
        ),
    ] = None,
    unsigned: Annotated[
        bool,
        typer.Option(
            "--unsigned", help="Without key; readable pages are then unsigned.", metavar=""
        ),
    ] = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Write a package that anybody can check offline.

    Of the whole ledger, a session, or a range: a BagIt bag with an RO-Crate
    inside. The export is recorded in the ledger, and its statement signs every
    page of the package. With --session, data/session/ lays the session out by
    purpose: frozen files, timing, requests and responses, outputs, savepoints,
    faults. With --replay, REPLAY.md tells a reviewer how to run operations again.

    Examples:
      vif export runs.vif package/
      vif export runs.vif pilot.zip --session pilot --contents withheld
      vif export runs.vif part/ --range 100:200 --consistency-from 100
      vif export runs.vif rerun.zip --session pilot --replay

    With --json: package, files, bytes, size, root, genesis, known_head, signed,
    verify (the arguments of vif-verify), session_folder (data/session, or null),
    replay (planned, not_planned, engines, reasons; or null).
    """
    if contents not in ("included", "withheld"):
        bad_call(f"--contents is included or withheld, not {contents!r}")
    if session is not None and range_ is not None:
        bad_call("choose a session or a range, not both")
    if consistency_from and session is None and range_ is None:
        bad_call(
            "--consistency-from is for a part", hint="a whole ledger holds all its earlier heads"
        )
    if replay and contents == "withheld":
        bad_call(
            "--replay needs the contents",
            hint="nothing can be run again without them: leave --contents withheld out",
        )
    if weights_at and not replay:
        bad_call("--weights-at is for a package with --replay")
    start, end = (None, None) if range_ is None else index_range(range_)
    chosen: dict[str, Any] = {"session": session, "start": start, "end": end}
    chosen |= {"contents": contents, "consistency_from": consistency_from or ()}
    chosen |= {"replay": replay, "weights_at": whereabouts(weights_at or ())}
    opened = reading(ledger) if unsigned else writing(ledger, keys, signer)
    with opened as log:
        made = _export(log, target, unsigned=unsigned, **chosen)
    verify = ["vif-verify", str(target), "--trust", made.genesis, "--known-head", made.known_head]
    if as_json:
        output.emit(
            {
                "package": str(target),
                "files": made.files,
                "bytes": made.bytes,
                "size": made.size,
                "root": made.root.hex(),
                "genesis": made.genesis,
                "known_head": made.known_head,
                "signed": not unsigned,
                "verify": verify[1:],
                "session_folder": _SESSION_FOLDER if made.session_folder else None,
                "replay": replay_counts(made.replay) if made.replay else None,
            }
        )
        return
    show_package(made, target)
    show_session_folder(made)
    if made.replay is not None:
        show_replay(made.replay)
    output.say()
    output.say(("Anybody can now check it", "bold"), ", offline and without your ledger:")
    output.say("  ", (f"vif-verify {shlex.quote(str(target))} \\", "cyan"))
    output.say("  ", (f"--trust {made.genesis} \\", "cyan"))
    output.say("  ", (f"--known-head {made.known_head}", "cyan"))


def show_package(made: ExportResult, target: Path) -> None:
    """Print where a package is, and the two values to publish apart from it."""
    output.facts(
        [
            ("package", [(str(target), "bold")]),
            ("", f"{made.files} files, {human_bytes(made.bytes)}"),
        ]
    )
    output.say()
    output.say(("Publish these two", "bold"), " where auditors find them, apart from the package:")
    output.facts([("genesis", made.genesis), ("head", made.known_head)], indent=2)


def show_session_folder(made: ExportResult) -> None:
    """Print what is where in the session folder of a package; nothing if it has none."""
    if made.session_folder:
        output.say()
        output.say(("The session by purpose", "bold"), f", in {_SESSION_FOLDER}/ of the package:")
        output.facts([(part, _PARTS[part]) for part in made.session_folder], indent=2)


def _export(log: Ledger, target: Path, **chosen: Any) -> ExportResult:
    with output.progress("exporting") as tick:
        return write_package(
            log, target, progress=lambda stage, done, total: tick(done, total), **chosen
        )
