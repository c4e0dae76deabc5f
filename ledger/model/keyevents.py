"""The bodies of key events (specs/05 §3).

A body shows that fields are there and have their types. What an event means, whether its proofs
hold and its keys may be used is judged by `ledger.keys.events`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.model.base import Body, Group
from ledger.model.values import Array, Count, Digest, Label, Origin, Prose, Signature

PRODUCERS_MAX = 16


class Key(Group):
    """A key entry: its name, its public key, and its proof of possession."""

    name: Label
    public_key: Digest
    proof: Signature


class Genesis(Body):
    """The first statement of a ledger and its identity."""

    origin: Origin
    salted: bool
    authority: Key
    log: Key
    producers: Annotated[tuple[Key, ...], Array, Field(min_length=1, max_length=PRODUCERS_MAX)]


class Enrol(Body):
    """A new key, valid after this index."""

    role: Literal["producer", "log"]
    key: Key


class Rotate(Body):
    """A key that takes over role and name of another."""

    old_kid: Digest
    key: Key


class Revoke(Body):
    """A key that is not trusted beyond an index."""

    kid: Digest
    last_good_index: Count
    reason: Prose
