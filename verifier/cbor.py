"""The deterministic CBOR profile (specs/01).

libipld decodes; the checks that it does not make are here. Encoding the decoded value again
and comparing the bytes shows order, uniqueness and shortest form, but libipld turns a byte
string that happens to parse as a CID into a tagged link, and a link back into bytes. So
equality counts only when no link tag can be present, and a difference is decided by the strict
scan in this module, which follows the page item by item and says where and why it refuses.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import libipld

from .errors import Refused

CBOR_MAX_DEPTH = 32
CBOR_MAX_BYTES = 65535
_INT_MAX = 2**64 - 1

_decode = libipld.decode_dag_cbor
_encode = libipld.encode_dag_cbor


def decode(data: bytes) -> Any:
    """Return the value of one encoding of the profile; raises `cbor_invalid`."""
    value = decode_loose(data)
    find_marked(value, "")
    return value


def decode_marked(data: bytes, mark: str) -> tuple[Any, list[dict[str, Any]]]:
    """Return the value and every map in it with the key `mark`, in the order of the encoding."""
    value = decode_loose(data)
    return value, find_marked(value, mark)


def decode_loose(data: bytes) -> Any:
    """Return the value of an encoding, checked in everything but its depth."""
    if len(data) > CBOR_MAX_BYTES:
        raise _refused(f"{len(data)} bytes, more than {CBOR_MAX_BYTES}")
    try:
        value = _decode(data)
        if _encode(value) == data and not _may_hold_link(data):
            return value
    except (ValueError, RecursionError, TypeError, OverflowError):
        pass
    value, end = _scan(data, 0, 0)
    if end != len(data):
        raise _refused(f"bytes after the item, from offset {end}")
    return value


def _may_hold_link(data: bytes) -> bool:
    """Return whether the bytes of a link tag occur; two searches for one byte are fastest."""
    at = data.find(0xD8)
    while at >= 0:
        if data[at + 1 : at + 2] == b"\x2a":
            return True
        at = data.find(0xD8, at + 1)
    return False


def find_marked(value: Any, mark: str, depth: int = 0) -> list[dict[str, Any]]:
    """Check the nesting of a decoded value; return the maps in it with the key `mark`, in order.

    `depth` is the number of arrays and maps that the value itself stands in.
    """
    marked: list[dict[str, Any]] = []
    _walk((value,), depth, mark, marked)
    return marked


def encode(value: Any) -> bytes:
    """Return the one encoding of a value; raises `cbor_invalid` for what has none."""
    out = bytearray()
    _put(value, 0, out)
    if len(out) > CBOR_MAX_BYTES:
        raise _refused(f"more than {CBOR_MAX_BYTES} bytes")
    return bytes(out)


def head(major: int, argument: int) -> bytes:
    """Return the initial bytes of an item in shortest form."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | info,)) + argument.to_bytes(size, "big")
    raise _refused("integer out of range")


def _refused(why: str) -> Refused:
    return Refused("cbor_invalid", why)


_CONTAINERS = frozenset((dict, list))


def _walk(items: Any, depth: int, mark: str, marked: list[dict[str, Any]]) -> None:
    """Collect marked maps among items at this depth and refuse nesting beyond the limit."""
    for v in items:
        if type(v) in _CONTAINERS:
            if depth == CBOR_MAX_DEPTH:
                raise _refused(f"nesting deeper than {CBOR_MAX_DEPTH}")
            if type(v) is list:
                _walk(v, depth + 1, mark, marked)
            else:
                if mark in v:
                    marked.append(v)
                _walk(v.values(), depth + 1, mark, marked)


def _argument(data: bytes, at: int) -> tuple[int, int, int]:
    """Return major type, argument and the offset after the initial bytes."""
    if at >= len(data):
        raise _refused(f"the data end at offset {at}")
    first = data[at]
    major, info = first >> 5, first & 31
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise _refused(f"indefinite length or reserved value at offset {at}")
    size = 1 << (info - 24)
    raw = data[at + 1 : at + 1 + size]
    if len(raw) != size:
        raise _refused(f"the data end inside the item at offset {at}")
    value = int.from_bytes(raw, "big")
    if major != 7 and value < (24 if size == 1 else 1 << 4 * size):
        raise _refused(f"not the shortest form at offset {at}")
    return major, value, at + 1 + size


def _scan(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return the item at this offset and the offset after it."""
    if at < len(data) and data[at] >> 5 == 7:
        return _simple(data, at)
    major, n, start = _argument(data, at)
    if major == 0:
        return n, start
    if major == 1:
        return -1 - n, start
    left = len(data) - start
    if major in (2, 3):
        if n > left:
            raise _refused(f"length {n} at offset {at}, {left} bytes are left")
        raw = data[start : start + n]
        if major == 2:
            return raw, start + n
        try:
            return raw.decode("utf-8"), start + n
        except UnicodeDecodeError:
            raise _refused(f"text that is not UTF-8 at offset {at}") from None
    if major == 6:
        raise _refused(f"a tag at offset {at}")
    if depth == CBOR_MAX_DEPTH:
        raise _refused(f"nesting deeper than {CBOR_MAX_DEPTH} at offset {at}")
    if n * (major - 3) > left:
        raise _refused(f"{n} items at offset {at}, {left} bytes are left")
    if major == 4:
        items = []
        for _ in range(n):
            item, start = _scan(data, start, depth + 1)
            items.append(item)
        return items, start
    return _scan_map(data, start, n, depth)


def _scan_map(data: bytes, at: int, n: int, depth: int) -> tuple[dict[str, Any], int]:
    result: dict[str, Any] = {}
    last = b""
    for _ in range(n):
        if at < len(data) and data[at] >> 5 != 3:
            raise _refused(f"a map key that is not text at offset {at}")
        key, end = _scan(data, at, depth)
        if data[at:end] <= last:
            raise _refused(f"map keys out of order or repeated at offset {at}")
        last = data[at:end]
        result[key], at = _scan(data, end, depth + 1)
    return result, at


def _simple(data: bytes, at: int) -> tuple[Any, int]:
    first = data[at]
    if first in (0xF4, 0xF5, 0xF6):
        return (False, True, None)[first - 0xF4], at + 1
    if first != 0xFB:
        raise _refused(f"a simple value or float outside the profile at offset {at}")
    raw = data[at + 1 : at + 9]
    if len(raw) != 8:
        raise _refused(f"the data end inside the item at offset {at}")
    number = struct.unpack(">d", raw)[0]
    if not math.isfinite(number) or raw == b"\x80" + bytes(7):
        raise _refused(f"NaN, an infinity or -0.0 at offset {at}")
    return number, at + 9


def _put(value: Any, depth: int, out: bytearray) -> None:
    kind = type(value)
    if value is None or kind is bool:
        out.append({False: 0xF4, True: 0xF5, None: 0xF6}[value])
    elif kind is int:
        out += head(0, value) if value >= 0 else head(1, -1 - value)
    elif kind is float:
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise _refused("NaN, an infinity or -0.0")
        out += b"\xfb" + struct.pack(">d", value)
    elif kind is bytes:
        out += head(2, len(value)) + value
    elif kind is str:
        out += _text(value)
    elif kind is list or kind is dict:
        if depth == CBOR_MAX_DEPTH:
            raise _refused(f"nesting deeper than {CBOR_MAX_DEPTH}")
        out += head(4 if kind is list else 5, len(value))
        pairs = [(b"", v) for v in value] if kind is list else _sorted_pairs(value)
        for key, item in pairs:
            out += key
            _put(item, depth + 1, out)
    else:
        raise _refused(f"the profile has no {kind.__name__}")


def _text(value: str) -> bytes:
    try:
        raw = value.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("text with a lone surrogate") from None
    return head(3, len(raw)) + raw


def _sorted_pairs(value: dict[Any, Any]) -> list[tuple[bytes, Any]]:
    if any(type(key) is not str for key in value):
        raise _refused("a map key that is not text")
    return sorted(((_text(k), v) for k, v in value.items()), key=lambda pair: pair[0])
