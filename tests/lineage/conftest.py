"""A ledger in a temporary folder, and graphs to walk in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger
from tests.helpers.places import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    return Place(tmp_path / "runs.vif", tmp_path / "keys")


@pytest.fixture
def log(place: Place) -> Iterator[Ledger]:
    place.init()
    with place.open() as opened:
        yield opened
