"""Fixtures of the replay tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A new ledger with its genesis."""
    return Lab(tmp_path)
