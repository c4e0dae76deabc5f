"""`vif determinism`: whether the same comes out, over several runs of each operation (specs/13)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.determinism_show import show_report
from ledger.cli.failures import bad_call, write_pieces
from ledger.cli.ledgers import find_statement, reading, writing
from ledger.cli.replaying import (
    Endpoint,
    EngineName,
    EngineOptions,
    Epsilon,
    LevelWanted,
    Steps,
    Timeout,
    Weights,
    level_of,
    resources_of,
)
from ledger.errors import LedgerError, LogError
from ledger.formats.values import is_uuid7
from ledger.replay import Report, recorded_determinism
from ledger.replay import determinism as run_again
from ledger.replay.replaying import ReplayOptions
from ledger.replay.report.json import document
from ledger.replay.report.making import RUNS
from ledger.replay.report.page import page

__all__ = ["determinism"]


def determinism(
    ledger: LedgerFolder,
    statements: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Witnesses: id or index.", show_default=False),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "-s", metavar="NAME", help="All operations of this session."),
    ] = None,
    recorded: Annotated[
        bool,
        typer.Option(
            "--recorded", help="Run nothing: report on the replays that LEDGER has.", metavar=""
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report to this new file, as a page of its own.",
            show_default=False,
        ),
    ] = None,
    package: Annotated[
        Path | None,
        typer.Option(
            "--package",
            metavar="PACKAGE",
            help="Operations of this package, of another ledger; LEDGER records what comes out.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, max=1000, help="How often each is run.")
    ] = RUNS,
    level: LevelWanted = "text",
    engine: EngineName = None,
    endpoint: Endpoint = None,
    weights: Weights = None,
    step: Steps = None,
    engine_option: EngineOptions = None,
    epsilon: Epsilon = 1e-5,
    timeout: Timeout = 120.0,
    dry_run: Annotated[
        bool, typer.Option("--no-record", help="Append nothing to LEDGER.", metavar="")
    ] = False,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Run operations several times, and report how deterministic they are.

    For each level: in how many runs the same came out, of how many in which it
    could be observed. What differs in another environment than the recorded one
    is counted apart. Exit code 0 if all runs reached --level, 1 if not.

    Examples:
      vif determinism runs.vif --recorded
      vif determinism runs.vif --recorded --html determinism.html
      vif determinism runs.vif --session pilot --runs 5 --weights models/tiny

    With --json one object: witnesses, runs, answered, succeeded, reproduced,
    wanted, engines, verdicts, nondeterministic, levels, environments,
    runs_in_more_environments, environment_changes, turned_with_environment,
    reasons, confidence_difference, logprob_difference, epsilon, keys, results.
    """
    if session is not None and statements:
        bad_call("--session is all of a session: leave the IDs out, or the session")
    if html is not None and html.exists():
        raise LedgerError(
            "file_exists", f"{html} exists already", hint="choose another name or remove it first"
        )
    given = statements or []
    if recorded:
        if any((package, engine, endpoint, weights, step, engine_option)):
            bad_call("--recorded runs nothing: leave the options of engines out")
        with reading(ledger) as log, output.progress("reading replays") as tick:
            report = recorded_determinism(
                log, _witnesses(log, given, elsewhere=True), session=session, progress=tick
            )
            _show(report, log, html, as_json=as_json)
    else:
        if not given and session is None and package is None:
            bad_call("say what to run: IDs, --session or --package; or --recorded")
        wanted = level_of(level)
        opened = reading(ledger) if dry_run else writing(ledger, keys, signer)
        with opened as log:
            resources = resources_of(
                endpoint=endpoint,
                weights=weights,
                steps=step,
                engine_options=engine_option,
                timeout=timeout,
            )
            options: ReplayOptions = {
                "resources": resources,
                "engine": engine,
                "wanted": wanted,
                "runs": runs,
                "epsilon": epsilon,
                "record": not dry_run,
            }
            report = _run(log, given, session, package, options, html, as_json=as_json)
    if not report.reproduced:
        raise typer.Exit(output.EXIT_NO)


def _run(
    log: Ledger,
    statements: list[str],
    session: str | None,
    package: Path | None,
    options: ReplayOptions,
    html: Path | None,
    *,
    as_json: bool,
) -> Report:
    """Run the operations, of the ledger or of a package, and show what came of it."""
    if package is not None:
        from ledger.replay.packages import PackageSource

        with PackageSource(package) as source:
            options["source"] = source
            with output.progress("running") as tick:
                options["progress"] = tick
                report = run_again(log, statements, session=session, **options)
            _show(report, log, html, as_json=as_json)
        return report
    names = _witnesses(log, statements)
    with output.progress("running") as tick:
        options["progress"] = tick
        report = run_again(log, names, session=session, **options)
    _show(report, log, html, as_json=as_json)
    return report


def _witnesses(log: Ledger, statements: Iterable[str], *, elsewhere: bool = False) -> list[str]:
    """The ids of witnesses; with `elsewhere` also of one in another ledger."""
    found = []
    for typed in statements:
        try:
            entry = find_statement(log, typed)
        except LogError:
            if not (elsewhere and is_uuid7(typed)):
                raise
            found.append(typed)
            continue
        if entry.payload.type != "witness":
            raise LogError(
                "not_found",
                f"#{entry.index} is no witness: {entry.payload.type}",
                hint="`vif replay` replays an operation across models as a whole",
            )
        found.append(entry.id)
    return found


def _show(report: Report, log: Ledger, html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        write_pieces(html, page(report, log.origin, log.genesis))
    if as_json:
        output.emit(document(report))
    elif not report.runs:
        output.note(("no replays", "dim"))
    else:
        show_report(report)
