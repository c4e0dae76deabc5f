"""Operations across models in the readable parts of a package."""

from __future__ import annotations

from pathlib import Path

import pytest

import ledger
from ledger import Ledger
from ledger.export import across, export
from tests.operations.lab import Story


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with an operation that is combined and one that is open."""
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "keys"))
    ledger.init(tmp_path / "runs.vif", origin="example.org/lab")
    with ledger.open(tmp_path / "runs.vif", session="lab") as log:
        Story(log).tell()
        Story(log, "left").insight()
    return tmp_path / "runs.vif"


def pages(log: Ledger, target: Path, **selection: object) -> tuple[str, str]:
    export(log, target, **selection)  # type: ignore[arg-type]
    return (target / "data/summary.html").read_text(), (target / "README.md").read_text()


def test_a_package_lists_its_operations(runs: Path, tmp_path: Path) -> None:
    """Models, stages, cost, quality, and which are open; of a session as of a ledger."""
    with ledger.open(runs) as log:
        for number, selection in enumerate(({}, {"session": "lab"}, {"start": 0, "end": 4})):
            summary, readme = pages(log, tmp_path / f"package-{number}", **selection)
            assert "Operations across models" in summary
            assert "<code>review/1</code>" in summary
            if "end" in selection:
                assert "0 combined, 1 open" in summary
                continue
            assert "1 combined, 1 open" in summary
            line = "- `review/1`: `strong-1` → `cheap-1`, 3 stages, $0.5, quality 0.500"
            assert line in readme.splitlines()
            assert "- `left/1`: `strong-1`, 1 stage, $0.25, quality 0.500, **open**" in readme


def test_a_ledger_without_operations_says_nothing(tmp_path: Path, runs: Path) -> None:
    """No empty heading."""
    with ledger.open(runs) as log:
        log.record(model="m", prompt="p", output="o")
        summary, readme = pages(log, tmp_path / "package", start=len(log) - 1, end=len(log))
    assert "across models" not in summary + readme


def test_a_page_is_bounded(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of lines operations are counted."""
    monkeypatch.setattr(across, "SHOWN_MAX", 1)
    with ledger.open(runs) as log:
        summary, _ = pages(log, tmp_path / "package")
    assert "<code>left/1</code>" not in summary
    assert "The first 1 are listed" in summary
