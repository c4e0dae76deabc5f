"""A third reader of specs/01, plain and slow: it follows the page rule by rule and no library.

It is held against both programs' readers, so that a fault that they share would show.
"""

from __future__ import annotations

import math
import struct

MAX_DEPTH = 32
MAX_BYTES = 65535


class RefusedError(Exception):
    """The bytes are not the encoding of a value."""


def decode(data: bytes) -> object:
    """Return the one value that the bytes encode."""
    if len(data) > MAX_BYTES:  # rule 4
        raise RefusedError("size")
    value, rest = _item(data, 0)
    if rest:  # rule 2
        raise RefusedError("trailing bytes")
    return value


def _item(data: bytes, containers: int) -> tuple[object, bytes]:
    """Read one item that stands inside that many arrays and maps; return it and what follows."""
    if not data:
        raise RefusedError("no item")
    major, information = data[0] >> 5, data[0] & 0x1F
    if major == 7:
        return _simple(data, information)
    argument, rest = _argument(data, information)
    if major == 0:
        return argument, rest
    if major == 1:
        return -1 - argument, rest
    if major == 2:
        return _take(rest, argument)
    if major == 3:
        raw, rest = _take(rest, argument)
        try:
            return raw.decode("utf-8"), rest
        except UnicodeDecodeError:
            raise RefusedError("text") from None
    if major == 6:  # rule 1
        raise RefusedError("tag")
    if containers == MAX_DEPTH:  # rule 3: this one would be one too many
        raise RefusedError("depth")
    if major == 4:
        return _array(rest, argument, containers + 1)
    return _map(rest, argument, containers + 1)


def _argument(data: bytes, information: int) -> tuple[int, bytes]:
    if information < 24:
        return information, data[1:]
    if information > 27:  # 28 to 30 are reserved, 31 is an indefinite length
        raise RefusedError("additional information")
    size = 1 << (information - 24)
    raw, rest = _take(data[1:], size)
    argument = int.from_bytes(raw, "big")
    smallest = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size]
    if argument < smallest:
        raise RefusedError("not the shortest argument")
    return argument, rest


def _take(data: bytes, size: int) -> tuple[bytes, bytes]:
    if size > len(data):  # rule 6
        raise RefusedError("cut off")
    return data[:size], data[size:]


def _array(data: bytes, length: int, containers: int) -> tuple[object, bytes]:
    if length > len(data):  # rule 6: an element takes a byte at least
        raise RefusedError("cut off")
    values = []
    for _ in range(length):
        value, data = _item(data, containers)
        values.append(value)
    return values, data


def _map(data: bytes, length: int, containers: int) -> tuple[object, bytes]:
    if 2 * length > len(data):
        raise RefusedError("cut off")
    values: dict[str, object] = {}
    before = b""
    for _ in range(length):
        if not data or data[0] >> 5 != 3:
            raise RefusedError("a key that is not text")
        key, rest = _item(data, containers)
        encoding = data[: len(data) - len(rest)]
        if before and encoding <= before:
            raise RefusedError("order of keys")
        before = encoding
        assert isinstance(key, str)
        values[key], data = _item(rest, containers)
    return values, data


def _simple(data: bytes, information: int) -> tuple[object, bytes]:
    if information in (20, 21, 22):
        return {20: False, 21: True, 22: None}[information], data[1:]
    if information != 27:
        raise RefusedError("simple value or short float")
    raw, rest = _take(data[1:], 8)
    (value,) = struct.unpack(">d", raw)
    if not math.isfinite(value) or raw == b"\x80" + bytes(7):
        raise RefusedError("float")
    return value, rest
