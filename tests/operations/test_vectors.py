"""The packages of operations among the vectors, examined as ledgers (specs/12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ledger
from ledger.keys.signer import Signer
from tests.helpers.places import problems
from tests.helpers.replica import is_whole, replicate

VECTORS = Path(__file__).resolve().parents[2] / "specs" / "vectors"
CASES = [
    case
    for case in sorted(VECTORS.glob("package_operation_*"))
    if (case / "package.zip").is_file()
    and is_whole(case / "package.zip")
    and "beside" not in json.loads((case / "case.json").read_text())
]


def test_there_are_cases() -> None:
    """The rule below would hold for none."""
    assert len(CASES) > 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_ledger_finds_what_the_page_says(
    case: Path, tmp_path: Path, make_signer: Callable[[int, str, str], Signer]
) -> None:
    """The same codes as a verifier finds in the package, by reader and doctor."""
    said = json.loads((case / "case.json").read_text())
    path = replicate(
        case / "package.zip", tmp_path / "runs.vif", make_signer(2, "example.org/lab", "log")
    )
    with ledger.open(path, read_only=True) as log:
        findings = [one for report in log.operations() for one in report.findings]
    failed = {one.code for one in findings if one.severity == "fail"}
    if said["expect"] == "ok":
        assert not failed, findings
        notes = {one.code for one in findings if one.severity == "note"}
        assert ("operation_open" in notes) == ("operation_open" in said.get("notes", []))
    else:
        assert said["expect"] in failed, findings
    doctored = {one.code for one in problems(path) if one.severity == "fail"}
    assert failed <= doctored
