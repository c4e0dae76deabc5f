"""Heads: C2SP checkpoints as signed notes, and verifier keys (specs/04 section 3)."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from . import ed25519
from .errors import BadValue, Refused
from .values import DIGEST_BYTES, ORIGIN, ORIGIN_MAX, parse_base64, parse_decimal

NOTE_MAX_BYTES = 65536
NOTE_ED25519 = b"\x01"
SIGNATURES_MAX = 16
_SIGNATURE_START = "\u2014 "
_KEY_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Signature(NamedTuple):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


class Checkpoint(NamedTuple):
    """A parsed head; `text` is what the signatures are over."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[Signature, ...]


def _invalid(why: str) -> Refused:
    return Refused("checkpoint_invalid", why)


def parse_checkpoint(raw: bytes) -> Checkpoint:
    """Return the parts of a signed head; raises `checkpoint_invalid`, `log_empty`."""
    if len(raw) > NOTE_MAX_BYTES:
        raise _invalid(f"more than {NOTE_MAX_BYTES} bytes")
    try:
        note = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("not UTF-8") from None
    if _CONTROL.search(note) is not None:
        raise _invalid("a control character")
    if not note.endswith("\n"):
        raise _invalid("the last newline is missing")
    text, gap, tail = note.partition("\n\n")
    if not gap:
        raise _invalid("the empty line before the signatures is missing")
    lines = text.split("\n")
    if len(lines) != 3:
        raise _invalid(f"{len(lines)} lines of text instead of 3")
    origin, size_text, root_text = lines
    if len(origin) > ORIGIN_MAX or ORIGIN.fullmatch(origin) is None:
        raise _invalid("the first line is not an origin")
    try:
        size = parse_decimal(size_text)
        root = parse_base64(root_text)
    except BadValue as e:
        raise _invalid(e.message) from None
    if len(root) != DIGEST_BYTES:
        raise _invalid("the root is not 32 bytes")
    signatures = _signatures(tail)
    if size == 0:
        raise Refused("log_empty", "the head has size 0")
    return Checkpoint(origin, size, root, (text + "\n").encode("utf-8"), signatures)


def _signatures(tail: str) -> tuple[Signature, ...]:
    """Return the signature lines of what follows the empty line."""
    if not tail:
        raise _invalid("no signature line")
    lines = tail[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise _invalid(f"more than {SIGNATURES_MAX} signature lines")
    return tuple(_signature(line) for line in lines)


def _signature(line: str) -> Signature:
    parts = line[len(_SIGNATURE_START) :].split(" ")
    if not line.startswith(_SIGNATURE_START) or len(parts) != 2:
        raise _invalid("a malformed signature line")
    if _KEY_NAME.fullmatch(parts[0]) is None:
        raise _invalid("a malformed key name in a signature line")
    try:
        blob = parse_base64(parts[1])
    except BadValue as e:
        raise _invalid(f"signature line: {e.message}") from None
    # A signed note may carry signatures of other algorithms, of other lengths.
    if len(blob) < 5:
        raise _invalid("a signature line without a signature")
    return Signature(parts[0], blob[:4], blob[4:])


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes that name a note key."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + NOTE_ED25519 + public_key).digest()[:4]


def verify_checkpoint(head: Checkpoint, public_key: bytes) -> None:
    """Check that the log key named as the origin signed this head; `checkpoint_signature`."""
    wanted = key_id(head.origin, public_key)
    own = [s for s in head.signatures if s.name == head.origin and s.key_id == wanted]
    if not own:
        raise Refused("checkpoint_signature", "no signature line of the log key")
    for line in own:
        try:
            ed25519.verify(public_key, head.text, line.signature)
        except Refused:
            raise Refused("checkpoint_signature", "the log key's line does not verify") from None


def parse_vkey(text: str) -> tuple[str, bytes]:
    """Return key name and public key of a verifier key; raises BadValue."""
    name, plus, rest = text.partition("+")
    key_hex, plus2, blob_text = rest.partition("+")
    if not plus or not plus2 or _KEY_NAME.fullmatch(name) is None:
        raise BadValue("not a verifier key")
    blob = parse_base64(blob_text)
    if len(blob) != 33 or blob[:1] != NOTE_ED25519:
        raise BadValue("not an Ed25519 verifier key")
    if key_hex != key_id(name, blob[1:]).hex():
        raise BadValue("the key id does not belong to the verifier key")
    return name, blob[1:]
