"""Graphs as lists of parents, what follows from them plainly, and writing them into a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import Draft, Ledger, Receipt
from ledger.formats.payload import Parent
from tests.helpers.places import note, witness

OUTSIDE = Parent("01a1f82f-1e80-7000-9870-bd8659273f50", b"\7" * 32, b"\x09" * 32)
"""A statement of another ledger."""
BATCH = 5000
HOSTILE = ']"\'`<script>&amp;#;|end{}()--> \\N \\" \u202eevil\u2066 %% <b>'


def write(log: Ledger, parents: Sequence[Sequence[int]]) -> int:
    """Append a statement for each list of parents, which are numbers in the list; its first index.

    Those without parents are witnesses, the others annotations.
    """
    made: list[Draft | Receipt] = []
    first = len(log)
    for start in range(0, len(parents), BATCH):
        for number, named in enumerate(parents[start : start + BATCH], start):
            chosen = [made[one] for one in named]
            made.append(
                Draft("annotation", note(number), chosen) if chosen else Draft("witness", witness())
            )
        made[start:] = log.append_many([one for one in made[start:] if isinstance(one, Draft)])
    return first


def above(parents: Sequence[Sequence[int]], depth: int | None = None) -> list[dict[int, int]]:
    """For each number, all it builds on with their distances."""
    reach: list[dict[int, int]] = []
    for named in parents:
        found: dict[int, int] = {}
        for parent in named:
            for one, distance in ((parent, 1), *((o, d + 1) for o, d in reach[parent].items())):
                found[one] = min(distance, found.get(one, distance))
        reach.append(found)
    return reach


def priced(cost: float | None, model: str = "demo", tokens: int | None = None) -> dict[str, Any]:
    """The body of a witness with a cost."""
    body = witness(model=model)
    if cost is not None:
        body["cost"] = {"cost_usd": cost, "price_table": "t"}
        if tokens is not None:
            body["cost"]["tokens_used"] = tokens
    return body
