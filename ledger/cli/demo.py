"""`vif demo`: see the whole of it in a few seconds, without account or network."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from ledger import InitResult
from ledger.cli import output
from ledger.cli.arguments import AsJson
from ledger.cli.failures import bad_call, show_error
from ledger.cli.text import human_bytes
from ledger.demo.corpus import Source, default_sources, read_sources
from ledger.demo.outcome import Outcome
from ledger.demo.review import RUNS, Review
from ledger.demo.run import DEFAULT_CALLS, Demo, Forgery, new_folder, run_demo
from ledger.demo.service import Provider
from ledger.demo.trial import SESSION
from ledger.errors import LedgerError
from ledger.export import ExportResult
from ledger.model.replay import LEVELS

_ASKED_COLUMNS = 12


def demo(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Texts to ask about; our own by default."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="FOLDER", help="New folder for it; vif-demo by default."),
    ] = None,
    calls: Annotated[
        int, typer.Option("--calls", metavar="N", min=3, max=100_000, help="How many calls.")
    ] = DEFAULT_CALLS,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the forged packages.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run an experiment: kill and resume it, verify, forge, and run it again.

    The model is a small one on loopback, asked through the OpenAI SDK; name
    another with OPENAI_BASE_URL, or with OPENAI_API_KEY and OPENAI_MODEL.
    Ledger and keys stay in one new folder. Needs pip install vif-ledger\\[demo].

    Examples:
      vif demo
      vif demo notes/*.md --calls 30 --dir my-demo

    With --json: folder, ledger, package, trust, head, genesis, known_head,
    calls, unknown, reused, runs, paid (by the provider's own count), verified,
    forgeries (package, index, covered_up, exit_code, codes), review (ledger,
    genesis, trust, page, runs, reproduced; null where a service was asked).
    """
    sources = read_sources(files) if files else default_sources()
    if folder is None:
        folder = new_folder(Path())
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        bad_call(f"{folder} exists already", hint="choose a new folder")
    try:
        done = run_demo(folder, sources, calls, _Narrator(as_json), keep=keep)
    except LedgerError as error:
        if error.code != "demo_failed":
            raise
        show_error(error, as_json=as_json)
        raise typer.Exit(output.EXIT_NO) from None
    if as_json:
        output.emit(_json(done))
    else:
        _show_end(done, keep)


class _Narrator:
    """Tells it step by step, or says nothing for a program that reads JSON."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._step = 0

    def founded(self, folder: Path, made: InitResult) -> None:
        if self._silent:
            return
        self._title("A ledger, and its keys apart from it")
        self._facts(
            [
                ("ledger", str(folder / "runs.vif")),
                ("keys", f"{folder / 'keys'}  ({', '.join(made.key_files)})"),
                ("genesis", made.genesis.hex()),
            ]
        )

    @contextmanager
    def asking(
        self, provider: Provider, sources: Sequence[Source]
    ) -> Iterator[Callable[[int, int], None]]:
        if self._silent:
            yield lambda done, total: None
            return
        self._title("Calls to a model, each recorded before its answer is used")
        passages = sum(len(source.passages) for source in sources)
        self._facts(
            [
                ("texts", f"{len(sources)} files, {passages} passages"),
                ("model", f"{provider.model} on {provider.shown}"),
            ],
            _ASKED_COLUMNS,
        )
        with output.progress("asking") as tick:
            yield tick

    def killed(self, so_far: Outcome, paid: int | None) -> None:
        if self._silent:
            return
        self._title("Killed with SIGKILL, in the middle of a call")
        rows = [("recorded", f"{so_far.calls} answers")]
        if paid is not None:
            rows.append(("provider", f"counts {paid} calls: one answer found nobody"))
        self._facts(rows, _ASKED_COLUMNS)

    @contextmanager
    def resuming(self) -> Iterator[Callable[[int, int], None]]:
        if self._silent:
            yield lambda done, total: None
            return
        self._title("The same program, started again")
        with output.progress("asking") as tick:
            yield tick

    def asked(self, outcome: Outcome, paid: int | None) -> None:
        if self._silent:
            return
        rows: list[tuple[str, output.Part | Sequence[output.Part]]] = [
            ("reused", f"{outcome.reused} recorded answers, without asking again"),
            (
                "recorded",
                f"{outcome.calls} answers, {outcome.annotations} annotations, "
                f"{outcome.links} links to parents",
            ),
        ]
        if paid is not None:
            counted = f"counts {paid} calls = {outcome.calls} answers + {outcome.unknown} unknown"
            rows.append(("provider", [(counted, "bold")]))
        rows.append(("cost", f"${outcome.cost_usd:.6f}, {outcome.tokens:,} tokens"))
        if outcome.confidences:
            bands = "  ".join(f"{band} {count}" for band, count in outcome.bands.items())
            mean = fmean(outcome.confidences)
            rows.append(("confidence", f"mean {mean:.2f} by token probability; bands {bands}"))
        if outcome.entropies:
            rows.append(("entropy", f"mean {fmean(outcome.entropies):.2f} nats a token"))
        rows.append(("agreement", f"mean {fmean(outcome.agreements):.2f} between two answers"))
        self._facts(rows, _ASKED_COLUMNS)

    def exported(self, made: ExportResult, package: Path) -> None:
        if self._silent:
            return
        self._title("A package to hand over")
        size = f"{made.files} files, {human_bytes(made.bytes)}"
        self._facts([("package", f"{package}  ({size})"), ("head", made.known_head)])

    def verified(self, package: Path, trust: Path, head: Path, report: str) -> None:
        if self._silent:
            return
        self._title("Verified by the other program, in a process of its own")
        for line in report.rstrip("\n").split("\n"):
            style = "bold green" if line.startswith("VERIFIED") else ""
            output.say("   ", (line, style))

    def forged(self, forgery: Forgery) -> None:
        if self._silent:
            return
        model = forgery.entry.payload.body["model"]["model_id"]
        changed = model[:-1] + chr(forgery.flip.after)
        if forgery.covered_up:
            self._title("The same, and the manifests made to fit")
        else:
            self._title("One bit of one record flipped")
            self._facts(
                [
                    ("record", f"#{forgery.entry.index}  {forgery.entry.id}"),
                    ("model", f"was {model}, now says {changed}"),
                ]
            )
        named = f"  record #{forgery.entry.index}: {', '.join(forgery.record_codes)}"
        output.say("   ", ("FAILED", "bold red"), named)
        if forgery.file_codes:
            output.say(f"           files: {', '.join(forgery.file_codes)}")

    @contextmanager
    def reviewing(self) -> Iterator[Callable[[int, int], None]]:
        if self._silent:
            yield lambda done, total: None
            return
        self._title("Run again by somebody else, from the package alone")
        with output.progress("replaying") as tick:
            yield tick

    def reviewed(self, made: Review) -> None:
        if self._silent:
            return
        report = made.report
        runs = f"{len(report.witnesses)} answers, {RUNS} times each"
        rows: list[tuple[str, output.Part | Sequence[output.Part]]] = [("runs", runs)]
        for level in LEVELS[1:]:
            same, of = report.agreement(level)
            rows.append((level, f"the same in {same} of {of}"))
        rows.append(("report", str(made.page)))
        self._facts(rows, _ASKED_COLUMNS)
        output.say("   signed by the reviewer, attached to the package, and verified with it:")
        output.say("   ", (made.evidence, "bold green"))

    def _title(self, text: str) -> None:
        if self._step:
            output.say()
        self._step += 1
        output.say((f"{self._step}  {text}", "bold"))
        output.flush()

    @staticmethod
    def _facts(
        rows: Sequence[tuple[str, output.Part | Sequence[output.Part]]], columns: int = 0
    ) -> None:
        output.facts(rows, indent=3, label_columns=columns)
        output.flush()


def _show_end(done: Demo, keep: bool) -> None:
    vif, verifier = _command("vif", "ledger.cli"), _command("vif-verify", "verifier")
    runs, package = shlex.quote(str(done.ledger)), shlex.quote(str(done.package))
    record = done.forgeries[0].entry.index
    output.say()
    output.say(("Everything went as it should. ", "bold green"), f"It is all in {done.folder}.")
    if keep:
        names = " and ".join(forgery.package.name for forgery in done.forgeries)
        output.say(f"The forged packages are {names}.")
    output.say()
    output.say(("Try next", "bold"))
    for command in (
        f"{vif} log {runs} --limit 12",
        f"{vif} session show {runs} {SESSION}",
        f"{vif} lineage {runs} {record}",
        *(() if done.review is None else [_report_command(vif, done.review)]),
        f"{verifier} {package} --trust {shlex.quote(str(done.trust))} \\",
        f"  --known-head {shlex.quote(str(done.head))}",
    ):
        output.say("  ", (command, "cyan"))


def _report_command(vif: str, made: Review) -> str:
    return f"{vif} determinism {shlex.quote(str(made.ledger))} --recorded"


def _command(name: str, module: str) -> str:
    """Return what to type for a program, also where its script is not on the path."""
    return name if shutil.which(name) else f"{shlex.quote(sys.executable)} -m {module}"


def _json(done: Demo) -> dict[str, object]:
    return {
        "folder": str(done.folder),
        "ledger": str(done.ledger),
        "package": str(done.package),
        "trust": str(done.trust),
        "head": str(done.head),
        "genesis": done.genesis,
        "known_head": done.known_head,
        "calls": done.outcome.calls,
        "unknown": done.outcome.unknown,
        "reused": done.outcome.reused,
        "runs": done.outcome.runs,
        "paid": done.paid,
        "verified": True,
        "forgeries": [
            {
                "package": str(forgery.package),
                "index": forgery.entry.index,
                "covered_up": forgery.covered_up,
                "exit_code": forgery.exit_code,
                "codes": [*forgery.record_codes, *forgery.file_codes],
            }
            for forgery in done.forgeries
        ],
        "review": None if done.review is None else _review(done.review),
    }


def _review(made: Review) -> dict[str, object]:
    return {
        "ledger": str(made.ledger),
        "genesis": made.genesis,
        "trust": str(made.trust),
        "page": str(made.page),
        "runs": made.report.runs,
        "reproduced": made.report.succeeded,
    }
