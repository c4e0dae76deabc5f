"""Whether an execution was given what was handed over to it (specs/12 section 4, rule 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .chain import TAG_WITNESS
from .part_ground import Part, PartGround
from .part_tables import Stage
from .shelf import NOT_HERE


class HandingOver:
    """Looks for what was handed over in the contexts of executions, and counts what it cannot."""

    def __init__(self, ground: PartGround) -> None:
        self._ground = ground
        self._absent = 0
        self._large = 0

    def check(
        self,
        position: int,
        body: dict[str, Any],
        made: Sequence[Part],
        transfers: Sequence[Part],
        row: Stage,
    ) -> None:
        """Check an execution with its transfers; `context_mismatch`, at most one.

        `made` are the own parents that it was made with.
        """
        known = {*row.contexts}
        left = [one for one in transfers if one.row.handed not in known]
        if not left:
            return
        handles = {one.row.handle for one in made if one.tag == TAG_WITNESS}
        if "context" in body:
            handles.add(self._ground.shelf.handle(0, body["context"]))
        here = [one for one in left if one.row.handle != NOT_HERE]
        unknown: set[int] = set()
        for context in sorted(handles - {NOT_HERE}):
            if not here:
                break
            wanted = [one.row.handle for one in here]
            answers = self._ground.shelf.contained(wanted, context)
            unknown |= {one.place for one, a in zip(here, answers, strict=True) if a is None}
            here = [one for one, a in zip(here, answers, strict=True) if not a]
        absent = [one for one in left if one.row.handle == NOT_HERE]
        if known and NOT_HERE in handles:
            absent, here = absent + here, []
        self._large += sum(one.place in unknown for one in here)
        lost = [one for one in here if one.place not in unknown]
        if not known:
            absent, lost = [], left
        if not row.sure:
            return
        self._absent += len(absent)
        if lost:
            where = ", ".join(self._ground.where(one) for one in lost[:3])
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            text = f"none of its contexts contains what was handed over by {where}{more}"
            self._ground.emit("context_mismatch", position, text)

    def sentences(self) -> list[str]:
        """Return what was not checked, with the number of each."""
        parts = (
            (self._absent, "what was handed over: contents not in the package"),
            (self._large, "what was handed over: contents that are too large to look into"),
        )
        return [f"{text} ({number})" for number, text in parts if number]
