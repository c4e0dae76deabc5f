"""Proofs in files: C2SP tlog-proof receipts and consistency files (specs/04 section 4)."""

from __future__ import annotations

from typing import NamedTuple

from .errors import BadValue, Refused
from .layout import PROOF_MAX_HASHES
from .merkle import verify_consistency, verify_inclusion
from .note import NOTE_MAX_BYTES, Checkpoint, parse_checkpoint
from .values import parse_base64, parse_decimal

PROOF_MAGIC = "c2sp.org/tlog-proof@v1"
PROOF_FILE_MAX_BYTES = 128 + PROOF_MAX_HASHES * 45 + NOTE_MAX_BYTES


class ProofFile(NamedTuple):
    """A proof; `number` is the index or the old size, `note` the head that it leads to."""

    number: int
    proof: tuple[bytes, ...]
    note: bytes

    def head(self) -> Checkpoint:
        """Return the parsed head; raises `checkpoint_invalid`, `log_empty`."""
        return parse_checkpoint(self.note)


def _invalid(why: str) -> Refused:
    return Refused("proof_file_invalid", why)


def _parse(raw: bytes, lead: list[str], word: str) -> ProofFile:
    """Parse the lead lines, `<word> <number>`, the hashes, an empty line and the head."""
    if len(raw) > PROOF_FILE_MAX_BYTES:
        raise _invalid(f"more than {PROOF_FILE_MAX_BYTES} bytes")
    first, gap, rest = raw.partition(b"\n\n")
    if not gap:
        raise _invalid("the empty line before the head is missing")
    try:
        lines = first.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise _invalid("not ASCII") from None
    at = len(lead)
    if lines[:at] != lead or len(lines) <= at or not lines[at].startswith(word + " "):
        raise _invalid(f"it does not begin as a proof file with the line `{word}`")
    if len(lines) - at - 1 > PROOF_MAX_HASHES:
        raise _invalid(f"more than {PROOF_MAX_HASHES} hashes")
    try:
        number = parse_decimal(lines[at][len(word) + 1 :])
        proof = tuple(parse_base64(line) for line in lines[at + 1 :])
    except BadValue as e:
        raise _invalid(e.message) from None
    if any(len(one) != 32 for one in proof):
        raise _invalid("a hash that is not 32 bytes")
    return ProofFile(number, proof, rest)


def parse_receipt(raw: bytes) -> ProofFile:
    """Return index, inclusion proof and head of a receipt; raises `proof_file_invalid`."""
    return _parse(raw, [PROOF_MAGIC], "index")


def parse_consistency(raw: bytes) -> ProofFile:
    """Return old size, consistency proof and larger head; raises `proof_file_invalid`."""
    return _parse(raw, [], "old")


def check_receipt(receipt: ProofFile, leaf: bytes) -> None:
    """Check that a leaf is in the receipt's head; `inclusion_invalid`."""
    head = receipt.head()
    verify_inclusion(leaf, receipt.number, head.size, receipt.proof, head.root)


def check_extends(file: ProofFile, old_root: bytes) -> None:
    """Check that the file's head extends the tree with this old root; `consistency_invalid`."""
    head = file.head()
    verify_consistency(file.number, head.size, file.proof, old_root, head.root)
