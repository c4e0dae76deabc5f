"""Bodies straight from their models to CBOR (specs/01).

`cbor.encode(to_body(model))` makes a map for every group and then takes it apart again, which costs
as much as the signature. The order of a group's keys is known beforehand, and the common values
are short text, small numbers, digests and references; those are written here, and all others by
`cbor.encode`. The bytes are the same, and a test holds that.

>>> from ledger.model import Annotation
>>> encode_model(Annotation(kind="note", value="x")).hex(" ")
'a2 64 6b 69 6e 64 64 6e 6f 74 65 65 76 61 6c 75 65 61 78'
"""

from __future__ import annotations

from functools import cache, lru_cache
from struct import Struct

from ledger.formats import cbor
from ledger.formats.content import ContentRef
from ledger.model import Group

__all__ = ["encode_model"]

_SHORT = Struct(">BH").pack
_FLOAT = Struct(">Bd").pack
_FLOAT_MAX = float("inf")
_SMALL = tuple(cbor.encode(number) for number in range(256))
_GROUP_KEYS_MAX = 23


def encode_model(model: Group) -> bytes:
    """The body of a model as CBOR; raises `FormatError("cbor_invalid")` as `cbor.encode` does."""
    out = bytearray()
    _group(model, out)
    return bytes(out)


@cache
def _plan(kind: type[Group]) -> tuple[tuple[str, bytes], ...]:
    """Field names in the order of their encoded keys, with these keys."""
    keys = sorted((cbor.encode(name), name) for name in kind.model_fields)
    return tuple((name, key) for key, name in keys)


@lru_cache(256)
def _reference_head(media_type: str) -> bytes:
    return b"\x6amedia_type" + cbor.encode(media_type) + b"\x6asize_bytes"


@lru_cache(2048)
def _short_text(text: str) -> bytes:
    return cbor.encode(text)


def _group(model: Group, out: bytearray) -> None:
    values = model.__dict__
    head = len(out)
    out.append(0xA0)  # how many keys is known at the end
    count = 0
    for name, key in _plan(type(model)):
        value = values[name]
        if value is None:
            continue
        count += 1
        out += key
        # The two commonest kinds without a call of their own.
        if type(value) is str and len(value) < 64:
            out += _short_text(value)
        elif type(value) is ContentRef:
            _reference(value, out)
        else:
            _value(value, out)
    out[head] += count
    if count > _GROUP_KEYS_MAX:
        raise AssertionError(f"{type(model).__name__} has too many fields for a short head")


def _value(value: object, out: bytearray) -> None:
    if type(value) is str:
        if len(value) < 64:
            out += _short_text(value)
            return
    elif type(value) is int:
        if 0 <= value < 256:
            out += _SMALL[value]
            return
        if 256 <= value < 65536:
            out += _SHORT(0x19, value)
            return
    elif type(value) is float:
        if 0.0 < value < _FLOAT_MAX:
            out += _FLOAT(0xFB, value)
            return
    elif type(value) is ContentRef:
        _reference(value, out)
        return
    elif isinstance(value, Group):
        _group(value, out)
        return
    elif isinstance(value, list | tuple):
        if len(value) < 24:
            out.append(0x80 + len(value))
        elif len(value) < 256:
            out += bytes((0x98, len(value)))
        else:  # the longest array of specs/03 has 1,024 items
            out += _SHORT(0x99, len(value))
        for item in value:
            _value(item, out)
        return
    out += cbor.encode(value)  # type: ignore[arg-type]


def _reference(ref: ContentRef, out: bytearray) -> None:
    out += b"\xa5\x66blake3\x58\x20" if ref.salted else b"\xa4\x66blake3\x58\x20"
    out += ref.blake3
    if ref.salted:
        out += b"\x66salted\xf5"
    out += b"\x66sha256\x58\x20"
    out += ref.sha256
    out += _reference_head(ref.media_type)
    _value(ref.size_bytes, out)
