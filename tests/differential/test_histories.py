"""Key events: after any history both programs trust the same keys at the same places (specs/05)."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given

from ledger.errors import FormatError
from ledger.formats import cose, merkle
from ledger.formats.payload import KEY_STREAM, Payload, decode_payload, encode_payload
from ledger.keys.events import KeyHistory, enrol_body, key_entry, revoke_body, rotate_body
from ledger.keys.signer import Ed25519Signer
from tests.helpers.auditor import Auditor
from tests.helpers.damage import randomness
from tests.helpers.quick import runs
from tools.vectors import lab
from verifier import ed25519 as their_ed25519

ROLES = ("authority", "log", "producer")


class Story:
    """A log of key events and witnesses that nobody checked while it was written."""

    def __init__(self) -> None:
        self.statements = [lab.GENESIS_STATEMENT]
        self.signers: list[Ed25519Signer] = [lab.AUTHORITY, lab.LOG, lab.PRODUCER]
        self._seqs: Counter[str] = Counter({KEY_STREAM: 1})
        self._spare = 20

    def spare(self, name: str, role: str) -> Ed25519Signer:
        """A key that the log has not seen, or rarely one that it has."""
        self._spare += 1
        signer = lab.signer(self._spare, name, role)
        self.signers.append(signer)
        return signer

    def add(self, kind: str, body: dict[str, Any], by: Ed25519Signer, stream: str) -> None:
        """Append a statement by some key."""
        identity, created_at = lab.moment(len(self.statements))
        seq = self._seqs[stream]
        self._seqs[stream] += 1
        prev, ledger = (merkle.hash_leaf(self.statements[-1]), None) if seq else (None, lab.LEDGER)
        payload = Payload(kind, identity, created_at, stream, seq, prev, ledger, None, (), body)
        self.statements.append(lab.sign(encode_payload(payload), by, stream))

    def step(self, rng: Random) -> None:
        """Append something that may or may not be allowed."""
        size, by = len(self.statements), rng.choice(self.signers)
        authority = lab.AUTHORITY if rng.random() < 0.85 else by
        kind = rng.choice(("witness", "witness", "enrol", "rotate", "rotate", "revoke", "revoke"))
        if kind == "witness":
            self.add(kind, lab.witness_body(), by, f"run-{by.kid.hex()[:8]}")
        elif kind == "enrol":
            role = rng.choice(ROLES[1:])
            name = lab.ORIGIN if role == "log" and rng.random() < 0.9 else "lab-producer"
            new = self.spare(name, role) if rng.random() < 0.8 else by
            entry = key_entry(new, lab.ORIGIN, role)
            self.add(kind, enrol_body(role, entry), authority, KEY_STREAM)
        elif kind == "rotate":
            name = by.name if rng.random() < 0.9 else "other"
            new = self.spare(name, by.role) if rng.random() < 0.9 else rng.choice(self.signers)
            old = by if rng.random() < 0.9 else rng.choice(self.signers)
            entry = key_entry(new, lab.ORIGIN, by.role)
            self.add(kind, rotate_body(old.kid, entry), by, KEY_STREAM)
        else:
            body = revoke_body(by.kid, rng.randint(0, size), "lost")
            self.add(kind, body, authority, KEY_STREAM)


Findings = dict[int, set[str]]


def ledger_findings(statements: list[bytes]) -> tuple[Findings, bytes | None]:
    """What the ledger's history refuses, when met or in the end, and the log key at the end."""
    history, read = KeyHistory(), []
    found: Findings = {}
    for index, statement in enumerate(statements):
        parts = cose.parse(statement)
        payload = decode_payload(parts.payload, parts.sub)
        read.append((index, parts, payload))
        try:
            history.admit(index, parts, payload)
        except FormatError as error:
            found[index] = {error.code}
    for index, parts, payload in read:
        try:
            history.judge(index, parts, payload)
        except FormatError as error:
            found.setdefault(index, set()).add(error.code)
    try:
        return found, history.log_key_at(len(statements)).kid
    except FormatError:
        return found, None


def verifier_findings(statements: list[bytes]) -> tuple[Findings, bytes | None]:
    """What the verifier finds, by index, and the log key at the end."""
    auditor = Auditor(statements)
    found: Findings = {}
    for index, code in auditor.events():
        found.setdefault(index, set()).add(code)
    for index, statement in enumerate(statements):
        for code in auditor.codes(index, statement):
            found.setdefault(index, set()).add(code)
    keys = [their_ed25519.kid(k.public) for k in auditor.judge.log_keys(len(statements))]
    assert len(keys) <= 1
    return found, keys[0] if keys else None


def both(story: Story) -> Findings:
    """Let both programs read a history; fail where they differ."""
    mine, my_log = ledger_findings(story.statements)
    yours, your_log = verifier_findings(story.statements)
    text = f"ledger {mine}, verifier {yours}, log of {len(story.statements)}"
    assert mine.keys() == yours.keys(), text
    assert all(codes & yours[index] for index, codes in mine.items()), text
    assert my_log == your_log, text
    return mine


@runs(120)
@given(randomness)
def test_any_history_of_keys_is_judged_alike(rng: Random) -> None:
    """Enrolled, rotated, revoked in any order by anyone: both refuse the same records."""
    for _ in range(4):
        story = Story()
        for _ in range(rng.randint(1, 12)):
            story.step(rng)
            if rng.random() < 0.2:
                both(story)
        both(story)


def test_the_keys_of_a_thief_reach_no_further_in_either() -> None:
    """A stolen key is rotated on and on, then revoked: no new key is trusted by either."""
    story = Story()
    first, second = story.spare("lab-producer", "producer"), story.spare("lab-producer", "producer")
    entry = key_entry(first, lab.ORIGIN, "producer")
    story.add("rotate", rotate_body(lab.PRODUCER.kid, entry), lab.PRODUCER, KEY_STREAM)
    story.add("revoke", revoke_body(lab.PRODUCER.kid, 0, "stolen"), lab.AUTHORITY, KEY_STREAM)
    entry = key_entry(second, lab.ORIGIN, "producer")
    story.add("rotate", rotate_body(first.kid, entry), first, KEY_STREAM)
    story.add("witness", lab.witness_body(), second, "run-x")
    found = both(story)
    assert {1, 3, 4} <= found.keys()


def test_a_key_introduced_without_effect_can_be_enrolled() -> None:
    """The authority enrols a key that a revoked one had rotated to: both accept its work."""
    story = Story()
    first, second = story.spare("lab-producer", "producer"), story.spare("lab-producer", "producer")
    entry = key_entry(first, lab.ORIGIN, "producer")
    story.add("rotate", rotate_body(lab.PRODUCER.kid, entry), lab.PRODUCER, KEY_STREAM)
    story.add("revoke", revoke_body(lab.PRODUCER.kid, 0, "stolen"), lab.AUTHORITY, KEY_STREAM)
    entry = key_entry(second, lab.ORIGIN, "producer")
    story.add("rotate", rotate_body(first.kid, entry), first, KEY_STREAM)
    story.add("enrol", enrol_body("producer", entry), lab.AUTHORITY, KEY_STREAM)
    story.add("witness", lab.witness_body(), second, "run-x")
    found = both(story)
    assert found.keys() == {1, 3}
