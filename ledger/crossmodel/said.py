"""What the producer says of an operation besides its stages (specs/12 §5 and §6).

Checked when it is said, so that a mistake shows at its own line and not at the operation's end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.formats.payload import Parent
from ledger.model import (
    Check,
    Claims,
    CrossReplay,
    CrossValidation,
    DataItem,
    Interaction,
    Prediction,
    Trend,
)

__all__ = ["Said"]

_KEYWORDS = frozenset(
    {
        "strategy",
        "baseline_usd",
        "baseline_method",
        "trends",
        "predictions",
        "validation",
        "replay",
        "metrics",
        "analytics",
        "metadata",
    }
)


class Said:
    """Interactions, data, claims, and the whole; what is wrong with one raises `RecordError`."""

    def __init__(self) -> None:
        self.data: list[DataItem] = []
        self.claims: Claims | None = None
        self.whole: dict[str, Any] = {}
        self._interactions: list[tuple[Interaction, Parent | None]] = []

    def describe(self, said: Mapping[str, Any]) -> None:
        """Take keywords of the combination; raises `TypeError` for one that there is not."""
        unknown = said.keys() - _KEYWORDS
        if unknown:
            raise TypeError(f"describe() has no keyword {min(unknown)!r}")
        made = dict(said)
        for name, group in (("validation", CrossValidation), ("replay", CrossReplay)):
            if isinstance(made.get(name), Mapping):
                made[name] = group(**_checked(made[name]))
        for name, item in (("trends", Trend), ("predictions", Prediction)):
            if made.get(name) is not None:
                made[name] = [item(**one) for one in made[name]]
        self.whole.update(made)

    def claim(self, claims: Mapping[str, Any]) -> None:
        """Take what another system says about its own verification."""
        self.claims = Claims(**claims)

    def datum(self, item: Mapping[str, Any]) -> None:
        """Take something that went in from outside the models."""
        self.data.append(DataItem(**item))

    def interaction(self, what: Mapping[str, Any], step: Parent | None) -> None:
        """Take something that passed between two models, at a stage."""
        said = {name: value for name, value in _checked(what).items() if value is not None}
        if "confidence" in said:
            said.setdefault("confidence_method", "heuristic")
        if "quality" in said:
            said.setdefault("quality_method", "stated")
        self._interactions.append((Interaction(**said), step))

    def interactions(self, parts: Sequence[Parent]) -> list[Interaction]:
        """The interactions, with the positions of their stages."""
        places = {part.leaf_hash: place for place, part in enumerate(parts)}
        made = []
        for what, step in self._interactions:
            place = None if step is None else places.get(step.leaf_hash)
            made.append(what if place is None else what.model_copy(update={"step": place}))
        return made


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with lists of checks as models; a check may be given as a map."""
    made = dict(said)
    for name in ("checks", "results", "validation"):
        if isinstance(made.get(name), list | tuple):
            made[name] = tuple(
                one if isinstance(one, Check) else Check(**one) for one in made[name]
            )
    return made
