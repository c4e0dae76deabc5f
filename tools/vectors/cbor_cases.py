"""Cases of specs/01: encodings in the profile, and every way out of it, as bytes by hand."""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from tools.vectors.case import Case

# name, description, hexadecimal
_ACCEPTED = [
    ("map_order", "keys ordered by length, then bytewise",
     "a461614101616201626161 84f5f620fb3ff8000000000000 62c3a46178"),
    ("integers", "integers at each boundary of the argument's size",
     "8f 00 17 1818 18ff 190100 19ffff 1a00010000 1affffffff 1b0000000100000000"
     " 1bffffffffffffffff 20 37 3818 38ff 3bffffffffffffffff"),
    ("simple_values", "false, true, null", "83 f4 f5 f6"),
    ("text_empty", "empty text", "60"),
    ("bytes_empty", "empty byte string", "40"),
    ("array_empty", "empty array", "80"),
    ("map_empty", "empty map", "a0"),
    ("map_empty_key", "the empty text is a key and comes first", "a2 60 00 6161 01"),
    ("text_not_normalised", "composed and decomposed text are two keys",
     "a2 62c3a9 00 63 65cc81 01"),
    ("text_all_planes", "U+0000, U+FFFF, U+10FFFF are text", "83 6100 63efbfbf 64f48fbfbf"),
    ("bytes_not_text", "byte strings hold any bytes", "43 ff00c3"),
    ("float_integral", "a float stays a float", "fb3ff0000000000000"),
]  # fmt: skip

_REFUSED = [
    # shortest form
    ("int_long_0", "0 in two bytes", "1800"),
    ("int_long_23", "23 in two bytes", "1817"),
    ("int_long_255", "255 in three bytes", "1900ff"),
    ("int_long_65535", "65535 in five bytes", "1a0000ffff"),
    ("int_long_32bit", "2^32-1 in nine bytes", "1b00000000ffffffff"),
    ("int_negative_long_1", "-1 in two bytes", "3800"),
    ("int_negative_long_24", "-24 in two bytes", "3817"),
    ("int_negative_long_256", "-256 in three bytes", "3900ff"),
    ("bytes_long_length", "empty byte string with a length byte", "5800"),
    ("bytes_long_length_16", "byte string of 24 with a 16-bit length", "590018" + "00" * 24),
    ("text_long_length", "text of 1 with a length byte", "780161"),
    ("text_long_length_32", "text of 1 with a 32-bit length", "7a0000000161"),
    ("array_long_length", "array of 1 with a length byte", "980100"),
    ("array_long_length_64", "array of 1 with a 64-bit length", "9b000000000000000100"),
    ("map_long_length", "map of 1 with a length byte", "b801616100"),
    ("map_long_length_16", "map of 1 with a 16-bit length", "b90001616100"),
    ("key_long_length", "map key with a length byte", "a178016100"),
    ("nested_long", "the defect is deep inside a valid map", "a16161a1616281821800f6"),
    # maps
    ("map_unsorted", "b before a", "a2616200616100"),
    ("map_unsorted_length", "aa before b: plain bytewise order of the text, not of the encoding",
     "a262616100616200"),
    ("map_unsorted_nested", "an unsorted map inside an array", "81a2616200616100"),
    ("map_duplicate", "one key twice", "a2616100616101"),
    ("map_duplicate_same", "one key twice with one value", "a2616100616100"),
    ("map_key_int", "an integer as key", "a10001"),
    ("map_key_bytes", "a byte string as key", "a1416100"),
    ("map_key_null", "null as key", "a1f600"),
    ("map_key_false", "false as key", "a1f400"),
    ("map_key_float", "a float as key", "a1fb3ff000000000000000"),
    ("map_key_array", "an array as key", "a18000"),
    ("map_key_map", "a map as key", "a1a000"),
    ("map_odd", "a key without value", "a16161"),
    # indefinite lengths
    ("indefinite_bytes", "byte string of indefinite length", "5f4100ff"),
    ("indefinite_bytes_empty", "empty byte string of indefinite length", "5fff"),
    ("indefinite_text", "text of indefinite length", "7f6161ff"),
    ("indefinite_array", "array of indefinite length", "9f00ff"),
    ("indefinite_array_empty", "empty array of indefinite length", "9fff"),
    ("indefinite_map", "map of indefinite length", "bf616100ff"),
    ("break_alone", "a break outside of an item of indefinite length", "ff"),
    ("break_in_array", "a break inside a definite array", "81ff"),
    # tags
    ("tag_time", "tag 0, a time", "c074323032362d31312d32305430393a30303a30305a"),
    ("tag_epoch", "tag 1, seconds since 1970", "c11a6b000000"),
    ("tag_bignum", "tag 2, a bignum of 2^64", "c249010000000000000000"),
    ("tag_bignum_small", "tag 2, a bignum that fits an integer", "c24101"),
    ("tag_link", "tag 42, a link of DRISL", "d82a450001550000"),
    ("tag_shared", "tags 28 and 29: an array that holds itself", "d81c81d81d00"),
    ("tag_shared_twice", "tags 28 and 29: doubling by reference",
     "82d81c81616182d81d00d81d00"),
    ("tag_stringref", "tags 256 and 25: references to earlier text",
     "d901008364616161616462626262d81900"),
    ("tag_regex", "tag 35, a regular expression", "d823654128612b29"),
    ("tag_set", "tag 258, a set", "d901028100"),
    ("tag_self_described", "tag 55799, self-described CBOR", "d9d9f700"),
    ("tag_unknown", "a tag that nobody registered", "da7fffffff00"),
    ("tag_key", "a tag on a map key", "a1d9d9f7616100"),
    # floats
    ("float_16", "1.0 in 16 bits", "f93c00"),
    ("float_16_nan", "NaN in 16 bits", "f97e00"),
    ("float_16_infinity", "infinity in 16 bits", "f97c00"),
    ("float_32", "1.5 in 32 bits", "fa3fc00000"),
    ("float_32_nan", "NaN in 32 bits", "fa7fc00000"),
    ("float_nan", "the usual NaN", "fb7ff8000000000000"),
    ("float_nan_payload", "a NaN with a payload", "fb7ff8000000000001"),
    ("float_nan_signalling", "a signalling NaN", "fb7ff0000000000001"),
    ("float_nan_negative", "a NaN with a sign", "fbfff8000000000000"),
    ("float_infinity", "infinity", "fb7ff0000000000000"),
    ("float_infinity_negative", "minus infinity", "fbfff0000000000000"),
    ("float_minus_zero", "-0.0", "fb8000000000000000"),
    ("float_minus_zero_nested", "-0.0 as a value of a map", "a16161fb8000000000000000"),
    # other simple values
    ("undefined", "undefined", "f7"),
    ("simple_0", "simple value 0", "e0"),
    ("simple_19", "simple value 19", "f3"),
    ("simple_false_long", "false in two bytes", "f814"),
    ("simple_32", "simple value 32", "f820"),
    ("simple_255", "simple value 255", "f8ff"),
    # reserved additional information
    ("reserved_int_28", "additional information 28", "1c"),
    ("reserved_int_30", "additional information 30", "1e"),
    ("reserved_int_31", "an integer of indefinite length", "1f"),
    ("reserved_bytes_29", "a byte string with additional information 29", "5d"),
    ("reserved_tag_31", "a tag of indefinite length", "df00"),
    ("reserved_simple_28", "major type 7, additional information 28", "fc"),
    # text
    ("utf8_invalid_byte", "ff in text", "61ff"),
    ("utf8_invalid_continuation", "c3 28 in text", "62c328"),
    ("utf8_overlong", "U+0000 in two bytes", "62c080"),
    ("utf8_surrogate", "U+D800 in text", "63eda080"),
    ("utf8_surrogate_pair", "U+1F600 as two surrogates (CESU-8)", "66eda0bdedb880"),
    ("utf8_too_large", "a code point above U+10FFFF", "64f4908080"),
    ("utf8_truncated", "text ends inside a character", "61c3"),
    ("utf8_key", "invalid UTF-8 in a map key", "a161ff00"),
    # one item, whole
    ("empty", "no bytes at all", ""),
    ("trailing", "a second item", "0000"),
    ("trailing_after_map", "a byte after a map", "a0f6"),
    ("trailing_break", "a break after the item", "00ff"),
    ("truncated_argument", "an argument that is missing", "18"),
    ("truncated_argument_64", "an argument of 64 bits cut short", "1b00000001000000"),
    ("truncated_bytes", "a byte string cut short", "4200"),
    ("truncated_text", "text cut short", "6261"),
    ("truncated_array", "an array with an element too few", "8200"),
    ("truncated_map", "a map with a pair too few", "a2616100"),
    ("truncated_float", "a float cut short", "fb3ff00000000000"),
    ("length_huge_bytes", "a byte string of 2^64-1 bytes that are not there", "5bffffffffffffffff"),
    ("length_huge_text", "text of 2^63-1 bytes that are not there", "7b7fffffffffffffff61"),
    ("length_huge_array", "an array of 2^64-1 elements", "9bffffffffffffffff00"),
    ("length_huge_map", "a map of 2^63 pairs", "bb8000000000000000616100"),
    ("length_huge_array_32", "an array of 2^32-1 elements", "9affffffff00"),
]  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield the cases of kind cbor."""
    for name, description, text in _ACCEPTED:
        yield _case(name, description, bytes.fromhex(text), "ok")
    yield _case("floats", "zero, fractions, the extremes and a subnormal", _floats(), "ok")
    yield _case("text_lengths", "text at each boundary of the length", _strings(0x60), "ok")
    yield _case(
        "bytes_lengths", "byte strings at each boundary of the length", _strings(0x40), "ok"
    )
    yield _case("array_24", "an array of 24", b"\x98\x18" + b"\x00" * 24, "ok")
    yield _case("array_256", "an array of 256", b"\x99\x01\x00" + b"\xf6" * 256, "ok")
    pairs = b"".join(b"\x62" + b"%02d" % n + b"\x00" for n in range(24))
    yield _case("map_24", "a map of 24 pairs", b"\xb8\x18" + pairs, "ok")
    yield _case("map_long_keys", "keys of 23, 24 and 256 bytes in that order", _long_keys(), "ok")
    yield _case("depth_32_arrays", "32 arrays in one another", b"\x81" * 31 + b"\x80", "ok")
    yield _case("depth_32_maps", "32 maps in one another", b"\xa1\x61a" * 31 + b"\xa0", "ok")
    yield _case("depth_32_scalar", "a scalar in 32 arrays", b"\x81" * 32 + b"\x00", "ok")
    yield _case("size_limit", "65,535 bytes", b"\x59\xff\xfc" + bytes(65532), "ok")
    for name, description, text in _REFUSED:
        yield _case(name, description, bytes.fromhex(text), "cbor_invalid")
    deep = [
        ("depth_33_arrays", "33 arrays in one another", b"\x81" * 32 + b"\x80"),
        ("depth_33_maps", "33 maps in one another", b"\xa1\x61a" * 32 + b"\xa0"),
        ("depth_33_mixed", "an array in 32 maps", b"\xa1\x61a" * 32 + b"\x80"),
        ("depth_5000", "5,000 arrays in one another", b"\x81" * 5000 + b"\x80"),
        ("depth_5000_tags", "5,000 tags in one another", b"\xd9\xd9\xf7" * 5000 + b"\x00"),
        ("depth_5000_indefinite", "5,000 open arrays", b"\x9f" * 5000),
        ("size_over", "65,536 bytes", b"\x59\xff\xfd" + bytes(65533)),
    ]
    for name, description, data in deep:
        yield _case(name, description, data, "cbor_invalid")


def _case(name: str, description: str, data: bytes, expect: str) -> Case:
    return Case(f"cbor_{name}", "cbor", description, expect, {}, {"input.bin": data})


def _floats() -> bytes:
    values = [0.0, 1.5, -1.5, 0.1, 5e-324, -5e-324, 1.7976931348623157e308, 2.0**64]
    return bytes([0x80 | len(values)]) + b"".join(b"\xfb" + pack(">d", value) for value in values)


def _strings(major: int) -> bytes:
    heads = [
        (0, bytes([major])),
        (23, bytes([major | 23])),
        (24, bytes([major | 24, 24])),
        (255, bytes([major | 24, 255])),
        (256, bytes([major | 25, 1, 0])),
    ]
    return b"\x85" + b"".join(head + b"a" * size for size, head in heads)


def _long_keys() -> bytes:
    heads = [(23, b"\x77"), (24, b"\x78\x18"), (256, b"\x79\x01\x00")]
    return b"\xa3" + b"".join(head + b"z" * size + b"\x00" for size, head in heads)
