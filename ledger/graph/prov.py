"""A graph as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/), written in pieces.

    statement            prov:Activity    vif:<leaf hash>
    content              prov:Entity      sha256:<SHA-256>
    key, model           prov:Agent       key:<thumbprint>, model:<SHA-256 of its name>
    statement -> content              used; wasGeneratedBy for outputs and responses
    output -> prompt of a witness     wasDerivedFrom
    statement -> parent               wasInformedBy, also in another ledger
    statement -> key, model           wasAssociatedWith

A time is given where the log knows one: `started_at` and `ended_at` of a stage; `occurred_at` is a
start and with `execution_time_ms` gives the end; otherwise the end is when the statement was made.
Sections are sorted in temporary files, so that each thing is written once and memory does not
depend on the graph.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.errors import FormatError
from ledger.export.spool import SortedSpool
from ledger.export.text import shown
from ledger.formats.content import ContentRef, references
from ledger.formats.values import is_time
from ledger.graph.node import Node
from ledger.graph.selection import Selection
from ledger.views.facts import map_of

__all__ = ["prov"]

PREFIXES: Final = {
    "vif": "urn:vif:statement:",
    "sha256": "urn:sha256:",
    "key": "urn:vif:key:",
    "model": "urn:vif:model:",
    "is": "urn:vif:type:",
    "says": "urn:vif:says:",
}
_SECTIONS: Final = (
    "entity", "activity", "agent", "used", "wasGeneratedBy", "wasInformedBy", "wasDerivedFrom",
    "wasAssociatedWith",
)  # fmt: skip
_GENERATED: Final = (
    "output", "raw", "response", "explanation", "state", "delivered", "analytics",
)  # fmt: skip


def prov(chosen: Selection) -> Iterator[str]:
    """The document, which has no line break inside."""
    with ExitStack() as stack:
        folder = Path(tempfile.gettempdir())
        spools = {
            section: stack.enter_context(SortedSpool(folder, buffer_bytes=1 << 20))
            for section in _SECTIONS
        }
        for node in chosen.nodes():
            _Writer(spools, node).write(chosen)
        yield f'{{"prefix": {json.dumps(PREFIXES)}'
        for section, spool in spools.items():
            yield f', "{section}": {{'
            yield from _once(spool)
            yield "}"
        yield "}\n"


def _once(spool: SortedSpool) -> Iterator[str]:
    last = b""
    for key, value in spool:
        if key != last:
            yield f'{", " if last else ""}"{key.decode()}": {value.decode()}'
        last = key


class _Writer:
    """What one statement brings to each section."""

    def __init__(self, spools: dict[str, SortedSpool], node: Node) -> None:
        self._spools = spools
        self._node = node
        self._name = f"vif:{node.leaf_hash.hex()}"
        self._links = 0

    def write(self, chosen: Selection) -> None:
        node = self._node
        self._put("activity", self._name, self._activity())
        self._agent(f"key:{node.kid.hex()}", node.issuer, "is:key", "signer")
        for name in self._models():
            digest = sha256(name.encode()).hexdigest()[:32]
            self._agent(f"model:{digest}", name, "prov:SoftwareAgent", "model")
        self._contents()
        local = [parent for parent, index in node.links if index in chosen.marks]
        for parent in (*local, *node.outside):
            there = f"vif:{parent.leaf_hash.hex()}"
            if parent.ledger is not None:
                outside = {"says:id": parent.id, "says:ledger": parent.ledger.hex()}
                self._put("activity", there, outside)
            self._link("wasInformedBy", {"prov:informed": self._name, "prov:informant": there})

    def _activity(self) -> dict[str, Any]:
        node, payload = self._node, self._node.payload
        start, end = _times(payload.created_at, payload.body)
        said: dict[str, Any] = {
            "prov:startTime": start,
            "prov:endTime": end,
            "prov:type": {"$": f"is:{payload.type}", "type": "prov:QUALIFIED_NAME"},
            "prov:label": shown(f"#{node.index} {payload.type} {node.title}".strip()),
            "says:index": node.index,
            "says:id": payload.id,
            "says:recorded": payload.created_at,
            "says:session": payload.session,
            "says:confidence": node.confidence,
            "says:cost_usd": node.cost_usd,
        }
        return {key: value for key, value in said.items() if value is not None}

    def _models(self) -> list[str]:
        payload = self._node.payload
        if payload.type == "transfer":
            ends = (map_of(payload.body, end).get("model_id") for end in ("source", "target"))
            return sorted({end for end in ends if isinstance(end, str)})
        if payload.type == "cross_model" or not self._node.model:
            return []
        return [self._node.model]

    def _contents(self) -> None:
        body = self._node.payload.body
        generated: dict[str, ContentRef] = {}
        for place, ref in _referenced(body):
            name = f"sha256:{ref.sha256.hex()}"
            self._put(
                "entity",
                name,
                {
                    "says:media_type": shown(ref.media_type),
                    "says:size_bytes": ref.size_bytes,
                    "says:blake3": ref.blake3.hex(),
                },
            )
            if place in _GENERATED:
                generated.setdefault(place, ref)
                self._link("wasGeneratedBy", {"prov:entity": name, "prov:activity": self._name})
            else:
                self._link("used", {"prov:activity": self._name, "prov:entity": name})
        output = generated.get("output")
        prompt = next((ref for place, ref in _referenced(body) if place == "prompt"), None)
        if output is not None and prompt is not None:
            link = {
                "prov:generatedEntity": f"sha256:{output.sha256.hex()}",
                "prov:usedEntity": f"sha256:{prompt.sha256.hex()}",
                "prov:activity": self._name,
            }
            self._link("wasDerivedFrom", link)

    def _agent(self, name: str, label: str, kind: str, role: str) -> None:
        said = {
            "prov:type": {"$": kind, "type": "prov:QUALIFIED_NAME"},
            "prov:label": shown(label),
        }
        self._put("agent", name, said)
        self._link(
            "wasAssociatedWith",
            {"prov:activity": self._name, "prov:agent": name, "prov:role": role},
        )

    def _link(self, section: str, said: dict[str, Any]) -> None:
        self._put(section, f"_:s{self._node.index}n{self._links}", said)
        self._links += 1

    def _put(self, section: str, key: str, said: dict[str, Any]) -> None:
        self._spools[section].add(key.encode(), json.dumps(said, allow_nan=False).encode())


def _referenced(body: dict[str, Any]) -> Iterator[tuple[str, ContentRef]]:
    """The contents of a body with their roles; a body that breaks its page has those before."""
    for key, value in body.items():
        parts = (
            value.items() if isinstance(value, dict) and "blake3" not in value else [("", value)]
        )
        for inner, part in parts:
            try:
                for ref in references(part):
                    yield _role(key, inner), ref
            except FormatError:
                return


def _role(key: str, inner: str) -> str:
    if key == "raw":
        return "raw" if inner == "response" else "request"
    if key == "data":
        return "prompt" if inner == "prompt_hash" else "template"
    return key


def _times(created_at: str, body: dict[str, Any]) -> tuple[str | None, str | None]:
    started, ended = body.get("started_at"), body.get("ended_at")
    if is_time(started) and is_time(ended):
        return started, ended
    temporal = map_of(body, "temporal")
    occurred, took = temporal.get("occurred_at"), temporal.get("execution_time_ms")
    if not is_time(occurred):
        return None, created_at
    if not isinstance(took, float):
        return occurred, None
    try:
        end = datetime.fromisoformat(occurred).astimezone(UTC) + timedelta(milliseconds=took)
    except (OverflowError, ValueError):
        return occurred, None
    return occurred, end.isoformat(timespec="microseconds").replace("+00:00", "Z")
