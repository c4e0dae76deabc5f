"""Keys and signatures: one rule of acceptance over two libraries (specs/05)."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from hypothesis import given

from ledger.keys import ed25519
from tests.helpers.damage import damage_bytes, randomness
from tests.helpers.outcome import Outcome, agree, outcome
from tests.helpers.quick import runs
from tools.vectors import lab
from verifier import ed25519 as theirs

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL = [
    (y | sign << 255).to_bytes(32, "little")
    for y in (0, 1, P - 1, ORDER_8, P - ORDER_8, P, P + 1, 2**255 - 1, P + 18)
    for sign in (0, 1)
]


def both_keys(public_key: bytes) -> Outcome:
    """Let both programs judge a key at enrolment; fail where they differ."""
    mine = outcome(ed25519.check_public_key, public_key)
    agree(mine, outcome(theirs.check_public_key, public_key))
    return mine


def both_signatures(public_key: bytes, signature: bytes, message: bytes) -> Outcome:
    """Let both programs judge a signature; fail where they differ."""
    mine = outcome(ed25519.verify, public_key, signature, message)
    agree(mine, outcome(theirs.verify, public_key, message, signature))
    return mine


def test_wycheproof(shared: Path) -> None:
    """Every published edge case of Ed25519 is decided alike, and as published."""
    groups = json.loads((shared / "vectors/ed25519/wycheproof_ed25519_test.json").read_bytes())
    seen = 0
    for group in groups["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            read = both_signatures(public, signature, message)
            assert read.accepted == (case["result"] == "valid"), case
            seen += 1
    assert seen > 100


def test_speccheck(shared: Path) -> None:
    """Of the twelve degenerate signatures only number 3 is accepted, by both programs."""
    cases = json.loads((shared / "vectors/ed25519/speccheck_cases.json").read_bytes())
    accepted = []
    for number, case in enumerate(cases):
        key, message, signature = (
            bytes.fromhex(case[name]) for name in ("pub_key", "message", "signature")
        )
        both_keys(key)
        if both_signatures(key, signature, message).accepted:
            accepted.append(number)
    assert (len(cases), accepted) == (12, [3])


def test_points_of_small_order_are_refused_in_every_place() -> None:
    """A key or a nonce of small order, in any spelling, is refused by both programs."""
    for point in SMALL:
        assert not both_keys(point).accepted
        for other in SMALL:
            for s in (0, 1, 8, L - 1, L, 2**252, 2**256 - 1):
                signature = other + s.to_bytes(32, "little")
                assert not both_signatures(point, signature, b"vif").accepted
                assert not both_signatures(lab.LOG.public_key, signature, b"vif").accepted


@runs(80)
@given(randomness)
def test_damaged_keys_and_signatures_are_judged_alike(rng: Random) -> None:
    """No change to key, signature or message is accepted by either program."""
    for _ in range(20):
        signer = rng.choice((lab.AUTHORITY, lab.LOG, lab.PRODUCER))
        message = rng.randbytes(rng.randint(0, 80))
        signature = signer.sign(message)
        assert both_signatures(signer.public_key, signature, message).accepted
        odd = damage_bytes(signature, rng)
        assert both_signatures(signer.public_key, odd, message).accepted == (odd == signature)
        s = int.from_bytes(signature[32:], "little")
        for added in (L, 2 * L, 8 * L, 2**255):
            if s + added < 2**256:
                twin = signature[:32] + (s + added).to_bytes(32, "little")
                assert not both_signatures(signer.public_key, twin, message).accepted
        key = damage_bytes(signer.public_key, rng)
        both_keys(key)
        assert both_signatures(key, signature, message).accepted == (key == signer.public_key)
        both_keys(rng.randbytes(32))


def test_key_ids_are_the_same() -> None:
    """Both programs name a key by the same thumbprint."""
    for signer in (lab.AUTHORITY, lab.LOG, lab.PRODUCER):
        assert theirs.kid(signer.public_key) == ed25519.thumbprint(signer.public_key) == signer.kid
