"""Cases of specs/12 in packages: what the statements of an operation say together."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import (
    operation_claims,
    operation_kinds,
    operation_ledgers,
    operation_numbers,
    operation_parts,
    operation_stages,
    operation_stories,
    operation_texts,
)
from tools.vectors.case import Case


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about operations."""
    yield from operation_stories.cases()
    yield from operation_stages.cases()
    yield from operation_texts.cases()
    yield from operation_parts.cases()
    yield from operation_numbers.cases()
    yield from operation_claims.cases()
    yield from operation_kinds.cases()
    yield from operation_ledgers.cases()
