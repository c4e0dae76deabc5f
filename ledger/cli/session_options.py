"""Options of the commands that open a session and serve it: the same words for the same things."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger import Ledger
from ledger.capture.headers import HeaderAllowList
from ledger.cli import output
from ledger.cli.failures import bad_call
from ledger.errors import SessionError

if TYPE_CHECKING:
    from ledger.session import Session, SessionOptions

__all__ = [
    "AllowHeaders",
    "AllowRemote",
    "Budget",
    "ChangePolicy",
    "Corpus",
    "DisconnectPolicy",
    "Experiment",
    "Files",
    "Framework",
    "Grace",
    "Host",
    "OnChange",
    "OnDisconnect",
    "OnUnknown",
    "Port",
    "SessionName",
    "UnknownPolicy",
    "opened",
    "session_options",
]


class OnUnknown(StrEnum):
    """What to do about a call that may have been paid and has no answer."""

    ASK = "ask"
    RETRY = "retry"
    FETCH = "fetch"


class OnChange(StrEnum):
    """What to do when files differ from those of the run before."""

    REFUSE = "refuse"
    CONTINUE = "continue"


class OnDisconnect(StrEnum):
    """What to do with a stream whose client goes away."""

    CLOSE = "close"
    FINISH = "finish"


SessionName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the session.", show_default=False)
]
Experiment = Annotated[
    Path | None,
    typer.Option("--experiment", metavar="FILE", help="Freeze: what is done.", show_default=False),
]
Framework = Annotated[
    Path | None,
    typer.Option("--framework", metavar="FILE", help="Freeze: by what rules.", show_default=False),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", metavar="FILE", help="Freeze another file; may be repeated."),
]
Corpus = Annotated[
    Path | None,
    typer.Option(
        "--corpus", metavar="DIR", help="Freeze the list of a folder's files.", show_default=False
    ),
]
UnknownPolicy = Annotated[
    OnUnknown,
    typer.Option("--on-unknown", help="A call that may have been paid, without an answer."),
]
ChangePolicy = Annotated[
    OnChange, typer.Option("--on-change", help="Frozen files that differ from the run before.")
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="USD",
        min=0,
        help="What all runs together may cost.",
        show_default=False,
    ),
]
AllowHeaders = Annotated[
    list[str] | None,
    typer.Option("--allow-header", metavar="NAME", help="Record this header, too; repeatable."),
]
DisconnectPolicy = Annotated[
    OnDisconnect, typer.Option("--on-disconnect", help="A stream whose client goes away.")
]
Grace = Annotated[
    float,
    typer.Option(
        "--grace", metavar="SECONDS", min=0, max=3600, help="At the end: wait for answers."
    ),
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes one that is free.")
]
AllowRemote = Annotated[
    bool, typer.Option("--allow-remote", help="Let other machines in.", metavar="")
]


def session_options(
    *,
    experiment: Path | None,
    framework: Path | None,
    files: list[Path] | None,
    corpus: Path | None,
    on_unknown: OnUnknown,
    on_change: OnChange,
    budget: float | None,
    allow_headers: list[str] | None,
) -> SessionOptions:
    """Return what was typed as keywords of `Ledger.session`; raises LedgerError."""
    if budget is not None and not math.isfinite(budget):
        bad_call("--budget is an amount of US dollars")
    HeaderAllowList(allow_headers or ())  # refuses a secret one before there is a run
    return {
        "experiment": experiment,
        "framework": framework,
        "files": tuple(files or ()),
        "corpus": corpus,
        "on_unknown": on_unknown.value,
        "on_change": on_change.value,
        "budget_usd": budget,
        "allow_headers": tuple(allow_headers or ()),
    }


@contextmanager
def opened(log: Ledger, name: str, options: SessionOptions) -> Iterator[Session]:
    """Open the session's next run; who leaves without closing it has interrupted it."""
    with output.progress("hashing") as tick:
        told = options.copy()
        told["progress"] = tick
        try:
            session = log.session(name, **told)
        except SessionError as error:
            if error.code == "session_changed":
                error.hint = "add --on-change continue, which records the change, or a new name"
            raise
    with session:
        yield session
        session.close()
