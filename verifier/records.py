"""Files of up to 256 records, called sheets, and the first look at them (specs/04, 07).

The first pass hashes every statement and picks out what must be known before any is judged.
It runs in worker processes when there is much to do.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from blake3 import blake3

from . import layout, merkle
from .errors import Refused
from .keys import Judge
from .package import Package

Note = tuple[int, str | None, str, str, str | None, str | None]
"""index, id, code, message, expected, actual"""
_KEYS_MARK = b"\x02\x64keys"
_ERASURE_MARK = b"\x64body\xa2\x66reason"
_TEMPLATE_MARK = b"\x6fprompt_template"
_FILL_MARKS = (b"\x70prompt_variables", b"\x70context_snapshot")
_HEADER_REACH = 512


class Sheet(NamedTuple):
    """One file of records: an entry bundle of `width`, or a file of proved records (width 0)."""

    number: int
    width: int

    def path(self) -> str:
        """Return the path of the file."""
        if self.width:
            return layout.tile_path(layout.ENTRIES, self.number, self.width)
        return layout.proved_path(self.number)


class Scan(NamedTuple):
    """What the first pass over a sheet finds; `error` is set when it cannot be split.

    `mark` (16 bytes) tells the second pass that the bytes are the same; `key_events`, `erasures`
    and `templates` are candidates by a cheap look, the last two as positions in the sheet.
    """

    sheet: Sheet
    sha256: bytes
    mark: bytes
    leaves: bytes
    indices: tuple[int, ...]
    key_events: tuple[tuple[int, bytes], ...]
    erasures: tuple[int, ...]
    templates: tuple[int, ...]
    notes: tuple[Note, ...]
    error: tuple[str, str] | None


class Setting(NamedTuple):
    """What a worker needs to judge records; it holds nothing that grows with the log."""

    package: Package
    size: int
    root: bytes
    judge: Judge
    origin: str | None
    genesis: bytes | None
    salted: bool | None


def load(package: Package, sheet: Sheet) -> tuple[bytes, list[layout.ProvedRecord] | None]:
    """Return the bytes of a sheet, and its records when they carry proofs."""
    limit = layout.BUNDLE_MAX_BYTES if sheet.width else layout.PROVED_MAX_BYTES
    raw = package.read(sheet.path(), limit)
    if len(raw) > limit:
        raise Refused("entries_invalid", f"more than {limit} bytes")
    return raw, None if sheet.width else layout.split_proved(raw)


def statements(package: Package, sheet: Sheet) -> tuple[bytes, list[int], list[bytes]]:
    """Return the bytes of a sheet, the indices of its records and their statements."""
    raw, proved = load(package, sheet)
    if proved is None:
        first = sheet.number * layout.TILE_WIDTH
        return raw, list(range(first, first + sheet.width)), layout.split_bundle(raw, sheet.width)
    return raw, [r.index for r in proved], [r.statement for r in proved]


def scan(setting: Setting, sheet: Sheet) -> Scan:
    """Hash a sheet, check inclusion proofs, and pick out what later steps need first."""
    package = setting.package
    notes: list[Note] = []
    raw = b""
    try:
        raw, indices, entries = statements(package, sheet)
        leaves = merkle.leaf_hashes(entries)
        if not sheet.width:
            for record, leaf in zip(layout.split_proved(raw), leaves, strict=True):
                try:
                    merkle.verify_inclusion(
                        leaf, record.index, setting.size, record.proof, setting.root
                    )
                except Refused as e:
                    notes.append((record.index, None, e.code, e.message, e.expected, e.actual))
    except Refused as e:
        digest = hashlib.sha256(raw).digest() if raw else b""
        return Scan(sheet, digest, b"", b"", (), (), (), (), (), (e.code, e.message))
    return Scan(
        sheet,
        hashlib.sha256(raw).digest(),
        blake3(raw).digest(16),
        b"".join(leaves),
        tuple(indices) if not sheet.width else (),
        tuple((indices[k], entries[k]) for k in _marked(_KEYS_MARK, raw, entries)),
        _marked(_ERASURE_MARK, raw, entries),
        _filled(raw, entries),
        tuple(notes),
        None,
    )


def _marked(mark: bytes, raw: bytes, entries: list[bytes]) -> tuple[int, ...]:
    """Return the places of the entries that have a mark near their beginning."""
    if mark not in raw:
        return ()
    return tuple(k for k, one in enumerate(entries) if one.find(mark, 0, _HEADER_REACH) >= 0)


def _filled(raw: bytes, entries: list[bytes]) -> tuple[int, ...]:
    """Return the places of the entries that may say how a prompt was made from a template."""
    if _TEMPLATE_MARK not in raw:
        return ()
    return tuple(
        k
        for k, one in enumerate(entries)
        if _TEMPLATE_MARK in one and any(mark in one for mark in _FILL_MARKS)
    )
