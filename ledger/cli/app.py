"""The tree of commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from ledger.cli import (
    attach,
    check,
    demo,
    determinism,
    doctor,
    export,
    head,
    import_,
    init,
    keys,
    lineage,
    log,
    operation,
    output,
    prove,
    proxy,
    record,
    replay,
    session,
    show,
    weights,
)
from ledger.cli.failures import as_ledger_error, interrupted, show_error, wants_json

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name="vif",
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_RECORD, _READ, _AGAIN, _PROVE = "Record", "Read", "Run again", "Prove and hand over"
_MANAGE = "Manage"

app.command("init", rich_help_panel=_RECORD)(init.init)
app.command("record", rich_help_panel=_RECORD)(record.record)
app.add_typer(session.commands, name="session", rich_help_panel=_RECORD)
app.command("proxy", rich_help_panel=_RECORD)(proxy.proxy)
app.add_typer(import_.commands, name="import", rich_help_panel=_RECORD)
app.command("log", rich_help_panel=_READ)(log.log)
app.command("show", rich_help_panel=_READ)(show.show)
app.command("lineage", rich_help_panel=_READ)(lineage.lineage)
app.command("operation", rich_help_panel=_READ)(operation.operation)
app.command("head", rich_help_panel=_READ)(head.head)
app.command("check-output", rich_help_panel=_READ)(check.check_output)
app.command("replay", rich_help_panel=_AGAIN)(replay.replay)
app.command("determinism", rich_help_panel=_AGAIN)(determinism.determinism)
app.command("weights", rich_help_panel=_AGAIN)(weights.weights)
app.add_typer(prove.commands, name="prove", rich_help_panel=_PROVE)
app.command("export", rich_help_panel=_PROVE)(export.export)
app.command("attach", rich_help_panel=_PROVE)(attach.attach)
app.add_typer(keys.commands, name="key", rich_help_panel=_MANAGE)
app.command("doctor", rich_help_panel=_MANAGE)(doctor.doctor)
app.command("demo", rich_help_panel=_MANAGE)(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.say("vif ", package_version())
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            callback=_show_version,
            is_eager=True,
            metavar="",
        ),
    ] = False,
) -> None:
    """Prove what an AI did: an append-only ledger of signed AI operations.

    A LEDGER is a folder. `vif init` makes one, `vif record` and `vif import`
    write to it, and `vif export` makes a package that anybody can check offline
    with `vif-verify`. Private keys are never in that folder.

    Examples:
      vif demo                          a whole experiment, recorded and verified
      vif init runs.vif                 a new ledger of your own
      vif log runs.vif                  what is in it
      vif export runs.vif package/      hand it over

    Exit codes: 0 done, or yes; 1 the answer is no; 2 it could not be done.
    """


def package_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("vif-ledger")
    except PackageNotFoundError:
        return "unknown"


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors have been printed."""
    arguments = list(arguments)
    output.prepare()
    try:
        code = app(arguments, prog_name="vif", standalone_mode=False)
        output.flush()
    except output.ReaderGoneError:
        # Whoever asked has seen enough; that is no failure.
        output.discard_output()
        return output.EXIT_OK
    except (KeyboardInterrupt, typer.Abort):
        interrupted()
        return output.EXIT_INTERRUPTED
    except Exception as error:
        shown = as_ledger_error(error)
        if shown is None:
            raise
        if shown.code == "usage" and not shown.message:
            return output.EXIT_ERROR  # the help of a group of commands has been printed instead
        show_error(shown, as_json=wants_json(arguments))
        if shown.code == "system":
            output.discard_output()  # it may be the output itself that cannot be written
        return output.EXIT_ERROR
    if code == output.EXIT_INTERRUPTED:
        interrupted()  # newer versions of Typer return this where older ones raise Abort
    return code if isinstance(code, int) else output.EXIT_OK


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))
