"""`vif import vcr` and `vif import otlp`: several files of one kind at once.

A file that was imported before adds nothing and is no error, so that a folder of files can be given
again and again. One that is refused does not keep the others from being taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ledger.capture.importing import ImportResult
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.failures import bad_call, check_readable, show_error
from ledger.cli.importing import (
    Again,
    Redact,
    Session,
    Skip,
    SourceFiles,
    listed,
    members,
    refused,
    show,
)
from ledger.cli.ledgers import writing
from ledger.errors import ImportSourceError

__all__ = ["otlp", "vcr"]

AssumeTime = Annotated[
    str | None,
    typer.Option("--assume-time", metavar="TIME", help="When undated exchanges took place."),
]


def vcr(
    ledger: LedgerFolder,
    files: SourceFiles,
    session: Session = None,
    again: Again = False,
    skip_unreadable: Skip = False,
    redact: Redact = False,
    assume_time: AssumeTime = None,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import VCR cassettes, as vcrpy records them (YAML or JSON).

    Exchanges with a model become witnesses, each at the time of its date header.
    The cassette itself is kept in the archive, so one that holds an API key or a
    cookie is refused; --redact takes a copy without them.

    Example:
      vif import vcr runs.vif cassette.yaml --session pilot

    With --json an object for each file: file, witnesses, annotations, skipped,
    passed, redacted, resumed, session, index, id, size, root, known_head; or file
    and error (code, message, hint).
    """
    from ledger.capture.vcr.importer import import_vcr

    time = _time(assume_time)

    def take(log: object, file: Path, **options: object) -> ImportResult:
        return import_vcr(log, file, assume_time=time, **options)  # type: ignore[arg-type]

    _import(take, ledger, files, session, again, skip_unreadable, redact, keys, signer, as_json)


def otlp(
    ledger: LedgerFolder,
    files: SourceFiles,
    session: Session = None,
    again: Again = False,
    skip_unreadable: Skip = False,
    redact: Redact = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Import OpenTelemetry traces of model calls (OTLP/JSON).

    Spans with GenAI attributes become witnesses; one that encloses others builds
    on them. A file is an export request or has one a line, as the collector
    writes. It is kept in the archive, so one that holds credentials is refused;
    --redact takes a copy without them.

    Example:
      vif import otlp runs.vif traces.jsonl --session pilot

    With --json as vif import vcr.
    """
    from ledger.capture.otlp.importer import import_otlp

    _import(
        import_otlp, ledger, files, session, again, skip_unreadable, redact, keys, signer, as_json
    )


def _import(
    importer: Callable[..., ImportResult],
    ledger: Path,
    files: list[Path],
    session: str | None,
    again: bool,
    skip_unreadable: bool,
    redact: bool,
    keys: Path | None,
    signer: str | None,
    as_json: bool,
) -> None:
    for file in files:
        check_readable(file)
    failed: list[ImportSourceError] = []
    taken, skipped = 0, False
    with writing(ledger, keys, signer, session=session) as log:
        for file in files:
            try:
                with output.progress(f"importing {file.name}") as tick:
                    made = importer(
                        log,
                        file,
                        again=again,
                        skip_unreadable=skip_unreadable,
                        redact=redact,
                        progress=tick,
                    )
            except ImportSourceError as error:
                found = refused(error, skip_unreadable)
                if found.code == "already_imported":
                    taken += 1
                    _note_known(file, found, as_json)
                else:
                    failed.append(found)
                    if len(files) > 1:
                        _note_failed(file, found, as_json)
                continue
            taken += 1
            skipped = skipped or bool(made.skipped)
            _report(file, made, session, as_json)
    if failed and not taken:
        if len(files) > 1:
            raise typer.Exit(output.EXIT_ERROR)
        raise failed[0]
    if failed or skipped:
        raise typer.Exit(output.EXIT_NO)


def _report(file: Path, made: ImportResult, session: str | None, as_json: bool) -> None:
    if not as_json:
        show(made, session, str(file))
        return
    more = {
        "passed": listed(made.passed),
        "redacted": listed(made.redacted),
        "resumed": made.resumed,
    }
    output.emit({"file": str(file), **members(made, session), **more})


def _note_known(file: Path, error: ImportSourceError, as_json: bool) -> None:
    if as_json:
        output.emit({"file": str(file), "error": _error(error)})
    else:
        output.note(("nothing new ", "dim"), f"{file}: {error.message} ({error.hint})")


def _note_failed(file: Path, error: ImportSourceError, as_json: bool) -> None:
    if as_json:
        output.emit({"file": str(file), "error": _error(error)})
    else:
        show_error(error, as_json=False, where=f"{file}: ")


def _error(error: ImportSourceError) -> dict[str, str | None]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        bad_call(f"--assume-time {text!r} is not a time", hint="write 2026-11-20T10:41:00Z")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
