"""Statements and contents of all packages at hand, for those who ask for single ones (specs/13).

Nothing is remembered here but a few sheets and small contents; who asks in log order is served
from what was read last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import cbor, cose
from .judging import opened
from .shelf import NOT_HERE, Shelf

if TYPE_CHECKING:
    from .audit import Audit

NOWHERE = -1


class Statement(NamedTuple):
    """A statement that could be read and has a valid body, and where it is."""

    package: int
    position: int
    kid: bytes
    issuer: str
    payload: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return its type."""
        kind: str = self.payload["type"]
        return kind

    @property
    def body(self) -> dict[str, Any]:
        """Return its body."""
        body: dict[str, Any] = self.payload["body"]
        return body


class AtHand:
    """The first package and those beside it, by number."""

    def __init__(self, audits: Sequence[Audit]) -> None:
        """Take the audits, whose contents are known, that of the first package first."""
        self.audits = audits
        self.shelf = Shelf([(a.package, a.contents) for a in audits])
        self._numbers = {a.book.genesis: n for n, a in enumerate(audits) if a.book.genesis}

    def statement(self, package: int, position: int) -> Statement | None:
        """Return the statement at a position; None if it cannot be read or its body is invalid."""
        a = self.audits[package]
        found = a.statement(position)
        if found is None:
            return None
        if a.judged:
            if not a.valid_body(position):
                return None
            header, payload = cose.parse(found[1])[:2]
            p = cbor.decode_loose(payload)
        else:
            one = opened([found[1]], a.book.salted)[0]
            if one.wrong is not None or one.broken is not None or one.body is not None:
                return None
            header, p = one.header, one.p
        return Statement(package, position, header.kid, header.iss, p)

    def package_of(self, package: int, parent: dict[str, Any]) -> int:
        """Return the package of the ledger in which a parent is, or NOWHERE."""
        genesis = parent.get("ledger")
        return package if genesis is None else self._numbers.get(genesis, NOWHERE)

    def place(self, package: int, parent: dict[str, Any]) -> tuple[int, int]:
        """Return package and position of a parent named in a package, or NOWHERE for both."""
        there = self.package_of(package, parent)
        if there == NOWHERE or (there == package and "ledger" in parent):
            return NOWHERE, NOWHERE
        position = self.audits[there].lineage.position(parent["leaf_hash"])
        return (there, position) if position >= 0 else (NOWHERE, NOWHERE)

    def parent(self, child: Statement, at: int) -> Statement | None:
        """Return a parent of a statement if it is at hand, valid, and came before."""
        parents = child.payload.get("parents", ())
        if at >= len(parents):
            return None
        package, position = self.place(child.package, parents[at])
        if position < 0 or (package == child.package and position >= child.position):
            return None
        return self.statement(package, position)

    def content(self, package: int, ref: dict[str, Any]) -> bytes | None:
        """Return a content that a statement of a package names, None if it is not at hand.

        None also for one that is too large, or when too much was looked at already.
        """
        handle = self.shelf.handle(package, ref)
        return None if handle == NOT_HERE else self.shelf.whole(handle)

    def ledger(self, package: int) -> bytes:
        """Return the genesis of a package, empty if it is not known."""
        return self.audits[package].book.genesis or b""
