"""A reviewer who has only the package: every answer run again, recorded, and handed back.

The reviewer has a ledger and keys of their own, and the model as anybody can make it from the texts
of the package's experiment. Each answer is run three times, in this process, and compared with what
the package says of it; the runs are signed by the reviewer and attached to the package, where the
verifier finds them as evidence of another key.

    review.vif/    the reviewer's ledger       determinism.html    the report
    review-keys/   its private keys            review/             its package
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ledger
from ledger.demo.checking import verify_as_text
from ledger.demo.corpus import Source
from ledger.demo.model import DemoModel
from ledger.errors import LedgerError
from ledger.export import export
from ledger.export.attachments import attach
from ledger.replay import Report, determinism
from ledger.replay.engines.embedded import Embedded
from ledger.replay.packages import PackageSource
from ledger.replay.report.page import page

__all__ = ["RUNS", "Review", "review"]

RUNS = 3
ORIGIN = "vif.example/review"


@dataclass(frozen=True, slots=True)
class Review:
    """What came of it."""

    report: Report
    page: Path
    ledger: Path
    genesis: str
    trust: Path
    evidence: str
    """What the verifier says of it, in one line."""


def review(
    folder: Path,
    package: Path,
    sources: Sequence[Source],
    model: str,
    trust: Path,
    head: Path,
    tick: Callable[[int, int], None],
) -> Review:
    """Run the answers of a package again, and attach what came of it to the package.

    Raises LedgerError `demo_failed` unless all of them come out the same, down to the bits.
    """
    runs, keys = folder / "review.vif", folder / "review-keys"
    made = ledger.init(runs, origin=ORIGIN, keys=keys, name="reviewer")
    pin, html = folder / "review-trust.json", folder / "determinism.html"
    pin.write_bytes(made.trust)
    text = "\n\n".join(passage.text for source in sources for passage in source.passages)
    engine = Embedded(DemoModel.estimate(text, name=model))
    with ledger.open(runs, keys=keys) as log, PackageSource(package) as source:
        report = determinism(
            log, source=source, engine=engine, wanted="bits", runs=RUNS, progress=tick
        )
        html.write_bytes(b"".join(piece.encode() for piece in page(report, ORIGIN, log.genesis)))
        export(log, folder / "review")
    if not report.reproduced:
        raise LedgerError(
            "demo_failed",
            f"{report.runs - report.succeeded} of {report.runs} runs came out otherwise",
            hint=f"see {html}",
        )
    attach(package, folder / "review")
    code, said = verify_as_text(package, (trust, pin), head)
    lines = [line.strip() for line in said.split("\n") if made.genesis.hex() in line]
    evidence = next((line for line in lines if line.startswith("reproduced by key")), "")
    if code != 0 or not evidence:
        raise LedgerError("demo_failed", f"vif-verify gave exit code {code}:\n{said}")
    return Review(report, html, runs, made.genesis.hex(), pin, evidence)
