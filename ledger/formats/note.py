"""Heads of the log: C2SP checkpoints in signed notes (specs/04 section 3).

example.org/lab                                      origin
5                                                    size, decimal
iYcQ3...=                                            root, base64
                                                     empty line, then 1 to 16 signature lines
-- example.org/lab base64(key id || signature)       an em dash where this line has two hyphens

key id   first 4 bytes of SHA-256(name || 0a || 01 || public key)
vkey     name+8 hex digits of the key id+base64(01 || public key)
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from ledger.errors import FormatError
from ledger.formats.values import DIGEST_BYTES, is_origin, parse_decimal
from ledger.keys import ed25519

NOTE_ED25519: Final = 0x01
NOTE_MAX_BYTES: Final = 65536
NOTE_MAX_SIGNATURES: Final = 16

_KEY_ID_BYTES: Final = 4
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_VKEY: Final = re.compile(r"([^\s+\x00-\x1f\x7f]+)\+([0-9a-f]{8})\+(\S+)")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_SIGNATURE_LINE: Final = re.compile(r"— ([^\s+]+) (\S+)")


class NoteSignature(NamedTuple):
    """One signature line of a note, not checked."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A signed note taken apart: the signed text with its final newline, and the signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]


class Checkpoint(NamedTuple):
    """A tree head: which log, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text that the log signs."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def decode_base64(text: str) -> bytes | None:
    """Read base64 in its one spelling (specs/00); None for anything else."""
    if _BASE64.fullmatch(text) is None:
        return None
    raw = b64decode(text)
    return raw if b64encode(raw).decode() == text else None


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes that name a key in signature lines."""
    return sha256(name.encode() + b"\n" + bytes((NOTE_ED25519,)) + public_key).digest()[:4]


def vkey(name: str, public_key: bytes) -> str:
    """Write a verifier key."""
    encoded = b64encode(bytes((NOTE_ED25519,)) + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{encoded}"


def parse_vkey(text: str) -> tuple[str, bytes]:
    """Read a verifier key as (name, public key); FormatError `checkpoint_invalid`."""
    match = _VKEY.fullmatch(text)
    raw = decode_base64(match[3]) if match else None
    if match is None or raw is None or len(raw) != 1 + DIGEST_BYTES or raw[0] != NOTE_ED25519:
        raise _refusal("not a verifier key of an Ed25519 log")
    name, public_key = match[1], raw[1:]
    if key_id(name, public_key).hex() != match[2]:
        raise _refusal("the key id of the verifier key is not that of its key")
    return name, public_key


def sign_checkpoint(
    checkpoint: Checkpoint, name: str, sign: Callable[[bytes], bytes], public_key: bytes
) -> bytes:
    """Write a head with one signature line, made by `sign` over the note text."""
    if not is_origin(checkpoint.origin) or len(checkpoint.root) != DIGEST_BYTES:
        raise _refusal("a head has an origin and a root of 32 bytes")
    if checkpoint.size < 1:
        raise FormatError("log_empty", "a head of size 0")
    text = checkpoint.text
    blob = b64encode(key_id(name, public_key) + sign(text.encode())).decode()
    return f"{text}\n— {name} {blob}\n".encode()


def parse_note(data: bytes) -> Note:
    """Take a signed note apart; FormatError `checkpoint_invalid`. No signature is checked."""
    if len(data) > NOTE_MAX_BYTES:
        raise _refusal(f"{len(data)} bytes; at most {NOTE_MAX_BYTES}")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise _refusal("not UTF-8") from None
    if _CONTROL.search(whole):
        raise _refusal("a control character")
    text, gap, block = whole.rpartition("\n\n")
    if not gap or not text:
        raise _refusal("no empty line before the signatures")
    if not block.endswith("\n"):
        raise _refusal("no final newline")
    lines = block[:-1].split("\n")
    if len(lines) > NOTE_MAX_SIGNATURES:
        raise _refusal(f"more than {NOTE_MAX_SIGNATURES} signature lines")
    return Note(text + "\n", tuple(map(_signature_line, lines)))


def parse_checkpoint(data: bytes) -> tuple[Checkpoint, Note]:
    """Read a head without checking its signature.

    Raises FormatError `checkpoint_invalid`, or `log_empty` for size 0.
    """
    note = parse_note(data)
    lines = note.text[:-1].split("\n")
    if len(lines) != 3:
        raise _refusal("the text is not origin, size and root")
    origin, size_text, root_text = lines
    if not is_origin(origin):
        raise _refusal("the first line is not an origin")
    size = parse_decimal(size_text)
    if size is None:
        raise _refusal("the size is not a decimal number")
    root = decode_base64(root_text)
    if root is None or len(root) != DIGEST_BYTES:
        raise _refusal("the root is not base64 of 32 bytes")
    if size == 0:
        raise FormatError("log_empty", "a head of size 0")
    return Checkpoint(origin, size, root), note


def verify_checkpoint(data: bytes, name: str, public_key: bytes) -> Checkpoint:
    """Read a head and check the lines of this key; lines of other keys are ignored.

    Raises FormatError `checkpoint_invalid`, `log_empty`, or `checkpoint_signature` when no line of
    the key is there or one of them does not verify (specs/04 section 3).
    """
    checkpoint, note = parse_checkpoint(data)
    identity = key_id(name, public_key)
    lines = [line for line in note.signatures if (line.name, line.key_id) == (name, identity)]
    if not lines:
        raise FormatError("checkpoint_signature", f"no signature line of {name}")
    message = note.text.encode()
    for line in lines:
        try:
            ed25519.verify(public_key, line.signature, message)
        except FormatError:
            raise FormatError(
                "checkpoint_signature", f"the signature of {name} does not verify"
            ) from None
    return checkpoint


def _signature_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    blob = decode_base64(match[2]) if match else None
    if match is None or blob is None or len(blob) <= _KEY_ID_BYTES:
        raise _refusal("a malformed signature line")
    return NoteSignature(match[1], blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def _refusal(why: str) -> FormatError:
    return FormatError("checkpoint_invalid", why)
