"""Properties of the CBOR profile, each with the rule of specs/01 that it tests."""

from __future__ import annotations

import contextlib
import enum
import math
from collections import OrderedDict
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats import cbor
from tests.reference.cbor import RefusedError
from tests.reference.cbor import decode as reference_decode

finite = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: number != 0.0 or math.copysign(1.0, number) > 0
)
scalars = (
    st.integers(-(2**64), 2**64 - 1)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
    | st.binary(max_size=30)
    | finite
    | st.booleans()
    | st.none()
)
keys = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def refusal(data: bytes) -> str | None:
    """Return the message with which bytes are refused, or None."""
    try:
        cbor.decode(data)
    except FormatError as error:
        if error.code != "cbor_invalid":
            raise
        return error.message
    return None


@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    """decode(encode(v)) is v, with the same types."""
    again = cbor.decode(cbor.encode(value))
    assert again == value
    assert repr(again) == repr(cbor.decode(cbor.encode(again)))


@given(values)
def test_three_readers_and_two_writers_agree(value: Any) -> None:
    """The encoding is the one that cbor2 writes for sorted keys, and the plain reader reads it."""
    data = cbor.encode(value)
    assert data == cbor2.dumps(in_order(value))
    assert reference_decode(data) == value


def in_order(value: Any) -> Any:
    """Return the value with the keys of its maps in the order of their encoding."""
    if isinstance(value, list):
        return [in_order(item) for item in value]
    if isinstance(value, dict):
        order = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: in_order(value[key]) for key in order}
    return value


@given(st.dictionaries(keys, scalars, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_keys_in_memory_does_not_matter(value: dict[str, Any], random: Any) -> None:
    """Equal values have equal bytes, and so equal hashes."""
    shuffled = list(value.items())
    random.shuffle(shuffled)
    assert cbor.encode(dict(shuffled)) == cbor.encode(value)


@given(st.binary(max_size=60))
@example(b"\xd8\x1c\x81\xd8\x1d\x00")  # an array that holds itself
@example(b"\xc5\x82\x1b" + b"\xff" * 8 + b"\x01")  # a bigfloat with a huge exponent
@example(b"\xd8\x23\x6a(a*)*(a*)*b")  # a regular expression
@example(b"\xd8\x25\x50" + bytes(16))  # a UUID
@example(b"\xd9\x01\x04\x44\xc0\xa8\x00\x01")  # an IP address
@example(b"\x9b" + b"\xff" * 8)
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    """Nothing but a FormatError escapes, and the plain reader judges the same."""
    try:
        expected = reference_decode(data)
    except RefusedError:
        assert refusal(data) is not None
        return
    assert cbor.decode(data) == expected
    assert cbor.encode(expected) == data


@given(values, st.data())
def test_a_changed_byte_is_another_value_or_refused(value: Any, data: st.DataObject) -> None:
    """No two encodings stand for one value: a byte changed means another value, or none."""
    good = cbor.encode(value)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    if refusal(bad) is None:
        assert cbor.encode(cbor.decode(bad)) == bad
        assert cbor.decode(bad) == reference_decode(bad)
    else:
        with pytest.raises(RefusedError):
            reference_decode(bad)


@given(values, st.binary(min_size=1, max_size=4))
def test_trailing_bytes_are_refused(value: Any, more: bytes) -> None:
    """Rule 2: the encoding is exactly one item."""
    assert refusal(cbor.encode(value) + more) is not None


@given(values)
def test_every_beginning_is_refused(value: Any) -> None:
    """A cut-off item is refused wherever it is cut."""
    data = cbor.encode(value)
    for size in range(len(data)):
        assert refusal(data[:size]) is not None


class Number(enum.IntEnum):
    """An integer in disguise."""

    ONE = 1


class Text(str):
    """Text in disguise."""


REFUSED_VALUES = [
    2**64,
    -(2**64) - 1,
    math.nan,
    math.inf,
    -math.inf,
    -0.0,
    "\ud800",
    "a\udfffb",
    (1,),
    Number.ONE,
    Text("a"),
    bytearray(b"a"),
    memoryview(b"a"),
    OrderedDict(a=1),
    {1: 2},
    {b"a": 1},
    {None: 1},
    {True: 1},
    {1.5: 1},
    {("a",): 1},
    {"\ud800": 1},
    {Text("a"): 1},
    {"a": 1, Text("b"): 1},
    {1, 2},
    object(),
    cbor2.undefined,
    cbor2.CBORSimpleValue(99),
    cbor2.CBORTag(0, "2026-11-20T09:00:00Z"),
    1j,
]


@pytest.mark.parametrize("value", REFUSED_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("put", [lambda v: v, lambda v: [0, v], lambda v: {"a": [{"b": v}]}])
def test_an_encoder_refuses_what_no_decoder_takes(value: Any, put: Any) -> None:
    """Rule 5, at the top and deep inside."""
    with pytest.raises(FormatError) as refused:
        cbor.encode(put(value))
    assert refused.value.code == "cbor_invalid"


def test_a_refusal_does_not_depend_on_what_was_written_before() -> None:
    """A map whose keys were seen before is not let through when a key only looks the same."""
    assert cbor.encode({"a": 1, "b": 2}) == bytes.fromhex("a2616101616202")
    with pytest.raises(FormatError, match="a map key of type Text"):
        cbor.encode({"a": 1, Text("b"): 2})
    assert cbor.encode({"a": 1, "b": 2}) == bytes.fromhex("a2616101616202")


def test_a_refusal_says_where() -> None:
    """The message names the path to the value."""
    with pytest.raises(FormatError, match=r"\['body'\]\['n'\]\[1\]: the float nan"):
        cbor.encode({"body": {"n": [0, math.nan]}})


def nested(depth: int, wrap: Any, inner: Any) -> Any:
    """Return a value inside that many containers."""
    for _ in range(depth):
        inner = wrap(inner)
    return inner


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}])
def test_depth_is_bounded_at_32(wrap: Any) -> None:
    """Rule 3: a scalar in 32 containers is written and read, in 33 neither."""
    value = nested(32, wrap, 0)
    assert cbor.decode(cbor.encode(value)) == value
    for depth in (33, 5000):
        with pytest.raises(FormatError, match="nested deeper than 32"):
            cbor.encode(nested(depth, wrap, 0))


def test_size_is_bounded_at_65535() -> None:
    """Rule 4: 65,535 bytes are written and read, one more is not."""
    data = cbor.encode(bytes(65532))
    assert len(data) == 65535
    assert cbor.decode(data) == bytes(65532)
    for value in (bytes(65533), "a" * 65533, [0] * 65533, {"a": bytes(65532)}, bytes(10**7)):
        with pytest.raises(FormatError, match="65535"):
            cbor.encode(value)
    assert refusal(b"\x59\xff\xfd" + bytes(65533)) is not None


@pytest.mark.parametrize("twice", [lambda v: [v, v], lambda v: {"a": v, "b": v}])
def test_a_small_object_that_would_be_huge_is_refused_early(twice: Any) -> None:
    """Thirty containers that each hold the one before twice would be a thousand million items."""
    value: Any = 0
    for _ in range(30):
        value = twice(value)
    with pytest.raises(FormatError, match="65535"):
        cbor.encode(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    """A cycle is deeper than any bound."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(FormatError, match="nested deeper"):
        cbor.encode(value)


@given(st.integers(0, 7), st.integers(28, 31), st.binary(max_size=9))
def test_reserved_heads_are_refused(major: int, information: int, rest: bytes) -> None:
    """Rule 1: additional information 28 to 31 stands nowhere."""
    assert refusal(bytes([major << 5 | information]) + rest) is not None


@given(st.integers(0, 2**64 - 1), st.sampled_from([1, 2, 4, 8]), st.integers(0, 6))
def test_an_argument_has_one_spelling(argument: int, size: int, major: int) -> None:
    """Of the spellings of an integer only the shortest is read."""
    with contextlib.suppress(OverflowError):
        head = bytes([major << 5 | 24 + size.bit_length() - 1]) + argument.to_bytes(size)
        shortest = argument >= (24 if size == 1 else 1 << 4 * size)
        if major < 2:
            assert (refusal(head) is None) == shortest
        elif not shortest and argument < 24:
            items = {2: b"a" * argument, 3: b"a" * argument, 4: b"\x00" * argument}
            assert refusal(head + items.get(major, b"\x00")) is not None


TAGGED = {
    0: b"\x74" + b"2026-11-20T09:00:00Z",
    1: b"\x00",
    2: b"\x41\x01",
    4: b"\x82\x00\x01",
    5: b"\x82\x00\x01",
    25: b"\x00",
    28: b"\x80",
    29: b"\x00",
    30: b"\x82\x01\x02",
    35: b"\x61a",
    36: b"\x60",
    37: b"\x50" + bytes(16),
    100: b"\x00",
    256: b"\x80",
    258: b"\x80",
    260: b"\x44" + bytes(4),
    261: b"\xa1\x44" + bytes(4) + b"\x18\x18",
    1004: b"\x6a2026-11-20",
    43000: b"\x82\x00\x01",
    55799: b"\x00",
    99999: b"\x00",
}


@pytest.mark.parametrize("tag", TAGGED)
def test_a_tag_is_refused_before_anybody_acts_on_it(tag: int) -> None:
    """No time is parsed, no expression compiled and no reference followed."""
    head = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1]
    assert "a tag" in (refusal(head + TAGGED[tag]) or "")


def test_only_bytes_are_decoded() -> None:
    """Handing over anything else is the caller's mistake, not a refusal of data."""
    with pytest.raises(TypeError):
        cbor.decode(memoryview(b"\x00"))  # type: ignore[arg-type]
