"""Content references and archived bytes (specs/06)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from blake3 import blake3

from .errors import BadValue, Refused
from .values import Check, boolean, closed, column_rule, count, digest, name

SALT_BYTES = 16
REF_MARK = "blake3"


@Check
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
    _check_ref(v)


def is_ref(v: Any) -> bool:
    """Return whether a map is exactly a content reference."""
    return _check_ref.all((v,))


def all_refs(column: Sequence[Any]) -> bool:
    """Return whether all values, at least one, are exactly content references."""
    return _check_ref.all(column)


def _all_marked(column: Sequence[Any]) -> bool:
    return {*map(type, column)} == {dict} and all(REF_MARK in v for v in column)


@column_rule(_all_marked)
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
