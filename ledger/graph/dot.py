"""A graph in the language of Graphviz, parents above; it can be drawn with `dot -Tsvg`.

Texts from the log stand in quoted strings only: `shown` leaves no control character, a backslash
or quote is escaped, and `&` becomes an entity, since Graphviz reads entities in labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.export.text import shown
from ledger.formats.payload import Parent
from ledger.graph.node import Node
from ledger.graph.selection import Selection
from ledger.graph.words import dollars

__all__ = ["dot", "lines_of", "outside_lines"]

_FILL = {"A": "#cdebd8", "B": "#f8e3b0", "C": "#f6cfd3", "": "#eeeeea"}


def dot(chosen: Selection) -> Iterator[str]:
    """The graph in pieces."""
    yield "digraph lineage {\n"
    yield '  node [shape=box, style="filled,rounded", fontname="Helvetica", fontsize=10];\n'
    for node in chosen.nodes():
        here = f"s{node.index}"
        label = "\\n".join(_quoted(line) for line in lines_of(node))
        bold = ", penwidth=3" if node.index in chosen.starts else ""
        yield f'  {here} [label="{label}", fillcolor="{_FILL[node.band]}"{bold}];\n'
        for parent in node.outside:
            there = f"o{parent.leaf_hash.hex()}"
            label = "\\n".join(outside_lines(parent))
            yield f'  {there} [label="{label}", style="dashed"];\n'
            yield f"  {there} -> {here} [style=dashed];\n"
        for index in node.parents:
            if index in chosen.marks:
                yield f"  s{index} -> {here};\n"
    yield "}\n"


def lines_of(node: Node) -> list[str]:
    """What a node says, in lines as recorded: type and number, model or title, numbers, hash."""
    numbers = []
    if node.confidence is not None:
        numbers.append(f"{node.band} {node.confidence:.2f}")
    if node.cost_usd is not None:
        numbers.append(dollars(node.cost_usd))
    said = [
        f"#{node.index} {node.type}",
        node.model or node.title,
        "  ".join(numbers),
        node.leaf_hash.hex()[:12],
    ]
    return [line for line in said if line]


def outside_lines(parent: Parent) -> list[str]:
    """What the node of a statement of another ledger says."""
    ledger = "?" if parent.ledger is None else parent.ledger.hex()[:12]
    return [f"in ledger {ledger}", parent.id, parent.leaf_hash.hex()[:12]]


def _quoted(text: str) -> str:
    escaped = shown(text).replace("&", "&amp;")
    return escaped.replace("\\", "\\\\").replace('"', '\\"')
