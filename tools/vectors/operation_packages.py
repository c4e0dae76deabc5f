"""Cases of specs/12 in packages: what the statements of an operation say together."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import (
    operation_built,
    operation_claims,
    operation_kinds,
    operation_ledgers,
    operation_numbers,
    operation_parts,
    operation_stages,
    operation_stories,
    operation_texts,
)
from tools.vectors.bagged import in_zips
from tools.vectors.case import Case

FAMILIES = (
    operation_stories,
    operation_stages,
    operation_built,
    operation_texts,
    operation_parts,
    operation_numbers,
    operation_claims,
    operation_kinds,
    operation_ledgers,
)


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about operations, each package in one file."""
    for family in FAMILIES:
        yield from map(in_zips, family.cases())
