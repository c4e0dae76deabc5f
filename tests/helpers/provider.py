"""Fixtures: the loopback provider, one for a test or one for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.provider.answers import serial_of
from tools.provider.client import Provider
from tools.provider.journal import Entry

__all__ = ["Entry", "Provider", "module_provider", "provider", "serial_of"]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """A provider that has counted nothing yet."""
    with Provider(tmp_path / "provider.jsonl") as running:
        yield running


@pytest.fixture(scope="module")
def module_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider for all tests of a module, for those that only look at differences."""
    with Provider(tmp_path_factory.mktemp("provider") / "provider.jsonl") as running:
        yield running
