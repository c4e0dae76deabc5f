"""The first passages in which outputs differ, for people: a few, short, and cut on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from ledger.formats.content import ContentRef
from ledger.replay.report.inputs import Contents, Subject
from ledger.replay.report.whole import Report
from ledger.replay.report.witness import WitnessReport

__all__ = ["PASSAGES", "Passage", "Side", "passages"]

PASSAGES: Final = 6
_READ_MAX: Final = 8 << 20
_BEFORE: Final = 40
_AFTER: Final = 120


@dataclass(frozen=True, slots=True)
class Side:
    """One output around the place: what comes before it, and what follows; None if not at hand."""

    before: str
    after: str
    cut: bool
    """Whether more follows."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Where a replay first leaves what was recorded."""

    subject: Subject
    character: int
    skipped: bool
    """Whether more comes before."""
    expected: Side | None
    replayed: Side | None


def passages(report: Report, most: int = PASSAGES) -> list[Passage]:
    """Return the earliest passage of the first few witnesses whose outputs differ."""
    texts = (one for one in report.witnesses if one.earliest is not None and one.parted)
    ordered = sorted(texts, key=lambda one: one.verdict != "differs")
    return [_passage(one, report.contents) for one in islice(ordered, most)]


def _passage(one: WitnessReport, contents: Contents) -> Passage:
    assert one.earliest is not None
    character, _, ref = one.earliest
    recorded = one.subject.output
    expected = None if recorded is None else _side(recorded, character, contents)
    replayed = _side(ref, character, contents)
    return Passage(one.subject, character, character > _BEFORE, expected, replayed)


def _side(ref: ContentRef, character: int, contents: Contents) -> Side | None:
    content = contents.read(ref) if ref.size_bytes <= _READ_MAX else None
    if content is None:
        return None
    text = content.decode("utf-8", "replace")
    end = character + _AFTER
    return Side(text[max(0, character - _BEFORE) : character], text[character:end], end < len(text))
