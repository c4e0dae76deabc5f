"""Cases of specs/06: a content reference and the archived bytes beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.formats import cbor, content
from tools.vectors.case import Case

_SALT = bytes(range(16))


def cases() -> Iterator[Case]:
    """Yield the cases of kind content."""
    plain, plain_bytes = _made(b"hello", None)
    salted, salted_bytes = _made(b"hello", _SALT)
    empty, empty_bytes = _made(b"", None)
    empty_salted, empty_salted_bytes = _made(b"", _SALT)
    large, large_bytes = _made(bytes(5000), None)
    other, _ = _made(b"jello", None)

    yield _case("plain", "five bytes", plain, plain_bytes)
    yield _case("salted", "five bytes under a salt", salted, salted_bytes)
    yield _case("empty", "no bytes", empty, empty_bytes)
    yield _case("empty_salted", "no bytes under a salt", empty_salted, empty_salted_bytes)
    yield _case("large", "more than one block of BLAKE3", large, large_bytes)
    code = "content_mismatch"
    yield _case("flipped", "one bit flipped", plain, b"iello", code)
    yield _case("short", "a byte is missing", plain, plain_bytes[:-1], code)
    yield _case("long", "a byte too many", plain, plain_bytes + b"\0", code)
    yield _case("none", "no bytes instead of five", plain, b"", code)
    yield _case(
        "size",
        "both digests match, the size does not",
        plain | {"size_bytes": 6},
        plain_bytes,
        code,
    )
    yield _case(
        "sha256", "only SHA-256 differs", plain | {"sha256": other["sha256"]}, plain_bytes, code
    )
    yield _case(
        "blake3", "only BLAKE3 differs", plain | {"blake3": other["blake3"]}, plain_bytes, code
    )
    yield _case("salt_missing", "the salt is not there", salted, b"hello", code)
    yield _case(
        "salt_flipped", "one bit of the salt flipped", salted, b"\x01" + salted_bytes[1:], code
    )
    yield _case("salt_not_said", "salted bytes under a plain reference",
                {k: v for k, v in salted.items() if k != "salted"}, salted_bytes, code)  # fmt: skip
    code = "body_invalid"
    for key in plain:
        reference = {k: v for k, v in plain.items() if k != key}
        # Without "blake3" the map is no reference, but it stands where one has to.
        yield _case(f"no_{key}", f"{key} is missing", reference, plain_bytes, code)
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("extra", "a key too many", {"name": "x"}),
        ("salted_false", "salted is true or absent", {"salted": False}),
        ("salted_null", "salted is true or absent", {"salted": None}),
        ("salted_1", "salted is true or absent", {"salted": 1}),
        ("sha256_31", "a digest of 31 bytes", {"sha256": bytes(31)}),
        ("sha256_text", "a digest as text", {"sha256": plain["sha256"].hex()}),
        ("blake3_33", "a digest of 33 bytes", {"blake3": bytes(33)}),
        ("size_float", "a size that is a float", {"size_bytes": 5.0}),
        ("size_negative", "a negative size", {"size_bytes": -1}),
        ("size_2_63", "a size of 2^63", {"size_bytes": 2**63}),
        ("media_type_empty", "an empty media type", {"media_type": ""}),
        ("media_type_257", "a media type of 257 bytes", {"media_type": "a" * 257}),
        ("media_type_newline", "a media type with a newline", {"media_type": "text/plain\n"}),
    ]
    for name, told, change in changes:
        yield _case(name, told, plain | change, plain_bytes, code)


def _made(data: bytes, salt: bytes | None) -> tuple[dict[str, Any], bytes]:
    reference, archived = content.refer(data, "text/plain", salt)
    return reference.to_cbor(), archived


def _case(
    name: str, description: str, reference: dict[str, Any], archived: bytes, expect: str = "ok"
) -> Case:
    files = {"input.bin": cbor.encode(reference), "archived.bin": archived}
    return Case(f"content_{name}", "content", description, expect, {}, files)
