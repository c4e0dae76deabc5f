"""Credentials in bodies that are about to be recorded: said once, and never shown.

The log keeps what it got, since it is evidence. A warning is what remains; the key has to be
revoked, and the content can be erased (specs/06 section 4).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from ledger.capture.secrets import find_secrets

__all__ = ["SCANNED_BYTES", "Scanner", "SecretWarning"]

SCANNED_BYTES = 4 << 20
WARNINGS_MAX = 1000

_log = logging.getLogger("ledger.capture")


@dataclass(frozen=True, slots=True)
class SecretWarning:
    """What kind of credential stands where; never the credential."""

    kind: str
    where: str
    """`request` or `response`, with method and URL."""
    offset: int
    """In the body without content encoding, bytes."""

    def __str__(self) -> str:
        return f"{self.kind} in the {self.where}, byte {self.offset}: it is recorded"


class Scanner:
    """Looks into the first 4 MiB of bodies; safe for threads."""

    def __init__(self) -> None:
        self.found: list[SecretWarning] = []
        self._lock = threading.Lock()
        self._said: set[tuple[str, str]] = set()

    def look(self, body: bytes, where: str) -> None:
        """Warn about what a body seems to hold; a kind in a place is logged once."""
        for finding in find_secrets(body[:SCANNED_BYTES]):
            warning = SecretWarning(finding.kind, where, finding.offset)
            with self._lock:
                if len(self.found) < WARNINGS_MAX:
                    self.found.append(warning)
                said = (warning.kind, warning.where) in self._said
                self._said.add((warning.kind, warning.where))
            if not said:
                _log.warning("%s", warning)
