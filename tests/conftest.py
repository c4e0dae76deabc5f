"""What several rooms of tests need: paths, public test data, keys that are the same each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the top folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of public test data: VIF_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("VIF_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no public test data at {folder}; VIF_SHARED names another folder")
    return folder


@pytest.fixture(scope="session")
def make_signer():
    """Return a function that makes the signer whose private key is 32 times one byte."""
    from tools.vectors.lab import signer

    return signer
