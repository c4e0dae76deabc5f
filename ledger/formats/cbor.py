"""Deterministic CBOR: every value has exactly one encoding, every encoding one value (specs/01).

    integer -2^64 .. 2^64-1     major type 0 or 1, shortest argument
    byte string, text           major type 2, 3; definite, shortest length; text is valid UTF-8
    array, map                  major type 4, 5; map keys are text, ordered by length, then bytes
    false, true, null           f4, f5, f6
    float                       fb and 8 bytes; finite, not -0.0

>>> encode({"b": 1, "aa": [True, None, -1, 1.5], "a": b"\\x01", "ä": "x"}).hex(" ")
'a4 61 61 41 01 61 62 01 62 61 61 84 f5 f6 20 fb 3f f8 00 00 00 00 00 00 62 c3 a4 61 78'
>>> decode(bytes.fromhex("a1616101"))
{'a': 1}

The writer is our own, because it has to look at every value anyway. The reader is cbor2's with all
limits on, and what it returns must encode to the same bytes again. Tags are refused before cbor2
acts on them, because some build shared or cyclic values that are far larger than their encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from struct import Struct
from typing import Any, Final, NoReturn, TypeAlias

import cbor2

from ledger.errors import FormatError

CborValue: TypeAlias = (
    "int | str | bytes | float | bool | list[CborValue] | dict[str, CborValue] | None"
)

CBOR_MAX_DEPTH: Final = 32
CBOR_MAX_BYTES: Final = 65535

_FLOAT: Final = Struct(">Bd").pack
_HEAD_16: Final = Struct(">BH").pack
_HEAD_32: Final = Struct(">BI").pack
_HEAD_64: Final = Struct(">BQ").pack


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major | argument,))
    if argument < 0x100:
        return bytes((major | 24, argument))
    if argument < 0x10000:
        return _HEAD_16(major | 25, argument)
    if argument < 0x100000000:
        return _HEAD_32(major | 26, argument)
    return _HEAD_64(major | 27, argument)


_INT: Final = tuple(_head(0x00, n) for n in range(256))
_BYTES: Final = tuple(_head(0x40, n) for n in range(256))
_TEXT: Final = tuple(_head(0x60, n) for n in range(256))


class _RefusedError(Exception):
    """A value outside the profile; `path` grows from the inside out while it travels up."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.path: list[str] = []


def encode(value: CborValue) -> bytes:
    """Write one value; map keys may come in any order.

    Raises FormatError `cbor_invalid` for everything that `decode` would refuse (specs/01 rule 5):
    other types, also subclasses and tuples, integers out of range, non-finite floats and -0.0,
    lone surrogates, depth, size.
    """
    out = bytearray()
    try:
        _item(value, CBOR_MAX_DEPTH, out)
    except _RefusedError as refused:
        where = "".join(reversed(refused.path)) or "value"
        raise FormatError("cbor_invalid", f"{where}: {refused.why}") from None
    if len(out) > CBOR_MAX_BYTES:
        raise FormatError("cbor_invalid", f"encoding of {len(out)} bytes; at most {CBOR_MAX_BYTES}")
    return bytes(out)


def decode(data: bytes) -> Any:
    """Read exactly one value; the result has only the types of `CborValue`.

    Raises FormatError `cbor_invalid` for any bytes that `encode` does not write (specs/01 rules
    1 to 4 and 6), and no other exception whatever the bytes are.
    """
    if type(data) is not bytes:
        raise TypeError(f"decode takes bytes, not {type(data).__name__}")
    if len(data) > CBOR_MAX_BYTES:
        raise FormatError("cbor_invalid", f"{len(data)} bytes; at most {CBOR_MAX_BYTES}")
    try:
        value = cbor2.loads(
            data,
            tag_hook=_refuse_tag,
            semantic_decoders=_TAGS_REFUSED,
            max_depth=CBOR_MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    # cbor2 documents CBORDecodeError; whatever else hostile bytes make it raise is a refusal too.
    except Exception as error:
        raise FormatError("cbor_invalid", _reason(error)) from None
    again = encode(value)
    if again != data:
        raise FormatError("cbor_invalid", _difference(again, data))
    return value


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("a tag")


# Tags that cbor2 would otherwise turn into objects, references or compiled expressions.
_TAGS_REFUSED: Final[dict[int, Callable[..., Any]]] = dict.fromkeys(
    (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
    _refuse_tag,
)


def _difference(again: bytes, data: bytes) -> str:
    if data.startswith(again):
        return f"byte {len(again)}: more than one item"
    pairs = enumerate(zip(again, data, strict=False))
    at = next((at for at, (a, b) in pairs if a != b), len(data))
    return f"byte {at}: not the one deterministic encoding"


def _reason(error: Exception) -> str:
    cause = error.__cause__
    text = str(error) or type(error).__name__
    return f"{text}: {cause}" if cause is not None and str(cause) else text


@lru_cache(maxsize=256, typed=True)
def _map_plan(*keys: str) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """Return the head of a map and its keys in order, each with its encoding.

    `typed` keeps a subclass of str from finding the entry that its equal left.
    """
    encoded = []
    for key in keys:
        if type(key) is not str:
            raise _RefusedError(f"a map key of type {type(key).__name__}; keys are text")
        try:
            text = key.encode()
        except UnicodeEncodeError:
            raise _RefusedError(f"the map key {key!a} has a lone surrogate") from None
        # The head orders by length, then the bytes decide: bytewise order of the encoding.
        encoded.append((_head(0x60, len(text)) + text, key))
    encoded.sort()
    return _head(0xA0, len(keys)), tuple((key, written) for written, key in encoded)


_PLAN_MAX_KEYS: Final = 64  # larger maps are not remembered: 256 of them would be much memory


def _item(value: object, depth: int, out: bytearray) -> None:
    kind = type(value)
    if kind is dict:
        _map(value, depth, out)  # type: ignore[arg-type]
    elif kind is list:
        _array(value, depth, out)  # type: ignore[arg-type]
    else:
        _scalar(value, kind, out)


def _surrogate(*path: str) -> _RefusedError:
    refused = _RefusedError("text with a lone surrogate")
    refused.path.extend(path)
    return refused


def _text(text: bytes, out: bytearray) -> None:
    out += _head(0x60, len(text))
    if len(text) > CBOR_MAX_BYTES or len(out) > CBOR_MAX_BYTES:
        raise _RefusedError(f"more than {CBOR_MAX_BYTES} bytes")
    out += text


def _scalar(value: Any, kind: type, out: bytearray) -> None:
    if kind is str:
        try:
            _text(value.encode(), out)
        except UnicodeEncodeError:
            raise _surrogate() from None
    elif kind is bytes:
        size = len(value)
        out += _BYTES[size] if size < 256 else _head(0x40, size)
        if size > CBOR_MAX_BYTES or len(out) > CBOR_MAX_BYTES:
            raise _RefusedError(f"more than {CBOR_MAX_BYTES} bytes")
        out += value
    elif kind is int:
        if 0 <= value < 256:
            out += _INT[value]
        elif 0 <= value <= 0xFFFFFFFFFFFFFFFF:
            out += _head(0x00, value)
        elif -0x10000000000000000 <= value < 0:
            out += _head(0x20, -1 - value)
        else:
            raise _RefusedError("an integer outside -2^64 .. 2^64-1")
    elif kind is float:
        if not isfinite(value):
            raise _RefusedError(f"the float {value}")
        written = _FLOAT(0xFB, value)
        if written == b"\xfb\x80\x00\x00\x00\x00\x00\x00\x00":
            raise _RefusedError("the float -0.0")
        out += written
    elif value is True:
        out.append(0xF5)
    elif value is False:
        out.append(0xF4)
    elif value is None:
        out.append(0xF6)
    else:
        raise _RefusedError(f"type {kind.__name__} has no encoding")


def _map(value: dict[str, object], depth: int, out: bytearray) -> None:
    if depth == 0:
        raise _RefusedError(f"nested deeper than {CBOR_MAX_DEPTH}")
    # Aliases can make a small object huge when written, so the size is looked at on the way.
    if len(out) > CBOR_MAX_BYTES:
        raise _RefusedError(f"more than {CBOR_MAX_BYTES} bytes")
    plan_of = _map_plan if len(value) <= _PLAN_MAX_KEYS else _map_plan.__wrapped__
    head, plan = plan_of(*value)
    out += head
    key = ""
    try:
        for key, written in plan:
            out += written
            item = value[key]
            kind = type(item)
            # Text first and here: most values are text, and a call for each would double the time.
            if kind is str:
                text = item.encode()  # type: ignore[attr-defined]
                size = len(text)
                if size > 255:
                    _text(text, out)
                else:
                    out += _TEXT[size]
                    out += text
            elif kind is dict:
                _map(item, depth - 1, out)  # type: ignore[arg-type]
            elif kind is list:
                _array(item, depth - 1, out)  # type: ignore[arg-type]
            else:
                _scalar(item, kind, out)
    except UnicodeEncodeError:
        raise _surrogate(f"[{key!a}]") from None
    except _RefusedError as refused:
        refused.path.append(f"[{key!a}]")
        raise


def _array(value: list[object], depth: int, out: bytearray) -> None:
    if depth == 0:
        raise _RefusedError(f"nested deeper than {CBOR_MAX_DEPTH}")
    if len(out) > CBOR_MAX_BYTES or len(value) > CBOR_MAX_BYTES:
        raise _RefusedError(f"more than {CBOR_MAX_BYTES} bytes")
    out += _head(0x80, len(value))
    number = 0
    try:
        for number, item in enumerate(value):  # noqa: B007 - named in the refusal
            _item(item, depth - 1, out)
    except _RefusedError as refused:
        refused.path.append(f"[{number}]")
        raise
