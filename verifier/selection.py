"""What an export statement claims of a package (specs/07 section 5)."""

from __future__ import annotations

from typing import Any

from .statement import KEY_STREAM

_ALL = 2**64


class Selection:
    """Which records a package says it holds; without a valid export statement, all it has."""

    def __init__(self, payload: dict[str, Any] | None = None, index: int = -1) -> None:
        self.payload = payload
        self.index = index
        self.signed = False
        self.kind = "none"
        self.start, self.end = 0, _ALL
        self.session: str | None = None
        self.withheld = True
        self.found = 0

    def accept(self) -> None:
        """Take the claim as valid: the seal of the package matches."""
        if self.payload is None:
            raise RuntimeError("no export statement")
        body = self.payload["body"]
        claim = body["selection"]
        self.signed = True
        self.kind = claim["kind"]
        self.start, self.end = claim["start"], claim["end"]
        self.session = claim.get("session")
        self.withheld = body["contents"] == "withheld"

    def admits(self, index: int, stream: str) -> bool:
        """Return whether a record outside the selection belongs into a part all the same."""
        return stream == KEY_STREAM or index == self.index

    def has(self, index: int, session: str | None) -> bool:
        """Return whether a record is in the selection."""
        inside = self.start <= index < self.end
        return inside and (self.kind != "session" or session == self.session)
