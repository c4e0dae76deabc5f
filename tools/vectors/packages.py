"""Cases of specs/07: whole packages, as folders of files below the case's folder."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors.case import Case


def cases() -> Iterator[Case]:
    """Yield the cases of kind package."""
    yield from ()
