"""Properties of content references and of the common values (specs/06 and specs/00)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ContentError, FormatError
from ledger.formats import cbor, content, values

salts = st.none() | st.binary(min_size=16, max_size=16)


@given(st.binary(max_size=3000), salts)
def test_a_reference_names_its_archived_bytes(data: bytes, salt: bytes | None) -> None:
    """Both digests are over salt and content; the size is that of the content alone."""
    ref, archived = content.refer(data, "text/plain", salt)
    assert archived == (salt or b"") + data
    assert ref.sha256 == hashlib.sha256(archived).digest()
    assert ref.blake3 == blake3(archived).digest()
    assert (ref.size_bytes, ref.salted) == (len(data), salt is not None)
    assert ref.archived_bytes == len(archived)
    content.check(ref, archived)
    assert content.from_cbor(cbor.decode(cbor.encode(ref.to_cbor()))) == ref


@given(st.binary(min_size=1, max_size=300), salts, st.data())
def test_a_changed_byte_does_not_match(
    data: bytes, salt: bytes | None, draw: st.DataObject
) -> None:
    """Any other bytes are refused, of the same length or not."""
    ref, archived = content.refer(data, "text/plain", salt)
    at = draw.draw(st.integers(0, len(archived) - 1))
    for other in (
        archived[:at] + bytes([archived[at] ^ 1]) + archived[at + 1 :],
        archived[:-1],
        archived + b"\0",
    ):
        with pytest.raises(ContentError, match="content_mismatch"):
            content.check(ref, other)


@given(st.lists(st.binary(max_size=100), max_size=10), salts)
def test_pieces_make_the_same_reference(pieces: list[bytes], salt: bytes | None) -> None:
    """It does not matter how content is cut into pieces."""
    hasher = content.ContentHasher("text/plain", salt)
    for piece in pieces:
        hasher.update(piece)
    assert hasher.finish() == content.refer(b"".join(pieces), "text/plain", salt)[0]


def test_a_salt_has_16_bytes_and_a_media_type_is_a_name() -> None:
    """No reference is made that would be refused."""
    for salt in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match="16 bytes"):
            content.ContentHasher("text/plain", salt)
    for media_type in ("", "a" * 257, "text/plain\n"):
        with pytest.raises(FormatError, match="body_invalid"):
            content.ContentHasher(media_type)


plain = st.recursive(
    st.integers(0, 9) | st.text("abc", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", max_size=3), inner),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.text("abcd", max_size=4), st.binary(max_size=4)), max_size=6), plain)
def test_references_are_found_anywhere(refs: list[tuple[str, bytes]], rest: Any) -> None:
    """Every map with the key blake3 is one, in the order of the encoding."""
    body: dict[str, Any] = {"rest": [rest]}
    for key, data in refs:
        body[f"x{key}"] = [rest, {"deep": content.refer(data, "text/plain")[0].to_cbor()}]
    decoded = cbor.decode(cbor.encode(body))
    expected = [
        content.from_cbor(value[1]["deep"]) for key, value in decoded.items() if key != "rest"
    ]
    assert list(content.references(decoded)) == expected
    assert list(content.references(body)) == expected


@pytest.mark.parametrize("value", [None, 1, {}, {"sha256": bytes(32)}, bytes(32), []])
def test_a_map_with_the_key_blake3_is_a_reference_exactly(value: Any) -> None:
    """Whatever stands under blake3, the map is checked as a reference."""
    with pytest.raises(FormatError, match="body_invalid"):
        list(content.references({"a": [{"blake3": value}]}))


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)))
def test_a_time_is_read_back(moment: datetime) -> None:
    """format_time and parse_time are inverse over the years 0001 to 9999."""
    delta = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    us = (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
    text = values.format_time(us)
    assert (len(text), values.parse_time(text), values.is_time(text)) == (27, us, True)
    assert text == moment.isoformat(timespec="microseconds") + "Z"


def test_no_time_is_written_outside_of_the_calendar() -> None:
    """The microsecond before the year 1 and the one after 9999 have no text."""
    first, last = "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"
    for us in (values.parse_time(first) - 1, values.parse_time(last) + 1, 10**30):
        with pytest.raises(FormatError, match="payload_invalid"):
            values.format_time(us)


@given(st.integers(0, (1 << 48) * 1000 - 1), st.binary(min_size=8, max_size=8))
def test_an_id_holds_its_time_and_sorts_by_it(us: int, random: bytes) -> None:
    """The milliseconds are read back, and a later microsecond has a larger id."""
    text = values.uuid7(us, random)
    assert values.is_uuid7(text)
    assert values.uuid7_ms(text) == us // 1000
    assert values.uuid7_bytes(text).hex() == text.replace("-", "")
    if us + 1 < (1 << 48) * 1000:
        assert values.uuid7(us + 1, bytes(8)) > values.uuid7(us, b"\xff" * 8)


@pytest.mark.parametrize("us", [-1, (1 << 48) * 1000])
def test_no_id_is_made_of_a_time_that_does_not_fit(us: int) -> None:
    """Before 1970 and after 48 bits of milliseconds there is no id."""
    with pytest.raises(FormatError, match="payload_invalid"):
        values.uuid7(us, bytes(8))


TEXT_CHECKS = [
    values.is_label,
    values.is_origin,
    values.is_name,
    values.is_prose,
    values.is_time,
    values.is_uuid7,
]
NOT_TEXT = [None, 1, b"a", ["a"], type("Text", (str,), {})("a")]


@pytest.mark.parametrize("check", TEXT_CHECKS)
@pytest.mark.parametrize("value", NOT_TEXT, ids=repr)
def test_only_text_is_text(check: Any, value: Any) -> None:
    """Other types, and subclasses of str, are none of the common text values."""
    assert not check(value)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (values.is_label, ["a", "a" * 128, "A0._@:/-"], ["", "a" * 129, "a b", "a\n", "ä", "a+b"]),
        (values.is_origin, ["a", "a/b.c/d_e-f", "a" * 128],
         ["", "/a", "a/", "a//b", "a" * 129, "a/b\n", "a@b", "a/" * 64 + "a"]),
        (values.is_name, ["a", "ä" * 128, "a b", "\x80"],
         ["", "a" * 257, "ä" * 129, "a\n", "\0", "\x1f", "a\x7f", "\ud800"]),
        (values.is_prose, ["", "a\nb", "a" * 4096, "ä" * 2048],
         ["a" * 4097, "ä" * 2049, "a\0b", "\udfff"]),
    ],
)  # fmt: skip
def test_common_text_values(check: Any, good: list[str], bad: list[str]) -> None:
    """The bounds of specs/00, in bytes of UTF-8 where the page says bytes."""
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


@given(st.text("0123456789+-_ .٣", max_size=21) | st.integers(-9, 2**64).map(str))
def test_a_decimal_number_has_one_spelling(text: str) -> None:
    """What parse_decimal takes is what str gives back, up to 2^63-1."""
    number = values.parse_decimal(text)
    plain_digits = text.isascii() and text.isdigit() and str(int(text)) == text
    assert (number is not None) == (plain_digits and int(text) < 2**63)
    assert number is None or str(number) == text
