"""Where the specification's vectors and the public corpora are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
VECTORS = REPO / "specs" / "vectors"
SHARED = Path(os.environ.get("VIF_SHARED", REPO.parent / "shared"))


def shared(*parts: str) -> Path:
    """Return a path in the public corpora, or skip the test when they are not here."""
    path = SHARED.joinpath("vectors", *parts)
    if not path.exists():
        pytest.skip(f"the public vectors are not here: {'/'.join(parts)}")
    return path
