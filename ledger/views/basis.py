"""What a result rests on, in all: models, cost, tokens, sessions, keys, confidence.

A witness counts once, however many ways lead to it. What statements of other types say of usage is
a sum over their parents and is never added again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ledger.errors import StoreError
from ledger.store import Snapshot, Store, ViewCursor
from ledger.store.rows import u64
from ledger.views.edges import outside_parents
from ledger.views.facts import Facts, facts_of
from ledger.views.index import INDEX, take_both
from ledger.views.lineage import CHUNK

__all__ = ["NAMES_MAX", "REST", "Basis", "Usage", "basis"]

NAMES_MAX = 1000
"""Names of one kind that are counted by themselves; further ones together, under `REST`."""

REST = ""


@dataclass(slots=True)
class Usage:
    """Sums over some statements; costs and tokens are those of the witnesses among them."""

    statements: int = 0
    witnesses: int = 0
    unpriced: int = 0
    """Witnesses whose cost is not known; they are not in `cost_usd`."""
    uncounted: int = 0
    """Witnesses whose tokens are not known; they are not in `tokens`."""
    cost_usd: float = 0.0
    tokens: int = 0

    def add(self, facts: Facts) -> None:
        """Count one statement."""
        self.statements += 1
        if not facts.witness:
            return
        self.witnesses += 1
        self.unpriced += facts.cost_usd is None
        self.uncounted += facts.tokens is None
        self.cost_usd += facts.cost_usd or 0.0
        self.tokens += facts.tokens or 0


@dataclass(slots=True)
class Basis:
    """Sums over a set of statements, such as a result and everything it builds on."""

    total: Usage = field(default_factory=Usage)
    models: dict[str, Usage] = field(default_factory=dict)
    """By the model that answered, or that an insight or execution is about."""
    sessions: dict[str, int] = field(default_factory=dict)
    """Statements by session; those without one are in none."""
    keys: dict[bytes, int] = field(default_factory=dict)
    """Statements by the thumbprint of the key that signed them."""
    outside: int = 0
    """Links to statements of other ledgers, which are not followed."""
    lowest_confidence: float | None = None
    lowest_confidence_index: int | None = None
    """The statement that states it; the newest, if several do."""

    def add(self, index: int, facts: Facts) -> None:
        """Count one statement."""
        self.total.add(facts)
        self.outside += facts.outside
        if facts.model is not None:
            name = facts.model if _has_room(self.models, facts.model) else REST
            self.models.setdefault(name, Usage()).add(facts)
        if facts.session is not None:
            name = facts.session if _has_room(self.sessions, facts.session) else REST
            self.sessions[name] = self.sessions.get(name, 0) + 1
        kid = facts.kid if _has_room(self.keys, facts.kid) else b""
        self.keys[kid] = self.keys.get(kid, 0) + 1
        if facts.confidence is not None:
            here = (facts.confidence, -index)
            lowest, at = self.lowest_confidence, self.lowest_confidence_index
            if lowest is None or at is None or here < (lowest, -at):
                self.lowest_confidence, self.lowest_confidence_index = facts.confidence, index


def basis(store: Store, indices: Iterable[int]) -> Basis:
    """The sums over some statements, each of which is named once."""
    found = Basis()
    for index, facts in facts_at(store, indices):
        found.add(index, facts)
    return found


def facts_at(store: Store, indices: Iterable[int]) -> Iterator[tuple[int, Facts]]:
    """The facts of some statements, from the view as far as it has read."""
    waiting = iter(indices)
    while chunk := list(islice(waiting, CHUNK)):
        with store.reading() as snapshot, INDEX.cursor(snapshot) as cursor:
            filed = INDEX.size(snapshot)
            read = [(index, _facts(snapshot, cursor, index, filed)) for index in chunk]
        yield from read


def _facts(snapshot: Snapshot, cursor: ViewCursor, index: int, filed: int) -> Facts:
    if index < filed:
        row = cursor.first(b"w" + u64(index))
        if row is None:
            raise StoreError("tree_damaged", f"views: index w {index}: missing")
        return Facts.from_row(index, row)
    statement = snapshot.entry(index)
    if statement is None:
        raise StoreError("tree_damaged", f"entries {index}: missing")
    sign1, payload = take_both(index, statement)
    return facts_of(sign1, payload, len(outside_parents(payload)))


def _has_room(names: Mapping[Any, object], name: object) -> bool:
    return name in names or len(names) < NAMES_MAX
