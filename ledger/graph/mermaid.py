"""A graph as a Mermaid flowchart, which many Markdown viewers draw, parents above.

Texts from the log stand in quoted labels only, and there every ASCII character but letters,
digits, spaces and a few harmless ones is an entity code, so that nothing in them is syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ledger.export.text import shown
from ledger.graph.dot import lines_of, outside_lines
from ledger.graph.selection import Selection

__all__ = ["mermaid"]

_SYNTAX = re.compile(r"[\x00-\x7f]")
_HARMLESS = re.compile(r"[A-Za-z0-9 .,:/$_+-]")
_CLASSES = """\
  classDef bandA fill:#cdebd8,stroke:#0b6b3a,color:#111
  classDef bandB fill:#f8e3b0,stroke:#7a4b00,color:#111
  classDef bandC fill:#f6cfd3,stroke:#a11a2b,color:#111
  classDef outside stroke-dasharray:4
  classDef start stroke-width:3px
"""


def mermaid(chosen: Selection) -> Iterator[str]:
    """The flowchart in pieces."""
    yield "flowchart TD\n" + _CLASSES
    for node in chosen.nodes():
        here = f"s{node.index}"
        yield f'  {here}["{_label(lines_of(node))}"]\n'
        if node.band:
            yield f"  class {here} band{node.band}\n"
        if node.index in chosen.starts:
            yield f"  class {here} start\n"
        for parent in node.outside:
            there = f"o{parent.leaf_hash.hex()}"
            yield f'  {there}["{_label(outside_lines(parent))}"]\n'
            yield f"  class {there} outside\n"
            yield f"  {there} -.-> {here}\n"
        for index in node.parents:
            if index in chosen.marks:
                yield f"  s{index} --> {here}\n"


def _label(lines: list[str]) -> str:
    return "<br/>".join(_SYNTAX.sub(_coded, shown(line)) for line in lines)


def _coded(found: re.Match[str]) -> str:
    character = found[0]
    return character if _HARMLESS.fullmatch(character) else f"#{ord(character)};"
