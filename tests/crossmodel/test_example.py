"""The example as a user runs it: two SDKs, killed in the middle, resumed, exported, verified."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from tools.provider.client import ROOT
from verifier import verify_package

BROWSER = shutil.which("chromium")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it ran, with what it printed in `output.txt`."""
    place = tmp_path_factory.mktemp("example") / "run"
    ran = subprocess.run(
        [sys.executable, "-m", "examples.cross_model", str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (place / "output.txt").write_text(ran.stdout, encoding="utf-8")
    return place


def test_no_call_is_paid_for_again(folder: Path) -> None:
    """Twelve calls, and the one whose answer was lost with the process."""
    journal = [json.loads(line) for line in (folder / "provider.jsonl").read_text().splitlines()]
    assert len(journal) == 13
    with ledger.open(folder / "runs.vif", read_only=True) as log:
        statuses = [entry.payload.body["status"] for entry in log.find(type="outcome")]
        assert sorted(statuses) == ["answered"] * 12 + ["unknown"]
        assert sum(1 for _ in log.find(type="cross_model")) == 3


def test_it_verifies_and_counts_its_operations(folder: Path) -> None:
    """Exit code 0, with the pins that were published apart from it."""
    with ledger.open(folder / "runs.vif", read_only=True) as log:
        genesis = log.genesis.hex()
        whole = list(log.find(type="cross_model"))[-1]
        viewed = {entry.leaf_hash.hex() for entry in log.ancestors(whole.id)}
        models = log.resting_on(whole.id).models
    report = verify_package(
        str(folder / "package"),
        trust=genesis,
        known_head=str(folder / "head.txt"),
        lineage=whole.id,
        jobs=1,
    )
    assert report.exit_code == 0
    assert (report.counts["operations"], report.counts["stages"]) == (3, 15)
    assert report.lineage is not None
    assert {one["leaf_hash"] for one in report.lineage["ancestors"]} == viewed
    assert {"thinker-large", "worker-small"} <= set(models)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.skipif(BROWSER is None, reason="no chromium to open the page with")
def test_its_lineage_opens_in_a_browser(folder: Path, tmp_path: Path) -> None:
    """Every statement that the result rests on is on the page, without a complaint."""
    ran = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--enable-logging=stderr", f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=3000", "--dump-dom", f"file://{folder}/lineage.html",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in ran.stderr
    for model in ("thinker-large", "worker-small"):
        assert model in ran.stdout
    assert ran.stdout.count("execution") >= 3
