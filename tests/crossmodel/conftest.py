"""A ledger in a temporary folder, with its keys beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger
from tests.helpers.places import Place
from tests.session.lab import Prices


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # Nothing a test forgets to name may end up in the user's own key folder.
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    return Place(tmp_path / "runs.vif", tmp_path / "keys")


@pytest.fixture
def log(place: Place) -> Iterator[Ledger]:
    place.init()
    with place.open() as opened:
        yield opened


@pytest.fixture
def prices() -> Prices:
    return Prices()
