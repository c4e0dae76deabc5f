"""Key events as stories: who could sign what, and what a revocation undoes (specs/05).

Each story is a short log; what the ledger makes of it is compared record by record. The stories
that the programs share are in specs/vectors/history_*.
"""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.formats import cbor, cose
from ledger.formats.payload import Payload, decode_payload
from ledger.keys.events import (
    KeyHistory,
    KeyRecord,
    enrol_body,
    key_entry,
    proof_message,
    revoke_body,
    rotate_body,
)
from tools.vectors import lab
from tools.vectors.story import Story

ALICE = lab.PRODUCER
BOB = lab.signer(4, "bob", "producer")
NEXT = lab.signer(5, ALICE.name, "producer")
THIRD = lab.signer(7, ALICE.name, "producer")
NEW_LOG = lab.signer(6, lab.ORIGIN, "log")


def parts(statement: bytes) -> tuple[cose.CoseSign1, Payload]:
    """Take a statement apart."""
    frame = cose.parse(statement)
    return frame, decode_payload(frame.payload, frame.sub)


def read(story: Story) -> tuple[KeyHistory, list[str]]:
    """Read a log in order, then judge again; return the history and a verdict a statement."""
    history = KeyHistory()
    verdicts = [verdict(history.admit, n, *parts(s)) for n, s in enumerate(story.statements)]
    for index, statement in enumerate(story.statements):
        if verdicts[index] == "ok":
            verdicts[index] = verdict(history.judge, index, *parts(statement))
    return history, verdicts


def verdict(work: Any, *arguments: Any) -> str:
    """Return ok or the code of the refusal."""
    try:
        work(*arguments)
    except FormatError as error:
        return error.code
    return "ok"


def names(keys: tuple[KeyRecord, ...]) -> list[bytes]:
    """Return the key ids."""
    return [key.kid for key in keys]


def test_genesis_names_the_first_keys() -> None:
    """From index 0 the ledger has an authority, a log key and a producer."""
    history, verdicts = read(Story())
    assert verdicts == ["ok"]
    assert (history.origin, history.salted) == (lab.ORIGIN, False)
    assert [key.role for key in history.keys] == ["authority", "log", "producer"]
    assert history.log_key_at(1).kid == lab.LOG.kid
    assert names(history.producers_at(1)) == [ALICE.kid]


def test_nothing_can_be_said_before_genesis() -> None:
    """A witness at index 0 is signed by a key that nobody introduced; then genesis still comes."""
    history = KeyHistory()
    witness = parts(lab.STATEMENTS[1])
    assert verdict(history.admit, 0, *witness) == "key_unknown"
    assert verdict(history.log_key_at, 0) == "key_unknown"
    assert verdict(history.admit, 0, *parts(lab.GENESIS_STATEMENT)) == "ok"


def test_genesis_happens_once_and_first() -> None:
    """A second genesis, or one that is not at index 0, is refused and changes nothing."""
    history = KeyHistory()
    genesis = parts(lab.GENESIS_STATEMENT)
    assert verdict(history.admit, 1, *genesis) == "key_event_invalid"
    assert history.keys == ()
    history.admit(0, *genesis)
    before = history.keys
    assert verdict(history.admit, 0, *genesis) == "key_event_invalid"
    assert verdict(history.admit, 5, *genesis) == "key_event_invalid"
    assert history.keys == before


def test_a_stolen_key_is_revoked_backwards() -> None:
    """The thief's records fall though they came before the revocation; honest ones stand."""
    story = Story().work(ALICE).work(ALICE).work(ALICE).work(ALICE).revoke(ALICE, 2).work(ALICE)
    history, verdicts = read(story)
    assert verdicts == ["ok", "ok", "ok", "key_revoked", "key_revoked", "ok", "key_revoked"]
    assert history.producers_at(story.size) == ()


def test_what_is_trusted_changes_only_when_the_revocation_is_read() -> None:
    """In log order the thief's record is admitted; judged again with the whole log it is not."""
    story = Story().work(ALICE).work(ALICE).revoke(ALICE, 1)
    history = KeyHistory()
    for index, statement in enumerate(story.statements[:3]):
        history.admit(index, *parts(statement))
    assert verdict(history.judge, 2, *parts(story.statements[2])) == "ok"
    history.admit(3, *parts(story.statements[3]))
    assert verdict(history.judge, 2, *parts(story.statements[2])) == "key_revoked"


def test_the_last_good_index_itself_is_good() -> None:
    """A revocation at the enrolment leaves the enrolment and nothing after it."""
    story = Story().enrol(BOB).work(BOB).revoke(BOB, 1)
    assert read(story)[1] == ["ok", "ok", "key_revoked", "ok"]
    story = Story().enrol(BOB).work(BOB).revoke(BOB, 2)
    assert read(story)[1] == ["ok", "ok", "ok", "ok"]


def test_an_honest_rotation_survives_the_revocation_of_the_old_key() -> None:
    """The old key was good when it rotated: the new one goes on, also later."""
    story = Story().work(ALICE).rotate(ALICE, NEXT).work(NEXT).revoke(ALICE, 2).work(NEXT)
    history, verdicts = read(story)
    assert verdicts == ["ok"] * 6
    assert names(history.producers_at(story.size)) == [NEXT.kid]


def test_a_thiefs_rotations_fall_with_the_stolen_key() -> None:
    """Descendants of a key fall when the rotation was made after the last good index."""
    story = Story().work(ALICE).rotate(ALICE, NEXT).work(NEXT).rotate(NEXT, THIRD).work(THIRD)
    history, verdicts = read(story.revoke(ALICE, 1))
    assert verdicts == ["ok", "ok", *["key_revoked"] * 4, "ok"]
    assert history.producers_at(story.size) == ()
    history, verdicts = read(story.work(THIRD))
    assert verdicts[-1] == "key_revoked"


def test_revoking_a_descendant_does_not_reach_its_ancestor() -> None:
    """Distrust runs along rotations in one direction."""
    story = Story().work(ALICE).rotate(ALICE, NEXT).work(NEXT).revoke(NEXT, 2)
    assert read(story)[1] == ["ok", "ok", "ok", "key_revoked", "ok"]


def test_only_the_branch_after_the_last_good_index_falls() -> None:
    """Rotation at 2, revocation of the old key up to 2, of the new one up to 4: 3 and 4 stand."""
    story = Story().work(ALICE).rotate(ALICE, NEXT).work(NEXT).work(NEXT).work(NEXT)
    story.revoke(ALICE, 2).revoke(NEXT, 4)
    assert read(story)[1] == ["ok", "ok", "ok", "ok", "ok", "key_revoked", "ok", "ok"]


def test_a_revoked_key_can_neither_rotate_nor_come_back() -> None:
    """After its revocation a key rotates nothing, and its public key is not enrolled again."""
    story = Story().work(ALICE).revoke(ALICE, 1).rotate(ALICE, NEXT).work(NEXT)
    assert read(story)[1][3:] == ["key_revoked", "key_unknown"]
    story = Story().work(ALICE).revoke(ALICE, 1).enrol(ALICE).work(ALICE)
    assert read(story)[1][3:] == ["key_event_invalid", "key_revoked"]
    story = Story().work(ALICE).revoke(ALICE, 1).enrol(BOB).work(BOB)
    assert read(story)[1][3:] == ["ok", "ok"]


def test_a_rotated_key_can_neither_sign_nor_come_back() -> None:
    """The old key ends at the rotation; rotating back to it is refused."""
    story = Story().rotate(ALICE, NEXT).work(ALICE).rotate(NEXT, ALICE).work(NEXT)
    assert read(story)[1] == ["ok", "ok", "key_unknown", "key_event_invalid", "ok"]


def test_a_log_key_is_replaced_by_enrolling_another() -> None:
    """The head over the enrolment is signed by the new key already, so the old may be lost."""
    story = Story().work(ALICE).enrol(NEW_LOG).work(ALICE)
    history, verdicts = read(story)
    assert verdicts == ["ok"] * 4
    keys = [history.log_key_at(size).kid for size in (1, 2, 3, 4)]
    assert keys == [lab.LOG.kid] * 2 + [NEW_LOG.kid] * 2


def test_a_log_key_rotates_itself() -> None:
    """The authority is not needed as long as the old log key is at hand."""
    history, verdicts = read(Story().rotate(lab.LOG, NEW_LOG).work(ALICE))
    assert verdicts == ["ok"] * 3
    keys = [history.log_key_at(size).kid for size in (1, 2, 3)]
    assert keys == [lab.LOG.kid] + [NEW_LOG.kid] * 2


def test_a_stolen_log_key_is_revoked_and_replaced() -> None:
    """Heads between the last good index and the new key are by nobody; before and after stand."""
    story = Story().work(ALICE).work(ALICE).enrol(NEW_LOG).revoke(lab.LOG, 1).work(ALICE)
    history, verdicts = read(story)
    assert verdicts == ["ok"] * 6
    assert history.log_key_at(2).kid == lab.LOG.kid
    assert verdict(history.log_key_at, 3) == "key_revoked"
    assert [history.log_key_at(size).kid for size in (4, 5, 6)] == [NEW_LOG.kid] * 3


def test_a_thief_of_the_log_key_cannot_outlast_the_authority() -> None:
    """He rotates, the authority enrols another log key and revokes the stolen one."""
    mallory = lab.signer(8, lab.ORIGIN, "log")
    story = Story().work(ALICE).rotate(lab.LOG, mallory).enrol(NEW_LOG).revoke(lab.LOG, 1)
    history, verdicts = read(story)
    assert verdicts == ["ok", "ok", "key_revoked", "ok", "ok"]
    assert verdict(history.log_key_at, 3) == "key_revoked"
    assert [history.log_key_at(size).kid for size in (4, 5)] == [NEW_LOG.kid] * 2
    later = Story().work(ALICE).rotate(lab.LOG, mallory).enrol(NEW_LOG).rotate(mallory, THIRD)
    assert read(later)[1][-1] == "key_unknown"


def test_an_invalid_event_has_no_effect_at_all() -> None:
    """A refused enrolment of a log key ends nothing, and its public key can still be enrolled."""
    wrong = lab.signer(6, "example.org/other", "log")
    story = Story().enrol(wrong).enrol(NEW_LOG)
    history, verdicts = read(story)
    assert verdicts == ["ok", "key_event_invalid", "ok"]
    assert history.log_key_at(2).kid == lab.LOG.kid


def test_a_statement_whose_signature_fails_has_no_effect() -> None:
    """An enrolment with one bit of its signature flipped enrols nobody."""
    story = Story().enrol(BOB)
    last = story.statements[-1]
    story.statements[-1] = last[:-40] + bytes([last[-40] ^ 1]) + last[-39:]
    assert read(story.work(BOB))[1] == ["ok", "signature_invalid", "key_unknown"]


def test_a_rotation_is_signed_by_the_key_that_goes() -> None:
    """Neither the authority nor another producer can rotate somebody's key."""
    body = rotate_body(ALICE.kid, key_entry(NEXT, lab.ORIGIN, "producer"))
    for by in (lab.AUTHORITY, lab.LOG):
        story = Story().event("rotate", body, by).work(ALICE)
        assert read(story)[1] == ["ok", "key_event_invalid", "ok"]
    story = Story().enrol(BOB).event("rotate", body, BOB)
    assert read(story)[1][-1] == "key_event_invalid"


def test_a_rotation_keeps_the_role() -> None:
    """A producer cannot turn its key into a log key: the proof would be for another role."""
    log_like = lab.signer(5, ALICE.name, "log")
    body = rotate_body(ALICE.kid, key_entry(log_like, lab.ORIGIN, "log"))
    assert read(Story().event("rotate", body, ALICE))[1] == ["ok", "proof_invalid"]


def test_the_authority_key_rotates_but_is_not_revoked() -> None:
    """The new authority enrols and revokes, the old one no more; nobody revokes either."""
    chief = lab.signer(9, lab.AUTHORITY.name, "authority")
    story = Story().rotate(lab.AUTHORITY, chief).enrol(BOB, by=lab.AUTHORITY).enrol(BOB, by=chief)
    assert read(story.work(BOB))[1] == ["ok", "ok", "key_unknown", "ok", "ok"]
    body = revoke_body(lab.AUTHORITY.kid, 0, "lost")
    assert read(Story().event("revoke", body))[1] == ["ok", "key_event_invalid"]


ROLES = {"authority": lab.AUTHORITY, "log": lab.LOG, "producer": ALICE}
EVENTS = {
    "enrol": enrol_body("producer", key_entry(BOB, lab.ORIGIN, "producer")),
    "revoke": revoke_body(ALICE.kid, 0, ""),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", EVENTS)
def test_key_events_need_the_authority(kind: str, role: str) -> None:
    """Neither log nor producer keys enrol or revoke."""
    found = read(Story().event(kind, EVENTS[kind], ROLES[role]))[1]
    assert found == ["ok", "ok" if role == "authority" else "key_role"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["witness", "annotation", "import", "erasure", "export", "dream"])
def test_everything_else_needs_a_producer(kind: str, role: str) -> None:
    """Types of the registry and types that nobody knows are signed by producers."""
    key = ROLES[role]
    found = read(Story().tell(kind, {}, key, "run-1", key.name))[1]
    assert found == ["ok", "ok" if role == "producer" else "key_role"]


def test_a_name_belongs_to_a_key() -> None:
    """A good key under the name of another is refused, in events too."""
    story = Story().enrol(BOB).work(BOB, ALICE.name)
    body = enrol_body("producer", key_entry(NEXT, lab.ORIGIN, "producer"))
    story.tell("enrol", body, lab.AUTHORITY, "keys", "not-the-authority").work(NEXT)
    assert read(story)[1] == ["ok", "ok", "key_name", "key_name", "key_unknown"]


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "example.org/other"},
        {"role": "log"},
        {"name": "alice"},
        {"public_key": bytes(32)},
    ],
)
def test_a_proof_holds_for_one_ledger_role_name_and_key(change: dict[str, Any]) -> None:
    """The message that is signed differs in each."""
    values = {"origin": lab.ORIGIN, "role": "producer", "name": "bob", "public_key": BOB.public_key}
    assert proof_message(**values) != proof_message(**(values | change))
    assert cbor.decode(proof_message(**values)) == ["vif-key-proof", *values.values()]


def test_apply_takes_key_events_only() -> None:
    """Handing it a witness is refused, whoever signed."""
    history = read(Story())[0]
    witness = parts(lab.STATEMENTS[1])[1]
    assert verdict(history.apply, 1, witness, ALICE.kid) == "key_event_invalid"
    assert verdict(history.apply, 1, witness, lab.AUTHORITY.kid) == "key_event_invalid"


def test_applied_by_hand_or_admitted_is_the_same() -> None:
    """The writer of a log, who has just signed, gets the same history as a reader."""
    story = (
        Story().enrol(BOB).work(BOB).rotate(BOB, lab.signer(10, "bob", "producer")).revoke(BOB, 2)
    )
    admitted = read(story)[0]
    applied = KeyHistory()
    for index, statement in enumerate(story.statements):
        frame, payload = parts(statement)
        if payload.stream_id == "keys":
            applied.apply(index, payload, frame.kid)
    assert applied.keys == admitted.keys
