"""What a statement shows as a node of a graph: the one place that decides it.

Bodies are read with care: a statement whose body breaks its page is still a node, with the facts
that can be read. Texts are as recorded; each format escapes them in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.formats.merkle import hash_leaf
from ledger.formats.payload import Parent, Payload
from ledger.formats.values import is_name
from ledger.model.derive import band
from ledger.store import Snapshot
from ledger.views.edges import MISSING, resolved
from ledger.views.facts import confidence_of, map_of, model_of
from ledger.views.index import take_both

__all__ = ["Node", "node_at"]

TITLE_MAX = 80
"""Characters of a title; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class Node:
    """A statement of this ledger."""

    index: int
    leaf_hash: bytes
    kid: bytes
    issuer: str
    payload: Payload
    links: tuple[tuple[Parent, int], ...]
    """Its parents in this log with their indices, in its order."""
    outside: tuple[Parent, ...]
    """Its parents in other ledgers."""

    @property
    def parents(self) -> tuple[int, ...]:
        """The indices of its parents in this log, in its order."""
        return tuple(at for _, at in self.links)

    @property
    def type(self) -> str:
        """The type of the statement."""
        return self.payload.type

    @property
    def model(self) -> str:
        """The model or models it is about, in words; "" for none."""
        return _model(self.payload)

    @property
    def title(self) -> str:
        """What it is in a few words beside type and model; "" where nothing is to be said."""
        say = _TITLES.get(self.payload.type)
        text = say(self.payload.body) if say else ""
        return text if len(text) <= TITLE_MAX else text[: TITLE_MAX - 1] + "…"

    @property
    def confidence(self) -> float | None:
        """The confidence it states, 0 to 1."""
        return confidence_of(self.payload)

    @property
    def band(self) -> str:
        """Its confidence band, `A`, `B` or `C`; "" without a confidence."""
        score = self.confidence
        return "" if score is None else band(score)

    @property
    def cost_usd(self) -> float | None:
        """What the operation cost, of a witness whose cost is known."""
        if self.payload.type != "witness":
            return None
        return _ratio(map_of(self.payload.body, "cost").get("cost_usd"))

    @property
    def sum_usd(self) -> float | None:
        """What it says its parents cost together; part of their costs, never in addition."""
        body = self.payload.body
        if self.payload.type == "cross_model":
            return _ratio(map_of(body, "cost").get("total_usd"))
        if self.payload.type in ("insight", "execution", "transfer"):
            return _ratio(map_of(body, "usage").get("cost_usd"))
        return None

    @property
    def quality(self) -> float | None:
        """The quality it states, of types that have one, 0 to 1."""
        body = self.payload.body
        if self.payload.type == "cross_model":
            return _ratio(map_of(body, "quality").get("overall"))
        if self.payload.type in ("insight", "execution", "transfer"):
            return _ratio(body.get("quality"))
        return None


def node_at(snapshot: Snapshot, index: int, statement: bytes) -> Node:
    """The node of a stored statement; raises `StoreError("tree_damaged")`."""
    sign1, payload = take_both(index, statement)
    found = resolved(snapshot, index, payload)
    return Node(
        index=index,
        leaf_hash=hash_leaf(statement),
        kid=sign1.kid,
        issuer=sign1.iss,
        payload=payload,
        links=tuple((parent, at) for parent, at in found if at is not None and at != MISSING),
        outside=tuple(parent for parent, at in found if at is None),
    )


def _ratio(value: object) -> float | None:
    return value if isinstance(value, float) and 0 <= value < float("inf") else None


def _model(payload: Payload) -> str:
    body = payload.body
    if payload.type == "transfer":
        ends = [_text(map_of(body, end), "model_id") or "?" for end in ("source", "target")]
        return " → ".join(ends)
    if payload.type == "cross_model":
        groups = [group for name in ("insights", "executions") for group in _list(body.get(name))]
        named = {one["model_id"]: None for one in groups if is_name(one.get("model_id"))}
        return _few(list(named))
    return model_of(payload) or ""


def _few(names: list[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _operation(body: Mapping[str, Any]) -> str:
    operation = map_of(body, "operation")
    name, number = _text(operation, "name"), operation.get("number")
    said = f"{name}/{number}" if name and type(number) is int else name
    return f"{said} {_text(body, 'label')}".strip()


def _annotation(body: Mapping[str, Any]) -> str:
    name, value = _text(body, "name") or _text(body, "kind"), body.get("value")
    if isinstance(value, float):
        value = f"{value:.3g}"
    return name if value is None else f"{name} = {str(value)[:TITLE_MAX]}"


def _run(body: Mapping[str, Any]) -> str:
    run = body.get("run")
    return f"run {run}" if type(run) is int else ""


def _named(*keys: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda body: " ".join(filter(None, (_text(body, key) for key in keys)))


_TITLES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "witness": _named("operation"),
    "annotation": _annotation,
    "import": _named("source_name"),
    "genesis": _named("origin"),
    "session_open": _run,
    "session_close": _run,
    "intent": _named("model"),
    "outcome": _named("status", "reason"),
    "savepoint": _named("stage"),
    "insight": _operation,
    "execution": _operation,
    "transfer": _operation,
    "provenance": _operation,
    "cross_model": _operation,
    "replay": _named("engine", "level"),
    "replay_operation": _operation,
}
