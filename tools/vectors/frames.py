"""Statements whose frame or protected header is broken (specs/02 sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors import lab
from tools.vectors.alter import FIRST, PARTS, PAYLOAD, PROTECTED, headed, long_bytes, signed


def frames() -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, description, statement) with a broken frame."""
    header, payload, signature = (
        long_bytes(PROTECTED),
        long_bytes(PAYLOAD),
        b"\x58\x40" + PARTS.signature,
    )
    assert b"".join((b"\xd2\x84", header, b"\xa0", payload, signature)) == FIRST
    yield "untagged", "no tag", FIRST[1:]
    yield "tag_17", "tag 17, COSE_Mac0", b"\xd1" + FIRST[1:]
    yield "tag_long", "tag 18 in two bytes", b"\xd8\x12" + FIRST[1:]
    yield "tag_twice", "tag 18 twice", b"\xd2" + FIRST
    yield "array_3", "an array of three", b"\xd2\x83" + header + b"\xa0" + payload
    yield "array_5", "an array of five", b"\xd2\x85" + FIRST[2:] + b"\xf6"
    yield "array_long", "an array of four with a length byte", b"\xd2\x98\x04" + FIRST[2:]
    yield "array_indefinite", "an array of indefinite length", b"\xd2\x9f" + FIRST[2:] + b"\xff"
    text = bytes((0x78, len(PROTECTED))) + PROTECTED
    yield (
        "header_text",
        "the protected header as text",
        b"\xd2\x84" + text + b"\xa0" + payload + signature,
    )
    bare = b"\xd2\x84" + PROTECTED + b"\xa0" + payload + signature
    yield "header_map", "the protected header as a map, not a byte string", bare
    long = b"\x59" + len(PROTECTED).to_bytes(2) + PROTECTED
    yield (
        "header_long",
        "the protected header's length in 16 bits",
        b"\xd2\x84" + long + b"\xa0" + payload + signature,
    )
    chunks = b"\x5f" + header + b"\xff"
    yield (
        "header_indefinite",
        "the protected header in chunks",
        b"\xd2\x84" + chunks + b"\xa0" + payload + signature,
    )
    start = b"\xd2\x84" + header
    yield (
        "unprotected",
        "a kid in the unprotected header",
        start + b"\xa1\x04\x41\x00" + payload + signature,
    )
    yield "unprotected_null", "null as unprotected header", start + b"\xf6" + payload + signature
    yield (
        "unprotected_long",
        "an empty map with a length byte",
        start + b"\xb8\x00" + payload + signature,
    )
    yield (
        "unprotected_indefinite",
        "an empty map of indefinite length",
        start + b"\xbf\xff" + payload + signature,
    )
    start += b"\xa0"
    yield "payload_nil", "a detached payload", start + b"\xf6" + signature
    yield "payload_map", "the payload as a map, not a byte string", start + PAYLOAD + signature
    long = b"\x5a" + len(PAYLOAD).to_bytes(4) + PAYLOAD
    yield "payload_long", "the payload's length in 32 bits", start + long + signature
    yield (
        "payload_indefinite",
        "the payload in chunks",
        start + b"\x5f" + payload + b"\xff" + signature,
    )
    edge = start + b"\x58\x17" + bytes(23) + signature
    yield "payload_23", "a payload of 23 bytes with a length byte", edge
    edge = start + b"\x59\x00\xff" + bytes(255) + signature
    yield "payload_255", "a payload of 255 bytes with a length of 16 bits", edge
    huge = b"\x5b" + b"\xff" * 8 + PAYLOAD
    yield "payload_huge", "a payload of 2^64-1 bytes that are not there", start + huge + signature
    start += payload
    yield "signature_63", "a signature of 63 bytes", start + b"\x58\x3f" + PARTS.signature[:63]
    yield (
        "signature_65",
        "a signature of 65 bytes",
        start + b"\x58\x41" + PARTS.signature + b"\x00",
    )
    yield "signature_empty", "an empty signature", start + b"\x40"
    yield "signature_nil", "no signature", start + b"\xf6"
    yield (
        "signature_long",
        "the signature's length in 16 bits",
        start + b"\x59\x00\x40" + PARTS.signature,
    )
    yield "trailing", "a byte after the statement", FIRST + b"\x00"
    yield "truncated", "the last byte is missing", FIRST[:-1]
    yield "tag_alone", "the tag and nothing else", b"\xd2"
    yield "empty", "no bytes at all", b""


def headers() -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, description, statement) with a broken header."""
    kind = b"\x03\x78\x1eapplication/vif-statement+cbor"
    kid = b"\x04\x58\x20" + lab.PRODUCER.kid
    iss, sub = b"\x01\x6clab-producer", b"\x02\x6arun-1/main"
    claims = b"\x0f\xa2" + iss + sub
    assert b"".join((b"\xa4\x01\x32", kind, kid, claims)) == PROTECTED

    def made(protected: bytes) -> bytes:
        return signed(PAYLOAD, protected)

    yield "empty", "an empty protected header", made(b"")
    yield "empty_map", "an empty map", made(b"\xa0")
    yield "not_map", "an array", made(b"\x84\x01\x32" + kind + kid + claims)
    yield "no_alg", "alg is missing", made(b"\xa3" + kind + kid + claims)
    yield "no_content_type", "the content type is missing", made(b"\xa3\x01\x32" + kid + claims)
    yield "no_kid", "kid is missing", made(b"\xa3\x01\x32" + kind + claims)
    yield "no_claims", "the claims are missing", made(b"\xa3\x01\x32" + kind + kid)
    yield "crit", "a fifth key, crit", made(b"\xa5\x01\x32\x02\x81\x04" + kind + kid + claims)
    yield "extra_key", "a fifth key", made(b"\xa5\x01\x32" + kind + kid + claims + b"\x18\x63\x00")
    yield "order", "kid before the content type", made(b"\xa4\x01\x32" + kid + kind + claims)
    yield "duplicate", "kid twice", made(b"\xa5\x01\x32" + kind + kid + kid + claims)
    yield (
        "indefinite",
        "a map of indefinite length",
        made(b"\xbf\x01\x32" + kind + kid + claims + b"\xff"),
    )
    yield (
        "long_map",
        "a map of four with a length byte",
        made(b"\xb8\x04\x01\x32" + kind + kid + claims),
    )
    yield "trailing", "a byte after the map", made(PROTECTED + b"\x00")
    yield "truncated", "the last byte is missing", made(PROTECTED[:-1])
    yield "alg_es256", "alg -7", headed(b"\x01\x32", b"\x01\x26")
    yield "alg_long", "alg -19 in two bytes", headed(b"\x01\x32", b"\x01\x38\x12")
    yield "alg_text", "alg as text", headed(b"\x01\x32", b"\x01\x67Ed25519")
    yield "content_type", "another content type", headed(b"vif-statement", b"vif-statemend")
    yield "content_type_number", "a content format number", headed(kind, b"\x03\x18\x3c")
    yield "kid_31", "a kid of 31 bytes", headed(kid, b"\x04\x58\x1f" + lab.PRODUCER.kid[:31])
    yield "kid_33", "a kid of 33 bytes", headed(kid, b"\x04\x58\x21" + lab.PRODUCER.kid + b"\x00")
    yield "kid_empty", "an empty kid", headed(kid, b"\x04\x40")
    yield "iss_empty", "an empty iss", headed(iss, b"\x01\x60")
    yield "iss_129", "an iss of 129 characters", headed(iss, b"\x01\x78\x81" + b"a" * 129)
    yield "iss_space", "an iss that is not a label", headed(iss, b"\x01\x6clab producer")
    yield "iss_newline", "an iss that ends in a newline", headed(iss, b"\x01\x6dlab-producer\n")
    yield "iss_not_ascii", "an iss that is not a label", headed(iss, b"\x01\x62\xc3\xa4")
    yield "iss_bytes", "iss as a byte string", headed(iss, b"\x01\x4clab-producer")
    yield "iss_long", "the length of iss in two bytes", headed(iss, b"\x01\x78\x0clab-producer")
    yield "sub_empty", "an empty sub", headed(sub, b"\x02\x60")
    yield "sub_129", "a sub of 129 characters", headed(sub, b"\x02\x78\x81" + b"a" * 129)
    yield "sub_space", "a sub that is not a label", headed(sub, b"\x02\x6arun-1 main")
    yield "sub_indefinite", "sub in chunks", headed(sub, b"\x02\x7f\x6arun-1/main\xff")
    yield "claims_order", "sub before iss", headed(claims, b"\x0f\xa2" + sub + iss)
    yield "claims_no_sub", "no sub", headed(claims, b"\x0f\xa1" + iss)
    yield (
        "claims_extra",
        "a third claim, exp",
        headed(claims, b"\x0f\xa3" + iss + sub + b"\x04\x00"),
    )
    yield (
        "claims_indefinite",
        "claims of indefinite length",
        headed(claims, b"\x0f\xbf" + iss + sub + b"\xff"),
    )
    yield "claims_13", "claims under another key", headed(claims, b"\x0d\xa2" + iss + sub)
