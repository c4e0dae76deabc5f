"""A graph as one JSON document, written in pieces.

    {"direction": "up", "depth": null, "starts": [index, …],
     "nodes": [{"index", "id", "leaf_hash", "type", "title", "created_at", "session", "issuer",
                "kid", "model", "confidence", "band", "quality", "cost_usd", "sum_usd"}, …,
               {"index": null, "id", "leaf_hash", "ledger"}, …],
     "edges": [{"child": leaf hash, "parent": leaf hash}, …],
     "summary": {…}}

All keys are always there, null where nothing is known. A node without an index is a statement of
the ledger whose genesis `ledger` is.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ledger.export.spool import SortedSpool
from ledger.formats.payload import Parent
from ledger.graph.node import Node
from ledger.graph.selection import Selection
from ledger.graph.words import finite
from ledger.views.basis import Basis, Usage

__all__ = ["listing", "outside_json", "summary_json"]


def listing(chosen: Selection) -> Iterator[str]:
    """The document, which has no line break inside."""
    yield f'{{"direction": {_json(chosen.direction)}, "depth": {_json(chosen.depth)}, "starts": ['
    yield from _joined(str(index) for index in chosen.starts.upwards(keep=True))
    with SortedSpool(Path(tempfile.gettempdir()), buffer_bytes=1 << 20) as spool:
        yield '], "nodes": ['
        yield from _joined(chain(_nodes(chosen, spool), _outside(spool)))
    yield '], "edges": ['
    yield from _joined(_edges(chosen))
    yield f'], "summary": {_json(summary_json(chosen.basis()))}}}\n'


def summary_json(found: Basis) -> dict[str, Any]:
    """The sums as JSON can hold them; "" stands for names that were too many."""
    at = found.lowest_confidence_index
    return {
        **_usage(found.total),
        "models": {name: _usage(usage) for name, usage in sorted(found.models.items())},
        "sessions": dict(sorted(found.sessions.items())),
        "keys": {kid.hex(): count for kid, count in sorted(found.keys.items())},
        "outside": found.outside,
        "lowest_confidence": found.lowest_confidence,
        "lowest_confidence_index": at,
    }


def outside_json(parent: Parent) -> dict[str, Any]:
    """The node of a statement of another ledger."""
    ledger = None if parent.ledger is None else parent.ledger.hex()
    return {
        "index": None,
        "id": parent.id,
        "leaf_hash": parent.leaf_hash.hex(),
        "ledger": ledger,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "statements": usage.statements,
        "witnesses": usage.witnesses,
        "unpriced": usage.unpriced,
        "uncounted": usage.uncounted,
        "cost_usd": finite(usage.cost_usd),
        "tokens": usage.tokens,
    }


def _nodes(chosen: Selection, spool: SortedSpool) -> Iterator[str]:
    for node in chosen.nodes():
        for parent in node.outside:
            spool.add(parent.leaf_hash.hex().encode(), _json(outside_json(parent)).encode())
        yield _json(_node(node))


def _outside(spool: SortedSpool) -> Iterator[str]:
    last = b""
    for key, value in spool:
        if key != last:
            yield value.decode()
        last = key


def _node(node: Node) -> dict[str, Any]:
    payload = node.payload
    return {
        "index": node.index,
        "id": payload.id,
        "leaf_hash": node.leaf_hash.hex(),
        "type": payload.type,
        "title": node.title,
        "created_at": payload.created_at,
        "session": payload.session,
        "issuer": node.issuer,
        "kid": node.kid.hex(),
        "model": node.model or None,
        "confidence": node.confidence,
        "band": node.band or None,
        "quality": node.quality,
        "cost_usd": node.cost_usd,
        "sum_usd": node.sum_usd,
    }


def _edges(chosen: Selection) -> Iterator[str]:
    for node in chosen.nodes():
        leaf = node.leaf_hash.hex()
        local = (parent for parent, index in node.links if index in chosen.marks)
        for parent in chain(local, node.outside):
            yield _json({"child": leaf, "parent": parent.leaf_hash.hex()})


def _joined(pieces: Iterator[str]) -> Iterator[str]:
    first = True
    for piece in pieces:
        yield piece if first else ", " + piece
        first = False


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
