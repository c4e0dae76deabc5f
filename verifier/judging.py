"""What can be judged of a record without any other record (specs/02, 03, 05, 06).

This runs in worker processes. It works in stages over a few records at a time: the interpreter
does one thing several times, then libsodium verifies all signatures of the sheet, because
neither finds its code and data in the caches after the other has run.
"""

from __future__ import annotations

from typing import Any

from blake3 import blake3
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from . import cbor, cose, policy
from .bodies import check_body, witness_refs
from .chain import UNREADABLE
from .content import REF_MARK, archived_size, check_ref
from .contents import row
from .errors import BadValue, Fatal, Refused
from .records import Note, Setting, Sheet, statements
from .statement import KEY_STREAM, KEY_TYPES, TYPES, check_payload

Fact = tuple[str, str, int, bytes | None, str | None, int, bytes, bytes]
"""stream, issuer, seq, prev, session, tag, parents (48 bytes each), references (72 each)"""
Signed = tuple[int, str | None, bytes, bytes]
"""index, id, public key, signature followed by what was signed"""

TAG_NONE, TAG_WITNESS, TAG_CLOSE = 0, 1, 2
NO_ID = bytes(16)
_AT_A_TIME = 8


class _Opened:
    """A statement that is being judged: its frame, its payload, and what is wrong with them."""

    __slots__ = ("body", "broken", "header", "p", "payload", "refs", "signed", "wrong")

    def __init__(self, raw: bytes) -> None:
        """Take the frame apart and decode the payload."""
        self.wrong: Refused | None = None
        self.broken: Refused | None = None
        self.body: BadValue | None = None
        try:
            self.header, self.payload, signature, signed = cose.parse(raw)
        except Refused as e:
            self.wrong = e
            return
        self.signed = signature + signed
        try:
            self.p: Any = cbor.decode_loose(self.payload)
        except Refused as e:
            self.broken = e

    def check(self, salted: bool | None) -> None:
        """Check envelope and body."""
        if self.wrong is not None or self.broken is not None:
            return
        p = self.p
        try:
            check_payload(p, self.header.sub)
            if p["type"] == "witness":
                refs = witness_refs(p["body"], self.payload)
                if refs is not None:
                    try:
                        self.refs = refs
                        check_body(p, refs, salted)
                        return
                    except BadValue:
                        pass
            # The general way. A closed table bounds the depth; here it must be looked at.
            self.refs = cbor.find_marked(p, REF_MARK)
            check_body(p, self.refs, salted)
        except BadValue as e:
            self.body = e
        except Refused as e:
            self.broken = e


def judge_sheet(
    setting: Setting, task: tuple[Sheet, bytes]
) -> tuple[bytes, list[Fact | None], list[Note]]:
    """Judge every record of a sheet by itself: ids (16 bytes each), facts and findings."""
    sheet, mark = task
    try:
        raw, indices, entries = statements(setting.package, sheet)
    except Refused:
        raw, indices, entries = b"", [], []
    if blake3(raw).digest(16) != mark:
        raise Fatal("input_unreadable", f"{sheet.path()} changed while it was read")
    ids: list[bytes] = []
    facts: list[Fact | None] = []
    notes: list[Note] = []
    signatures: list[Signed] = []
    for at in range(0, len(entries), _AT_A_TIME):
        some = [_Opened(entry) for entry in entries[at : at + _AT_A_TIME]]
        for one in some:
            one.check(setting.salted)
        for one, index in zip(some, indices[at : at + _AT_A_TIME], strict=True):
            ident, fact = _judge(setting, index, one, notes, signatures)
            ids.append(ident)
            facts.append(fact)
    _verify(signatures, notes)
    return b"".join(ids), facts, notes


def judge(setting: Setting, index: int, raw: bytes) -> list[Note]:
    """Return all findings of one record by itself."""
    notes: list[Note] = []
    signatures: list[Signed] = []
    one = _Opened(raw)
    one.check(setting.salted)
    _judge(setting, index, one, notes, signatures)
    _verify(signatures, notes)
    return notes


def _verify(signatures: list[Signed], notes: list[Note]) -> None:
    """Verify signatures; add `signature_invalid` for those that do not hold."""
    for index, ident, public, signed in signatures:
        try:
            crypto_sign_open(signed, public)
        except CryptoError:
            text = "the signature does not verify"
            notes.append((index, ident, "signature_invalid", text, None, None))


def _judge(
    setting: Setting, index: int, one: _Opened, notes: list[Note], signatures: list[Signed]
) -> tuple[bytes, Fact | None]:
    """Return id and facts of a checked statement.

    Findings are added to `notes`, and what is to be verified to `signatures`.
    """
    ident: str | None = None

    def note(e: Refused) -> None:
        notes.append((index, ident, e.code, e.message, e.expected, e.actual))

    if one.wrong is not None:
        note(one.wrong)
        return NO_ID, None
    header, broken = one.header, one.broken
    if broken is None:
        ident = one.p["id"]
    judge = setting.judge
    key = judge.keys.get(header.kid)
    if key is not None:
        signatures.append((index, ident, key.public, one.signed))
    if broken is not None:
        note(broken)
        try:
            judge.check(header.kid, index, "rotate", header.iss)
        except Refused as e:
            note(e)
        return NO_ID, (header.sub, header.iss, UNREADABLE, None, None, TAG_NONE, b"", b"")
    p = one.p
    kind = p["type"]
    if index or setting.genesis is not None:  # the signer of a genesis without effect is judged
        try:
            judge.check(header.kid, index, kind, header.iss)
        except Refused as e:
            note(e)
    _place(setting, index, header.sub, p, note)
    if one.body is not None:
        note(one.body)
    tag = TAG_NONE
    if kind == "witness":
        tag = TAG_WITNESS
        if one.body is None:
            for differs in policy.mismatches(p["body"]):
                note(differs)
    elif kind == "stream_close":
        tag = TAG_CLOSE
    stream = p["stream"]
    parents = b""
    if "parents" in p:
        parents = b"".join(
            [
                parent["leaf_hash"] + bytes.fromhex(parent["id"].replace("-", ""))
                for parent in p["parents"]
            ]
        )
    return bytes.fromhex(p["id"].replace("-", "")), (
        header.sub,
        header.iss,
        stream["seq"],
        stream.get("prev"),
        p.get("session"),
        tag,
        parents,
        _rows(one.refs, one.body is None) if one.refs else b"",
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
