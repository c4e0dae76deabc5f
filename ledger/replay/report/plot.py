"""The two drawings of the determinism page, as paths of rectangles by class: no script, no library.

*Bars*: for each level, the runs by state. *Strip*: a cell for each run of each witness, filled from
the bottom as far as the level it reached, one fifth a level, on a ground that says why it is not
filled further. Height and hatching say the same as colour does. Few witnesses are drawn as rows
with names in the cells, many as columns, in bands below each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.replay.levels import LEVELS, Level
from ledger.replay.report.whole import Report
from ledger.replay.report.witness import Cell, WitnessReport

__all__ = ["WIDTH", "Bar", "Label", "Segment", "Strip", "bars", "ground", "strip"]

WIDTH: Final = 1000
_ROWS_MAX: Final = 12
_WITNESSES_MAX: Final = 3000
_CELLS_MAX: Final = 15_000
_LABEL: Final = 250
_MARGIN: Final = 64
_BAR_LABEL: Final = 84
_BAR_WIDTH: Final = 700
_BAR_HEIGHT: Final = 26
_NAMED_WIDTH: Final = 62


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar."""

    kind: str
    """match, differs, elsewhere (differs in another environment), unseen, idle."""
    x: int
    width: int
    runs: int


@dataclass(frozen=True, slots=True)
class Bar:
    """The runs of one level by state."""

    level: Level
    y: int
    segments: list[Segment]
    matched: int
    observed: int


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: int
    y: int
    text: str
    kind: str


@dataclass(slots=True)
class Strip:
    """Cells as paths by class, names, and a box for each witness that says what it is."""

    height: int = 0
    paths: dict[str, list[str]] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    boxes: list[tuple[int, int, int, int, WitnessReport]] = field(default_factory=list)
    witnesses: int = 0
    runs: int = 0
    """How many runs of a witness are drawn at most."""
    cells: int = 0
    as_rows: bool = False
    cut: bool = False
    """Whether any of the witnesses drawn has more runs than that."""

    def rectangle(self, kind: str, x: int, y: int, width: int, height: int) -> None:
        """Add a rectangle to the path of a class."""
        if width > 0 and height > 0:
            self.paths.setdefault(kind, []).append(f"M{x} {y}h{width}v{height}h-{width}z")

    def cell(self, x: int, y: int, width: int, height: int, cell: Cell) -> None:
        """Draw a run."""
        self.cells += 1
        step = LEVELS.index(cell.level) + 1 if cell.level in LEVELS else 0
        filled = round(height * step / len(LEVELS))
        self.rectangle(ground(cell), x, y, width, height - filled)
        self.rectangle(f"l{step}", x, y + height - filled, width, filled)


def ground(cell: Cell) -> str:
    """Why a cell is not filled to the top."""
    if not cell.ran:
        return "idle"
    if not cell.parted:
        return "unseen"
    return "elsewhere" if cell.relation == "changed" else "differs"


def bars(report: Report) -> list[Bar]:
    """The bars of all levels; widths are exact to the pixel and add up to the whole."""
    found = []
    for place, level in enumerate(LEVELS):
        elsewhere = report.differing(level)["changed"]
        differs = report.tally.count(level, "differs") - elsewhere
        parts = [
            ("match", report.tally.matched(level)),
            ("differs", differs),
            ("elsewhere", elsewhere),
            ("unseen", report.tally.count(level, "not_observable")),
            ("idle", report.tally.count(level, "not_run")),
        ]
        y = place * (_BAR_HEIGHT + 10)
        matched, observed = report.agreement(level)
        found.append(Bar(level, y, _segments(parts, report.runs), matched, observed))
    return found


def _segments(parts: Sequence[tuple[str, int]], runs: int) -> list[Segment]:
    """Parts by width; one that is there is three pixels wide at least, as the widest pays."""
    if not runs:
        return []
    widths = {kind: max(3, _BAR_WIDTH * count // runs) for kind, count in parts if count}
    widest = max(widths, key=lambda kind: widths[kind])
    widths[widest] += _BAR_WIDTH - sum(widths.values())
    found, x = [], _BAR_LABEL
    for kind, count in parts:
        if count:
            found.append(Segment(kind, x, widths[kind], count))
            x += widths[kind]
    return found


def strip(witnesses: Sequence[WitnessReport]) -> Strip:
    """Draw the cells of as many witnesses and runs as there is room for."""
    drawing = Strip()
    drawn = witnesses[:_WITNESSES_MAX]
    drawing.witnesses = len(drawn)
    if not drawn:
        return drawing
    most = max(len(one.cells) for one in drawn)
    if len(drawn) <= _ROWS_MAX:
        drawing.runs = most
        _rows(drawing, drawn, most)
    else:
        drawing.runs = min(most, max(3, _CELLS_MAX // len(drawn)))
        _columns(drawing, drawn, drawing.runs)
    drawing.cut = any(one.runs > min(drawing.runs, len(one.cells)) for one in drawn)
    return drawing


def _rows(drawing: Strip, drawn: Sequence[WitnessReport], runs: int) -> None:
    width = min(92, (WIDTH - _LABEL) // runs)
    height, gap = 30, 2 if width > 8 else 1
    drawing.as_rows = True
    y = 0
    for number in range(runs) if width > 24 else ():
        x = _LABEL + number * width + (width - gap) // 2
        drawing.labels.append(
            Label(x, 12, f"run {number + 1}" if width > 50 else str(number + 1), "middle")
        )
        y = 20
    for one in drawn:
        model = one.subject.model or one.subject.operation or ""
        text = f"{one.subject.title[:18]}  {model}"
        drawing.labels.append(Label(_LABEL - 12, y + 20, text, "end"))
        for number, cell in enumerate(one.cells):
            x = _LABEL + number * width
            drawing.cell(x, y, width - gap, height, cell)
            if width >= _NAMED_WIDTH:
                middle = x + (width - gap) // 2
                said = cell.level if cell.ran else "not run"
                drawing.labels.append(Label(middle, y + 20, said, "in"))
        drawing.boxes.append((_LABEL, y, width * len(one.cells), height, one))
        y += height + 6
    drawing.height = y


def _columns(drawing: Strip, drawn: Sequence[WitnessReport], runs: int) -> None:
    usable = WIDTH - _MARGIN
    width = max(6, min(22, usable // len(drawn)))
    # fewer in a band than would fit, so that the bands are of one length
    bands = -(-len(drawn) // (usable // width))
    per_band = -(-len(drawn) // bands)
    height = max(10, min(20, width))
    y = 0
    for start in range(0, len(drawn), per_band):
        band = drawn[start : start + per_band]
        rows = min(runs, max(len(one.cells) for one in band))
        first = band[0].subject
        name = first.title if first.index is not None else f"({start + 1})"
        drawing.labels.append(Label(_MARGIN - 8, y + height - 1, name, "end"))
        for number, one in enumerate(band):
            x = _MARGIN + number * width
            cells = one.cells[:runs]
            for row, cell in enumerate(cells):
                drawing.cell(x, y + row * (height + 1), width - 1, height, cell)
            drawing.boxes.append((x, y, width - 1, len(cells) * (height + 1), one))
        y += rows * (height + 1) + 12
    drawing.height = y
