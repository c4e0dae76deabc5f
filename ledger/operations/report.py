"""What checking an operation finds: parts, computed results, findings (specs/12 and 08).

A finding is what the page calls one: a code, at the statement that it is found at. A rule that
needs a statement or content that is not at hand is not judged, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ledger.formats.payload import Parent
from ledger.reader import Entry

__all__ = [
    "Computed",
    "Finding",
    "Judged",
    "NotJudged",
    "OperationName",
    "OperationReport",
    "StagePart",
    "Status",
]

Status = Literal["verified", "outside", "failed"]
PartState = Literal["here", "outside", "missing", "unreadable"]

NOTES = frozenset({"operation_open"})
_LINEAGE = frozenset(
    {
        "parent_missing",
        "parent_later",
        "parent_mismatch",
        "part_missing",
        "part_mismatch",
        "part_dropped",
        "operation_duplicate",
        "stage_mismatch",
        "stage_order",
        "stage_times",
        "claim_mismatch",
    }
)
_AUTHENTICITY = frozenset(
    {
        "signature_invalid",
        "key_invalid",
        "key_unknown",
        "key_revoked",
        "key_role",
        "key_name",
        "key_event_invalid",
    }
)
_OTHERS = {
    "derivation_mismatch": "policy",
    "context_mismatch": "contents",
    "operation_open": "completeness",
}


class OperationName(NamedTuple):
    """Which operation of a ledger: its session, or None, and its name and number there."""

    session: str | None
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold, and where."""

    code: str
    index: int
    id: str
    message: str
    expected: str = ""
    actual: str = ""

    @property
    def severity(self) -> str:
        """`fail`, or `note` for what is no fault."""
        return "note" if self.code in NOTES else "fail"

    @property
    def axis(self) -> str:
        """The axis of specs/08 that it belongs to."""
        if self.code in _LINEAGE:
            return "lineage"
        return "authenticity" if self.code in _AUTHENTICITY else _OTHERS.get(self.code, "integrity")


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A rule that could not be judged, for want of a statement or a content."""

    code: str
    index: int
    why: str


Judged = Finding | NotJudged


@dataclass(frozen=True, slots=True)
class StagePart:
    """A stage of an operation: in this ledger, or named as a part and run elsewhere."""

    kind: str
    label: str
    parent: Parent
    state: PartState
    joined: bool
    index: int | None
    body: Mapping[str, Any] | None
    """None where it is not at hand or breaks its page."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed about the parts of a provenance (specs/12 section 8)."""

    chain_verified: bool
    lineage_verified: bool
    trust_chain: tuple[tuple[bytes, str], ...]
    """Kid and name of each key that signed a part or the chain, in order, each once."""
    status: Status


@dataclass(frozen=True, slots=True)
class OperationReport:
    """One operation, as it follows from the log."""

    name: OperationName
    parts: tuple[StagePart, ...]
    """In the order of the chain; before there is one, of the log."""
    provenance: Entry | None
    combined: Entry | None
    computed: Computed | None
    """None without a provenance that can be read."""
    findings: tuple[Finding, ...]
    """In order of index."""
    not_judged: tuple[NotJudged, ...]
    first_index: int
    """Of its first statement."""

    @property
    def state(self) -> str:
        """`combined`, or `interrupted`, which one that is still going on is as well."""
        return "interrupted" if self.combined is None else "combined"

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it, nor with a stage that was run elsewhere."""
        failed = self.computed is not None and self.computed.status == "failed"
        return not failed and all(finding.severity == "note" for finding in self.findings)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of its stages in order, each once."""
        said = [part.body["model_id"] for part in self.parts if part.body and _works(part.kind)]
        return tuple(dict.fromkeys(said))


def _works(kind: str) -> bool:
    return kind in ("insight", "execution")
