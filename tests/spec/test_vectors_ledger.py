"""Every case of specs/vectors, through the ledger's own readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.spec import vectors

FOLDER = Path(__file__).resolve().parents[2] / "specs" / "vectors"
CASES = sorted(path.parent for path in FOLDER.glob("*/case.json"))
RUN = [folder for folder in CASES if not folder.name.startswith("package_")]


@pytest.mark.parametrize("folder", RUN, ids=lambda folder: folder.name)
def test_case(folder: Path) -> None:
    """The ledger accepts what a case says is good and refuses the rest with the code named."""
    vectors.run(folder)


def test_there_are_cases_of_every_kind() -> None:
    """No kind is without a case that is accepted and one that is refused."""
    kinds = {}
    for folder in RUN:
        case = json.loads((folder / "case.json").read_bytes())
        kinds.setdefault(case["kind"], set()).add(case["expect"] == "ok")
    assert kinds == {kind: {True, False} for kind in vectors.KINDS}


def test_the_name_of_a_folder_says_what_is_expected() -> None:
    """A name ends in _fail exactly when the case has to be refused."""
    for folder in CASES:
        case = json.loads((folder / "case.json").read_bytes())
        assert (case["expect"] != "ok") == folder.name.endswith("_fail"), folder.name
