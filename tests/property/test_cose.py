"""Properties of the frame of statements and of payloads (specs/02)."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats import cose, payload
from ledger.formats.values import format_time, uuid7
from tools.vectors import lab

labels = st.from_regex(r"[A-Za-z0-9._@:/-]{1,128}", fullmatch=True)
kids = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
STATEMENT = lab.STATEMENTS[2]
CODES = {"cose_invalid", "header_invalid", "statement_too_large"}


@given(kids, labels, labels, st.binary(max_size=700), signatures)
def test_a_statement_is_taken_apart_into_what_it_was_made_of(
    kid: bytes, iss: str, sub: str, body: bytes, signature: bytes
) -> None:
    """parse(assemble(x)) is x."""
    protected = cose.protected_header(kid, iss, sub)
    parts = cose.parse(cose.assemble(protected, body, signature))
    assert parts == (cose.ALG_ED25519, kid, iss, sub, protected, body, signature)


@given(kids, labels, labels, st.binary(max_size=70000), signatures)
def test_the_bytes_are_those_of_a_general_encoder(
    kid: bytes, iss: str, sub: str, body: bytes, signature: bytes
) -> None:
    """Header, frame and Sig_structure are what cbor2 writes for the structures of RFC 9052."""
    claims = {1: iss, 2: sub}
    header = {1: -19, 3: "application/vif-statement+cbor", 4: kid, 15: claims}
    protected = cose.protected_header(kid, iss, sub)
    assert protected == cbor2.dumps(header)
    message = cose.signing_input(protected, body)
    assert message == cbor2.dumps(["Signature1", protected, b"", body])
    whole = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, body, signature]))
    if len(whole) <= 65535:
        assert cose.assemble(protected, body, signature) == whole
    else:
        with pytest.raises(FormatError, match="statement_too_large"):
            cose.assemble(protected, body, signature)


def refused(data: bytes) -> bool:
    """Tell whether bytes are no statement."""
    try:
        parts = cose.parse(data)
    except FormatError as error:
        if error.code not in CODES:
            raise
        return True
    frame = [parts.protected, {}, parts.payload, parts.signature]
    assert cbor2.dumps(cbor2.CBORTag(18, frame)) == data
    return False


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement_or_refused(data: bytes) -> None:
    """Nothing but a FormatError escapes."""
    assert refused(data)
    assert refused(b"\xd2\x84" + data)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 25, 254, 255, 256, 257, 65000])
def test_a_length_has_one_spelling(size: int) -> None:
    """Of the ways to write the payload's length only the shortest is read."""
    spellings = [b"\x59" + size.to_bytes(2), b"\x5a" + size.to_bytes(4), b"\x5b" + size.to_bytes(8)]
    if size < 256:
        spellings.append(bytes((0x58, size)))
    if size < 24:
        spellings.append(bytes((0x40 | size,)))
    start, end = STATEMENT[: STATEMENT.index(b"\xa0\x59") + 1], b"\x58\x40" + bytes(64)
    shortest = min(spellings, key=len)
    for spelling in spellings:
        assert refused(start + spelling + bytes(size) + end) == (spelling != shortest)


def test_every_beginning_is_refused() -> None:
    """A cut-off statement is refused wherever it is cut."""
    for size in range(len(STATEMENT)):
        assert refused(STATEMENT[:size])


@given(st.integers(0, len(STATEMENT) - 1), st.integers(1, 255))
def test_no_byte_of_a_frame_is_without_meaning(at: int, mask: int) -> None:
    """A changed byte is refused, or changes a part that is signed over or is the signature."""
    changed = STATEMENT[:at] + bytes([STATEMENT[at] ^ mask]) + STATEMENT[at + 1 :]
    if not refused(changed):
        assert cose.parse(changed) != cose.parse(STATEMENT)


@pytest.mark.parametrize(
    ("kid", "iss", "sub"),
    [
        (bytes(31), "a", "b"),
        (bytes(33), "a", "b"),
        ("0" * 32, "a", "b"),
        (bytes(32), "", "b"),
        (bytes(32), "a" * 129, "b"),
        (bytes(32), "a b", "b"),
        (bytes(32), "a", "b\n"),
        (bytes(32), "a", "ä"),
        (bytes(32), b"a", "b"),
        (bytes(32), "a", None),
    ],
)
def test_no_header_is_written_that_would_be_refused(kid: Any, iss: Any, sub: Any) -> None:
    """A writer keeps to section 2 too."""
    with pytest.raises(FormatError, match="header_invalid"):
        cose.protected_header(kid, iss, sub)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_no_signature_of_another_length_is_written(size: int) -> None:
    """A writer keeps to section 1 too."""
    with pytest.raises(FormatError, match="cose_invalid"):
        cose.assemble(b"", b"", bytes(size))


uuids = st.binary(min_size=8, max_size=8)
moments = st.integers(0, 4_102_444_800_000_000)
digests = st.binary(min_size=32, max_size=32)
types = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)


@st.composite
def payloads(draw: Any) -> payload.Payload:
    """Draw a payload of a producer, with an empty body."""
    us, seq = draw(moments), draw(st.just(0) | st.integers(1, 2**63 - 1))
    leaves = draw(st.lists(digests, max_size=4, unique=True))
    origin = draw(st.from_regex(r"[a-z.-]{1,20}(/[a-z]{1,9})?", fullmatch=True))
    return payload.Payload(
        type=draw(types.filter(lambda kind: kind != "genesis")),
        id=uuid7(us, draw(uuids)),
        created_at=format_time(us),
        stream_id=draw(labels),
        seq=seq,
        prev=draw(digests) if seq else None,
        ledger=None if seq else payload.LedgerName(origin, draw(digests)),
        session=draw(st.none() | labels),
        parents=tuple(payload.Parent(uuid7(us, bytes(8)), leaf) for leaf in leaves),
        body=draw(st.dictionaries(st.text("abc", max_size=3), st.integers(0, 9), max_size=3)),
    )  # fmt: skip


@given(payloads())
def test_a_payload_is_read_back(value: payload.Payload) -> None:
    """decode_payload(encode_payload(p)) is p, for the stream that p names and no other."""
    data = payload.encode_payload(value)
    assert payload.decode_payload(data, value.stream_id) == value
    with pytest.raises(FormatError, match="payload_invalid"):
        payload.decode_payload(data, value.stream_id + "x")


@given(payloads(), st.integers(1, 10**12))
def test_time_and_id_belong_together(value: payload.Payload, later_ms: int) -> None:
    """The milliseconds of created_at are those of the id."""
    us = payload.parse_time(value.created_at)
    fields = {name: getattr(value, name) for name in payload.Payload.__slots__}
    same = fields | {"created_at": format_time(us // 1000 * 1000 + 999)}
    payload.encode_payload(payload.Payload(**same))
    other = fields | {"created_at": format_time(us + later_ms * 1000)}
    with pytest.raises(FormatError, match="payload_invalid"):
        payload.encode_payload(payload.Payload(**other))
