"""The determinism report as one HTML page that loads nothing and needs no script.

Everything from a ledger is escaped by the template after `shown`; only the style of this package
stands in the page as it is, and the policy of the page names it by its hash and allows nothing
else. The page shows a part of very many witnesses, and says so; the JSON has them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ledger.replay.levels import LEVELS
from ledger.replay.report.passages import passages
from ledger.replay.report.plot import WIDTH, bars, strip
from ledger.replay.report.whole import Report
from ledger.replay.report.witness import CELLS_MAX, RELATIONS, WitnessReport
from ledger.replay.report.words import (
    LEVEL_WORDS,
    REASON_WORDS,
    RELATION_WORDS,
    VERDICT_WORDS,
    headline,
    member,
    span,
)
from ledger.templates import content_hash, environment, own_file

__all__ = ["page"]

_DIFFERING_OPEN: Final = 20
_DIFFERING_SHOWN: Final = 200
_WITNESSES_SHOWN: Final = 1000
_CHANGES_SHOWN: Final = 60
_ENVIRONMENTS_SHOWN: Final = 40
_TURNS_SHOWN: Final = 20


def page(report: Report, origin: str, genesis: bytes) -> Iterator[str]:
    """The page in pieces."""
    witnesses = report.witnesses
    # sorting is stable: within both, in order of index
    parting = sorted(
        (one for one in witnesses if one.parted), key=lambda one: one.verdict != "differs"
    )
    rows = report.environments()
    stream = _ENVIRONMENT.get_template("determinism.html.j2").stream(
        origin=origin,
        genesis=genesis.hex(),
        report=report,
        headline=headline(report),
        witnesses=witnesses,
        witnesses_shown=witnesses[:_WITNESSES_SHOWN],
        parting=parting,
        parting_by=_by_level(parting),
        parting_open=_DIFFERING_OPEN,
        parting_most=_DIFFERING_SHOWN,
        turns=report.turns(),
        turns_most=_TURNS_SHOWN,
        environments=rows,
        environments_most=_ENVIRONMENTS_SHOWN,
        names={row.digest: row.name for row in rows},
        varying=_varying([row.document for row in rows]),
        changes=report.changes(),
        changes_most=_CHANGES_SHOWN,
        passages=passages(report),
        bars=bars(report),
        strip=strip(witnesses),
        width=WIDTH,
        cells_max=CELLS_MAX,
        levels=LEVELS,
        relations=RELATIONS,
        level_words=LEVEL_WORDS,
        verdict_words=VERDICT_WORDS,
        relation_words=RELATION_WORDS,
        reason_words=REASON_WORDS,
        style=_STYLE,
        policy=_POLICY,
    )
    stream.enable_buffering(256)
    return iter(stream)


def _by_level(parting: list[WitnessReport]) -> dict[str, tuple[int, int] | None]:
    """How many witnesses first differ in each level, and how many of these only elsewhere."""
    found: dict[str, tuple[int, int] | None] = {}
    for level in LEVELS:
        here = [one.verdict for one in parting if one.first_level == level]
        found[level] = (len(here), here.count("environment")) if here else None
    return found


def _varying(documents: list[dict[str, Any] | None]) -> set[str]:
    """Members that are not the same in all environments at hand."""
    known = [one for one in documents if one is not None]
    names = {name for one in known for name in one}
    absent = object()
    return {
        name for name in names if any(one.get(name, absent) != known[0].get(name) for one in known)
    }


_ENVIRONMENT = environment(
    "ledger.replay.report",
    {
        "value": member,
        "span": span,
        "words": lambda value: value.replace("_", " "),
    },
)
_STYLE = own_file(_ENVIRONMENT, "determinism.css.j2")
_POLICY = (
    f"default-src 'none'; style-src {content_hash(_STYLE)}; base-uri 'none'; form-action 'none'"
)
