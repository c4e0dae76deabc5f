"""What is handed to an append, and what comes back (specs/02, specs/04).

Plain values without behaviour of their own: a `Draft` becomes a signed statement, an `Archived` is
content on its way to the archive, a `Receipt` says where a statement is and under which head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ledger.formats.content import ContentRef
from ledger.formats.payload import Parent
from ledger.model.base import Body

__all__ = ["Archived", "BodyLike", "Draft", "ParentLike", "Receipt"]

BodyLike: TypeAlias = Mapping[str, Any] | Body


@dataclass(frozen=True, slots=True)
class Archived:
    """Content and its reference (specs/06).

    `data` holds the archived bytes (salt included when `ref.salted`), or the path of a file that
    does; None when they are in the archive already.
    """

    ref: ContentRef
    data: bytes | Path | None


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A statement to be: everything that its producer chooses.

    A parent is a statement id, a receipt, an entry, a `Parent`, or a draft that stands earlier in
    the same `append_many`.
    """

    type: str
    body: BodyLike
    parents: Sequence[ParentLike] = ()
    contents: Sequence[Archived] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A statement is in the log, durably, under a signed and published head.

    `checkpoint` is the head as a signed note; `size` and `root` are what it says. An inclusion
    proof is made on demand by `Ledger.proof`.
    """

    index: int
    id: str
    leaf_hash: bytes
    created_at: str
    size: int
    root: bytes
    checkpoint: bytes


class HasLeaf(Protocol):
    """Anything with `id` and `leaf_hash`, such as an `Entry`."""

    @property
    def id(self) -> str:
        """The statement's id."""

    @property
    def leaf_hash(self) -> bytes:
        """The statement's leaf hash."""


ParentLike: TypeAlias = "str | Receipt | Parent | HasLeaf | Draft"
