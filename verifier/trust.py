"""What an auditor pins: a trust file and a known head (specs/05 section 5)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from . import note
from .errors import Fatal, VifError
from .values import origin, parse_base64, parse_decimal, parse_hex32

TRUST_MAX_BYTES = 65536
_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE_ROOT = re.compile(r"([0-9]+):(.*)", re.DOTALL)


class Trust(NamedTuple):
    """The pinned ledger: genesis leaf hash, and its origin unless only the hash was given."""

    genesis: bytes
    origin: str | None


class KnownHead(NamedTuple):
    """A head known from outside; `signed` is the checkpoint when it came as one."""

    size: int
    root: bytes
    signed: note.Checkpoint | None


def _invalid(why: str) -> Fatal:
    return Fatal("trust_invalid", why)


def _read(path: str) -> bytes:
    """Return a small regular file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else str(e)
        raise _invalid(f"{path!a}: {why}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _invalid(f"{path!a} is not a regular file")
        parts = []
        left = TRUST_MAX_BYTES + 1
        while left and (piece := os.read(fd, left)):
            parts.append(piece)
            left -= len(piece)
    except OSError as e:
        raise _invalid(f"{path!a}: {e.strerror}") from None
    finally:
        os.close(fd)
    raw = b"".join(parts)
    if len(raw) > TRUST_MAX_BYTES:
        raise _invalid(f"{path!a} has more than {TRUST_MAX_BYTES} bytes")
    return raw


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def parse_trust(raw: bytes) -> Trust:
    """Return what a trust file pins; raises `trust_invalid`."""
    import json

    if len(raw) > TRUST_MAX_BYTES:
        raise _invalid(f"more than {TRUST_MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
        if _HEX.fullmatch(text.strip("\r\n ")):
            return Trust(bytes.fromhex(text.strip("\r\n ")), None)
        members = json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as e:
        raise _invalid(f"not a trust file: {e}"[:200]) from None
    if type(members) is not dict or set(members) != {"vif_trust", "origin", "genesis"}:
        raise _invalid("not exactly the members vif_trust, origin and genesis")
    if type(members["vif_trust"]) is not int or members["vif_trust"] != 1:
        raise _invalid("vif_trust is not 1")
    try:
        origin(members["origin"])
        if type(members["genesis"]) is not str:
            raise _invalid("genesis is not text")
        return Trust(parse_hex32(members["genesis"]), members["origin"])
    except VifError as e:
        raise _invalid(e.message) from None


def load_trust(given: str) -> Trust:
    """Return what 64 hex digits or a trust file pin; raises `trust_invalid`."""
    if _HEX.fullmatch(given):
        return Trust(bytes.fromhex(given), None)
    return parse_trust(_read(given))


def pins_of(
    pins: Sequence[Trust], genesis: bytes | None, others: Container[bytes] | None
) -> list[Trust]:
    """Return those of the pins that a package with this genesis is held against.

    A pin is for the package that has its genesis. `others` has the geneses of the packages beside
    the first one, and is None for these: a pin of no package at all is held against the first.
    """
    found = [pin for pin in pins if pin.genesis == genesis]
    if not found and others is not None:
        found = [pin for pin in pins if pin.genesis not in others][:1]
    return found


def load_known_head(given: str) -> KnownHead:
    """Return the head in SIZE:ROOT or a checkpoint file; raises `trust_invalid`."""
    match = _SIZE_ROOT.fullmatch(given)
    if match is None:
        return parse_known_head(_read(given))
    try:
        size = parse_decimal(match[1])
        text = match[2]
        root = bytes.fromhex(text) if _HEX.fullmatch(text) else parse_base64(text)
    except VifError as e:
        raise _invalid(f"known head: {e.message}") from None
    if size == 0 or len(root) != 32:
        raise _invalid("known head: not SIZE:ROOT with a root of 32 bytes")
    return KnownHead(size, root, None)


def parse_known_head(raw: bytes) -> KnownHead:
    """Return the head in a checkpoint file; its signature is checked later."""
    try:
        head = note.parse_checkpoint(raw)
    except VifError as e:
        raise _invalid(f"known head: {e.message}") from None
    return KnownHead(head.size, head.root, head)
