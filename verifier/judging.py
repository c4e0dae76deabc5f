"""What can be judged of a record without any other record (specs/02, 03, 05, 06).

This runs in worker processes. A few dozen records at a time are taken apart and checked, column
by column (`Check.all`); only where something is wrong is each asked by itself, for what it is.
The signatures of a sheet come last and together, because neither the interpreter nor libsodium
finds its code and data in the caches after the other has run.
"""

from __future__ import annotations

from typing import Any

from blake3 import blake3

from . import cbor, cose, ed25519, policy
from .bodies import check_body, refs_of_all
from .chain import (
    TAG_CLOSE,
    TAG_CROSS_MODEL,
    TAG_ERASURE,
    TAG_EXECUTION,
    TAG_INSIGHT,
    TAG_INTENT,
    TAG_NONE,
    TAG_OPEN,
    TAG_OUTCOME,
    TAG_PROVENANCE,
    TAG_REPLAY,
    TAG_REPLAY_OPERATION,
    TAG_REUSE,
    TAG_SAVEPOINT,
    TAG_SESSION_CLOSE,
    TAG_TRANSFER,
    TAG_WITNESS,
    UNREADABLE,
    Fact,
)
from .content import REF_MARK, archived_size, is_ref
from .contents import row
from .derivations import of_itself
from .errors import BadValue, Fatal, Refused
from .records import Note, Setting, Sheet, statements
from .session_bodies import check_salted
from .session_facts import session_facts
from .statement import (
    KEY_STREAM,
    KEY_TYPES,
    OPERATION_TYPES,
    PRODUCER_TYPES,
    SESSION_TYPES,
    TYPES,
    all_payloads,
    check_payload,
)

Signed = tuple[int, str | None, bytes, bytes]
"""index, id, public key, signature followed by what was signed"""

NO_ID = bytes(16)
_TAGS = {
    "witness": TAG_WITNESS,
    "stream_close": TAG_CLOSE,
    "erasure": TAG_ERASURE,
    "session_open": TAG_OPEN,
    "intent": TAG_INTENT,
    "outcome": TAG_OUTCOME,
    "reuse": TAG_REUSE,
    "savepoint": TAG_SAVEPOINT,
    "session_close": TAG_SESSION_CLOSE,
    "insight": TAG_INSIGHT,
    "transfer": TAG_TRANSFER,
    "execution": TAG_EXECUTION,
    "provenance": TAG_PROVENANCE,
    "cross_model": TAG_CROSS_MODEL,
    "replay": TAG_REPLAY,
    "replay_operation": TAG_REPLAY_OPERATION,
}
_AT_A_TIME = 32
_ELSEWHERE = bytes(48)


class Opened:
    """A statement that is being judged: its frame, its payload, and what is wrong with them."""

    __slots__ = ("body", "broken", "header", "ident", "p", "refs", "signed", "wrong")

    def __init__(self, raw: bytes) -> None:
        """Take the frame apart and decode the payload."""
        self.wrong: Refused | None = None
        self.broken: Refused | None = None
        self.body: BadValue | None = None
        self.ident = NO_ID
        try:
            self.header, payload, signature, signed = cose.parse(raw)
        except Refused as e:
            self.wrong = e
            return
        self.signed = signature + signed
        try:
            self.p: Any = cbor.decode_loose(payload)
        except Refused as e:
            self.broken = e

    def check(self, salted: bool | None) -> None:
        """Check envelope and body."""
        p = self.p
        try:
            check_payload(p, self.header.sub)
            self.refs = cbor.find_marked(p, REF_MARK)
            check_body(p, self.refs, salted)
        except BadValue as e:
            self.body = e
        except Refused as e:
            self.broken = e


def opened(entries: list[bytes], salted: bool | None) -> list[Opened]:
    """Return statements taken apart and checked."""
    some = [Opened(entry) for entry in entries]
    good = [one for one in some if one.wrong is None and one.broken is None]
    if good and not _all_pass(good, salted):
        for one in good:
            one.check(salted)
    return some


def _all_pass(some: list[Opened], salted: bool | None) -> bool:
    """Return whether nothing is wrong with any of these, asking field by field."""
    payloads = [one.p for one in some]
    if not all_payloads(payloads, [one.header.sub for one in some]):
        return False
    try:
        found = refs_of_all(payloads, salted)
    except Refused:
        return False
    if found is None:
        return False
    for one, refs in zip(some, found, strict=True):
        one.refs = refs
    return True


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
        some = opened(entries[at : at + _AT_A_TIME], setting.salted)
        for one, index in zip(some, indices[at : at + _AT_A_TIME], strict=True):
            facts.append(_judge(setting, index, one, notes, signatures))
            ids.append(one.ident)
    _verify(signatures, notes)
    return b"".join(ids), facts, notes


def judge(setting: Setting, index: int, raw: bytes) -> list[Note]:
    """Return all findings of one record by itself."""
    notes: list[Note] = []
    signatures: list[Signed] = []
    _judge(setting, index, opened([raw], setting.salted)[0], notes, signatures)
    _verify(signatures, notes)
    return notes


def _verify(signatures: list[Signed], notes: list[Note]) -> None:
    """Verify signatures; add `signature_invalid` for those that do not hold."""
    holds = ed25519.holds
    for index, ident, public, signed in signatures:
        if not holds(signed, public):
            text = "the signature does not verify"
            notes.append((index, ident, "signature_invalid", text, None, None))


def _judge(
    setting: Setting, index: int, one: Opened, notes: list[Note], signatures: list[Signed]
) -> Fact | None:
    """Return the facts of a checked statement.

    Findings are added to `notes`, and what is to be verified to `signatures`.
    """
    if one.wrong is not None:
        notes.append((index, None, *one.wrong.parts()))
        return None
    header, judge = one.header, setting.judge
    key = judge.keys.get(header.kid)
    if one.broken is not None:
        if key is not None:
            signatures.append((index, None, key.public, one.signed))
        found = [one.broken, *judge.wrong(header.kid, index, "rotate", header.iss)]
        notes += [(index, None, *e.parts()) for e in found]
        return header.sub, header.iss, UNREADABLE, None, None, TAG_NONE, b"", b"", None, b""
    p = one.p
    kind, stream, ident = p["type"], p["stream"], p["id"]
    if key is not None:
        signatures.append((index, ident, key.public, one.signed))
    found = []
    if index or setting.genesis is not None:  # the signer of a genesis without effect is judged
        found += judge.wrong(header.kid, index, kind, header.iss)
    if kind not in PRODUCER_TYPES or header.sub == KEY_STREAM or not index or "ledger" in stream:
        found += _place(setting, index, header.sub, p)
    if one.body is not None:
        found.append(one.body)
    elif kind == "witness":
        found += policy.mismatches(p["body"])
    elif kind in OPERATION_TYPES:
        found += of_itself(kind, p["body"])
    elif kind in SESSION_TYPES and setting.salted is not None:
        why = check_salted(p, setting.salted)
        found += [Refused("session_invalid", why)] if why is not None else []
    if found:
        notes += [(index, ident, *e.parts()) for e in found]
    one.ident = _uuid(ident)
    parents = p.get("parents", ())
    told, named, foreign = None, b"", b""
    if one.body is None and (parents or kind in SESSION_TYPES):
        told = session_facts(p)
    if parents:
        named, foreign = _parents(parents)
    return (
        header.sub,
        header.iss,
        stream["seq"],
        stream.get("prev"),
        p.get("session"),
        _TAGS.get(kind, TAG_NONE),
        named,
        _rows(one.refs, one.body is None) if one.refs else b"",
        told,
        foreign,
    )


def _parents(parents: list[dict[str, Any]]) -> tuple[bytes, bytes]:
    """Return the parents in this ledger, zeros for each other one, and those others."""
    named = [r["leaf_hash"] + _uuid(r["id"]) if len(r) == 2 else _ELSEWHERE for r in parents]
    others = [r["ledger"] + r["leaf_hash"] + _uuid(r["id"]) for r in parents if len(r) > 2]
    return b"".join(named), b"".join(others)


def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def uuid_text(ids: bytes, row: int) -> str | None:
    """Return the 16 bytes of a row as the text of a UUID; None for a record without an id."""
    raw = ids[16 * row : 16 * row + 16]
    if raw == NO_ID:
        return None
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _place(setting: Setting, index: int, sub: str, p: dict[str, Any]) -> list[Refused]:
    """Return whether type, stream and index go together (specs/02 section 4, 04 sections 5, 6)."""
    kind = p["type"]
    found = []
    if (kind in KEY_TYPES) is not (sub == KEY_STREAM):
        found.append(Refused("key_event_invalid", f"type {kind} in stream {sub}"))
    if (kind == "genesis") is not (index == 0):
        found.append(Refused("key_event_invalid", f"type {kind} at index {index}"))
    if kind not in TYPES:
        why = f"type {kind} is not known; its body is not checked"
        found.append(Refused("type_unknown", why))
    ledger = p["stream"].get("ledger")
    if ledger is not None and setting.genesis is not None:
        if ledger["genesis"] != setting.genesis:
            why = "the stream belongs to another ledger"
            found.append(
                Refused("stream_ledger", why, setting.genesis.hex(), ledger["genesis"].hex())
            )
        elif ledger["origin"] != setting.origin:
            why = "the stream names another origin"
            found.append(Refused("stream_ledger", why, setting.origin, ledger["origin"]))
    return found


def _rows(refs: list[dict[str, Any]], checked: bool) -> bytes:
    """Return references as rows (`contents.row`); unchecked, only those that are right."""
    good = refs if checked else filter(is_ref, refs)
    return b"".join([row(r["blake3"], r["sha256"], archived_size(r)) for r in good])
