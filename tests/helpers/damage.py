"""Damage to bytes, and to CBOR values from the inside, by a seeded source of randomness.

Hypothesis draws the seed: the damage can be repeated, and is far quicker than drawn bit by bit.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from hypothesis import strategies as st

randomness = st.integers(0, 2**64 - 1).map(Random)

BIG = 2**64 - 1
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63 - 1, 2**63, BIG, -(2**63), -(2**63) - 1, -(2**64), 0.0, 1.0,
    0.5, 1.0000000000000002, -5e-324, 1e308, "", "a", "x" * 128, "x" * 129, "x" * 256, "x" * 257,
    "é" * 128, "é" * 129, "x" * 4096, "x" * 4097, "é" * 2049, "\0", "\n", "\x7f", "\x80", "\u2028",
    "A", "B", "chat", "transport", "imported", "critical", "2026-11-20", "2026-02-30",
    "2026-11-20T09:00:00.000000Z", "2026-11-20T24:00:00.000000Z", "2026-11-20T09:00:60.000000Z",
    "0000-01-01T00:00:00.000000Z", "2026-11-20T09:00:00.000000+", "２026-11-20", b"", b"x",
    bytes(31), bytes(32), bytes(33), bytes(64), bytes(65), [], [None], [""], ["a"], {}, {"a": 1},
    {"blake3": 1}, {"blake3": bytes(32)},
    {"sha256": bytes(32), "blake3": bytes(32), "size_bytes": 0, "media_type": "text/plain"},
    {"sha256": bytes(32), "blake3": bytes(32), "size_bytes": 0, "media_type": "t", "salted": True},
    {"sha256": bytes(32), "blake3": bytes(32), "size_bytes": 0, "media_type": "t", "salted": False},
)  # fmt: skip
ODD_KEYS = ("", "a", "blake3", "salted", "id", "x" * 257, "\0", "authorization", "session", "é")


def damage_bytes(data: bytes, rng: Random) -> bytes:
    """Return bytes with one to three changes: bits flipped, bytes set, cut out, doubled, put in."""
    raw = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randint(0, len(raw)), rng.randint(0, 6)
        if kind == 0 and at < len(raw):
            raw[at] ^= 1 << rng.randint(0, 7)
        elif kind == 1 and at < len(raw):
            raw[at] = rng.choice((0, 1, 0x20, 0x0A, 0x7F, 0xFF, rng.randint(0, 255)))
        elif kind == 2:
            del raw[at:]
        elif kind == 3:
            del raw[at : at + rng.randint(1, 8)]
        elif kind == 4:
            raw[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 5:
            raw[at:at] = raw[at : at + rng.randint(1, 40)]
        else:
            raw += rng.choice((b"\n", b"\0", b" ", rng.randbytes(4)))
    return bytes(raw)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a value, itself excluded."""
    found: list[tuple[Any, ...]] = []
    items: Any = ()
    if type(value) is dict:
        items = value.items()
    elif type(value) is list:
        items = enumerate(value)
    for key, item in items:
        found.append((*path, key))
        found += places(item, (*path, key))
    return found


def _holder(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def damage_value(given: Any, rng: Random) -> Any:
    """Return a value with one or two fields dropped, added, retyped, doubled or out of range."""
    value = copy.deepcopy(given)
    for _ in range(rng.randint(1, 2)):
        where = places(value)
        if not where:
            break
        path = rng.choice(where)
        holder, key = _holder(value, path), path[-1]
        kind = rng.randint(0, 6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and type(holder) is dict:
            holder[rng.choice(ODD_KEYS)] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif kind == 2 and type(holder) is dict:
            holder[rng.choice(where)[-1]] = copy.deepcopy(holder[key])
        elif kind == 3 and type(holder) is list:
            holder.append(copy.deepcopy(holder[key]))
        elif kind == 4 and type(holder[key]) in (int, float):
            holder[key] = holder[key] + rng.choice((1, -1, 1.0, 2**63, 1e-7))
        elif kind == 5:
            other = rng.choice(where)
            holder[key] = copy.deepcopy(_holder(value, other)[other[-1]])
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return _text_keys(value)


def _text_keys(value: Any) -> Any:
    """Drop keys that are not text: they have no place in a decoded value."""
    if type(value) is dict:
        return {k: _text_keys(v) for k, v in value.items() if type(k) is str}
    if type(value) is list:
        return [_text_keys(item) for item in value]
    return value
