"""Statements that an import wrote before it was interrupted, so that the next one goes on.

An import of more than one commit can be killed between two of them. What it wrote stands in its
stream without an `import` statement after it. The statements that the same file gives again are
recognised there by being equal: type and body, and for salted content, whose references differ each
time, the content itself. What is recognised is not written a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol

from ledger.drafts import Archived, Draft
from ledger.errors import LedgerError
from ledger.formats import cbor
from ledger.formats.content import SALT_BYTES, ContentRef, references
from ledger.formats.payload import CROSS_MODEL_TYPES
from ledger.model.base import Body, to_body

__all__ = ["Known", "KnownLog", "interrupted"]

_PIECE_BYTES = 1 << 20
_ENVELOPE_TYPES = ("witness", "annotation")


class KnownLog(Protocol):
    """The part of a ledger that is looked through."""

    def find(self, *, type: str | None = None) -> Iterator[Any]:
        """The statements of a type, as entries with a `payload`."""

    def get(self, index: int) -> Any:
        """The entry at an index."""

    def streams(self) -> list[Any]:
        """The tail of every stream, with `stream` and `index`."""

    def stream(self, stream: str, seq: int = 0) -> Iterator[Any]:
        """The entries of a stream, from `seq` on."""

    def open_archived(self, ref: ContentRef) -> BinaryIO:
        """The archived bytes of a content, as a file."""


class Known:
    """Statements that are in a log, each to be recognised once."""

    def __init__(self, log: KnownLog) -> None:
        """Begin with none."""
        self._log = log
        self._entries: dict[bytes, list[Any]] = {}

    def learn(self, entry: Any) -> None:
        """Take up a statement of the log."""
        key = _key(entry.payload.type, entry.payload.body)
        self._entries.setdefault(key, []).append(entry)

    def take(self, draft: Draft) -> str | None:
        """Return the id of a statement that says what a draft says, and forget it; else None."""
        found = self.find(draft)
        if found is None:
            return None
        entries, number = found
        return str(entries.pop(number).payload.id)

    def find(self, draft: Draft) -> tuple[list[Any], int] | None:
        """Where a statement that says what a draft says stands among those learned."""
        if not self._entries:
            return None
        body = to_body(draft.body) if isinstance(draft.body, Body) else dict(draft.body)
        entries = self._entries.get(_key(draft.type, body), [])
        for number, entry in enumerate(entries):
            if self._same_contents(entry.payload.body, body, draft.contents):
                return entries, number
        return None

    def _same_contents(self, body: Any, made: Any, contents: Any) -> bool:
        given = {item.ref.blake3: item for item in contents}
        pairs = zip(references(body), references(made), strict=True)
        return all(
            one == other or self._same_content(one, other, given.get(other.blake3))
            for one, other in pairs
        )

    def _same_content(self, ref: ContentRef, made: ContentRef, given: Archived | None) -> bool:
        if not ref.salted:
            return False
        try:
            with self._log.open_archived(ref) as archived:
                salt = archived.read(SALT_BYTES)
            if given is not None and isinstance(given.data, bytes):
                plain = hashlib.sha256(salt + given.data[SALT_BYTES:]).digest()
            else:
                plain = self._digest(made, salt)
        except LedgerError:
            return False
        return plain == ref.sha256

    def _digest(self, ref: ContentRef, salt: bytes) -> bytes:
        digest = hashlib.sha256(salt)
        with self._log.open_archived(ref) as archived:
            archived.read(SALT_BYTES)
            while piece := archived.read(_PIECE_BYTES):
                digest.update(piece)
        return digest.digest()


def interrupted(log: KnownLog) -> Known:
    """Return what stands at the end of streams without the `import` statement that would follow.

    A stream counts whose last statement was taken over from another log; of it, what comes after
    its last `import` statement.
    """
    known = Known(log)
    open_streams = [
        tail.stream for tail in log.streams() if _has_source(log.get(tail.index).payload)
    ]
    if open_streams:
        ended = {entry.payload.stream_id: entry.payload.seq for entry in log.find(type="import")}
        for stream in open_streams:
            for entry in log.stream(stream, ended.get(stream, -1) + 1):
                if _has_source(entry.payload):
                    known.learn(entry)
    return known


def _has_source(payload: Any) -> bool:
    if payload.type in CROSS_MODEL_TYPES:
        # A chain has no place for its source; it stands between statements that say theirs.
        said = payload.body.get("metadata")
        return payload.type == "provenance" or (isinstance(said, dict) and "source_format" in said)
    if payload.type not in _ENVELOPE_TYPES:
        return False
    place = payload.body.get("capture", {}) if payload.type == "witness" else payload.body
    return isinstance(place, dict) and "source" in place


def _key(kind: str, body: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + cbor.encode(_unsalted(body))).digest()


def _unsalted(value: Any) -> Any:
    """Return a body with what does not change from salt to salt in place of salted references."""
    if isinstance(value, dict):
        if value.get("salted") is True and "blake3" in value:
            return {"media_type": value["media_type"], "size_bytes": value["size_bytes"]}
        return {key: _unsalted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unsalted(item) for item in value]
    return value
