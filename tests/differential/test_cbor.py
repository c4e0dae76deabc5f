"""One encoding, two decoders, and a third one that is plain and slow: specs/01."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.formats import cbor as ours
from tests.helpers.damage import damage_bytes, randomness
from tests.helpers.outcome import Outcome, agree, outcome, same
from tests.helpers.quick import runs
from tests.reference import cbor as reference
from verifier import cbor as theirs

MAX_DEPTH, MAX_BYTES = 32, 65535

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.sampled_from([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, -(2**64)])
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
    | st.binary(max_size=40)
    # What libipld takes for a link: a CID behind a zero byte, and a map that looks like one.
    | st.sampled_from([b"\x00\x01\x55\x12\x20" + bytes(32), b"\x01\x71\x12\x20" + bytes(32)])
)
keys = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(["/", ""])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def _read(data: bytes) -> Outcome:
    """Let the plain reference decoder read some bytes; it has one error for all refusals."""
    try:
        return Outcome(True, reference.decode(data))
    except (reference.RefusedError, RecursionError) as refusal:
        return Outcome(False, message=repr(refusal))


def check(data: bytes) -> bool:
    """Let all decoders read some bytes; fail where they differ, and say whether they accept."""
    mine, yours = outcome(ours.decode, data), outcome(theirs.decode, data)
    agree(mine, yours)
    if not mine.accepted:
        assert mine.code == "cbor_invalid"
    else:
        assert ours.encode(mine.value) == data == theirs.encode(yours.value)
    plain = _read(data)
    assert plain.accepted == mine.accepted, f"the reference: {plain}, for {data.hex()}"
    assert same(plain.value, mine.value)
    return mine.accepted


@runs(300)
@given(values)
def test_a_value_has_one_encoding_in_both_programs(value: Any) -> None:
    """Whatever a producer records, an auditor's program writes the same bytes and reads it back."""
    data = ours.encode(value)
    assert theirs.encode(value) == data
    assert check(data)


@runs(150)
@given(values.map(ours.encode), randomness)
def test_damaged_encodings_are_judged_alike(data: bytes, rng: Random) -> None:
    """No change of bytes is accepted by one program and refused by the other."""
    for _ in range(25):
        check(damage_bytes(data, rng))


@runs(300)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_judged_alike(data: bytes) -> None:
    """No bytes from a stranger are read differently by the two programs."""
    check(data)


class Loose:
    """Writes CBOR as a careless encoder would; `slips` counts what breaks specs/01."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.slips = 0

    def slip(self) -> bool:
        taken = self.rng.random() < 0.06
        self.slips += taken
        return taken

    def head(self, major: int, argument: int) -> bytes:
        width = next(n for n, top in enumerate((24, 2**8, 2**16, 2**32, 2**64)) if argument < top)
        if width < 4 and self.slip():
            width = self.rng.randint(width + 1, 4)
        if width == 0:
            return bytes((major << 5 | argument,))
        return bytes((major << 5 | 23 + width,)) + argument.to_bytes(1 << width - 1, "big")

    def string(self, major: int, raw: bytes) -> bytes:
        if self.slip():
            return bytes((major << 5 | 31,)) + self.head(major, len(raw)) + raw + b"\xff"
        return self.head(major, len(raw)) + raw

    def write(self, value: Any) -> bytes:
        if self.slip():
            return self.head(6, self.rng.choice(TAGS)) + self.write(value)
        if value is None and self.slip():
            return self.rng.choice([b"\xf7", b"\xf0", b"\xf8\x16", b"\xf8\xff", b"\xfc"])
        if value is None or type(value) is bool:
            return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
        if type(value) is int:
            return self.head(0, value) if value >= 0 else self.head(1, -1 - value)
        if type(value) is float:
            return self.rng.choice(FLOATS) if self.slip() else struct.pack(">Bd", 0xFB, value)
        if type(value) is bytes:
            return self.string(2, value)
        if type(value) is str:
            return self.string(3, value.encode())
        if type(value) is list:
            return self.many(4, [self.write(item) for item in value])
        keys = sorted(value, key=theirs.encode)
        if len(keys) > 1 and self.slip():
            keys.reverse()
        if keys and self.slip():
            keys.append(keys[-1])
        items = []
        for key in keys:
            items.append(b"\x01" if self.slip() else self.string(3, key.encode()))
            items.append(self.write(value[key]))
        return self.many(5, items)

    def many(self, major: int, items: list[bytes]) -> bytes:
        if self.slip():
            return bytes((major << 5 | 31,)) + b"".join(items) + b"\xff"
        return self.head(major, len(items) // (major - 3)) + b"".join(items)


TAGS = (0, 1, 2, 3, 4, 5, 24, 25, 28, 29, 35, 36, 37, 42, 100, 256, 258, 260, 1004, 43000, 55799)
FLOATS = (
    bytes.fromhex("f93e00"), bytes.fromhex("fa3fc00000"), bytes.fromhex("fb8000000000000000"),
    bytes.fromhex("fb7ff0000000000000"), bytes.fromhex("fb7ff8000000000000"),
    bytes.fromhex("fbfff8000000000001"),
)  # fmt: skip


@runs(200)
@given(values, randomness)
def test_other_encodings_of_a_value_are_refused_by_all(value: Any, rng: Random) -> None:
    """Long lengths, other orders, tags, short floats: each is refused, by both programs alike."""
    for _ in range(15):
        writer = Loose(rng)
        data = writer.write(value)
        if rng.random() < 0.1:
            writer.slips += 1
            data += rng.choice([b"\x00", b"\xf6", b"\xff", b"\xa0"])
        assert check(data) == (writer.slips == 0)


@pytest.mark.parametrize("kind", ["array", "map", "both"])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_depth_limit_is_the_same(kind: str, over: int) -> None:
    """Nesting of 32 is read and of 33 refused, by the encoders too."""
    value: Any = 1
    for level in range(MAX_DEPTH + over):
        value = {"a": value} if kind == "map" or (kind == "both" and level % 2) else [value]
    raw = bytes([1])
    for level in range(MAX_DEPTH + over):
        map_here = kind == "map" or (kind == "both" and level % 2)
        raw = (b"\xa1\x61a" if map_here else b"\x81") + raw
    assert check(raw) == (over <= 0)
    agree(outcome(ours.encode, value), outcome(theirs.encode, value))
    assert outcome(ours.encode, value).accepted == (over <= 0)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("major", [0x40, 0x60, 0x80])
def test_the_size_limit_is_the_same(over: int, major: int) -> None:
    """65,535 bytes are read and 65,536 refused, by the encoders too."""
    count = MAX_BYTES - 3 + over
    data = bytes((major | 25,)) + count.to_bytes(2, "big") + bytes(count)
    assert check(data) == (over <= 0)
    value = {0x40: bytes(count), 0x60: "\0" * count, 0x80: [0] * count}[major]
    agree(outcome(ours.encode, value), outcome(theirs.encode, value))
    assert outcome(ours.encode, value).accepted == (over <= 0)


@pytest.mark.parametrize(
    "value",
    [(1,), {1: 2}, {b"a": 1}, 2**64, -(2**64) - 1, float("nan"), float("-inf"), -0.0, "\ud800",
     {"\udfff": 1}, memoryview(b"a"), bytearray(b"a"), {1, 2}, object(), 1j,
     type("S", (str,), {})("a"), type("I", (int,), {})(1), type("D", (dict,), {})(),
     type("L", (list,), {})()],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_outside_the_profile_have_no_encoding(value: Any) -> None:
    """What a decoder would refuse or change cannot be written by either program."""
    for wrapped in (value, [value], {"a": value}):
        mine, yours = outcome(ours.encode, wrapped), outcome(theirs.encode, wrapped)
        assert mine.code == yours.code == "cbor_invalid"
