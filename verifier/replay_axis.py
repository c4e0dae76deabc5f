"""The axis `replay`: plan, prompts, and what an endpoint answers (specs/08 section 1, 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plans import check_plan
from .prompts import Prompts
from .report import plural
from .rerunning import Rerun
from .ways import Ways

if TYPE_CHECKING:
    from .audit import Audit


def check_replay(a: Audit) -> None:
    """Check what a package says of replay, and say what the axis came to."""
    if not a.readable:
        return
    ways, counts, parts = Ways(a), a.report.counts, []
    if check_plan(a, ways):
        total = counts["planned"] + counts["not_planned"]
        parts.append(f"{plural(total, 'line')} of the plan, {counts['not_planned']} not planned")
    prompts = Prompts(a, ways)
    prompts.run()
    if prompts.seen:
        parts.append(f"{prompts.checked} of {plural(prompts.seen, 'template')} filled again")
    if a.asking is not None:
        Rerun(a, ways, a.asking).run()
        run = a.report.replay_run or {}
        parts.append(f"{plural(run['asked'], 'request')}, {run['reproduced']} reproduced")
    status = "verified" if parts else "not_applicable"
    a.report.set_axis("replay", status, ", ".join(parts))
