"""`vif replay`: recorded operations, run again (specs/13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.failures import bad_call
from ledger.cli.ledgers import find_statement, reading, writing
from ledger.cli.replay_show import replay_json, show_operation_replay, show_run
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
from ledger.cli.text import counted
from ledger.formats.payload import CROSS_MODEL_TYPES
from ledger.model.replay import LEVELS, Level
from ledger.replay import Replay, replay_operation
from ledger.replay import replay as run_again
from ledger.replay.packages import PackageSource
from ledger.replay.replaying import ReplayOptions

__all__ = ["replay"]


def replay(
    ledger: LedgerFolder,
    statements: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID…]",
            help="Witnesses, or operations across models: id or index.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "-s", metavar="NAME", help="All operations of this session."),
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
    ] = 1,
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
    """Run recorded operations again, and say how far the same comes out.

    Each is checked first (prompt, parameters, tool results, weights, contents),
    run, compared at five levels, and recorded in LEDGER as a signed replay
    statement: archive, text, tokens, logprobs, bits. Exit code 0 if all reached
    --level, 1 if not.

    Examples:
      vif replay runs.vif 12 --endpoint http://127.0.0.1:8000/v1
      vif replay runs.vif --session pilot --weights models/tiny --level tokens
      vif replay review.vif --package package/ --step 'clean=tools:clean'

    With --json one object a line: index, id, engine, success, level, levels,
    reason, message, first_difference, logprob_difference, environment_identical,
    expected, replayed (SHA-256 of the output), recorded (index of the statement).
    """
    if session is not None and statements:
        bad_call("--session is all of a session: leave the IDs out, or the session")
    if not statements and session is None and package is None:
        bad_call("say what to replay: IDs, --session or --package")
    wanted = level_of(level)
    opened = reading(ledger) if dry_run else writing(ledger, keys, signer)
    resources = resources_of(
        endpoint=endpoint,
        weights=weights,
        steps=step,
        engine_options=engine_option,
        timeout=timeout,
    )
    with opened as log, output.progress("replaying") as tick:
        options: ReplayOptions = {
            "resources": resources,
            "engine": engine,
            "wanted": wanted,
            "runs": runs,
            "epsilon": epsilon,
            "record": not dry_run,
            "progress": tick,
        }
        if package is not None:
            with PackageSource(package) as source:
                options["source"] = source
                made = run_again(log, statements or (), session=session, **options)
                good = _show(made, wanted, as_json=as_json)
        else:
            good = _own(log, statements or (), session, options, wanted, as_json=as_json)
    if not good:
        raise typer.Exit(output.EXIT_NO)


def _own(
    log: Ledger,
    statements: Iterable[str],
    session: str | None,
    options: ReplayOptions,
    wanted: Level,
    *,
    as_json: bool,
) -> bool:
    """Replay what is in the ledger itself: witnesses, and operations as a whole."""
    witnesses: list[str] = []
    operations: list[str] = []
    for typed in statements:
        found = find_statement(log, typed)
        chosen = operations if found.payload.type in CROSS_MODEL_TYPES else witnesses
        chosen.append(found.id)
    good = True
    if witnesses or not operations:
        made = run_again(log, witnesses, session=session, **options)
        good = _show(made, wanted, as_json=as_json)
    for identifier in operations:
        whole = replay_operation(log, identifier, **options)
        good = good and whole.body.success
        show_operation_replay(whole, as_json=as_json)
    return good


def _show(made: Iterable[Replay], wanted: Level, *, as_json: bool) -> bool:
    """Print runs as they come, and what they make in all."""
    total = reproduced = 0
    levels: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for ran in made:
        total += 1
        reproduced += ran.body.success
        levels[ran.body.level] += 1
        if ran.body.reason is not None:
            reasons[ran.body.reason] += 1
        if as_json:
            output.emit(replay_json(ran), now=True)
        else:
            show_run(ran, first=total == 1)
    if as_json:
        return total == reproduced
    if not total:
        output.note(("nothing to replay", "dim"))
        return True
    output.say()
    style = "green" if reproduced == total else "yellow"
    output.say((f"{reproduced} of {counted(total, 'run')} reproduced at {wanted}", f"bold {style}"))
    reached = [f"{name} {levels[name]}" for name in (*reversed(LEVELS), "none") if levels[name]]
    output.facts([("level reached", ", ".join(reached))], indent=2)
    if reasons:
        named = ", ".join(f"{name} {count}" for name, count in reasons.most_common())
        output.facts([("otherwise", named)], indent=2)
    return total == reproduced
