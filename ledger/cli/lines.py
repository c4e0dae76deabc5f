"""Lines of standard input as they arrive, several at once where several are there.

A batch is what one read returned: a program that writes a line now and then has each recorded at
once, and a large file is taken in blocks. Nothing waits for a batch to fill.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ledger.errors import LedgerError

__all__ = ["Line", "batches", "parse_object"]

BLOCK_BYTES = 1 << 16
LINE_MAX_BYTES = 64 << 20


class Line(NamedTuple):
    """A line that is not blank: its number from 1, and its bytes without the line end."""

    number: int
    content: bytes


def batches(stream: BinaryIO) -> Iterator[list[Line]]:
    """Yield the lines of a stream, batch by batch; a last line need not end in a newline.

    Raises LedgerError `usage` for a line longer than LINE_MAX_BYTES.
    """
    number = 0
    rest: list[bytes] = []
    rest_bytes = 0
    while block := read_block(stream):
        head, newline, tail = block.rpartition(b"\n")
        if not newline:
            rest.append(block)
            rest_bytes += len(block)
            if rest_bytes > LINE_MAX_BYTES:
                raise LedgerError("usage", f"line {number + 1} is longer than 64 MiB")
            continue
        whole = b"".join([*rest, head]).split(b"\n")
        rest, rest_bytes = ([tail], len(tail)) if tail else ([], 0)
        lines = [Line(number + at, text) for at, text in enumerate(whole, 1) if text.strip()]
        number += len(whole)
        if lines:
            yield lines
    last = b"".join(rest)
    if last.strip():
        yield [Line(number + 1, last)]


def read_block(stream: BinaryIO) -> bytes:
    """Return what is there, waiting only when nothing is."""
    read1 = getattr(stream, "read1", stream.read)
    block: bytes = read1(BLOCK_BYTES)
    return block


def parse_object(content: bytes) -> dict[str, Any]:
    """Read one JSON object; raises LedgerError `record_invalid` and never shows the content."""
    try:
        value = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise LedgerError("record_invalid", "not UTF-8") from None
    except json.JSONDecodeError as error:
        raise LedgerError("record_invalid", f"not JSON: {error.msg} at {error.colno}") from None
    except RecursionError:
        raise LedgerError("record_invalid", "nested too deeply") from None
    except ValueError as error:
        raise LedgerError("record_invalid", str(error)) from None
    if not isinstance(value, dict):
        raise LedgerError("record_invalid", "not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member appears twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
