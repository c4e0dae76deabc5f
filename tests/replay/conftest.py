"""A ledger in a temporary folder, with its keys beside it, and the loopback provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.lab import Lab
from tests.helpers.provider import provider
from tests.session.conftest import log, place

__all__ = ["log", "place", "provider"]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A new ledger with its genesis, whose clock and randomness are fixed."""
    return Lab(tmp_path)
