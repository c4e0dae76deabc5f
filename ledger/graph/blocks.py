"""Statements that are linked in the same way, drawn together as one block.

Two hundred answers that one savepoint builds on have the same parents and the same children: side
by side they would make a page of two hundred columns and an overview of nothing. They become one
box with a grid inside and one edge, which stands for the edges of each; nothing is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ledger.graph.layout import Box, Layout

__all__ = ["NODE", "Block", "Drawing", "blocks_of", "draw"]

NODE = Box(168.0, 70.0)
GAP = 10.0
MARGIN = 10.0
TOGETHER_MIN = 3
"""So many alike are drawn as a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes, by number, that are drawn as one box; one by itself is its own box."""

    members: list[int]

    @property
    def columns(self) -> int:
        """Columns of the grid, so that it is about half as wide again as it is high."""
        return max(1, math.ceil(math.sqrt(len(self.members) * 1.5 * NODE.height / NODE.width)))

    @property
    def box(self) -> Box:
        """The size of the box."""
        if len(self.members) == 1:
            return NODE
        rows = math.ceil(len(self.members) / self.columns)
        return Box(
            self.columns * (NODE.width + GAP) - GAP + 2 * MARGIN,
            rows * (NODE.height + GAP) - GAP + 2 * MARGIN,
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything with its place, in points from the upper left corner."""

    width: float
    height: float
    nodes: list[tuple[float, float]]
    """Upper left corners of the nodes."""
    frames: list[tuple[float, float, float, float]]
    """x, y, width, height of each block of several nodes."""
    edges: list[tuple[int, int, str]]
    """Numbers of the blocks of parent and child, and the path as SVG says it."""
    layered: bool


def blocks_of(parents: list[list[int]]) -> list[Block]:
    """The blocks of a graph whose nodes' parents are given by number."""
    children: list[list[int]] = [[] for _ in parents]
    for child, named in enumerate(parents):
        for parent in named:
            children[parent].append(child)
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for number, named in enumerate(parents):
        alike.setdefault((tuple(sorted(named)), tuple(children[number])), []).append(number)
    blocks = []
    for members in alike.values():
        if len(members) >= TOGETHER_MIN:
            blocks.append(Block(members))
        else:
            blocks.extend(Block([member]) for member in members)
    return sorted(blocks, key=lambda block: block.members[0])


def draw(blocks: list[Block], layout: Layout) -> Drawing:
    """Put the nodes into their boxes."""
    nodes = [(0.0, 0.0)] * sum(len(block.members) for block in blocks)
    frames = []
    for block, (x, y) in zip(blocks, layout.centres, strict=True):
        box = block.box
        left, top = x - box.width / 2, y - box.height / 2
        if len(block.members) == 1:
            nodes[block.members[0]] = (left, top)
            continue
        frames.append((left, top, box.width, box.height))
        for place, member in enumerate(block.members):
            row, column = divmod(place, block.columns)
            nodes[member] = (
                left + MARGIN + column * (NODE.width + GAP),
                top + MARGIN + row * (NODE.height + GAP),
            )
    edges = [(parent, child, _path(points)) for parent, child, points in layout.edges]
    return Drawing(layout.width, layout.height, nodes, frames, edges, layout.layered)


def _path(points: list[tuple[float, float]]) -> str:
    said = [f"{x:.1f},{y:.1f}" for x, y in points]
    return f"M{said[0]}C{' '.join(said[1:])}"
