"""What can be judged of a record without any other record (specs/02, 03, 05, 06).

These functions run in worker processes: they take files of up to 256 records, called sheets,
and return compact facts for the part of the audit that needs the order of the log.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from blake3 import blake3
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from . import cbor, cose, layout, merkle, policy
from .bodies import check_body
from .chain import UNREADABLE
from .content import REF_MARK, archived_size, check_ref
from .contents import row
from .errors import BadValue, Fatal, Refused
from .keys import Judge
from .package import Package
from .statement import KEY_STREAM, KEY_TYPES, TYPES, check_payload

Note = tuple[int, str | None, str, str, str | None, str | None]
"""index, id, code, message, expected, actual"""
Fact = tuple[str, str, int, bytes | None, str | None, int, bytes, bytes]
"""stream, issuer, seq, prev, session, tag, parents (48 bytes each), references (72 each)"""

TAG_NONE, TAG_WITNESS, TAG_CLOSE = 0, 1, 2
NO_ID = bytes(16)
_KEYS_MARK = b"\x02\x64keys"
_ERASURE_MARK = b"\x67erasure"
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

    `mark` (16 bytes) tells the second pass that the bytes are the same; `key_events` and
    `erasures` are candidates by a cheap look, the latter as positions in the sheet.
    """

    sheet: Sheet
    sha256: bytes
    mark: bytes
    leaves: bytes
    indices: tuple[int, ...]
    key_events: tuple[tuple[int, bytes], ...]
    erasures: tuple[int, ...]
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
        leaves = [merkle.leaf_hash(entry) for entry in entries]
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
        return Scan(sheet, digest, b"", b"", (), (), (), (), (e.code, e.message))
    return Scan(
        sheet,
        hashlib.sha256(raw).digest(),
        blake3(raw).digest(16),
        b"".join(leaves),
        tuple(indices) if not sheet.width else (),
        tuple(
            (index, entry)
            for index, entry in zip(indices, entries, strict=True)
            if entry.find(_KEYS_MARK, 0, _HEADER_REACH) >= 0
        ),
        tuple(k for k, entry in enumerate(entries) if _ERASURE_MARK in entry),
        tuple(notes),
        None,
    )


def judge_sheet(
    setting: Setting, task: tuple[Sheet, bytes]
) -> tuple[bytes, list[Fact | None], list[Note]]:
    """Judge every record of a sheet by itself: ids (16 bytes each), facts and findings."""
    sheet, mark = task
    raw, indices, entries = statements(setting.package, sheet)
    if blake3(raw).digest(16) != mark:
        raise Fatal("input_unreadable", f"{sheet.path()} changed while it was read")
    ids: list[bytes] = []
    facts: list[Fact | None] = []
    notes: list[Note] = []
    for index, entry in zip(indices, entries, strict=True):
        ident, fact = judge(setting, index, entry, notes)
        ids.append(ident)
        facts.append(fact)
    return b"".join(ids), facts, notes


def judge(
    setting: Setting, index: int, raw: bytes, notes: list[Note]
) -> tuple[bytes, Fact | None]:
    """Judge one record by itself; add findings to `notes`; return its id and facts."""
    try:
        header, payload, signature, signed = cose.parse(raw)
    except Refused as e:
        notes.append((index, None, e.code, e.message, e.expected, e.actual))
        return NO_ID, None
    p: Any = None
    broken: Refused | None = None
    try:
        p, refs = cbor.decode_marked(payload, REF_MARK)
        check_payload(p, header.sub)
    except Refused as e:
        broken = e
    ident = None if broken else p["id"]

    def note(e: Refused) -> None:
        notes.append((index, ident, e.code, e.message, e.expected, e.actual))

    judge = setting.judge
    key = judge.keys.get(header.kid)
    if key is not None:
        try:
            crypto_sign_open(signature + signed, key.public)
        except CryptoError:
            note(Refused("signature_invalid", "the signature does not verify"))
    if broken is not None:
        note(broken)
        try:
            judge.check(header.kid, index, "rotate", header.iss)
        except Refused as e:
            note(e)
        return NO_ID, (header.sub, header.iss, UNREADABLE, None, None, TAG_NONE, b"", b"")
    kind = p["type"]
    if index or setting.genesis is not None:  # the signer of a genesis without effect is judged
        try:
            judge.check(header.kid, index, kind, header.iss)
        except Refused as e:
            note(e)
    _place(setting, index, header.sub, p, note)
    body_ok = True
    try:
        check_body(p, refs, setting.salted)
    except BadValue as e:
        note(e)
        body_ok = False
    tag = TAG_NONE
    if kind == "witness":
        tag = TAG_WITNESS
        if body_ok:
            for differs in policy.mismatches(p["body"]):
                note(differs)
    elif kind == "stream_close":
        tag = TAG_CLOSE
    stream = p["stream"]
    parents = b""
    if "parents" in p:
        parents = b"".join(
            [one["leaf_hash"] + bytes.fromhex(one["id"].replace("-", "")) for one in p["parents"]]
        )
    return bytes.fromhex(p["id"].replace("-", "")), (
        header.sub,
        header.iss,
        stream["seq"],
        stream.get("prev"),
        p.get("session"),
        tag,
        parents,
        _rows(refs, body_ok) if refs else b"",
    )


def _place(setting: Setting, index: int, sub: str, p: dict[str, Any], note: Any) -> None:
    """Check that type, stream and index go together (specs/02 section 4, 04 sections 5, 6)."""
    kind = p["type"]
    if (kind in KEY_TYPES) is not (sub == KEY_STREAM):
        note(Refused("key_event_invalid", f"type {kind} in stream {sub}"))
    if (kind == "genesis") is not (index == 0):
        note(Refused("key_event_invalid", f"type {kind} at index {index}"))
    if kind not in TYPES:
        note(Refused("type_unknown", f"type {kind} is not known; its body is not checked"))
    ledger = p["stream"].get("ledger")
    if ledger is not None and setting.genesis is not None:
        if ledger["genesis"] != setting.genesis:
            note(
                Refused(
                    "stream_ledger",
                    "the stream belongs to another ledger",
                    setting.genesis.hex(),
                    ledger["genesis"].hex(),
                )
            )
        elif ledger["origin"] != setting.origin:
            note(
                Refused(
                    "stream_ledger",
                    "the stream names another origin",
                    setting.origin,
                    ledger["origin"],
                )
            )


def _rows(refs: list[dict[str, Any]], checked: bool) -> bytes:
    """Return checked references as rows of 72 bytes."""
    out = []
    for ref in refs:
        if not checked:
            try:
                check_ref(ref)
            except BadValue:
                continue
        out.append(row(ref["blake3"], ref["sha256"], archived_size(ref)))
    return b"".join(out)
