"""Cases of specs/05 sections 3 and 4: who may sign what where, told as stories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.formats import cbor
from ledger.formats.payload import KEY_STREAM
from ledger.keys.events import (
    KeyEntry,
    enrol_body,
    genesis_body,
    key_entry,
    revoke_body,
    rotate_body,
)
from tools.vectors import curve, lab
from tools.vectors.case import Case
from tools.vectors.story import Story

_SECOND = lab.signer(4, "second-producer", "producer")
_NEXT = lab.signer(5, lab.PRODUCER.name, "producer")
_NEXT_LOG = lab.signer(6, lab.ORIGIN, "log")
_LAST = lab.signer(7, lab.PRODUCER.name, "producer")


def cases() -> Iterator[Case]:
    """Yield the cases of kind history."""
    one, two, three = lab.PRODUCER, _SECOND, _NEXT
    yield Story().work(one).work(one).case("plain", "a producer works")
    yield Story().enrol(two).work(two).work(one).case("enrolled", "a second producer is enrolled")
    yield (
        Story()
        .work(two)
        .bad("key_unknown")
        .enrol(two)
        .work(two)
        .case("early", "a key is used before it is enrolled")
    )
    yield Story().work(two).bad("key_unknown").case("stranger", "a key that was never enrolled")
    yield (
        Story()
        .work(one)
        .work(one)
        .work(one)
        .bad("key_revoked", 3)
        .revoke(one, 2)
        .case("stolen", "a stolen key is revoked from the last good index, backwards")
    )
    yield (
        Story()
        .work(one)
        .revoke(one, 1)
        .work(one)
        .bad("key_revoked")
        .case("revoked", "a revoked key is used again")
    )
    yield Story().work(one).rotate(one, three).work(three).case("rotated", "a key is replaced")
    yield (
        Story()
        .rotate(one, three)
        .work(one)
        .bad("key_unknown")
        .work(three)
        .case("rotated_old", "the old key is used after its rotation")
    )
    yield (
        Story()
        .work(three)
        .bad("key_unknown")
        .rotate(one, three)
        .case("rotated_early", "the new key is used before the rotation")
    )
    yield (
        Story()
        .work(one)
        .rotate(one, three)
        .work(three)
        .work(three)
        .bad("key_revoked", 2, 3, 4)
        .revoke(one, 1)
        .case("rotated_by_thief", "the thief rotated: key and descendant fall together")
    )
    yield (
        Story()
        .work(one)
        .rotate(one, three)
        .work(three)
        .rotate(three, _LAST)
        .work(_LAST)
        .bad("key_revoked", 2, 3, 4, 5)
        .revoke(one, 1)
        .case("rotated_twice_by_thief", "a descendant of a descendant falls too")
    )
    yield (
        Story()
        .work(one)
        .rotate(one, three)
        .work(three)
        .revoke(one, 2)
        .work(three)
        .case("rotated_then_revoked", "a revocation after an honest rotation spares the new key")
    )
    yield (
        Story()
        .rotate(one, three)
        .work(three)
        .work(three)
        .bad("key_revoked", 3)
        .revoke(three, 2)
        .case("rotated_new_revoked", "the new key is revoked, the rotation stays")
    )
    yield (
        Story()
        .rotate(one, three)
        .rotate(one, _LAST)
        .bad("key_unknown")
        .work(_LAST)
        .bad("key_unknown")
        .case("rotated_again", "an ended key cannot rotate again")
    )
    yield (
        Story()
        .enrol(two)
        .enrol(two)
        .bad("key_event_invalid")
        .work(two)
        .case("enrolled_twice", "a public key is enrolled once")
    )
    yield (
        Story()
        .work(one)
        .revoke(one, 1)
        .enrol(one)
        .bad("key_event_invalid")
        .work(one)
        .bad("key_revoked")
        .case("revoked_enrolled", "a revoked key does not come back")
    )
    as_log = lab.signer(3, lab.ORIGIN, "log")
    yield (
        Story()
        .enrol(as_log)
        .bad("key_event_invalid")
        .case("other_role", "a producer key cannot become a log key too")
    )
    yield (
        Story()
        .rotate(one, lab.signer(2, one.name, "producer"))
        .bad("key_event_invalid")
        .case("rotated_to_log_key", "nor a log key a producer key")
    )
    yield Story().enrol(_NEXT_LOG).work(one).case("log_replaced", "another log key", _NEXT_LOG)
    yield (
        Story()
        .work(one)
        .enrol(_NEXT_LOG)
        .case(
            "log_replaced_head",
            "the head over the enrolment itself is signed by the new log key already",
            _NEXT_LOG,
        )
    )
    yield (
        Story()
        .rotate(lab.LOG, _NEXT_LOG)
        .work(one)
        .case("log_rotated", "the log key rotates", _NEXT_LOG)
    )
    yield Story().work(one).revoke(lab.LOG, 1).case("log_revoked", "no log key is left", None)
    yield (
        Story()
        .rotate(lab.LOG, _NEXT_LOG)
        .bad("key_revoked", 1)
        .revoke(lab.LOG, 0)
        .case("log_rotated_by_thief", "a thief of the log key rotated it", None)
    )
    yield (
        Story()
        .enrol(_NEXT_LOG)
        .revoke(lab.LOG, 0)
        .work(one)
        .case("log_replaced_revoked", "the new log key does not depend on the old one", _NEXT_LOG)
    )
    yield from _events()
    yield from _roles()
    yield from _geneses()


def _events() -> Iterator[Case]:
    one, two = lab.PRODUCER, _SECOND
    code = "key_event_invalid"
    yield (
        Story()
        .revoke(lab.AUTHORITY, 0)
        .bad(code)
        .case("revoke_authority", "the authority key stays")
    )
    yield Story().revoke(two, 0).bad(code).case("revoke_unknown", "a key that nobody enrolled")
    yield (
        Story()
        .work(one)
        .revoke(one, 1)
        .revoke(one, 0)
        .bad(code)
        .work(two)
        .bad("key_unknown")
        .case("revoke_twice", "a key is revoked once")
    )
    yield (
        Story()
        .work(one)
        .revoke(one, 2)
        .bad(code)
        .work(one)
        .case("revoke_now", "last_good_index is the index of the revoke; it has no effect")
    )
    yield Story().revoke(one, 9).bad(code).case("revoke_future", "last_good_index lies ahead")
    yield (
        Story()
        .work(one)
        .enrol(two)
        .revoke(two, 1)
        .bad(code)
        .work(two)
        .case("revoke_before", "last_good_index is before the enrolment; it has no effect")
    )
    yield (
        Story()
        .work(one)
        .enrol(two)
        .work(two)
        .bad("key_revoked", 3)
        .revoke(two, 2)
        .case("revoke_whole", "last_good_index is the enrolment: nothing the key signed is trusted")
    )
    entry = key_entry(two, lab.ORIGIN, "producer")
    yield (
        Story()
        .event("rotate", rotate_body(one.kid, entry), one)
        .bad(code)
        .work(one)
        .case("rotate_name", "a rotation does not change the name; it has no effect")
    )
    log = lab.signer(6, "example.org/other", "log")
    yield Story().enrol(log).bad(code).case("log_name", "a log key's name is the origin")
    code = "proof_invalid"
    yield (
        Story()
        .event("enrol", enrol_body("log", entry))
        .bad(code)
        .case("proof_role", "the proof is for another role")
    )
    other = key_entry(two, "example.org/other", "producer")
    yield (
        Story()
        .event("enrol", enrol_body("producer", other))
        .bad(code)
        .work(two)
        .bad("key_unknown")
        .case("proof_origin", "the proof is for another ledger")
    )
    renamed = KeyEntry("another-name", entry.public_key, entry.proof)
    yield (
        Story()
        .event("enrol", enrol_body("producer", renamed))
        .bad(code)
        .case("proof_name", "the proof is for another name")
    )
    swapped = KeyEntry(entry.name, _NEXT.public_key, entry.proof)
    yield (
        Story()
        .event("enrol", enrol_body("producer", swapped))
        .bad(code)
        .case("proof_key", "the proof is by another key")
    )
    zero = KeyEntry(entry.name, entry.public_key, bytes(64))
    yield (
        Story()
        .event("enrol", enrol_body("producer", zero))
        .bad(code)
        .enrol(two)
        .work(two)
        .case("proof_retry", "an enrolment that failed can be made again")
    )
    weak = KeyEntry("weak", curve.encode(curve.torsion()[1]), bytes(64))
    yield (
        Story()
        .event("enrol", enrol_body("producer", weak))
        .bad("key_invalid")
        .case("weak_key", "a public key of small order")
    )
    body = enrol_body("authority", key_entry(two, lab.ORIGIN, "authority"))
    yield (
        Story()
        .event("enrol", body)
        .bad("body_invalid")
        .case("enrol_authority", "there is one authority key")
    )


def _roles() -> Iterator[Case]:
    one, two = lab.PRODUCER, _SECOND
    code = "key_role"
    yield (
        Story()
        .enrol(two, by=one)
        .bad(code)
        .work(two)
        .bad("key_unknown")
        .case("enrol_by_producer", "a producer enrols a key; it has no effect")
    )
    yield Story().enrol(two, by=lab.LOG).bad(code).case("enrol_by_log", "the log enrols a key")
    body = revoke_body(one.kid, 0, "rival")
    yield (
        Story()
        .event("revoke", body, lab.LOG)
        .bad(code)
        .work(one)
        .case("revoke_by_log", "the log revokes a producer; it has no effect")
    )
    yield (
        Story()
        .work(lab.AUTHORITY)
        .bad(code)
        .case("work_by_authority", "the authority signs a witness")
    )
    yield Story().work(lab.LOG).bad(code).case("work_by_log", "the log signs a witness")
    yield (
        Story()
        .work(one, "second-producer")
        .bad("key_name")
        .work(one)
        .case("name", "a good key under another name")
    )


def _geneses() -> Iterator[Case]:
    def made(
        name: str, told: str, code: str, body: dict[str, Any], by: Any = lab.AUTHORITY
    ) -> Case:
        value = lab.payload_map(lab.GENESIS) | {"body": body}
        statement = lab.sign(cbor.encode(value), by, KEY_STREAM)
        story = Story()
        story.statements = [statement]
        return story.bad(code).case(f"genesis_{name}", told, None)

    good = lab.payload_map(lab.GENESIS)["body"]
    yield made("by_producer", "signed by a producer that it names", "key_role", good, lab.PRODUCER)
    yield made("by_stranger", "signed by a key that it does not name", "key_unknown", good, _SECOND)
    entries = [key_entry(lab.PRODUCER, lab.ORIGIN, "producer")] * 2
    authority = key_entry(lab.AUTHORITY, lab.ORIGIN, "authority")
    log = key_entry(lab.LOG, lab.ORIGIN, "log")
    yield made(
        "producer_twice",
        "one key twice",
        "key_event_invalid",
        genesis_body(lab.ORIGIN, authority, log, entries, salted=False),
    )
    both = key_entry(lab.signer(1, "lab-producer", "producer"), lab.ORIGIN, "producer")
    yield made(
        "authority_produces",
        "one key in two roles",
        "key_event_invalid",
        genesis_body(lab.ORIGIN, authority, log, [both], salted=False),
    )
    named = key_entry(lab.signer(2, "log", "log"), lab.ORIGIN, "log")
    yield made(
        "log_name",
        "the log key has another name",
        "key_event_invalid",
        genesis_body(lab.ORIGIN, authority, named, entries[:1], salted=False),
    )
    yield made(
        "proof",
        "a proof for another role",
        "proof_invalid",
        good | {"log": key_entry(lab.LOG, lab.ORIGIN, "producer").to_cbor()},
    )
    weak = KeyEntry("weak", curve.encode(curve.IDENTITY), bytes(64)).to_cbor()
    yield made(
        "weak_key", "the identity as producer key", "key_invalid", good | {"producers": [weak]}
    )
