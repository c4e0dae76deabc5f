"""Heads, verifier keys, proof files and trust files: text formats read alike (specs/04, 05)."""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.formats import note, proof_file
from ledger.keys import trust
from tests.helpers.damage import damage_bytes, randomness
from tests.helpers.outcome import Outcome, agree, outcome
from tests.helpers.quick import runs
from tools.vectors import lab
from verifier import note as their_note
from verifier import proofs as their_proofs
from verifier import trust as their_trust

HEADS = [lab.head(size) for size in range(1, 6)]
OTHER = lab.signer(9, "cosigner.example/w1", "log")
ROOT = lab.LEAVES[0]
SNIPPETS = (
    b"\n", b"\n\n", b" ", b"\xe2\x80\x94 ", b"-- ", b"\r", b"\t", b"\0", b"\x1b", b"\xc2\x80",
    b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"+", b"=", b"==", b"0", b"9" * 20,
    b"-1", b"1_0", b"A", b"\xff", b"_", b"index 3\n", b"old 3\n", "٣".encode(), b"\xc2\x9f",
)  # fmt: skip


def mangle(data: bytes, rng: Random) -> bytes:
    """Damage text the way of text: snippets that mean something put in, lines moved or repeated."""
    for _ in range(rng.randint(1, 2)):
        kind = rng.randint(0, 3)
        if kind == 0:
            data = damage_bytes(data, rng)
        elif kind == 1:
            at = rng.randint(0, len(data))
            data = data[:at] + rng.choice(SNIPPETS) + data[at + rng.randint(0, 2) :]
        else:
            lines = data.split(b"\n")
            at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            if kind == 2:
                lines.insert(at, lines[other])
            else:
                lines[at], lines[other] = lines[other], lines[at]
            data = b"\n".join(lines)
    return data


def cosigned(size: int, lines: int) -> bytes:
    """A head with more signature lines, some of them of the log."""
    text, _, own = lab.head(size).partition(b"\n\n")
    blob = b64encode(note.key_id(OTHER.name, OTHER.public_key) + OTHER.sign(text + b"\n")).decode()
    other = f"— {OTHER.name} {blob}\n".encode()
    return text + b"\n\n" + b"".join(own if n % 3 == 1 else other for n in range(lines))


def ledger_head(data: bytes) -> Any:
    head, signed = note.parse_checkpoint(data)
    lines = tuple((line.name, line.key_id, line.signature) for line in signed.signatures)
    return head.origin, head.size, head.root, signed.text.encode(), lines


def verifier_head(data: bytes) -> Any:
    head = their_note.parse_checkpoint(data)
    lines = tuple((line.name, line.key_id, line.signature) for line in head.signatures)
    return head.origin, head.size, head.root, head.text, lines


def ledger_signed(data: bytes) -> Any:
    return tuple(note.verify_checkpoint(data, lab.ORIGIN, lab.LOG.public_key))


def verifier_signed(data: bytes) -> Any:
    head = their_note.parse_checkpoint(data)
    if head.origin == lab.ORIGIN:
        their_note.verify_checkpoint(head, lab.LOG.public_key)
        return head.origin, head.size, head.root
    return ledger_signed(data)  # the verifier asks for the origin's own line; the ledger is told


def both_heads(data: bytes) -> Outcome:
    """Let both programs read a head and check its signature; fail where they differ."""
    mine = outcome(ledger_head, data)
    agree(mine, outcome(verifier_head, data))
    if mine.accepted:
        agree(outcome(ledger_signed, data), outcome(verifier_signed, data))
    return mine


def test_honest_heads_are_read_alike() -> None:
    """Every head of the test ledger, also with cosigners' lines, is the same to both programs."""
    for size in range(1, 6):
        assert both_heads(lab.head(size)).accepted
        assert both_heads(cosigned(size, 16)).accepted
        assert outcome(ledger_signed, cosigned(size, 16)).accepted
        assert both_heads(cosigned(size, 17)).code == "checkpoint_invalid"


@runs(100)
@given(randomness)
def test_damaged_heads_are_judged_alike(rng: Random) -> None:
    """A changed head is refused by both with one code, or says the same to both."""
    for _ in range(40):
        base = cosigned(rng.randint(1, 5), rng.randint(1, 5)) if rng.random() < 0.5 else lab.head(3)
        both_heads(mangle(base, rng))


def test_every_control_character_is_judged_alike() -> None:
    """A control or odd space in a name or origin is refused by both programs or by neither."""
    differ = []
    for number in (*range(0x20), *range(0x7F, 0xA1), 0x1680, 0x2028, 0x3000, 0xFEFF):
        for old in (OTHER.name, lab.ORIGIN):
            data = cosigned(3, 3).decode().replace(old, old[:4] + chr(number) + old[4:]).encode()
            mine, yours = outcome(ledger_head, data), outcome(verifier_head, data)
            if mine.accepted != yours.accepted:
                differ.append((hex(number), old))
    assert differ == []


@runs(40)
@given(st.text(max_size=8), st.text(max_size=20), randomness)
def test_verifier_keys_are_judged_alike(name: str, junk: str, rng: Random) -> None:
    """A verifier key in text is read alike, whatever stands in it."""
    sound = note.vkey(lab.ORIGIN, lab.LOG.public_key)
    assert note.parse_vkey(sound) == their_note.parse_vkey(sound)
    tries = [note.vkey(name, lab.LOG.public_key), sound + junk, junk, name + sound]
    for _ in range(30):
        tries.append(damage_bytes(sound.encode(), rng).decode("utf-8", "replace"))
    for text in tries:
        agree(outcome(note.parse_vkey, text), outcome(their_note.parse_vkey, text), codes=False)


def receipt(rng: Random) -> bytes:
    hashes = [rng.choice(lab.LEAVES) for _ in range(rng.choice((0, 1, 2, 5, 62, 63)))]
    number = rng.choice((0, 3, 2**63 - 1))
    if rng.random() < 0.5:
        return proof_file.write_inclusion(number, hashes, rng.choice(HEADS))
    return proof_file.write_consistency(number, hashes, rng.choice(HEADS))


def ledger_inclusion(data: bytes) -> Any:
    read = proof_file.parse_inclusion(data)
    return read.index, read.hashes, read.checkpoint, note.parse_checkpoint(read.checkpoint)[0].text


def verifier_inclusion(data: bytes) -> Any:
    read = their_proofs.parse_receipt(data)
    return read.number, read.proof, read.note, read.head().text.decode()


def ledger_consistency(data: bytes) -> Any:
    read = proof_file.parse_consistency(data)
    return read.old, read.hashes, read.checkpoint, note.parse_checkpoint(read.checkpoint)[0].text


def verifier_consistency(data: bytes) -> Any:
    read = their_proofs.parse_consistency(data)
    return read.number, read.proof, read.note, read.head().text.decode()


def both_proofs(data: bytes) -> list[Outcome]:
    """Let both programs read a proof file as either form; fail where they differ."""
    found = []
    for mine, yours in (
        (ledger_inclusion, verifier_inclusion),
        (ledger_consistency, verifier_consistency),
    ):
        found.append(outcome(mine, data))
        # What is wrong with the head, its length too, may be found while the file is read or after.
        agree(found[-1], outcome(yours, data), codes=len(data) < 60_000 and data[-2:] != b"\n\n")
    return found


@runs(80)
@given(randomness)
def test_proof_files_are_judged_alike(rng: Random) -> None:
    """An honest receipt is read by both programs, a changed one judged alike."""
    for _ in range(25):
        data = receipt(rng)
        assert sum(read.accepted for read in both_proofs(data)) == 1
        both_proofs(mangle(data, rng))


def test_long_proof_files_are_judged_alike() -> None:
    """A proof file with a head as large as may be, or larger, is judged alike."""
    line = HEADS[2].split(b"\n\n")[1]
    for size in (note.NOTE_MAX_BYTES, note.NOTE_MAX_BYTES + 1, 2 * note.NOTE_MAX_BYTES):
        text = HEADS[2].split(b"\n\n")[0] + b"\n\n" + line
        blob = b64encode(bytes(4) + bytes(3 * ((size - len(text)) // 4) - 30))
        text += "— big ".encode() + blob + b"\n"
        both_heads(text)
        both_proofs(proof_file.write_inclusion(2**63 - 1, [ROOT] * 63, text))


TRUST = trust.write_trust(lab.ORIGIN, ROOT)


def verifier_pin(data: bytes) -> Any:
    """What the verifier pins by a file; digits alone are an allowance of its own (specs/05 §5)."""
    read = their_trust.parse_trust(data)
    return read.origin, read.genesis


@runs(60)
@given(randomness)
def test_trust_files_are_judged_alike(rng: Random) -> None:
    """A trust file with any change pins the same to both programs or nothing."""
    agree(outcome(lambda d: tuple(trust.parse_trust(d)), TRUST), outcome(verifier_pin, TRUST))
    for _ in range(40):
        data = mangle(TRUST, rng)
        if rng.random() < 0.3:
            at = rng.randint(0, len(TRUST) - 1)
            odd = (b"NaN", b"1e0", b"1.0", b"01", b"{}", b"\\u0061", b'"vif_trust":1,', b"true")
            data = TRUST[:at] + rng.choice(odd) + TRUST[at:]
        mine, yours = (
            outcome(lambda d: tuple(trust.parse_trust(d)), data),
            outcome(verifier_pin, data),
        )
        if yours.accepted and yours.value[0] is None:
            assert not mine.accepted
        else:
            agree(mine, yours)
