"""JSON from elsewhere, read strictly: RFC 8259 in UTF-8, no name twice, finite numbers, bounded.

| bound | for what |
|---|---|
| `LINE_MAX_BYTES` | a line of JSON Lines |
| `DOCUMENT_MAX_BYTES` | a document that is read whole |
| `DEPTH_MAX` | arrays and objects within each other |

Everything that is not such JSON is `ImportSourceError` `source_unreadable`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from ledger.capture import fitting
from ledger.errors import ImportSourceError

__all__ = ["DEPTH_MAX", "DOCUMENT_MAX_BYTES", "LINE_MAX_BYTES", "lines", "parse", "whole"]

LINE_MAX_BYTES = 64 << 20
DOCUMENT_MAX_BYTES = 256 << 20
DEPTH_MAX = 128
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(data: bytes) -> Any:
    """Return the value of a JSON text."""
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_constant=fitting.refuse_constant,
            parse_float=fitting.finite,
        )
    except json.JSONDecodeError as error:
        problem = f"not JSON at column {error.colno}"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}"
    except (ValueError, RecursionError) as error:
        problem = str(error) if type(error) is ValueError else "not JSON that can be read"
    else:
        if not _is_deeper(value):
            return value
        problem = f"nested more than {DEPTH_MAX} deep"
    raise ImportSourceError("source_unreadable", problem)


def lines(stream: BinaryIO, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield number, from 1, and bytes of each line of JSON Lines that is not blank."""
    number, limit = 0, LINE_MAX_BYTES if limit is None else limit
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise ImportSourceError(
                "source_unreadable", f"line {number} is longer than {limit} bytes"
            )
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if line.strip():
            yield number, line


def whole(stream: BinaryIO) -> Any:
    """Return the value of a JSON document."""
    data = stream.read(DOCUMENT_MAX_BYTES + 1)
    if len(data) > DOCUMENT_MAX_BYTES:
        raise ImportSourceError(
            "source_unreadable",
            f"a JSON document of more than {DOCUMENT_MAX_BYTES} bytes",
            hint="write it as JSON Lines, one object a line",
        )
    return parse(data.removeprefix(BYTE_ORDER_MARK))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _is_deeper(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        level = [
            item
            for one in level
            if isinstance(one, list | dict)
            for item in (one.values() if isinstance(one, dict) else one)
            if isinstance(item, list | dict)
        ]
        if not level:
            return False
    return True
