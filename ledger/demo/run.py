"""A whole experiment: killed, resumed, exported, verified, forged, found out, and run again.

Everything happens in one new folder, keys included; nothing outside of it is written. The
experiment is a process of its own, which is killed in the middle of a call and started again. The
verifier is one too, and is told what an auditor would be told: the genesis and a head.

    texts/         what is asked about          experiment.md    what is done
    runs.vif/      the ledger
    keys/          its private keys, apart from it
    package/       the replication package
    trust.json     the genesis to pin          head.txt    the head to know
    forged/        the package with one bit of one record flipped
    covered-up/    the same, with the manifests of the bag made to fit
    review…        what a reviewer made of the package (`ledger.demo.review`)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import ledger
from ledger import Entry
from ledger.demo.checking import verify, verify_as_text
from ledger.demo.corpus import Source
from ledger.demo.forge import Flip, cover_up, flip_bit
from ledger.demo.outcome import Outcome, read_outcome
from ledger.demo.plan import CALLS_A_ROUND
from ledger.demo.review import Review, review
from ledger.demo.service import Provider, open_provider
from ledger.demo.trial import SESSION, Job
from ledger.errors import LedgerError
from ledger.export import ExportResult, export

__all__ = ["DEFAULT_CALLS", "Demo", "Forgery", "Narrator", "new_folder", "run_demo"]

DEFAULT_CALLS = 60
ORIGIN = "vif.example/demo"
_FOUND = {"leaf_mismatch", "signature_invalid"}
_PLAN = """# Agreement of two answers

For each of {rounds} passages, ask the model {model} the same question twice, with other seeds and
temperatures, and then what the two answers say together. Score how far they use the same words.
"""


class Narrator(Protocol):
    """Who tells the person at the terminal what is happening."""

    def founded(self, folder: Path, made: ledger.InitResult) -> None:
        """A ledger was made."""

    def asking(
        self, provider: Provider, sources: Sequence[Source]
    ) -> AbstractContextManager[Callable[[int, int], None]]:
        """Calls are about to be made; the context gives what is to be told of their progress."""

    def killed(self, so_far: Outcome, paid: int | None) -> None:
        """The experiment was killed; `paid` is the provider's own count of calls."""

    def resuming(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """The same program is about to be started again."""

    def asked(self, outcome: Outcome, paid: int | None) -> None:
        """All calls were made and recorded."""

    def exported(self, made: ExportResult, package: Path) -> None:
        """The package was written."""

    def verified(self, package: Path, trust: Path, head: Path, report: str) -> None:
        """The verifier found nothing; `report` is what it printed."""

    def forged(self, forgery: Forgery) -> None:
        """A forged package was refused."""

    def reviewing(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """Somebody is about to run everything again."""

    def reviewed(self, made: Review) -> None:
        """Everything was run again."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """A package that was tampered with, and what the verifier said of it."""

    package: Path
    flip: Flip
    entry: Entry
    covered_up: bool
    exit_code: int
    record_codes: tuple[str, ...]
    file_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demo:
    """Where everything is, and what was found."""

    folder: Path
    ledger: Path
    package: Path
    trust: Path
    head: Path
    genesis: str
    known_head: str
    outcome: Outcome
    paid: int | None
    """Calls by the provider's own count, where it can be asked."""
    forgeries: tuple[Forgery, ...]
    review: Review | None
    """None where a service was asked, which would have to be paid again."""


def new_folder(parent: Path, name: str = "vif-demo") -> Path:
    """Return a folder that is not there yet: `vif-demo`, or `vif-demo-2` and so on."""
    folder, number = parent / name, 1
    while folder.exists() or folder.is_symlink():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder


def run_demo(
    folder: Path, sources: Sequence[Source], calls: int, narrator: Narrator, *, keep: bool = False
) -> Demo:
    """Run the experiment in a new folder; `keep` leaves the forged packages there.

    Raises LedgerError: `demo_failed` if anything does not go as shown, `demo_needs_openai`,
    `demo_service`, and what the ledger raises.
    """
    runs, keys, package = folder / "runs.vif", folder / "keys", folder / "package"
    trust, head = folder / "trust.json", folder / "head.txt"
    with open_provider(sources) as provider:
        made = ledger.init(runs, origin=ORIGIN, keys=keys, name="demo")
        narrator.founded(folder, made)
        trust.write_bytes(made.trust)
        job = _lay_out(folder, sources, provider, calls)
        with narrator.asking(provider, sources) as tick:
            _kill_half_way(job, provider, tick)
        narrator.killed(_read(runs), _paid(provider))
        with narrator.resuming() as tick:
            _finish(replace(job, on_unknown="retry"), tick)
        outcome, paid = _read(runs), _paid(provider)
    if paid is not None and paid != outcome.calls + outcome.unknown:
        raise LedgerError(
            "demo_failed",
            f"the provider counted {paid} calls; the ledger has {outcome.calls} answers "
            f"and {outcome.unknown} unknown outcomes",
        )
    narrator.asked(outcome, paid)
    with ledger.open(runs, keys=keys) as log:
        handed_over = export(log, package, replay=True)
        head.write_bytes(log.head_note())
    assert outcome.last is not None  # there is at least one round
    victim = outcome.last
    narrator.exported(handed_over, package)
    code, report = verify_as_text(package, [trust], head)
    if code != 0 or not report.startswith("VERIFIED"):
        raise LedgerError("demo_failed", f"vif-verify gave exit code {code}:\n{report}")
    narrator.verified(package, trust, head, report)
    forgeries = []
    for name, covered_up in (("forged", False), ("covered-up", True)):
        forgery = _forge(package, folder / name, victim, handed_over.size, trust, head, covered_up)
        narrator.forged(forgery)
        forgeries.append(forgery)
        if not keep:
            shutil.rmtree(forgery.package)
    reviewed = None
    if provider.server is not None:
        with narrator.reviewing() as tick:
            reviewed = review(folder, package, sources, provider.model, trust, head, tick)
        narrator.reviewed(reviewed)
    return Demo(
        folder,
        runs,
        package,
        trust,
        head,
        handed_over.genesis,
        handed_over.known_head,
        outcome,
        paid,
        tuple(forgeries),
        reviewed,
    )


def _lay_out(folder: Path, sources: Sequence[Source], provider: Provider, calls: int) -> Job:
    """Write what the experiment depends on, which its session will freeze."""
    texts, plan = folder / "texts", folder / "experiment.md"
    texts.mkdir()
    for number, source in enumerate(sources, 1):
        place = texts / source.name
        if place.exists():  # two folders may have a file of one name
            place = texts / f"{number}-{source.name}"
        place.write_bytes(source.content)
    rounds = max(1, calls // CALLS_A_ROUND)
    plan.write_text(_PLAN.format(rounds=rounds, model=provider.model), encoding="utf-8")
    return Job(
        ledger=str(folder / "runs.vif"),
        keys=str(folder / "keys"),
        base_url=provider.base_url,
        model=provider.model,
        texts=str(texts),
        experiment=str(plan),
        calls=calls,
        on_unknown="ask",
    )


def _start(job: Job) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ledger.demo.trial", job.to_json()]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def _kill_half_way(job: Job, provider: Provider, tick: Callable[[int, int], None]) -> None:
    """Start the experiment and kill it, with SIGKILL, while one of its calls is under way."""
    total = max(1, job.calls // CALLS_A_ROUND) * CALLS_A_ROUND
    victim = total // 2 + 1
    with _start(job) as running:
        if provider.server is not None:
            # The provider has done its work for this call, and its answer will find nobody.
            provider.server.watch(lambda number: running.kill() if number == victim else None)
        _follow(running, tick, None if provider.server else lambda done: done >= victim)
        said = running.stderr.read() if running.stderr else ""
    if provider.server is not None:
        provider.server.watch(lambda number: None)
    if running.returncode >= 0 and (running.returncode or provider.server):
        raise LedgerError("demo_failed", f"the experiment ended by itself: {said.strip()}")


def _finish(job: Job, tick: Callable[[int, int], None]) -> None:
    with _start(job) as running:
        _follow(running, tick, None)
        said = running.stderr.read() if running.stderr else ""
    if running.returncode:
        raise LedgerError("demo_failed", f"the experiment could not go on: {said.strip()}")


def _follow(
    running: subprocess.Popen[str],
    tick: Callable[[int, int], None],
    enough: Callable[[int], bool] | None,
) -> None:
    assert running.stdout is not None  # it was asked for
    for line in running.stdout:
        done, total = map(int, line.split())
        tick(done, total)
        if enough is not None and enough(done):
            running.kill()


def _read(runs: Path) -> Outcome:
    with ledger.open(runs, read_only=True) as log:
        return read_outcome(log, SESSION)


def _paid(provider: Provider) -> int | None:
    return provider.server.calls if provider.server else None


def _forge(
    package: Path, copy: Path, victim: Entry, size: int, trust: Path, head: Path, covered_up: bool
) -> Forgery:
    shutil.copytree(package, copy)
    model = victim.payload.body["model"]["model_id"]
    flip = flip_bit(copy, victim.index, size, model.encode())
    if covered_up:
        cover_up(copy, flip.path)
    verdict = verify(copy, trust, head)
    codes, files = verdict.codes_at(victim.index), verdict.codes_of_files()
    named = verdict.exit_code == 1 and bool(_FOUND & set(codes))
    if not named or (covered_up and "file_mismatch" in files):
        raise LedgerError(
            "demo_failed",
            f"{copy}: record {victim.index} was changed, and vif-verify says "
            f"{verdict.verdict} with {', '.join(codes + files) or 'no finding'}",
        )
    return Forgery(copy, flip, victim, covered_up, verdict.exit_code, tuple(codes), tuple(files))
