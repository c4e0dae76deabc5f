"""`vif session run`: a command whose calls to AI providers are those of a session."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.failures import bad_call
from ledger.cli.ledgers import writing
from ledger.cli.serving import ending_json, handling, say_before, say_ending, say_waiting
from ledger.cli.session_options import (
    AllowHeaders,
    Budget,
    ChangePolicy,
    Corpus,
    DisconnectPolicy,
    Experiment,
    Files,
    Framework,
    Grace,
    OnChange,
    OnDisconnect,
    OnUnknown,
    SessionName,
    UnknownPolicy,
    opened,
    session_options,
)
from ledger.errors import LedgerError
from ledger.proxy.serve import GRACE_SECONDS, Proxy
from ledger.proxy.target import Rules, Upstream, parse_upstream

__all__ = ["run"]

_PROVIDERS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def run(
    ledger: LedgerFolder,
    name: SessionName,
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND...", help="What to run, after --.", show_default=False),
    ],
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            "--upstream",
            metavar="[NAME=]URL",
            help="A provider, openai by name; may be repeated.",
            show_default=False,
        ),
    ] = None,
    experiment: Experiment = None,
    framework: Framework = None,
    file: Files = None,
    corpus: Corpus = None,
    on_unknown: UnknownPolicy = OnUnknown.ASK,
    on_change: ChangePolicy = OnChange.REFUSE,
    on_disconnect: DisconnectPolicy = OnDisconnect.FINISH,
    budget: Budget = None,
    allow_header: AllowHeaders = None,
    grace: Grace = GRACE_SECONDS,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Run a command, and record its calls to AI providers.

    The command finds a proxy in OPENAI_BASE_URL, ANTHROPIC_BASE_URL and
    NAME_BASE_URL for further upstreams; VIF_PROXY_URL is its bare address. Where
    the first two are set already, they name the upstreams. Keys stay its own.
    After a crash run the same line again: recorded answers are given again, and
    nothing is paid twice. The exit code is the command's; the run is complete
    when that is 0. What the command prints is all there is on standard output.

    Example:
      vif session run runs.vif pilot -- python experiment.py

    With --json what the run came to is a line on standard error: session, run,
    status, answered, failed, unknown, reused, spent_usd, unpriced (answers whose
    price is not known), saved_usd, exit_code.
    """
    options = session_options(
        experiment=experiment,
        framework=framework,
        files=file,
        corpus=corpus,
        on_unknown=on_unknown,
        on_change=on_change,
        budget=budget,
        allow_headers=allow_header,
    )
    if shutil.which(command[0]) is None:
        bad_call(f"there is no command {command[0]!r}", hint="write it after --")
    rules = Rules(finish=on_disconnect is OnDisconnect.FINISH)
    with (
        Proxy(_upstreams(upstream or (), os.environ), rules) as server,
        writing(ledger, keys, signer) as log,
        opened(log, name, options) as session,
    ):
        server.start(session)
        if not as_json:
            say_before(session, ledger)
        returned = _run(command, _environment(server, os.environ), server, grace)
        status = "complete" if returned == 0 else "interrupted"
        ending = ending_json(session, status)
        if returned:
            session.close("interrupted", _how(returned))
    code = returned if returned >= 0 else 128 - returned
    if as_json:
        output.emit_error(ending | {"exit_code": code})
    else:
        say_ending(ending)
        if returned:
            output.note((f"{shlex.join(command)[:200]}: {_how(returned)}", "yellow"))
    if code:
        raise typer.Exit(code)


def _upstreams(typed: Iterable[str], environment: Mapping[str, str]) -> list[Upstream]:
    found = {}
    for text in typed:
        one = parse_upstream(text, "openai")
        if one.name in found:
            bad_call(f"two upstreams are named {one.name}", hint="write NAME=URL")
        found[one.name] = one
    for name, url in _PROVIDERS.items():
        if name not in found:
            found[name] = parse_upstream(environment.get(_variable(name)) or url, name)
    return list(found.values())


def _variable(name: str) -> str:
    return name.upper().replace("-", "_") + "_BASE_URL"


def _environment(proxy: Proxy, environment: Mapping[str, str]) -> dict[str, str]:
    made = dict(environment)
    made["VIF_PROXY_URL"] = proxy.address
    for name, url in proxy.urls.items():
        made[_variable(name)] = url
    for variable in ("NO_PROXY", "no_proxy"):
        # A proxy of the network cannot reach this machine's loopback address.
        made[variable] = ",".join(filter(None, [made.get(variable), "127.0.0.1"]))
    return made


def _run(
    command: list[str], environment: dict[str, str], server: Proxy, grace_seconds: float
) -> int:
    """Run the command, then wait for answers that are under way; returns as `Popen.wait`."""
    output.flush()
    child: subprocess.Popen[bytes] | None = None
    ended = False

    def pass_on(number: int) -> None:
        if ended:
            server.abort()
        elif child is not None and not (number == signal.SIGINT and _in_foreground()):
            child.send_signal(number)  # from a terminal, Ctrl-C reaches the command by itself

    with handling(pass_on):
        try:
            child = subprocess.Popen(command, env=environment)
        except OSError as error:
            raise LedgerError("system", f"{command[0]}: {error.strerror}") from None
        returned = child.wait()
        ended = True
        say_waiting(server)
        server.stop(grace_seconds)
        server.wait()
    return returned


def _in_foreground() -> bool:
    """Tell whether this process is what a terminal sends its Ctrl-C to."""
    try:
        return os.tcgetpgrp(sys.__stderr__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return False


def _how(returned: int) -> str:
    if returned > 0:
        return f"exit code {returned}"
    try:
        return f"ended by {signal.Signals(-returned).name}"
    except ValueError:
        return f"ended by signal {-returned}"
