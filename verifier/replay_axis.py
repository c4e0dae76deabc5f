"""What belongs to the axis `replay` besides statements: plan, prompts, an endpoint (specs/13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plans import check_plan
from .prompts import Prompts
from .report import plural
from .ways import Ways

if TYPE_CHECKING:
    from .audit import Audit


def check_replay(a: Audit) -> None:
    """Check the plan of a package and its prompts, and ask an endpoint if that is wanted."""
    if not a.readable:
        return
    ways, counts, mention = Ways(a), a.report.counts, a.replays.mention
    if check_plan(a, ways):
        planned, left = counts["planned"], counts["not_planned"]
        mention(f"plan: {plural(planned, 'witness')}" + (f", {left} not planned" if left else ""))
    prompts = Prompts(a, ways)
    prompts.run()
    if prompts.seen:
        mention(f"{prompts.checked} of {plural(prompts.seen, 'prompt')} made again")
    if a.asking is not None:
        from .rerunning import Rerun  # only now: it loads what speaks HTTP

        run = Rerun(a, ways, a.asking).run()
        mention(f"{plural(run['asked'], 'request')}, {run['reproduced']} reproduced")
