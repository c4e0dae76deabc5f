"""A ledger in a temporary folder, once with plain and once with salted references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger
from tests.helpers.places import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # Nothing a test forgets to name may end up in the user's own key folder.
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    return Place(tmp_path / "runs.vif", tmp_path / "keys")


@pytest.fixture(params=[False, True], ids=["plain", "salted"])
def log(place: Place, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    place.init(salted=request.param)
    with place.open(session="lab") as opened:
        yield opened
