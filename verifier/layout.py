"""Names and framing of the log's files (specs/04 section 2, specs/07 section 4)."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import Refused

TILE_HEIGHT = 8
TILE_WIDTH = 256
PROOF_MAX_HASHES = 63
TILE_MAX_BYTES = TILE_WIDTH * 32
BUNDLE_MAX_BYTES = TILE_WIDTH * (2 + 65535)
PROVED_MAX_BYTES = TILE_WIDTH * (8 + 2 + 65535 + 1 + 32 * PROOF_MAX_HASHES)

LOG = "data/log/"
ATTACHMENTS = "attachments"
BESIDE_MAX = 16
CHECKPOINT = LOG + "checkpoint"
_NUMBER = r"(?:x[0-9]{3}/)*[0-9]{3}"
_TILE = re.compile(rf"(entries|0|[1-9][0-9]?)/({_NUMBER})(?:\.p/([1-9][0-9]{{0,2}}))?")
_PROVED = re.compile(_NUMBER)
ENTRIES = -1


def number_path(number: int) -> str:
    """Return a tile number in groups of three digits: 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def path_number(text: str) -> int:
    """Return the number of a path of groups, the inverse of number_path."""
    number = int(text.replace("/", "").replace("x", ""))
    if number_path(number) != text:
        raise ValueError("not the canonical path of a number")
    return number


def tile_path(level: int, number: int, width: int) -> str:
    """Return the path of a tile, or of an entry bundle for level ENTRIES, in a package."""
    kind = "entries" if level == ENTRIES else str(level)
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"{LOG}tile/{kind}/{number_path(number)}{partial}"


def proved_path(number: int) -> str:
    """Return the path of a file of proved records in a package."""
    return f"{LOG}proved/{number_path(number)}"


class TileName(NamedTuple):
    """What the path of a tile or bundle says."""

    level: int
    number: int
    width: int


def parse_tile_path(path: str) -> TileName | None:
    """Return what a path below data/log/tile/ names, or None if it names nothing."""
    match = _TILE.fullmatch(path.removeprefix(LOG + "tile/"))
    if match is None:
        return None
    kind, number, partial = match.groups()
    width = TILE_WIDTH if partial is None else int(partial)
    if (partial is not None and width >= TILE_WIDTH) or len(number) > 40:
        return None
    try:
        return TileName(ENTRIES if kind == "entries" else int(kind), path_number(number), width)
    except ValueError:
        return None


def parse_proved_path(path: str) -> int | None:
    """Return the number of a file of proved records, or None if the path names nothing."""
    text = path.removeprefix(LOG + "proved/")
    if len(text) > 40 or _PROVED.fullmatch(text) is None:
        return None
    try:
        return path_number(text)
    except ValueError:
        return None


def tile_width(size: int, level: int, number: int) -> int:
    """Return how many hashes this tile has in a tree of this size; 0 means no such tile."""
    hashes = size >> TILE_HEIGHT * max(level, 0)
    return max(0, min(TILE_WIDTH, hashes - number * TILE_WIDTH))


def split_bundle(raw: bytes, width: int) -> list[bytes]:
    """Return the `width` statements of an entry bundle; raises `entries_invalid`."""
    entries = []
    at, end = 0, len(raw)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(raw[at:start], "big")
        entries.append(raw[start:at])
    if at != end or len(entries) != width:
        raise Refused("entries_invalid", f"cannot be split into exactly {width} statements")
    return entries


class ProvedRecord(NamedTuple):
    """A statement with its index and inclusion proof."""

    index: int  # type: ignore[assignment]
    statement: bytes
    proof: tuple[bytes, ...]


def split_proved(raw: bytes) -> list[ProvedRecord]:
    """Return the 1 to 256 proved records of a file; raises `entries_invalid`."""
    records: list[ProvedRecord] = []
    at, end = 0, len(raw)
    while at < end:
        index = int.from_bytes(raw[at : at + 8], "big")
        start = at + 10
        stop = start + int.from_bytes(raw[at + 8 : start], "big")
        hashes = raw[stop] if stop < end else 255
        at = stop + 1 + 32 * hashes
        if stop >= end or at > end or hashes > PROOF_MAX_HASHES:
            raise Refused("entries_invalid", f"record {len(records)} of the file is malformed")
        proof = tuple(raw[i : i + 32] for i in range(stop + 1, at, 32))
        records.append(ProvedRecord(index, raw[start:stop], proof))
        if len(records) > TILE_WIDTH:
            raise Refused("entries_invalid", f"more than {TILE_WIDTH} records in a file")
    if not records:
        raise Refused("entries_invalid", "a file without records")
    return records
