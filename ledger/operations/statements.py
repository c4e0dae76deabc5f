"""The statements that rules speak of: found by the names that others give them, and read once.

A body that breaks its page is not used by any rule; its own finding is enough (specs/12 section 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ledger.errors import FormatError, LedgerError, RecordError
from ledger.formats.content import references
from ledger.formats.merkle import TILE_WIDTH
from ledger.formats.payload import PARENTS_MAX, STAGE_TYPES, Parent, Payload
from ledger.formats.values import is_label, uuid7_bytes
from ledger.model import BODIES, from_body
from ledger.operations.report import Finding, NotJudged, OperationName, PartState
from ledger.reader import Entry, Reader

__all__ = ["Resolved", "Seen", "Statements", "operation_name"]

KEPT = 512
NUMBER_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A statement, and whether its body has the shape of its page."""

    entry: Entry
    fault: str
    """Why the body is `body_invalid`; empty when it is not."""

    @property
    def index(self) -> int:
        """Its place in the log."""
        return self.entry.index

    @property
    def payload(self) -> Payload:
        """What it says."""
        return self.entry.payload

    @property
    def body(self) -> dict[str, Any]:
        """Its body; of use only without a fault."""
        return self.entry.payload.body

    def finding(
        self, code: str, message: str, expected: object = "", actual: object = ""
    ) -> Finding:
        """A finding at this statement."""
        return Finding(code, self.index, self.entry.id, message, said(expected), said(actual))

    def not_judged(self, code: str, why: str) -> NotJudged:
        """A rule that was not judged at this statement."""
        return NotJudged(code, self.index, why)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A parent, as far as it is at hand."""

    parent: Parent
    state: PartState
    index: int | None = None
    seen: Seen | None = None
    other_id: bool = False
    """Whether the statement with this leaf hash has another id."""

    @property
    def kind(self) -> str | None:
        """Its type; None where it is not at hand."""
        return None if self.seen is None else self.seen.payload.type

    @property
    def body(self) -> Mapping[str, Any] | None:
        """Its body; None where it is not at hand or breaks its page."""
        return None if self.seen is None or self.seen.fault else self.seen.body

    @property
    def own(self) -> bool:
        """Whether it is said to be in the same ledger."""
        return self.parent.ledger is None


class Statements:
    """Looks statements up; keeps the latest `KEPT` of them."""

    def __init__(self, log: Reader) -> None:
        self.log = log
        self.salted = log.salted
        self._seen = lru_cache(KEPT)(self._read)

    def at(self, index: int) -> Seen | None:
        """The statement at an index; None where there is none that can be taken apart."""
        return self._seen(index)

    def parents(self, seen: Seen) -> list[Resolved]:
        """The parents of a statement in order."""
        return [self.resolve(parent) for parent in seen.payload.parents]

    def resolve(self, parent: Parent) -> Resolved:
        """Find a parent by its leaf hash, first where its id leads."""
        if parent.ledger is not None:
            return Resolved(parent, "outside")
        index = self._by_id(parent.id)
        if index is not None and self.stored_leaf(index) == parent.leaf_hash:
            return self._found(parent, index)
        try:
            index = self.log.by_leaf_hash(parent.leaf_hash).index
        except LedgerError:
            return Resolved(parent, "missing")
        return self._found(parent, index)

    def stored_leaf(self, index: int) -> bytes:
        """What the tree says the leaf hash of an index is; empty where it says nothing."""
        number, at = divmod(index, TILE_WIDTH)
        try:
            return self.log.tile(0, number)[32 * at : 32 * at + 32]
        except LedgerError:
            return b""

    def _found(self, parent: Parent, index: int) -> Resolved:
        seen = self.at(index)
        if seen is None or seen.entry.leaf_hash != parent.leaf_hash:
            return Resolved(parent, "unreadable", index)
        return Resolved(parent, "here", index, seen, seen.entry.id != parent.id)

    def _by_id(self, identifier: str) -> int | None:
        try:
            with self.log.store.reading() as snapshot:
                return snapshot.id_index(uuid7_bytes(identifier))
        except LedgerError:
            return None

    def _read(self, index: int) -> Seen | None:
        with self.log.store.reading() as snapshot:
            statement = snapshot.entry(index)
        if statement is None:
            return None
        try:
            entry = Entry.parse(index, statement)
        except FormatError:
            return None
        return Seen(entry, self._fault(entry))

    def _fault(self, entry: Entry) -> str:
        payload = entry.payload
        if payload.type not in BODIES:
            return ""
        try:
            from_body(payload.type, payload.body)
        except RecordError as error:
            if error.code == "body_invalid":
                return error.message
            # Its shape is right, and only numbers in it are not what they should be.
        if any(ref.salted != self.salted for ref in references(payload.body)):
            return "a content reference is salted exactly in a salted ledger"
        least, most = _parents_wanted(payload.type, payload.body)
        if not least <= len(payload.parents) <= most:
            return f"{len(payload.parents)} parents where {least} must be"
        return ""


def operation_name(payload: Payload) -> OperationName | None:
    """The operation that a statement of the five types is of; None where it does not say."""
    said = payload.body.get("operation")
    if type(said) is not dict or said.keys() != {"name", "number"}:
        return None
    name, number = said["name"], said["number"]
    if not is_label(name) or type(number) is not int or not 1 <= number <= NUMBER_MAX:
        return None
    return OperationName(payload.session, name, number)


def said(value: object) -> str:
    """A value for a finding: short, absence as such."""
    if value is None:
        return "absent"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping) and "sha256" in value:
        return f"content {value['sha256'].hex()[:16]}"
    return str(value)[:200]


def _parents_wanted(kind: str, body: Mapping[str, Any]) -> tuple[int, int]:
    """How many parents a statement of a type may have, where its page says so."""
    if kind in STAGE_TYPES:
        inside = body["made_with"]
        return (inside + 1 if kind == "transfer" else max(inside, kind == "execution")), PARENTS_MAX
    if kind == "provenance":
        return len(body["steps"]), len(body["steps"])
    if kind == "cross_model":
        parts = sum(len(body[name]) for name in ("insights", "transfers", "executions"))
        return parts + 1, parts + 1
    return 0, PARENTS_MAX
