"""Cases of specs/05 sections 1, 2 and 5: public keys, signatures, trust files."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ledger.keys.ed25519 import thumbprint
from tools.vectors import curve, lab
from tools.vectors.case import Case

_MESSAGE = b"vif test message"


def cases() -> Iterator[Case]:
    """Yield the cases of kinds key, signature and trust."""
    yield from _keys()
    yield from _signatures()
    yield from _trusts()


def _keys() -> Iterator[Case]:
    def made(name: str, told: str, key: bytes, expect: str = "key_invalid") -> Case:
        arguments = {"public_key": key.hex()}
        if expect == "ok":
            arguments["kid"] = thumbprint(key).hex()
        return Case(f"key_{name}", "key", told, expect, arguments)

    good = lab.PRODUCER.public_key
    yield made("producer", "the producer of the test ledger", good, "ok")
    yield made("rfc8032_1", "RFC 8032, test 1", bytes.fromhex(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), "ok")  # fmt: skip
    yield made("base_point", "the base point", curve.encode(curve.BASE), "ok")
    small = curve.torsion()
    for number, point in enumerate(small):
        yield made(
            f"small_order_{number}", f"{number} times a point of order 8", curve.encode(point)
        )
    yield made("identity_signed", "the identity with the sign of x set", _flagged(1))
    yield made(
        "order_2_signed", "the point of order 2 with the sign of x set", _flagged(curve.P - 1)
    )
    yield made("identity_y_plus_p", "the identity as y + p", (1 + curve.P).to_bytes(32, "little"))
    yield made("order_4_y_plus_p", "a point of order 4 as y + p", curve.P.to_bytes(32, "little"))
    y = next(y for y in range(2, 19) if curve.lift(y, 0) and curve.lift(y, 0) not in small)
    yield made("y_plus_p", f"y = {y} as y + p", (y + curve.P).to_bytes(32, "little"))
    yield made("y_plus_p_signed", f"y = {y} as y + p, sign set", _flagged(y + curve.P))
    yield made("all_ones", "2^256-1", b"\xff" * 32)
    off = next(y for y in range(2, 99) if curve.lift(y, 0) is None)
    yield made("off_curve", f"y = {off} has no x", off.to_bytes(32, "little"))
    for number in (1, 2, 4):
        mixed = curve.add(curve.times(curve.secret(bytes([3]) * 32), curve.BASE), small[number])
        yield made(f"mixed_order_{number}", f"a good key plus {number} times a point of order 8",
                   curve.encode(mixed))  # fmt: skip
    yield made("empty", "no bytes", b"")
    yield made("31", "31 bytes", good[:31])
    yield made("33", "33 bytes", good + b"\0")


def _flagged(y: int) -> bytes:
    return (y | 1 << 255).to_bytes(32, "little")


def _signatures() -> Iterator[Case]:
    def made(
        name: str,
        told: str,
        signature: bytes,
        key: bytes = lab.PRODUCER.public_key,
        message: bytes = _MESSAGE,
        expect: str = "signature_invalid",
    ) -> Case:
        arguments = {
            "public_key": key.hex(),
            "signature": signature.hex(),
            "message": message.hex(),
        }
        return Case(f"signature_{name}", "signature", told, expect, arguments)

    good = lab.PRODUCER.sign(_MESSAGE)
    yield made("producer", "a signature of the test producer", good, expect="ok")
    yield made("empty_message", "over no bytes", lab.PRODUCER.sign(b""), message=b"", expect="ok")
    yield made("message", "over another message", good, message=_MESSAGE + b".")
    yield made("key", "under another key", good, key=lab.LOG.public_key)
    yield made("63", "63 bytes", good[:63])
    yield made("65", "65 bytes", good + b"\0")
    yield made("empty", "no bytes", b"")
    yield made("key_31", "a key of 31 bytes", good, key=lab.PRODUCER.public_key[:31])
    r, s = good[:32], int.from_bytes(good[32:], "little")
    yield made("s_plus_l", "S + L, the same equation", r + (s + curve.L).to_bytes(32, "little"))
    yield made("s_plus_8l", "S + 8 L", r + (s + 8 * curve.L).to_bytes(32, "little"))
    yield made("s_is_l", "S = L", r + curve.L.to_bytes(32, "little"))
    yield made("zero", "64 zero bytes", bytes(64))
    off = next(y for y in range(2, 99) if curve.lift(y, 0) is None).to_bytes(32, "little")
    yield made("key_off_curve", "A is not on the curve", good, key=off)
    yield made("r_off_curve", "R is not on the curve", off + good[32:])

    scalar = curve.secret(bytes([3]) * 32)
    own = curve.times(scalar, curve.BASE)
    small = curve.torsion()
    # With R of small order and S = k a the equation [S]B = R + [k]A holds when R is the identity.
    for name, told, encoded in [
        ("r_identity", "R is the identity", curve.encode(curve.IDENTITY)),
        ("r_identity_y_plus_p", "R is the identity as y + p", (1 + curve.P).to_bytes(32, "little")),
        ("r_identity_signed", "R is the identity with the sign of x set", _flagged(1)),
        ("r_order_2", "R is of order 2", curve.encode(small[4])),
        ("r_order_8", "R is of order 8", curve.encode(small[1])),
    ]:
        k = curve.challenge(encoded, curve.encode(own), _MESSAGE)
        yield made(name, told, encoded + (k * scalar % curve.L).to_bytes(32, "little"))
    # With A of small order a signature can be made without a key: R = [S]B and [k]A the identity.
    for name, told, encoded, order in [
        ("a_identity", "A is the identity", curve.encode(curve.IDENTITY), 1),
        (
            "a_identity_y_plus_p",
            "A is the identity as y + p",
            (1 + curve.P).to_bytes(32, "little"),
            1,
        ),
        ("a_order_2", "A is of order 2", curve.encode(small[4]), 2),
        ("a_order_4", "A is of order 4", curve.encode(small[2]), 4),
        ("a_order_4_y_plus_p", "A is of order 4 as y + p", curve.P.to_bytes(32, "little"), 4),
        ("a_order_8", "A is of order 8", curve.encode(small[1]), 8),
    ]:
        signature, message = _without_key(encoded, order)
        yield made(name, told, signature, encoded, message)
    # A of mixed order: with k a multiple of 8 the torsion vanishes and the exact equation holds.
    mixed = curve.encode(curve.add(own, small[1]))
    signature, message = _mixed(scalar, mixed, divisible=True)
    yield made("a_mixed", "A is of mixed order and the equation holds exactly", signature, mixed,
               message, "ok")  # fmt: skip
    signature, message = _mixed(scalar, mixed, divisible=False)
    yield made("a_mixed_cofactor", "A is of mixed order and the equation holds only times 8",
               signature, mixed, message)  # fmt: skip
    nonce = 5
    r = curve.encode(curve.add(curve.times(nonce, curve.BASE), small[1]))
    k = curve.challenge(r, curve.encode(own), _MESSAGE)
    yield made("r_mixed_cofactor", "R is of mixed order and the equation holds only times 8",
               r + ((nonce + k * scalar) % curve.L).to_bytes(32, "little"))  # fmt: skip


def _without_key(encoded: bytes, order: int) -> tuple[bytes, bytes]:
    r = curve.encode(curve.times(7, curve.BASE))
    for number in range(1000):
        message = _MESSAGE + bytes([number % 256])
        if curve.challenge(r, encoded, message) % order == 0:
            return r + (7).to_bytes(32, "little"), message
    raise ValueError("no message found")


def _mixed(scalar: int, encoded: bytes, *, divisible: bool) -> tuple[bytes, bytes]:
    r = curve.encode(curve.times(7, curve.BASE))
    for number in range(1000):
        message = _MESSAGE + bytes([number % 256])
        k = curve.challenge(r, encoded, message)
        if (k % 8 == 0) == divisible:
            return r + ((7 + k * scalar) % curve.L).to_bytes(32, "little"), message
    raise ValueError("no message found")


def _trusts() -> Iterator[Case]:
    genesis = lab.LEDGER.genesis.hex()
    value = {"vif_trust": 1, "origin": lab.ORIGIN, "genesis": genesis}
    text = json.dumps(value)

    def made(name: str, told: str, data: str | bytes, expect: str = "trust_invalid") -> Case:
        arguments = {"origin": lab.ORIGIN, "genesis": genesis} if expect == "ok" else {}
        raw = data.encode() if isinstance(data, str) else data
        return Case(f"trust_{name}", "trust", told, expect, arguments, {"input.bin": raw})

    def put(**fields: object) -> str:
        return json.dumps(value | fields)

    yield made("file", "a trust file", text + "\n", "ok")
    yield made("order", "members in another order, over several lines",
               json.dumps(dict(reversed(value.items())), indent=2), "ok")  # fmt: skip
    yield made("escaped", "an escaped slash is a slash", text.replace("/", "\\/"), "ok")
    yield made("65536", "65,536 bytes", text.ljust(65536), "ok")
    yield made("65537", "65,537 bytes", text.ljust(65537))
    yield made("extra", "a member too many", put(log_key=""))
    for key in value:
        yield made(f"no_{key}", f"{key} is missing",
                   json.dumps({k: v for k, v in value.items() if k != key}))  # fmt: skip
    yield made("duplicate", "a member twice", text.replace("{", '{"origin": "example.org/lab", '))
    yield made("duplicate_escaped", "a member twice, once escaped",
               text.replace("{", '{"or\\u0069gin": "example.org/lab", '))  # fmt: skip
    yield made("version_2", "version 2", put(vif_trust=2))
    yield made("version_text", "the version as text", put(vif_trust="1"))
    yield made("version_true", "true as version", put(vif_trust=True))
    yield made("genesis_upper", "upper-case digits", put(genesis=genesis.upper()))
    yield made("genesis_63", "63 digits", put(genesis=genesis[:63]))
    yield made("genesis_newline", "a newline after the digits", put(genesis=genesis + "\n"))
    yield made("genesis_null", "null as genesis", put(genesis=None))
    yield made("origin_space", "an origin with a space", put(origin="example.org lab"))
    yield made("origin_empty", "an empty origin", put(origin=""))
    yield made("origin_number", "a number as origin", put(origin=1))
    yield made("array", "an array", f"[{text}]")
    yield made("twice", "two objects", text + text)
    yield made("comma", "a comma at the end", text.replace("}", ",}"))
    yield made("comment", "a comment", "// trust\n" + text)
    yield made("single_quotes", "the wrong quotes", text.replace('"', "'"))
    yield made("bom", "a byte order mark", b"\xef\xbb\xbf" + text.encode())
    yield made("utf16", "UTF-16", text.encode("utf-16-le"))
    yield made("utf8", "invalid UTF-8", text.encode().replace(b"lab", b"la\xff"))
    yield made("empty", "no bytes at all", b"")
    yield made("deep", "30,000 arrays in one another", b"[" * 30000)
    yield made(
        "digits", "a number of 60,000 digits", put(vif_trust=0).replace("0,", "1" * 60000 + ",", 1)
    )
