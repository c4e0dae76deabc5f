"""Proofs in files: C2SP tlog-proof receipts and add-checkpoint requests (specs/04 section 4).

c2sp.org/tlog-proof@v1          old 3
index 3                         <base64 hash, one a line>
<base64 hash, one a line>
                                <checkpoint of the larger size>
<checkpoint>
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.errors import FormatError
from ledger.formats.note import decode_base64
from ledger.formats.values import DIGEST_BYTES, parse_decimal

PROOF_MAX_HASHES: Final = 63

_INCLUSION: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class InclusionFile:
    """A receipt: leaf index, proof, and the head that it leads to, a note not looked at."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class ConsistencyFile:
    """A consistency proof: the smaller size, proof, and the larger head, a note not looked at."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def write_inclusion(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Write a receipt."""
    return _write([_INCLUSION, f"index {index}"], hashes, checkpoint)


def parse_inclusion(data: bytes) -> InclusionFile:
    """Read a receipt, checking neither proof nor head; FormatError `proof_file_invalid`."""
    lines, checkpoint = _parse(data)
    if lines[0] != _INCLUSION or len(lines) < 2:
        raise _refusal(f"does not begin with {_INCLUSION} and index")
    return InclusionFile(_number(lines[1], "index "), _hashes(lines[2:]), checkpoint)


def write_consistency(old: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Write a consistency proof from size `old` to the checkpoint's."""
    return _write([f"old {old}"], hashes, checkpoint)


def parse_consistency(data: bytes) -> ConsistencyFile:
    """Read a consistency proof, checking neither; FormatError `proof_file_invalid`."""
    lines, checkpoint = _parse(data)
    return ConsistencyFile(_number(lines[0], "old "), _hashes(lines[1:]), checkpoint)


def _write(lines: list[str], hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    if len(hashes) > PROOF_MAX_HASHES:
        raise _refusal(f"more than {PROOF_MAX_HASHES} hashes")
    lines += [b64encode(value).decode() for value in hashes]
    return "\n".join(lines).encode() + b"\n\n" + checkpoint


def _parse(data: bytes) -> tuple[list[str], bytes]:
    head, gap, checkpoint = data.partition(b"\n\n")
    if not gap or not checkpoint or not head.isascii():
        raise _refusal("no empty line followed by a checkpoint")
    return head.decode("ascii").split("\n"), checkpoint


def _number(line: str, word: str) -> int:
    number = parse_decimal(line.removeprefix(word)) if line.startswith(word) else None
    if number is None:
        raise _refusal(f"no line '{word}' with a decimal number")
    return number


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > PROOF_MAX_HASHES:
        raise _refusal(f"more than {PROOF_MAX_HASHES} hashes")
    hashes = []
    for line in lines:
        value = decode_base64(line)
        if value is None or len(value) != DIGEST_BYTES:
            raise _refusal("a line is not base64 of 32 bytes")
        hashes.append(value)
    return tuple(hashes)


def _refusal(why: str) -> FormatError:
    return FormatError("proof_file_invalid", why)
