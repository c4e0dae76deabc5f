"""Cases of specs/13 in packages: replays, honest ones and those that say otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import replay_honest, replay_operations, replay_wrong
from tools.vectors.bagged import in_zips
from tools.vectors.case import Case


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about replays, each package in one file."""
    for family in (replay_honest, replay_wrong, replay_operations):
        yield from map(in_zips, family.cases())
