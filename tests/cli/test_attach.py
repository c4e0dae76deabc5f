"""`vif export --replay` and `vif attach`: handing over what can be run again, and getting it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ledger
from tests.cli.world import Vif
from tests.replay.planned import WEIGHTS, review, tell


@pytest.fixture
def told(tmp_path: Path) -> dict[str, int]:
    """A ledger `replay.vif` with operations of every kind, its key in the key folder."""
    ledger.init(Path("replay.vif"), origin="example.org/lab", keys=Path("keys"))
    with ledger.open(Path("replay.vif"), keys=Path("keys")) as log:
        return tell(log)


def test_a_package_for_replay(vif: Vif, told: dict[str, int]) -> None:
    """For people what is planned and what it needs; for programs the same numbers."""
    ran = vif("export", "replay.vif", "package", "--replay", "--weights-at", "m=the shelf")
    assert (ran.code, ran.err) == (0, "")
    assert "To be run again: 15 of 18" in ran.out
    for said in ("8, needs an endpoint", "needs a function", "not_recorded", "3"):
        assert said in ran.out
    weights = json.loads(Path("package/data/replay/weights.json").read_bytes())
    assert weights["weights"][0]["at"] == ["the shelf"]
    at = f"{WEIGHTS.hex()}=https://example.org/?a=b"
    said = vif("export", "replay.vif", "p.zip", "--replay", "--weights-at", at, "--json").json
    assert said["replay"]["planned"] == 15
    assert said["replay"]["not_planned"] == 3
    assert said["replay"]["reasons"] == {"not_recorded": 3}
    assert {"engine": "step", "needs": "function", "operations": 1} in said["replay"]["engines"]
    assert said["replay"]["weights"] == 1
    assert vif("export", "replay.vif", "plain", "--json").json["replay"] is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--replay", "--contents", "withheld"], "usage"),
        (["--weights-at", "m=x"], "usage"),
        (["--replay", "--weights-at", "m"], "usage"),
        (["--replay", "--weights-at", "=x"], "usage"),
        (["--replay", "--weights-at", "m="], "usage"),
        (["--replay", "--weights-at", "m=" + "x" * 4097], "usage"),
        (["--replay", "--weights-at", "unknown=x"], "weights_unknown"),
    ],
)
def test_calls_that_make_no_sense(
    vif: Vif, told: dict[str, int], arguments: list[str], code: str
) -> None:
    """They are refused by name, and nothing is written."""
    ran = vif("export", "replay.vif", "package", *arguments, "--json")
    assert (ran.code, ran.error["code"]) == (2, code)
    assert not Path("package").exists()


def test_replays_are_attached(vif: Vif, told: dict[str, int], tmp_path: Path) -> None:
    """A package of a reviewer goes into attachments/; again under another name; not into a zip."""
    assert vif("export", "replay.vif", "package", "--replay").code == 0
    assert vif("export", "replay.vif", "package.zip", "--replay").code == 0
    with ledger.open(Path("replay.vif"), read_only=True) as log:
        other = review(tmp_path / "other", log, told["chat"])
    keys = ["--keys", str(other.folder / "keys")]
    assert vif("export", other.folder / "lab.vif", "review.zip", *keys).code == 0
    ran = vif("attach", "package", "review.zip")
    assert (ran.code, ran.err) == (0, "")
    assert "1 replay of this ledger, 1 with success" in ran.out
    assert f"--trust {other.made.genesis.hex()}" in ran.out
    again = vif("attach", "package", "review.zip", "--json")
    assert (again.code, again.error["code"]) == (2, "export_exists")
    Path("package/attachments/review.zip").unlink()
    said = vif("attach", "package", "review.zip", "--name", "second.zip", "--json").json
    assert said == {
        "attachment": "package/attachments/second.zip",
        "genesis": other.made.genesis.hex(),
        "replays": 1,
        "succeeded": 1,
    }
    into_zip = vif("attach", "package.zip", "review.zip", "--json")
    assert (into_zip.code, into_zip.error["code"]) == (2, "attach_refused")
    assert "--beside" in into_zip.error["hint"]
    assert vif("attach", "package", "nowhere", "--json").error["code"] == "package_invalid"
