"""What the commands print: one place for colour, alignment, JSON, progress and a reader that left.

Standard output carries the answer and nothing else; remarks, progress and errors go to standard
error. Every piece of text passes through `visible`, and none is ever read as Rich markup, so a
record cannot write to the terminal what it likes. Colours appear on a terminal only (NO_COLOR and
FORCE_COLOR are respected).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ledger.cli.text import clip, pad, visible, visible_json, width

__all__ = [
    "EXIT_ERROR",
    "EXIT_INTERRUPTED",
    "EXIT_NO",
    "EXIT_OK",
    "Part",
    "ReaderGoneError",
    "columns",
    "discard_output",
    "emit",
    "emit_error",
    "facts",
    "fit",
    "flush",
    "note",
    "plain_line",
    "prepare",
    "progress",
    "say",
    "text_of",
    "write_bytes",
]

EXIT_OK = 0
"""Done; or the answer is yes."""
EXIT_NO = 1
"""The answer is no: content that does not match, a damaged ledger, input lines refused."""
EXIT_ERROR = 2
"""It could not be done: a wrong call, a missing file, a refused record. Nothing was changed."""
EXIT_INTERRUPTED = 130
"""Stopped with Ctrl-C."""

Part: TypeAlias = str | tuple[str, str]
"""A piece of a line: text, or text with a Rich style."""


class ReaderGoneError(Exception):
    """Whoever read our standard output has closed it, as `| head` does."""


def prepare() -> None:
    """Make both streams fit to be written to, whatever the shell has done to them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as `>&-` does
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            # Where the encoding lacks a letter, an escape is printed.
            reconfigure(errors="backslashreplace")


def say(*parts: Part, keep: str = "") -> None:
    """Print one line to standard output; `keep` lists control characters that are meant."""
    _print(sys.stdout, parts, keep)


def note(*parts: Part) -> None:
    """Print one line to standard error."""
    _print(sys.stderr, parts, "")


def facts(
    rows: Iterable[tuple[str, Part | Sequence[Part]]], *, indent: int = 0, label_columns: int = 0
) -> None:
    """Print aligned lines of a label and a value; a row without a value is left out."""
    shown = [(label, value) for label, value in rows if value]
    column = max([label_columns - 2, *(width(label) for label, _ in shown)]) + 2
    for label, value in shown:
        parts = value if isinstance(value, list) else [value]
        say(" " * indent, (pad(label, column), "dim"), *parts)


def text_of(part: Part) -> str:
    """Return a piece without its style."""
    return part if isinstance(part, str) else part[0]


def plain_line(parts: Iterable[Part]) -> str:
    """Return a line as `say` prints it where there is no terminal."""
    return "".join(visible(text_of(part)) for part in parts) + "\n"


def fit(parts: Iterable[Part], room: int) -> list[Part]:
    """Return the pieces cut to so many columns of a terminal."""
    fitted: list[Part] = []
    for part in parts:
        # Escaped before it is measured: an escape takes more room than what it stands for.
        text = clip(visible(text_of(part)), room)
        fitted.append(text if isinstance(part, str) else (text, part[1]))
        room -= width(text)
        if room <= 0:
            break
    return fitted


def emit(value: Any, *, now: bool = False) -> None:
    """Print a value as one line of JSON to standard output; `now` for a reader that waits."""
    _write(sys.stdout, _json(value) + "\n")
    if now:
        flush()


def flush() -> None:
    """Hand everything printed so far to the reader."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None


def emit_error(value: Any) -> None:
    """Print a value as one line of JSON to standard error."""
    _write(sys.stderr, _json(value) + "\n")


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write bytes to standard output exactly as they are."""
    flush()
    raw = sys.stdout.buffer
    try:
        for chunk in chunks:
            raw.write(chunk)
        raw.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None


def columns() -> int | None:
    """Return the width of the terminal, or None when standard output is not one."""
    return Console(file=sys.stdout).width if sys.stdout.isatty() else None


def discard_output() -> None:
    """Let the rest of the output go nowhere, so that leaving does not fail on a closed pipe."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


class Ticker(Protocol):
    """What `progress` hands to a loop: call it with how much is done, and of how much."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Show that `done` units of `total` are done."""


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Ticker]:
    """Show a bar on standard error while a loop runs, where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total=None: None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)

        def tick(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield tick


def _json(value: Any) -> str:
    return visible_json(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _print(stream: TextIO, parts: Iterable[Part], keep: str) -> None:
    line = [
        (visible(part, keep=keep), "")
        if isinstance(part, str)
        else (visible(part[0], keep=keep), part[1])
        for part in parts
    ]
    if stream.isatty() or "FORCE_COLOR" in os.environ:
        console = Console(file=stream, highlight=False, emoji=False, markup=False)
        console.print(Text.assemble(*line), soft_wrap=True)
    else:
        _write(stream, "".join(text for text, _ in line) + "\n")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except BrokenPipeError:
        raise ReaderGoneError from None
