"""What `vif export --replay` asks for and says (specs/13 section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.cli import output
from ledger.cli.failures import bad_call
from ledger.export.replay_plan import Planned, check_whereabouts

__all__ = ["replay_counts", "show_replay", "whereabouts"]

_NEEDS = {
    "endpoint": "needs an endpoint",
    "function": "needs a function",
    "weights": "needs weights",
    "engine": "needs that engine",
}


def whereabouts(given: Iterable[str]) -> dict[str, list[str]]:
    """Read `NAME=TEXT` options; raises LedgerError `usage`."""
    found: dict[str, list[str]] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not name or not equals or not text:
            bad_call(
                f"--weights-at is NAME=TEXT, not {one!r}",
                hint="such as my-model=https://example.org/my-model.gguf",
            )
        found.setdefault(name, []).append(text)
    try:
        return check_whereabouts(found)
    except ValueError as error:
        bad_call(f"--weights-at: {error}")


def replay_counts(planned: Planned) -> dict[str, Any]:
    """Return the numbers of a plan for programs."""
    engines = [
        {"engine": engine, "needs": needs, "operations": count}
        for (engine, needs), count in sorted(planned.by_engine.items())
    ]
    return {
        "planned": planned.planned,
        "not_planned": planned.not_planned,
        "engines": engines,
        "reasons": dict(sorted(planned.by_reason.items())),
        "weights": planned.weights_number,
    }


def show_replay(planned: Planned) -> None:
    """Print what can be run again."""
    every = planned.planned + planned.not_planned
    rows = [
        (engine, f"{count:,}, {_NEEDS[needs]}")
        for (engine, needs), count in sorted(planned.by_engine.items())
    ]
    rows += [(reason, f"{count:,}") for reason, count in sorted(planned.by_reason.items())]
    output.say()
    output.say(
        ("To be run again", "bold"), f": {planned.planned:,} of {every:,}; REPLAY.md says how."
    )
    output.facts(rows, indent=2)
