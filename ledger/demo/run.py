"""A whole experiment: recorded, exported, verified by the other program, forged and found out.

Everything happens in one new folder, keys included; nothing outside of it is written. The verifier
runs as a process of its own and is told what an auditor would be told: the genesis and a head.

    runs.vif/      the ledger
    keys/          its private keys, apart from it
    package/       the replication package
    trust.json     the genesis to pin          head.txt    the head to know
    forged/        the package with one bit of one record flipped
    covered-up/    the same, with the manifests of the bag made to fit
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import ledger
from ledger import Entry
from ledger.demo.checking import verify, verify_as_text
from ledger.demo.corpus import Source
from ledger.demo.experiment import Outcome, run_experiment
from ledger.demo.forge import Flip, cover_up, flip_bit
from ledger.demo.service import Service, open_service
from ledger.errors import LedgerError
from ledger.export import ExportResult, export

__all__ = ["DEFAULT_CALLS", "Demo", "Forgery", "Narrator", "new_folder", "run_demo"]

DEFAULT_CALLS = 60
ORIGIN = "vif.example/demo"
SESSION = "demo"
_FOUND = {"leaf_mismatch", "signature_invalid"}


class Narrator(Protocol):
    """Who tells the person at the terminal what is happening."""

    def founded(self, folder: Path, made: ledger.InitResult) -> None:
        """A ledger was made."""

    def asking(
        self, service: Service, sources: Sequence[Source]
    ) -> AbstractContextManager[Callable[[int, int], None]]:
        """Calls are about to be made; the context gives what is to be told of their progress."""

    def asked(self, outcome: Outcome) -> None:
        """All calls were made and recorded."""

    def exported(self, made: ExportResult, package: Path) -> None:
        """The package was written."""

    def verified(self, package: Path, trust: Path, head: Path, report: str) -> None:
        """The verifier found nothing; `report` is what it printed."""

    def forged(self, forgery: Forgery) -> None:
        """A forged package was refused."""


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
    forgeries: tuple[Forgery, ...]


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
    with open_service(sources) as service:
        made = ledger.init(runs, origin=ORIGIN, keys=keys, name="demo")
        narrator.founded(folder, made)
        trust.write_bytes(made.trust)
        with ledger.open(runs, keys=keys, session=SESSION) as log:
            with narrator.asking(service, sources) as tick:
                outcome = run_experiment(log, service, sources, calls, tick)
            narrator.asked(outcome)
            handed_over = export(log, package)
            head.write_bytes(log.head_note())
            victim = log.get(outcome.follow_up.index if outcome.follow_up else 1)
    narrator.exported(handed_over, package)
    code, report = verify_as_text(package, trust, head)
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
    return Demo(
        folder,
        runs,
        package,
        trust,
        head,
        handed_over.genesis,
        handed_over.known_head,
        outcome,
        tuple(forgeries),
    )


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
