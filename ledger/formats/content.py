"""Content references: bytes beside the log, named by two hashes, plain or salted (specs/06).

    {"sha256": 32 bytes, "blake3": 32 bytes, "size_bytes": n, "media_type": name, "salted"?: true}

Both hashes are over the archived bytes: the content, or salt || content with a salt of 16 bytes.

>>> ref, archived = refer(b"hello", "text/plain")
>>> ref.sha256.hex()[:8], ref.blake3.hex()[:8], ref.size_bytes
('2cf24dba', 'ea8f163d', 5)
>>> check(ref, archived)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from blake3 import blake3

from ledger.errors import ContentError, FormatError
from ledger.formats.values import is_count, is_digest, is_name

SALT_BYTES: Final = 16

_REQUIRED: Final = frozenset({"sha256", "blake3", "size_bytes", "media_type"})


@dataclass(frozen=True, slots=True)
class ContentRef:
    """A content reference; `size_bytes` is the length of the content without the salt."""

    sha256: bytes
    blake3: bytes
    size_bytes: int
    media_type: str
    salted: bool = False

    @property
    def archived_bytes(self) -> int:
        """The length of the archived bytes, salt included."""
        return self.size_bytes + (SALT_BYTES if self.salted else 0)

    def to_cbor(self) -> dict[str, Any]:
        """Return the map that stands in a body."""
        value: dict[str, Any] = {
            "sha256": self.sha256,
            "blake3": self.blake3,
            "media_type": self.media_type,
            "size_bytes": self.size_bytes,
        }
        if self.salted:
            value["salted"] = True
        return value


def from_cbor(value: object) -> ContentRef:
    """Read the map of a content reference; FormatError `body_invalid` unless it is one exactly."""
    if type(value) is not dict:
        raise FormatError("body_invalid", "a content reference is a map")
    keys = value.keys()
    if keys - {"salted"} != _REQUIRED:
        raise FormatError("body_invalid", "a content reference lacks a key or has one too many")
    if not is_digest(value["sha256"]) or not is_digest(value["blake3"]):
        raise FormatError("body_invalid", "a digest of a content reference is not 32 bytes")
    if not is_count(value["size_bytes"]) or not is_name(value["media_type"]):
        raise FormatError("body_invalid", "size_bytes or media_type of a content reference")
    if value.get("salted", True) is not True:
        raise FormatError("body_invalid", "salted is true or absent")
    return ContentRef(
        value["sha256"],
        value["blake3"],
        value["size_bytes"],
        value["media_type"],
        "salted" in value,
    )


class ContentHasher:
    """Makes a reference of content that comes in pieces; the caller archives salt and pieces."""

    def __init__(self, media_type: str, salt: bytes | None = None) -> None:
        """Begin with a salt of 16 bytes or none; FormatError `body_invalid` for a media type."""
        if not is_name(media_type):
            raise FormatError("body_invalid", "media_type is a name")
        if salt is not None and len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes")
        self._media_type = media_type
        self._salted = salt is not None
        self._sha256 = sha256(salt or b"")
        self._blake3 = blake3(salt or b"")
        self._size = 0

    def update(self, piece: bytes) -> None:
        """Take the next piece of the content."""
        self._sha256.update(piece)
        self._blake3.update(piece)
        self._size += len(piece)

    def finish(self) -> ContentRef:
        """Return the reference to everything taken so far."""
        return ContentRef(
            self._sha256.digest(), self._blake3.digest(), self._size, self._media_type, self._salted
        )


def refer(content: bytes, media_type: str, salt: bytes | None = None) -> tuple[ContentRef, bytes]:
    """Return the reference to some content and the bytes to archive."""
    hasher = ContentHasher(media_type, salt)
    hasher.update(content)
    return hasher.finish(), (salt or b"") + content


def check(ref: ContentRef, archived: bytes) -> None:
    """Check the length and both hashes of archived bytes; ContentError `content_mismatch`."""
    if len(archived) != ref.archived_bytes:
        raise ContentError(
            "content_mismatch", f"{len(archived)} archived bytes instead of {ref.archived_bytes}"
        )
    if sha256(archived).digest() != ref.sha256:
        raise ContentError("content_mismatch", "another SHA-256")
    if blake3(archived).digest() != ref.blake3:
        raise ContentError("content_mismatch", "another BLAKE3")


def references(body: object) -> Iterator[ContentRef]:
    """Yield the references of a body of any type, in the order of its encoding.

    Every map with the key `blake3` is one; FormatError `body_invalid` if it is not one exactly.
    """
    if type(body) is dict:
        if "blake3" in body:
            yield from_cbor(body)
        else:
            nested = [key for key, value in body.items() if type(value) in (dict, list)]
            for key in sorted(nested, key=_encoded_order):
                yield from references(body[key])
    elif type(body) is list:
        for item in body:
            yield from references(item)


def _encoded_order(key: str) -> tuple[int, bytes]:
    raw = key.encode()
    return len(raw), raw
