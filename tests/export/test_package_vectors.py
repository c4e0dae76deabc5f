"""The package vectors, given to the verifier as another program (specs/07, specs/08)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.export.lab import ROOT, verify

VECTORS = ROOT / "specs" / "vectors"
CASES = sorted(VECTORS.glob("package_*/case.json"))


def test_there_are_cases() -> None:
    """A checkout without vectors is noticed."""
    assert len(CASES) > 50


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.parent.name)
def test_case(file: Path) -> None:
    """Exit code and codes are those of the case; a good package has no failing finding."""
    case = json.loads(file.read_text())
    folder = file.parent / "package"
    arguments = ["--json"]
    pins = case["trust"] if isinstance(case["trust"], list) else [case["trust"]]
    heads, beside = [case["known_head"]], [str(file.parent / one) for one in case.get("beside", ())]
    for option, given in (("--trust", pins), ("--known-head", heads), ("--beside", beside)):
        arguments += [part for one in given if one is not None for part in (option, one)]
    ran = verify(folder if folder.is_dir() else file.parent / "package.zip", *arguments)
    assert ran.returncode == case["exit_code"], ran.stdout + ran.stderr
    findings = json.loads(ran.stdout)["findings"]
    codes = {one["code"] for one in findings if one["severity"] != "note"}
    if "notes" in case:
        assert {one["code"] for one in findings} - codes == set(case["notes"])
    if case["expect"] == "ok":
        assert codes == set(case["codes"])
    else:
        assert case["expect"] in codes
