"""The experiment against a loopback provider: killed, resumed, exported, verified."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ledger
from ledger.export import export
from tools.provider.client import ROOT, Provider

PAPERS = {
    "ravens": "All ravens are black. This one is a raven. So it is black, unless it was painted.",
    "sorites": "One grain is no heap. A grain more makes no heap. So there are no heaps.",
    "ship": "Plank by plank the ship was renewed, and the old planks were put together again.",
}
KILLED_AT = 7
"""The paid call in the middle of which the experiment is killed."""


def main() -> None:
    """Run it in a folder, by default a temporary one."""
    parser = argparse.ArgumentParser(prog="python -m examples.cross_model")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="a new folder; default a temporary one"
    )
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="vif-cross-model-"))
    (folder / "papers").mkdir(parents=True)
    for name, text in PAPERS.items():
        (folder / "papers" / f"{name}.txt").write_text(text)
    made = ledger.init(folder / "runs.vif", origin="example.org/review", keys=folder / "keys")
    with Provider(folder / "provider.jsonl") as provider:
        provider.faults(*["ok"] * (KILLED_AT - 1), "stall")
        first = start(folder, provider)
        provider.until_waiting()
        first.kill()
        first.wait()
        provider.faults()
        print(f"killed      in the middle of call {provider.paid()}")
        if start(folder, provider).wait():
            raise SystemExit("the experiment failed")
        print(
            f"finished    the provider counts {provider.paid()} calls: 12 and the one that was lost"
        )
    with ledger.open(folder / "runs.vif", keys=folder / "keys") as log:
        for entry in log.find(type="cross_model"):
            print(f"operation   {summary(entry.payload.body)}")
            last = entry.id
        package = export(log, folder / "package")
        (folder / "head.txt").write_bytes(log.head_note())
    print(f"exported    {package.path}")
    if shutil.which("dot"):
        page = folder / "lineage.html"
        command = ["lineage", str(folder / "runs.vif"), last, "--format", "html", "-o", str(page)]
        subprocess.run([sys.executable, "-m", "ledger.cli", *command], cwd=ROOT, check=True)
        print(f"lineage     {page}")
    verify = [sys.executable, "-m", "verifier", str(folder / "package")]
    verify += ["--trust", made.genesis.hex(), "--known-head", str(folder / "head.txt")]
    sys.exit(subprocess.run(verify, cwd=ROOT, check=False).returncode)


def start(folder: Path, provider: Provider) -> subprocess.Popen[bytes]:
    """Start the experiment as a process of its own."""
    environment = os.environ | {
        "ANTHROPIC_BASE_URL": provider.root,
        "ANTHROPIC_API_KEY": "loopback",
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": "loopback",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "examples.cross_model.experiment", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def summary(body: dict[str, Any]) -> str:
    """An operation in one line."""
    cost, quality = body["cost"], body["quality"]
    return (
        f"{body['operation']['name']:<16} {cost['total_usd']:.4f} USD, "
        f"{cost['reduction_percent']:.0f} % below the baseline, "
        f"{quality['preservation']:.0%} of the quality"
    )


if __name__ == "__main__":
    main()
