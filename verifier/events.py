"""Key events as they are met in the first pass (specs/05 section 3)."""

from __future__ import annotations

from . import cbor, cose, ed25519
from .bodies import check_body
from .errors import Refused
from .keys import KeyBook
from .report import Report
from .statement import KEY_STREAM, KEY_TYPES, check_payload

_EVENT_CODES = frozenset(("key_invalid", "proof_invalid", "key_event_invalid"))
_SIGNER_CODES = frozenset(("key_unknown", "key_role", "key_name", "signature_invalid"))


def take_key_event(book: KeyBook, report: Report, index: int, raw: bytes, leaf: bytes) -> None:
    """Let a statement have its effect on the keys if it is a key event, valid in every respect.

    Reported here is only what an event says of keys; the second pass judges it as a record.
    A genesis that has no effect leaves that pass without keys, so its signer is judged here.
    """
    ident = None
    try:
        header, payload, signature, signed = cose.parse(raw)
        p = cbor.decode(payload)
        check_payload(p, header.sub)
        check_body(p, [], None)
        ident, kind = p["id"], p["type"]
        if header.sub != KEY_STREAM or kind not in KEY_TYPES or (kind == "genesis") is (index > 0):
            return
        if index == 0:
            authority = book.start(p, header.kid, header.iss, leaf)
            ed25519.verify(authority, signed, signature)
            book.confirm()
            return
        signer = book.signer(header.kid, index)
        ed25519.verify(signer.public, signed, signature)
        if header.iss == signer.name:
            book.apply(p, index, signer)
    except Refused as e:
        if e.code in _EVENT_CODES or (index == 0 and e.code in _SIGNER_CODES):
            report.add(e, index=index, ident=ident)
