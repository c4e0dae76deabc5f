"""A graph as one HTML page that loads nothing: an SVG, and a table for whoever has no script.

The layout is Graphviz's (`layout`), the drawing a template's. Everything from the log is escaped by
the template after `shown`; only the style and the script of this package stand in the page as they
are, and the policy of the page names them by their hashes and allows nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.errors import LineageError
from ledger.formats.payload import Parent
from ledger.graph.blocks import NODE, blocks_of, draw
from ledger.graph.layout import lay_out
from ledger.graph.node import Node
from ledger.graph.selection import Selection
from ledger.graph.words import cost_words, dollars
from ledger.templates import content_hash, environment, own_file

__all__ = ["EDGES_MAX", "NODES_MAX", "page"]

NODES_MAX: Final = 5000
EDGES_MAX: Final = 40_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A node as the template takes it; `node` or `outside` is None."""

    number: int
    parents: list[int]
    node: Node | None
    outside: Parent | None
    start: bool = False


def page(chosen: Selection, origin: str) -> Iterator[str]:
    """The page in pieces.

    Raises `LineageError` `graph_too_large`, `layout_missing`, `layout_failed`.
    """
    if chosen.count > NODES_MAX:
        raise _too_large(f"{chosen.count:,} statements; a page shows at most {NODES_MAX:,}")
    nodes = _gather(chosen)
    blocks = blocks_of([one.parents for one in nodes])
    home = {member: number for number, block in enumerate(blocks) for member in block.members}
    edges = {(home[parent], home[one.number]) for one in nodes for parent in one.parents}
    drawing = draw(blocks, lay_out([block.box for block in blocks], sorted(edges)))
    found = chosen.basis()
    stream = _ENVIRONMENT.get_template("lineage.html.j2").stream(
        origin=origin,
        genesis=chosen.genesis.hex(),
        chosen=chosen,
        nodes=nodes,
        home=home,
        drawing=drawing,
        box=NODE,
        found=found,
        cost=cost_words(found.total),
        models=sorted(found.models.items()),
        style=_STYLE,
        script=_SCRIPT,
        policy=_POLICY,
    )
    stream.enable_buffering(256)
    return iter(stream)


def _gather(chosen: Selection) -> list[Shown]:
    nodes: list[Shown] = []
    places: dict[int | bytes, int] = {}
    edges = 0
    for node in chosen.nodes():
        parents = [places[index] for index in node.parents if index in places]
        for parent in node.outside:
            place = places.get(parent.leaf_hash)
            if place is None:
                place = places[parent.leaf_hash] = len(nodes)
                nodes.append(Shown(place, [], None, parent))
            parents.append(place)
        edges += len(parents)
        if len(nodes) > NODES_MAX or edges > EDGES_MAX:
            raise _too_large(f"more than {NODES_MAX:,} nodes or {EDGES_MAX:,} links")
        places[node.index] = len(nodes)
        nodes.append(Shown(len(nodes), parents, node, None, node.index in chosen.starts))
    return nodes


def _too_large(what: str) -> LineageError:
    return LineageError(
        "graph_too_large", f"the graph has {what}", hint="show less of it with --depth N"
    )


_ENVIRONMENT = environment(
    "ledger.graph",
    {
        "ratio": lambda value: f"{value:.2f}",
        "point": lambda value: f"{value:.1f}",
        "money": dollars,
    },
)
_STYLE = own_file(_ENVIRONMENT, "lineage.css.j2")
_SCRIPT = own_file(_ENVIRONMENT, "lineage.js.j2")
_POLICY = (
    f"default-src 'none'; style-src {content_hash(_STYLE)}; script-src {content_hash(_SCRIPT)}; "
    "base-uri 'none'; form-action 'none'"
)
