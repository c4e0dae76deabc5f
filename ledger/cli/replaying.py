"""Options of the commands that run operations again, and what they are for the engines."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.failures import bad_call
from ledger.cli.weights import measured
from ledger.errors import ReplayError
from ledger.model.replay import LEVELS, Level
from ledger.replay.engine import Resources

__all__ = [
    "Endpoint",
    "EngineName",
    "EngineOptions",
    "Epsilon",
    "LevelWanted",
    "Steps",
    "Timeout",
    "Weights",
    "level_of",
    "resources_of",
]

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Run with this one, not with the one that each witness says.",
        show_default=False,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="Where openai and anthropic ask; 'recorded': wherever it was asked, which may cost.",
        show_default=False,
    ),
]
Weights = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights",
        metavar="PATH",
        help="File or folder of weights; may be repeated, the digest decides.",
        show_default=False,
    ),
]
Steps = Annotated[
    list[str] | None,
    typer.Option(
        "--step",
        metavar="NAME=MODULE:FUNCTION",
        help="Run this function for the steps recorded as NAME; may be repeated.",
        show_default=False,
    ),
]
EngineOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--engine-option",
        metavar="KEY=VALUE",
        help="For the engine, such as threads=2; may be repeated.",
        show_default=False,
    ),
]
LevelWanted = Annotated[
    str, typer.Option("--level", metavar="LEVEL", help="What makes a success: " + ", ".join(LEVELS))
]
Epsilon = Annotated[
    float,
    typer.Option("--epsilon", metavar="NATS", min=0.0, help="Tolerance of log-probabilities."),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="For one answer of an endpoint."),
]


def level_of(text: str) -> Level:
    """Return a level by name; raises LedgerError `usage`."""
    for level in LEVELS:
        if text == level:
            return level
    bad_call(f"{text!r} is no level", hint=f"one of {', '.join(LEVELS)}")


def resources_of(
    *,
    endpoint: str | None,
    weights: Sequence[Path] | None,
    steps: Iterable[str] | None,
    engine_options: Iterable[str] | None,
    timeout: float,
    progress: Callable[[str, int, int], None] | None = None,
) -> Resources:
    """Return what the engines may use; raises LedgerError `usage`."""
    for path in weights or ():
        if not path.exists():
            bad_call(f"no weights at {path}")
        _hash(path)
    return Resources(
        weights=tuple(weights or ()),
        endpoint=endpoint,
        steps={name: _function(text) for name, text in _pairs(steps, "--step")},
        options=dict(_pairs(engine_options, "--engine-option")),
        timeout_s=timeout,
        progress=progress,
    )


def _hash(path: Path) -> None:
    """Hash weights with progress; the engine finds the digest in the cache afterwards.

    What cannot be hashed is left to the engine, which may want something else than weights.
    """
    with contextlib.suppress(ReplayError):
        measured(path)


def _pairs(given: Iterable[str] | None, option: str) -> Iterable[tuple[str, str]]:
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            bad_call(f"{option} {text!r} is not of the form NAME=VALUE")
        yield name, value


def _function(text: str) -> Callable[..., Any]:
    """Import a function that was named on the command line, also from the current folder."""
    module, colon, path = text.partition(":")
    if not (module and colon and path):
        bad_call(f"--step: {text!r} is not of the form MODULE:FUNCTION")
    here = str(Path.cwd())
    if here not in sys.path and os.curdir not in sys.path:
        sys.path.insert(0, here)
    try:
        found = pkgutil.resolve_name(text)
    except (ImportError, AttributeError, ValueError) as error:
        bad_call(f"--step: {error}")
    if not callable(found):
        bad_call(f"--step: {text} is no function")
    function: Callable[..., Any] = found
    return function
