"""What a session has of an experiment folder already: files by content, statements by path.

A file counts as imported if an `import` statement of the same session names its content; in a
salted ledger the file is hashed with the salt of each content of its length. Statements of a path
are those of the file as it was before: a log that grew gives its first lines again, and a file
whose import was interrupted gives those that are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

from blake3 import blake3

from ledger.capture.importing import ImportLog
from ledger.capture.known import Known
from ledger.errors import LedgerError
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.values import is_name

__all__ = ["FORMAT", "Digests", "FolderLog", "Seen", "digests", "place_name"]

FORMAT = "experiment"
_PIECE_BYTES = 1 << 20


class FolderLog(ImportLog, Protocol):
    """The part of a ledger that the import of a folder needs."""

    @property
    def path(self) -> Any:
        """The ledger's folder."""

    def children(self, identifier: str) -> Iterator[Any]:
        """The statements that name this one as a parent."""


class Digests(NamedTuple):
    """What a file's content is."""

    size_bytes: int
    sha256: bytes
    blake3: bytes


def digests(file: BinaryIO) -> Digests:
    """Return length and digests of a file, read from its beginning."""
    file.seek(0)
    size_bytes, sha256, other = 0, hashlib.sha256(), blake3()
    while piece := file.read(_PIECE_BYTES):
        size_bytes += len(piece)
        sha256.update(piece)
        other.update(piece)
    return Digests(size_bytes, sha256.digest(), other.digest())


def place_name(path: str) -> str:
    """Return what stands for a path in a statement: the path, or a digest of one that is no name.

    >>> place_name("logs/run.jsonl")
    'logs/run.jsonl'
    """
    if is_name(path):
        return path
    return "sha256:" + hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


class Seen:
    """The imports and the imported statements of one session."""

    def __init__(self, log: FolderLog, session: str | None) -> None:
        """Read the `import` statements; the others are looked at when they are needed."""
        self._log = log
        self._session = session
        self._by_size: dict[int, list[Any]] = {}
        self._indices: dict[str, list[int]] | None = None
        for entry in log.find(type="import"):
            self.add(entry)

    def add(self, entry: Any) -> None:
        """Take up an `import` statement."""
        if entry.payload.session == self._session:
            size_bytes = entry.payload.body["source"]["size_bytes"]
            self._by_size.setdefault(size_bytes, []).append(entry)

    def find(self, file: BinaryIO, content: Digests) -> Any | None:
        """Return the `import` statement that names a content, or None."""
        for entry in self._by_size.get(content.size_bytes, []):
            source = entry.payload.body["source"]
            if not source.get("salted"):
                if source["sha256"] == content.sha256:
                    return entry
            elif self._salted(file, source):
                return entry
        return None

    def is_complete(self, entry: Any) -> bool:
        """Tell whether all statements are there that an `import` statement counts."""
        body = entry.payload.body
        if body["format"] != FORMAT:
            return True
        there = sum(_place(child.payload) is not None for child in self._log.children(entry.id))
        return there >= int(body["witnesses"] + body["annotations"])

    def statements(self, path: str) -> Known:
        """Return the statements of the session that were taken from a path."""
        known = Known(self._log)
        if self._by_size:
            for index in self._places().get(place_name(path), []):
                known.learn(self._log.get(index))
        return known

    def _places(self) -> dict[str, list[int]]:
        if self._indices is None:
            self._indices = {}
            for kind in ("witness", "annotation"):
                for entry in self._log.find(type=kind):
                    place = _place(entry.payload)
                    if place is not None and entry.payload.session == self._session:
                        self._indices.setdefault(place, []).append(entry.index)
        return self._indices

    def _salted(self, file: BinaryIO, source: dict[str, Any]) -> bool:
        try:
            with self._log.open_archived(ContentRef(**source)) as archived:
                salt = archived.read(SALT_BYTES)
        except LedgerError:
            return False
        file.seek(0)
        digest = hashlib.sha256(salt)
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
        return bool(digest.digest() == source["sha256"])


def _place(payload: Any) -> str | None:
    """Return the path that a statement was taken from, None for one of another origin."""
    if payload.type not in ("witness", "annotation"):
        return None
    body = payload.body
    source = (body.get("capture", {}) if payload.type == "witness" else body).get("source", {})
    return str(source.get("sample_id")) if source.get("format") == FORMAT else None
