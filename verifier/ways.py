"""How the witnesses of a package are run again, by what they rest on (specs/13 sections 1, 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import cbor, cose
from .engines import ASKED, Way, way_of
from .recorded import Recorded

if TYPE_CHECKING:
    from .audit import Audit

_NO_HEADERS: dict[str, str] = {}


class Called(NamedTuple):
    """A witness with the headers of its request and answer, and how it is run again, if it is."""

    way: Way | None
    undecided: bool
    """There is no way because the request, which would say it, is not at hand."""
    request_headers: dict[str, str]
    response_headers: dict[str, str]


class Ways:
    """Finds outcome and intent of witnesses, and reads what their requests say."""

    def __init__(self, a: Audit) -> None:
        self._a = a
        self.recorded = Recorded(a.package, a.contents)

    def payload(self, position: int) -> tuple[int, dict[str, Any]] | None:
        """Return index and payload of the record at a position, or None unless it is valid."""
        found = self._a.statement(position) if self._a.valid_body(position) else None
        return None if found is None else (found[0], cbor.decode(cose.parse(found[1])[1]))

    def of(self, p: dict[str, Any]) -> Called:
        """Return how the operation of a witness's payload is run again."""
        witness = p["body"]
        raw = witness.get("raw", {})
        outcome = self._first_parent(p, "outcome")
        intent = self._first_parent(outcome, "intent")
        asked = None if intent is None else intent["body"]

        def members() -> frozenset[str]:
            return self.recorded.members(raw["request"])

        answered = {} if outcome is None else outcome["body"]
        way = way_of(witness, asked, members)
        gone = asked is None and "request" in raw and not self.recorded.has(raw["request"])
        named = witness.get("replay", {}).get("engine")
        return Called(
            way,
            way is None and gone and (named is None or named in ASKED),
            raw.get("request_headers", (asked or {}).get("request_headers", _NO_HEADERS)),
            raw.get("response_headers", answered.get("response_headers", _NO_HEADERS)),
        )

    def _first_parent(self, p: dict[str, Any] | None, kind: str) -> dict[str, Any] | None:
        """Return the payload of the first parent if it is at hand and of a type."""
        parents = [] if p is None else p.get("parents", ())
        if not parents or "ledger" in parents[0]:
            return None
        position = self._a.lineage.position(parents[0]["leaf_hash"])
        found = self.payload(position) if position >= 0 else None
        return found[1] if found is not None and found[1]["type"] == kind else None
