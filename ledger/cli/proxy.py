"""`vif proxy`: an address that programs use in place of the provider's (`ledger.proxy`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.ledgers import writing
from ledger.cli.serving import ending_json, handling, say_before, say_ending
from ledger.cli.session_options import (
    AllowHeaders,
    AllowRemote,
    Budget,
    ChangePolicy,
    Corpus,
    DisconnectPolicy,
    Experiment,
    Files,
    Framework,
    Grace,
    Host,
    OnChange,
    OnDisconnect,
    OnUnknown,
    Port,
    UnknownPolicy,
    opened,
    session_options,
)
from ledger.proxy.serve import GRACE_SECONDS, Proxy
from ledger.proxy.target import Rules, Upstream, parse_upstream

if TYPE_CHECKING:
    from ledger.session import Session


def proxy(
    ledger: LedgerFolder,
    upstream: Annotated[
        str,
        typer.Option(
            "--upstream",
            metavar="URL",
            help="The provider's address, as its clients have it.",
            show_default=False,
        ),
    ],
    session: Annotated[
        str,
        typer.Option(
            "--session", "-s", metavar="NAME", help="The session to run.", show_default=False
        ),
    ],
    port: Port = 0,
    host: Host = "127.0.0.1",
    allow_remote: AllowRemote = False,
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
    """Record the calls of programs in any language, as their provider.

    A program uses the printed address in place of the provider's, with its own
    keys, which pass through and are not recorded. No answer is passed on that is
    not durable; what was answered in an earlier run is given again without a
    request, with the header vif-reused. Equal calls are counted for each run of
    the proxy: start it again together with the program, or let the program
    number them (header vif-replicate: N). The header vif-stage names a stage.
    Whoever reaches the address is given recorded answers, without a key.

    Ctrl-C ends the run when the answers under way are in; twice, at once.

    Example:
      vif proxy runs.vif -s pilot --upstream https://api.openai.com/v1

    With --json a line when it is ready: url, upstream, session, run, previous;
    and one at the end: session, run, status, answered, failed, unknown, reused,
    spent_usd, unpriced (answers whose price is not known), saved_usd.
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
    asked = parse_upstream(upstream)
    rules = Rules(remote=allow_remote, finish=on_disconnect is OnDisconnect.FINISH)
    with (
        Proxy([asked], rules, host=host, port=port) as server,
        writing(ledger, keys, signer) as log,
        opened(log, session, options) as run,
    ):
        times = 0

        def end(_: int) -> None:
            nonlocal times
            times += 1
            if times == 1:
                server.stop(grace)  # from here on it only waits for what is under way
            else:
                server.abort()

        with handling(end):
            server.start(run)
            if allow_remote:
                output.note(
                    ("warning: ", "bold yellow"),
                    "whoever reaches this address is given recorded answers, without a key",
                )
            _say_ready(server.urls[asked.name], asked, run, ledger, as_json)
            server.wait()
        status = "complete" if times < 2 else "interrupted"
        ending = ending_json(run, status)
        if status == "interrupted":
            run.close("interrupted", "stopped")
    if as_json:
        output.emit(ending)
    else:
        say_ending(ending)


def _say_ready(url: str, upstream: Upstream, run: Session, ledger: Any, as_json: bool) -> None:
    if as_json:
        ready = {"url": url, "upstream": upstream.url, "session": run.name, "run": run.run}
        output.emit(ready | {"previous": run.previous}, now=True)
        return
    host = urlsplit(upstream.origin).hostname or ""
    variable = "ANTHROPIC_BASE_URL" if host.endswith("anthropic.com") else "OPENAI_BASE_URL"
    number = f"  run {run.run}" + (f", after one that was {run.previous}" if run.previous else "")
    output.facts(
        [
            ("base URL", (url, "bold")),
            ("such as", f"{variable}={url}"),
            ("upstream", upstream.url),
            ("session", [run.name, (number, "dim")]),
        ]
    )
    output.flush()
    say_before(run, ledger)
