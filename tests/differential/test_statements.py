"""Statements: the COSE frame, its header and the payload envelope in both programs (specs/02)."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ledger.formats import cbor, cose, payload
from ledger.formats.cose import protected_header
from tests.helpers.damage import damage_bytes, damage_value, randomness
from tests.helpers.outcome import Outcome, agree, outcome
from tests.helpers.quick import runs
from tools.vectors import lab
from verifier import cbor as their_cbor
from verifier import cose as their_cose
from verifier.statement import check_payload

PAYLOADS = [cbor.decode(cose.parse(one).payload) for one in lab.STATEMENTS]


class Frame(NamedTuple):
    """What a frame says, and the bytes that its signature is over."""

    alg: int
    kid: bytes
    iss: str
    sub: str
    payload: bytes
    signature: bytes
    signed: bytes


def ledger_frame(raw: bytes) -> tuple[Any, ...]:
    one = cose.parse(raw)
    signed = cose.signing_input(one.protected, one.payload)
    return tuple(Frame(one.alg, one.kid, one.iss, one.sub, one.payload, one.signature, signed))


def verifier_frame(raw: bytes) -> tuple[Any, ...]:
    header, body, signature, signed = their_cose.parse(raw)
    return tuple(Frame(header.alg, header.kid, header.iss, header.sub, body, signature, signed))


def ledger_payload(data: bytes, sub: str) -> Any:
    payload.decode_payload(data, sub)
    return cbor.decode(data)


def verifier_payload(data: bytes, sub: str) -> Any:
    value = their_cbor.decode(data)
    check_payload(value, sub)
    return value


def both_frames(raw: bytes) -> Outcome:
    """Let both programs take a statement apart; fail where they differ."""
    mine = outcome(ledger_frame, raw)
    agree(mine, outcome(verifier_frame, raw))
    return mine


def both_payloads(data: bytes, sub: str) -> Outcome:
    """Let both programs read an envelope; fail where they differ."""
    mine = outcome(ledger_payload, data, sub)
    agree(mine, outcome(verifier_payload, data, sub))
    return mine


def test_honest_statements_are_read_alike() -> None:
    """Every statement of the test ledger means the same to the ledger and to an auditor."""
    for raw in lab.STATEMENTS:
        frame = both_frames(raw)
        assert frame.accepted
        assert both_payloads(frame.value[4], frame.value[3]).accepted


@runs(100)
@given(randomness)
def test_damaged_statements_are_judged_alike(rng: Random) -> None:
    """A damaged statement is refused by both programs with one code, or means the same to both."""
    for _ in range(40):
        frame = both_frames(damage_bytes(rng.choice(lab.STATEMENTS), rng))
        if frame.accepted:
            both_payloads(frame.value[4], frame.value[3])


@runs(80)
@given(randomness)
def test_damaged_headers_are_judged_alike(rng: Random) -> None:
    """A protected header with any change is judged alike, inside a sound frame."""
    for _ in range(40):
        protected = damage_bytes(cose.parse(rng.choice(lab.STATEMENTS)).protected, rng)
        both_frames(b"\xd2\x84" + _bstr(protected) + b"\xa0\x41\xa0\x58\x40" + bytes(64))


def _bstr(raw: bytes) -> bytes:
    return their_cbor.head(2, len(raw)) + raw


label_like = st.text("aA0._@:/-", max_size=130) | st.text(max_size=30)


@runs(300)
@given(st.binary(min_size=31, max_size=33), label_like, label_like, st.integers(-70, -1))
def test_headers_with_any_names_are_judged_alike(kid: bytes, iss: str, sub: str, alg: int) -> None:
    """Names of keys and streams that are no labels are refused by both programs."""
    head = their_cbor.head
    pairs = [head(0, 1) + head(1, -1 - alg), b"\x03\x78\x1e" + cose.CONTENT_TYPE.encode()]
    pairs += [b"\x04" + _bstr(kid), b"\x0f\xa2\x01" + _tstr(iss) + b"\x02" + _tstr(sub)]
    protected = b"\xa4" + b"".join(pairs)
    raw = b"\xd2\x84" + _bstr(protected) + b"\xa0\x41\xa0\x58\x40" + bytes(64)
    frame = both_frames(raw)
    if len(kid) == 32 and alg == cose.ALG_ED25519:
        written = outcome(protected_header, kid, iss, sub)
        assert written.accepted == frame.accepted
        assert not written.accepted or written.value == protected


def _tstr(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return their_cbor.head(3, len(raw)) + raw


@runs(100)
@given(randomness)
def test_envelopes_with_damaged_fields_are_judged_alike(rng: Random) -> None:
    """A field dropped, added, retyped or out of range gets one code from both programs."""
    for _ in range(30):
        data = outcome(cbor.encode, damage_value(rng.choice(PAYLOADS), rng))
        if data.accepted:
            both_payloads(data.value, rng.choice([lab.STREAM, "keys", "x"]))


@runs(60)
@given(randomness)
def test_envelopes_with_damaged_bytes_are_judged_alike(rng: Random) -> None:
    """A damaged payload is refused by both programs with one code, or means the same to both."""
    for _ in range(30):
        both_payloads(damage_bytes(cbor.encode(rng.choice(PAYLOADS)), rng), lab.STREAM)


TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
ODD_TIMES = [
    "2026-11-20T24:00:00.000000Z", "2026-11-20T09:00:00,000000Z", "2026-11-20T09:00:60.000000Z",
    "2026-02-29T09:00:00.000000Z", "2024-02-29T09:00:00.000000Z", "0001-01-01T00:00:00.000000Z",
    "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z",
]  # fmt: skip


@runs(400)
@given(
    st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")
    | st.from_regex(TIME, fullmatch=True)
    | st.sampled_from(ODD_TIMES),
    st.booleans(),
)  # fmt: skip
def test_any_time_and_id_are_judged_alike(created_at: str, fitting: bool) -> None:
    """A time that does not exist, or that is not the id's, is refused by both programs."""
    value = dict(PAYLOADS[1], created_at=created_at)
    if fitting:
        from ledger.formats.values import parse_time

        us = outcome(parse_time, created_at)
        if us.accepted and us.value >= 0:
            ms = f"{us.value // 1000:012x}"
            value["id"] = f"{ms[:8]}-{ms[8:]}-7000-8000-000000000000"
    read = both_payloads(cbor.encode(value), lab.STREAM)
    assert not (fitting and created_at[:4] > "1970" and us.accepted) or read.accepted
