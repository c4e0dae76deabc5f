"""The packages about replays: what is wrong in them is wrong only beside something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from ledger.formats import cbor, cose
from ledger.formats.payload import REPLAY_TYPES
from ledger.model import check_parents, from_body

VECTORS = Path(__file__).resolve().parents[2] / "specs" / "vectors"
CASES = sorted(VECTORS.glob("package_replay_*/case.json"))


def payloads(package: Path) -> Iterator[dict[str, Any]]:
    """Yield what the statements of a package of a whole ledger say."""
    with ZipFile(package) as files:
        bundle = next(files.read(name) for name in files.namelist() if "/entries/" in name)
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        yield cbor.decode(cose.parse(bundle[at + 2 : end]).payload)
        at = end


def test_there_are_cases() -> None:
    """Of both outcomes, in the ledger of the witness and in another."""
    names = [file.parent.name for file in CASES]
    assert sum(name.endswith("_fail") for name in names) > 70
    assert sum(not name.endswith("_fail") for name in names) > 60
    assert sum("_beside" in name for name in names) >= 5


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.parent.name)
def test_each_statement_is_good_by_itself(file: Path) -> None:
    """Bodies and numbers of parents are valid; nothing but `replay_mismatch` can be found."""
    kinds = set()
    for payload in payloads(file.parent / "package.zip"):
        check_parents(from_body(payload["type"], payload["body"]), len(payload.get("parents", ())))
        kinds.add(payload["type"])
    assert kinds & REPLAY_TYPES
    assert json.loads(file.read_bytes())["expect"] in ("ok", "replay_mismatch")
