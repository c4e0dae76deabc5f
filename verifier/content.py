"""Content references and archived bytes (specs/06)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from blake3 import blake3

from .errors import BadValue, Refused
from .values import COUNT_MAX, DIGEST_BYTES, boolean, closed, count, digest, name

SALT_BYTES = 16
REF_MARK = "blake3"


def _only_true(v: Any) -> None:
    boolean(v)
    if not v:
        raise BadValue("not true")


_check_ref = closed(
    {"sha256": digest, "blake3": digest, "size_bytes": count, "media_type": name},
    {"salted": _only_true},
)


def check_ref(v: Any) -> None:
    """Check that a map is exactly a content reference."""
    if type(v) is dict and len(v) == 4:
        # The common case at once; the table says what is wrong with any other.
        sha, tree, size = v.get("sha256"), v.get("blake3"), v.get("size_bytes")
        if (
            type(sha) is bytes
            and type(tree) is bytes
            and type(size) is int
            and len(sha) == len(tree) == DIGEST_BYTES
            and 0 <= size <= COUNT_MAX
            and "media_type" in v
        ):
            name(v["media_type"])
            return
    _check_ref(v)


def looks_like_ref(v: Any) -> None:
    """Check that a value is a map that counts as a reference, to be checked as one."""
    if type(v) is not dict or REF_MARK not in v:
        raise BadValue("not a content reference")


class Archived(NamedTuple):
    """What archived bytes turned out to be: both digests and their length in bytes."""

    sha256: bytes
    blake3: bytes
    size: int


def measure(chunks: Iterable[bytes]) -> Archived:
    """Return digests and length of bytes that arrive in pieces."""
    sha, tree, size = hashlib.sha256(), blake3(), 0
    for chunk in chunks:
        sha.update(chunk)
        tree.update(chunk)
        size += len(chunk)
    return Archived(sha.digest(), tree.digest(), size)


def archived_size(ref: dict[str, Any]) -> int:
    """Return the length in bytes that archived bytes of a checked reference must have."""
    size: int = ref["size_bytes"]
    return size + SALT_BYTES if "salted" in ref else size


def check_archived(ref: dict[str, Any], found: Archived) -> None:
    """Check archived bytes against a checked reference; `content_mismatch`."""
    if found.size != archived_size(ref):
        raise Refused(
            "content_mismatch", "another length", str(archived_size(ref)), str(found.size)
        )
    if found.blake3 != ref["blake3"]:
        raise Refused("content_mismatch", "another BLAKE3", ref["blake3"].hex(), found.blake3.hex())
    if found.sha256 != ref["sha256"]:
        raise Refused(
            "content_mismatch", "another SHA-256", ref["sha256"].hex(), found.sha256.hex()
        )
