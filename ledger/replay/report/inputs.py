"""What a determinism report is made from: runs of witnesses, and contents to look into.

A `Run` is the body of a `replay` (specs/13 section 7) with the facts of its witness. Nothing here
depends on where either comes from: a ledger, a package, or a replay that is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from ledger.errors import FormatError
from ledger.formats.call import canonical, read_ijson
from ledger.formats.containing import is_json
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.payload import Parent, Payload

__all__ = ["Contents", "Run", "Subject", "of_parent", "of_witness"]

_LOOKED_INTO_MAX: Final = 4 << 20
_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """The facts of a witness; without it at hand, what its replay says of it."""

    leaf_hash: bytes
    id: str
    index: int | None = None
    ledger: bytes | None = None
    """Identity of the other ledger that it is in; None in this one."""
    session: str | None = None
    model: str | None = None
    operation: str | None = None
    output: ContentRef | None = None
    environment: ContentRef | bytes | None = None
    """The expected environment of specs/13 section 1: a reference, or what follows."""

    @property
    def order(self) -> tuple[bool, int, bytes, str, bytes]:
        """By index; those of which it is not known last."""
        return self.index is None, self.index or 0, self.ledger or b"", self.id, self.leaf_hash

    @property
    def title(self) -> str:
        """How it is called: by index, or by id where that is not known."""
        return f"#{self.index}" if self.index is not None else self.id


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one witness."""

    subject: Subject
    body: Mapping[str, Any]
    kid: bytes | None = None
    """The key that signed the replay, if it is recorded."""
    place: int = 0
    """Where it is recorded, or which it was."""


def of_witness(
    index: int, leaf_hash: bytes, payload: Payload, ledger: bytes | None = None
) -> Subject:
    """Return the facts of a witness; `ledger` is the identity of another one that it is in."""
    body = payload.body
    output = body["output"].get("output_hash")
    said = body.get("replay", {}).get("environment")
    fingerprint = body["model"].get("system_fingerprint")
    environment: ContentRef | bytes | None = None
    if said is not None:
        environment = from_cbor(said)
    elif fingerprint is not None:
        named = {"model": body["model"]["model_id"], "system_fingerprint": fingerprint}
        environment = canonical(named)
    return Subject(
        leaf_hash,
        payload.id,
        index,
        ledger,
        session=payload.session,
        model=body["model"]["model_id"],
        operation=body["operation"],
        output=None if output is None else from_cbor(output),
        environment=environment,
    )


def of_parent(parent: Parent) -> Subject:
    """Return what is known of a witness that is not at hand."""
    return Subject(parent.leaf_hash, parent.id, ledger=parent.ledger)


class Contents:
    """Contents by reference, and what they are without the salt that makes equal ones differ."""

    def __init__(self, read: Callable[[ContentRef], bytes | None] | None = None) -> None:
        """Take what gives a content without its salt, None for one that is not at hand."""
        self._read = read
        self._known: dict[bytes, tuple[bytes, bool]] = {}

    def read(self, ref: ContentRef) -> bytes | None:
        """A content without salt."""
        return None if self._read is None else self._read(ref)

    def identity(self, ref: ContentRef) -> tuple[bytes, bool]:
        """A digest that equal contents share, and whether it is certain.

        It is SHA-256 of the content, of JSON in RFC 8785 form as far as it can be looked into. What
        is salted and not at hand is told apart by its archived bytes, which proves nothing.
        """
        found = self._known.get(ref.blake3)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[ref.blake3] = self._identify(ref)
        return found

    def _identify(self, ref: ContentRef) -> tuple[bytes, bool]:
        look = is_json(ref.media_type) and ref.size_bytes <= _LOOKED_INTO_MAX
        content = self.read(ref) if look or ref.salted else None
        if content is None:
            return ref.sha256, not ref.salted
        if look:
            try:
                return sha256(canonical(read_ijson(content))).digest(), True
            except (FormatError, ValueError, RecursionError):
                pass
        return sha256(content).digest(), True
