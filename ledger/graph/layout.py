"""Where boxes stand, computed by Graphviz as a process of its own (specs/adr/0018).

It gets numbers and sizes and gives back numbers: no text of the log reaches it. Layers, parents
above, are tried first (`dot`); a graph whose layers are far too wide for a screen, or that takes
too long, is arranged by nearness instead (`sfdp`).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.errors import LineageError

__all__ = ["Box", "Layout", "lay_out"]

POINTS = 72.0
"""Points an inch; Graphviz takes and gives inches."""
CURVED_MAX = 400
"""Up to so many boxes edges are routed around them; more are joined by straight lines."""
TOO_WIDE = 6.0
"""Width by height from which layers are given up."""
LAYERS_SECONDS = 20.0
NEARNESS_SECONDS = 60.0


class Box(NamedTuple):
    """A size in points."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of the boxes and the edges between them, in points, y growing downwards."""

    width: float
    height: float
    centres: list[tuple[float, float]]
    edges: list[tuple[int, int, list[tuple[float, float]]]]
    """Parent, child, and the points of a cubic Bézier curve from one to the other."""
    layered: bool


def lay_out(boxes: Sequence[Box], edges: Sequence[tuple[int, int]]) -> Layout:
    """Place boxes whose edges lead from parent to child.

    Raises `LineageError` `layout_missing` without Graphviz, `layout_failed` when it takes too long
    or does not answer as it should.
    """
    program = shutil.which("dot")
    if program is None:
        raise LineageError(
            "layout_missing",
            "Graphviz, which lays out the page, is not installed",
            hint="install it (Debian: apt-get install graphviz), or take --format dot or mermaid",
        )
    try:
        found = _run(program, "dot", boxes, edges, LAYERS_SECONDS)
    except subprocess.TimeoutExpired:
        found = None
    if found is not None and found.width <= TOO_WIDE * max(found.height, 1.0):
        return found
    if found is not None and len(boxes) <= CURVED_MAX // 10:
        return found
    try:
        return _run(program, "sfdp", boxes, edges, NEARNESS_SECONDS)
    except subprocess.TimeoutExpired:
        raise LineageError(
            "layout_failed",
            f"Graphviz took longer than {NEARNESS_SECONDS:.0f} seconds for {len(boxes):,} boxes",
            hint="show less of the graph with --depth",
        ) from None


def _run(
    program: str, engine: str, boxes: Sequence[Box], edges: Sequence[tuple[int, int]], limit: float
) -> Layout:
    done = subprocess.run(
        [program, f"-K{engine}", "-Tplain"],
        input="".join(_source(engine, boxes, edges)).encode("ascii"),
        capture_output=True,
        timeout=limit,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("ascii", "replace").strip().splitlines()
        raise LineageError("layout_failed", f"Graphviz: {said[-1][:200] if said else 'no answer'}")
    try:
        return _read(done.stdout.decode("ascii"), len(boxes), engine == "dot")
    except (ValueError, IndexError, KeyError):
        raise LineageError("layout_failed", "Graphviz gave an answer of another form") from None


def _source(engine: str, boxes: Sequence[Box], edges: Sequence[tuple[int, int]]) -> Iterator[str]:
    curved = engine == "dot" and len(boxes) <= CURVED_MAX
    yield "digraph {\n"
    if engine == "dot":
        # The limits keep thousands of nodes within seconds; small graphs do not reach them.
        yield f"graph [nodesep=0.2, ranksep=0.5, splines={'true' if curved else 'line'}"
        yield ", nslimit=1, nslimit1=1, mclimit=0.1];\n" if len(boxes) > CURVED_MAX else "];\n"
    else:
        yield 'graph [overlap=prism, sep="+8", splines=line, start=1];\n'
    yield 'node [shape=box, fixedsize=true, label=""];\nedge [dir=none];\n'
    for number, box in enumerate(boxes):
        yield f"{number} [width={box.width / POINTS:.4f}, height={box.height / POINTS:.4f}];\n"
    for parent, child in edges:
        yield f"{parent} -> {child};\n"
    yield "}\n"


def _read(text: str, boxes: int, layered: bool) -> Layout:
    width = height = 0.0
    centres: dict[int, tuple[float, float]] = {}
    edges = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "graph":
            width, height = float(words[2]) * POINTS, float(words[3]) * POINTS
        elif words[0] == "node":
            centres[int(words[1])] = (float(words[2]) * POINTS, height - float(words[3]) * POINTS)
        elif words[0] == "edge":
            count = int(words[3])
            numbers = [float(word) * POINTS for word in words[4 : 4 + 2 * count]]
            points = [(numbers[i], height - numbers[i + 1]) for i in range(0, 2 * count, 2)]
            edges.append((int(words[1]), int(words[2]), points))
    return Layout(width, height, [centres[number] for number in range(boxes)], edges, layered)
