"""The vectors of replay plans, as a replay from a package reads them (specs/13 section 9)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.errors import ReplayError
from ledger.replay.packages import PackageSource
from tests.export.lab import ROOT

CASES = sorted((ROOT / "specs" / "vectors").glob("package_plan_*/case.json"))
VERIFIER_ONLY = ("statements", "models", "environment", "weights", "unexpected")
"""Files beside the plan, which a replay does not rest upon."""


def test_there_are_cases() -> None:
    assert len(CASES) > 50


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.parent.name)
def test_case(file: Path) -> None:
    """What a verifier fails for its plan is refused, everything else is read."""
    case = json.loads(file.read_text())
    name = file.parent.name.removeprefix("package_plan_").removesuffix("_fail")
    beside = name.partition("_")[2].startswith(VERIFIER_ONLY) or name == "unexpected"
    line = name in ("mismatch_weights", "mismatch_weights_none")  # a line's member of that name
    package = file.parent / "package.zip"
    if case["expect"] == "ok" or (beside and not line):
        with PackageSource(package) as source:
            assert len(list(source.witnesses())) == len(source)
        return

    def read() -> None:
        with PackageSource(package) as source:
            list(source.witnesses())

    with pytest.raises(ReplayError) as caught:
        read()
    assert caught.value.code == "package_invalid"
