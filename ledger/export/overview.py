"""Numbers about a selection, gathered in one pass and in bounded memory.

Tables keep at most `TABLE_MAX` rows; what comes later under a new name is counted in one row for
the rest, so that a log with a million sessions still makes a page of a few hundred kilobytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ledger.export.facts import Operation, text
from ledger.reader import Entry

OPERATIONS_SHOWN = 500
TABLE_MAX = 200
REST = None
_VALUES_MAX = 12

Row = TypeVar("Row")


class Table(Generic[Row]):
    """Rows by key in order of first appearance, with one row (key None) for all beyond a bound."""

    def __init__(self, new: Callable[[], Row], limit: int = TABLE_MAX) -> None:
        self._new = new
        self._limit = limit
        self.rows: dict[tuple[str, ...] | None, Row] = {}

    def __getitem__(self, key: tuple[str, ...]) -> Row:
        row = self.rows.get(key)
        if row is None:
            place = key if len(self.rows) < self._limit else REST
            row = self.rows.setdefault(place, self._new())
        return row


@dataclass(slots=True)
class Usage:
    """What a group of operations came to; tokens, US dollars, ratios."""

    operations: int = 0
    tokens: int = 0
    with_tokens: int = 0
    cost_usd: float = 0.0
    with_cost: int = 0
    bands: Counter[str] = field(default_factory=Counter)
    scores: float = 0.0
    gates_passed: int = 0
    gates_failed: int = 0
    first: str = ""
    last: str = ""

    def add(self, op: Operation) -> None:
        """Count one operation."""
        self.operations += 1
        tokens = op.total_tokens
        if tokens is None and (op.prompt_tokens is not None or op.output_tokens is not None):
            tokens = (op.prompt_tokens or 0) + (op.output_tokens or 0)
        if tokens is not None:
            self.tokens += tokens
            self.with_tokens += 1
        if op.cost_usd is not None:
            self.cost_usd += op.cost_usd
            self.with_cost += 1
        if op.score is not None:
            self.scores += op.score
            self.bands[op.band or "?"] += 1
        if op.gate_passed is not None:
            self.gates_passed += op.gate_passed
            self.gates_failed += not op.gate_passed
        self.first = self.first or op.created_at
        self.last = op.created_at

    @property
    def mean_score(self) -> float | None:
        """Return the mean confidence score of the operations that have one."""
        scored = self.bands.total()
        return self.scores / scored if scored else None


@dataclass(slots=True)
class Verdicts:
    """What annotations of one kind and name say."""

    annotations: int = 0
    numbers: int = 0
    total: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    values: Counter[str] = field(default_factory=Counter)
    values_left_out: int = 0

    def add(self, value: object) -> None:
        """Count one annotation with its value (None when it has none)."""
        self.annotations += 1
        if isinstance(value, bool):
            self._count("true" if value else "false")
        elif isinstance(value, int | float):
            amount = float(value)
            self.lowest = amount if not self.numbers else min(self.lowest, amount)
            self.highest = amount if not self.numbers else max(self.highest, amount)
            self.numbers += 1
            self.total += amount
        elif isinstance(value, str):
            self._count(value[:80])

    def _count(self, value: str) -> None:
        if value in self.values or len(self.values) < _VALUES_MAX:
            self.values[value] += 1
        else:
            self.values_left_out += 1

    @property
    def mean(self) -> float | None:
        """Return the mean of the numeric values."""
        return self.total / self.numbers if self.numbers else None


class Overview:
    """All that the summary page counts."""

    def __init__(self) -> None:
        self.statements = 0
        self.first = ""
        self.last = ""
        self.types: Counter[str] = Counter()
        self.all = Usage()
        self.models = Table(Usage)
        self.sessions = Table(Usage)
        self.producers: Table[Counter[str]] = Table(Counter)
        self.streams: Table[Counter[str]] = Table(Counter)
        self.criticality: Counter[str] = Counter()
        self.vantages: Counter[str] = Counter()
        self.verdicts = Table(Verdicts)
        self.operations: list[Operation] = []

    def add(self, entry: Entry) -> None:
        """Count one statement of the selection, whatever its type."""
        payload = entry.payload
        self.statements += 1
        self.first = self.first or payload.created_at
        self.last = payload.created_at
        self.types[payload.type] += 1
        self.streams[(payload.stream_id,)]["statements"] += 1
        self.producers[(entry.cose.iss, entry.cose.kid.hex())]["statements"] += 1
        if payload.type == "annotation":
            kind, name = text(payload.body, "kind") or "", text(payload.body, "name") or ""
            self.verdicts[(kind, name)].add(payload.body.get("value"))

    def add_operation(self, op: Operation) -> None:
        """Count one witness of the selection, after `add`."""
        self.all.add(op)
        self.models[(op.model_id, op.provider or "")].add(op)
        self.sessions[(op.session or "",)].add(op)
        self.criticality[op.criticality] += 1
        self.vantages[op.vantage] += 1
        if len(self.operations) < OPERATIONS_SHOWN:
            self.operations.append(op)
