"""`vif doctor`: is everything in the folder what the entries imply, and are the keys at hand?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

import ledger as api
from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder
from ledger.cli.keyfiles import folder_of, short
from ledger.cli.text import counted, pad
from ledger.doctor import Problem, examine, rebuild_views
from ledger.errors import KeyFileError, LedgerError
from ledger.keys import keyfile
from ledger.keys.events import KeyRecord
from ledger.keys.keyfile import KeyFolder

PROBLEMS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class KeyState:
    """Whether the private part of a key that the ledger needs is in the key folder."""

    role: str
    name: str
    kid: bytes
    here: bool
    encrypted: bool


def doctor(
    ledger: LedgerFolder,
    keys: KeysFolder = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild-views", help="Make the look-up tables again.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a whole ledger, and whether its keys are at hand.

    Every statement, signature, hash, table and content is looked at. Nothing
    is changed, and others may append meanwhile. Exit code 0 if all is sound, 1
    if not. Look-up tables can be made again; damage to anything else means
    restoring the folder from a copy.

    Examples:
      vif doctor runs.vif
      vif doctor runs.vif --rebuild-views

    With --json: sound, origin, size, problems (severity, code, table, key,
    message, expected, found; at most 100), problem_count, keys (role, name,
    kid, here, encrypted).
    """
    if rebuild:
        with output.progress("rebuilding") as tick:
            rebuild_views(ledger, progress=lambda what, done, total: tick(done, total))
    with output.progress("examining") as tick:
        found = examine(ledger, progress=lambda what, done, total: tick(done, total))
        problems = list(islice(found, PROBLEMS_SHOWN))
        more = [problem.severity for problem in found]
    states, key_problems, origin, size = _keys(ledger, folder_of(keys))
    problems += key_problems
    sound = all(one.severity == "note" for one in problems) and "fail" not in more
    if as_json:
        output.emit(
            {
                "sound": sound,
                "origin": origin,
                "size": size,
                "problems": [_problem_json(problem) for problem in problems],
                "problem_count": len(problems) + len(more),
                "keys": [_key_json(state) for state in states],
            }
        )
    else:
        _show(ledger, origin, size, sound, problems, len(more), states)
    if not sound:
        raise typer.Exit(output.EXIT_NO)


def _show(
    folder: Path,
    origin: str | None,
    size: int | None,
    sound: bool,
    problems: list[Problem],
    more: int,
    states: list[KeyState],
) -> None:
    verdict = ("sound", "bold green") if sound else ("damaged", "bold red")
    about = f"  {origin}, {counted(size, 'statement')}" if origin and size else ""
    output.say(verdict, f"  {folder}", about)
    if sound:
        output.say("  statements, signatures, streams, tree, head and contents agree")
    for problem in problems:
        style = "bold red" if problem.severity == "fail" else "yellow"
        place = f"{problem.table} {problem.key}".strip()
        output.say("  ", (problem.code, style), f"  {place}: {problem.message}")
        if problem.expected or problem.found:
            output.say((f"    expected {problem.expected or 'nothing'}", "dim"))
            output.say((f"    found    {problem.found or 'nothing'}", "dim"))
    if more:
        output.say(f"  and {more} more")
    if states:
        output.say()
        output.say(("Private keys", "bold"))
    for state in states:
        where: output.Part = ("not here", "yellow")
        if state.here:
            where = "here, with a passphrase" if state.encrypted else "here, without a passphrase"
        label = f"  {pad(state.role, 10)}{pad(state.name, 26)}  "
        output.say(label, (short(state.kid), "dim"), "  ", where)


def _keys(
    folder: Path, keys: KeyFolder
) -> tuple[list[KeyState], list[Problem], str | None, int | None]:
    """Look at the keys that the ledger needs now, and for keys where none should be."""
    problems = [
        Problem("key_in_ledger", "folder", path.name, "whoever gets the ledger gets this key")
        for path in _pem_files(folder)
    ]
    try:
        with api.open(folder, read_only=True) as log:
            size, origin, history = len(log), log.origin, log.keys()
            needed = [history.log_key_at(size), *history.producers_at(size)]
    except LedgerError:
        return [], problems, None, None  # what is wrong has been found by the examination
    states = []
    for record in needed:
        try:
            states.append(_state(keys, record))
        except KeyFileError as error:
            problems.append(Problem(error.code, "key", short(record.kid), error.message))
    return states, problems, origin, size


def _pem_files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.pem")
    yield from folder.glob("keys/*.pem")


def _state(keys: KeyFolder, record: KeyRecord) -> KeyState:
    path = keys.find(record.kid)
    encrypted = path is not None and keyfile.inspect(path).encrypted
    return KeyState(record.role, record.name, record.kid, path is not None, encrypted)


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "code": problem.code,
        "table": problem.table,
        "key": problem.key,
        "message": problem.message,
        "expected": problem.expected or None,
        "found": problem.found or None,
    }


def _key_json(state: KeyState) -> dict[str, Any]:
    return {
        "role": state.role,
        "name": state.name,
        "kid": state.kid.hex(),
        "here": state.here,
        "encrypted": state.encrypted,
    }
