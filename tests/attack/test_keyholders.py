"""The producer, the log, or a thief of their keys tells something that is not so.

Whoever holds producer and log key can sign everything anew: statements, export, seal and head. What
he hands over is consistent in every hash and signature, and the head he names is his own. What he
says still has to be possible.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.formats import cose, merkle
from ledger.formats.content import refer
from ledger.keys.events import enrol_body, key_entry, revoke_body, rotate_body
from ledger.keys.signer import Ed25519Signer
from tests.attack.conftest import Judge, Package, Scene
from tests.helpers import forge
from tests.helpers.forge import Files
from tests.helpers.keys import signer
from tests.helpers.world import ORIGIN, Places, World, audit, found

CHECKPOINT = "data/log/checkpoint"
THIEF = signer("thief", "lab-producer", "producer")
Change = Callable[[dict[str, Any]], Any]


class Forger:
    """Has the keys, rewrites the log, exports it again, and is judged under his own head."""

    def __init__(self, scene: Scene, judge: Judge) -> None:
        self.world, self.package, self.judge = scene.world, scene.whole, judge

    def sealed(self, log: list[bytes], files: Files | None = None, by: Any = None) -> Files:
        given = self.package.files if files is None else files
        return forge.export_again(given, log, by or self.world.producer, self.world.log_key)

    def __call__(self, log: list[bytes], files: Files | None = None, by: Any = None) -> Places:
        made = self.sealed(log, files, by)
        return self.judge(made, head=forge.known(made[CHECKPOINT]))

    def appended(self, *more: bytes, by: Any = None) -> Places:
        """Statements put in before the export; what is wrong with the whole."""
        return self([*self.package.log[:10], *more, self.package.log[10]], by=by)

    def next(self, kind: str, body: dict[str, Any], by: Any, stream: str, **more: Any) -> bytes:
        """A statement that follows the honest ten."""
        return forge.following(self.package.log[:10], kind, body, by, stream, **more)

    def changed(self, index: int, change: Change, by: Ed25519Signer | None = None) -> Places:
        """A statement rewritten, and everything that builds on it; what is wrong with the whole."""
        old = self.package.log
        log = list(old)
        log[index] = forge.alter(log[index], change, by or self.world.producer)
        return self(forge.relink(log, self.world.signers, old=old))


@pytest.fixture
def forger(scene: Scene, judge: Judge) -> Forger:
    """Whoever holds the keys."""
    made = Forger(scene, judge)
    assert made(scene.whole.log) == set()
    harmless = made.sealed(forge.relink(scene.whole.log, scene.world.signers))
    report = judge.report(harmless, head=forge.known(harmless[CHECKPOINT]))
    assert report.exit_code == 0, report.to_text()
    return made


# Numbers that do not follow


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("band_mismatch", lambda v: v["body"]["uncertainty"].update(confidence_band="A")),
        ("gate_mismatch", lambda v: v["body"]["meta"].update(kappa_gate_passed=False)),
        ("total_mismatch", lambda v: v["body"]["output"].update(total_tokens=11)),
        ("threshold_mismatch", lambda v: v["body"]["meta"].update(kappa_threshold=0.6)),
    ],
)
def test_a_derived_value_is_false(forger: Forger, code: str, change: Change) -> None:
    """A producer signs a band, gate, total or threshold that his own numbers do not give."""
    assert forger.changed(2, change) == {(code, 2)}


def test_several_derived_values_are_false(forger: Forger) -> None:
    """A score just below every bound passed off as the best: band and gate are both named."""

    def change(v: dict[str, Any]) -> None:
        v["body"]["uncertainty"]["confidence_score"] = 0.6999999999999999
        v["body"]["uncertainty"]["confidence_band"] = "A"

    assert forger.changed(6, change) == {("band_mismatch", 6), ("gate_mismatch", 6)}


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["body"].update(verified=True),
        lambda v: v["body"]["meta"].pop("kappa_gate_passed"),
        lambda v: v["body"]["meta"].update(task_criticality="harmless"),
        lambda v: v["body"].update(raw={"request_headers": {"authorization": "Bearer x"}}),
        lambda v: v["body"]["data"].update(prompt_tokens=9.0),
        lambda v: v["body"]["data"].update(context_snapshot_id=None),
        lambda v: v["body"].update(replay={}),
        lambda v: v["body"].update(replay={"other_params": {"x": {"blake3": bytes(32)}}}),
        lambda v: v["body"]["data"]["prompt_hash"].update(salted=True),
    ],
    ids=[
        "unknown-key",
        "no-gate",
        "criticality",
        "secret",
        "float",
        "null",
        "empty",
        "ref",
        "salt",
    ],
)
def test_a_body_breaks_its_page(forger: Forger, change: Change) -> None:
    """What the page does not allow is not evidence, whoever signed it."""
    assert ("body_invalid", 7) in forger.changed(7, change)


# Parents


@pytest.mark.parametrize(
    ("code", "parent"),
    [
        ("parent_missing", lambda log: (log[1], bytes(32))),
        ("parent_later", lambda log: (log[7], None)),
        ("parent_mismatch", lambda log: (log[5], merkle.hash_leaf(log[4]))),
    ],
)
def test_a_parent_is_invented(whole: Package, forger: Forger, code: str, parent: Any) -> None:
    """A child names a record that is not there, that came later, or that has another id."""
    statement, leaf = parent(whole.log)

    def change(v: dict[str, Any]) -> None:
        identity = forge.read(statement)["id"]
        v["parents"] = [{"id": identity, "leaf_hash": leaf or merkle.hash_leaf(statement)}]

    log = whole.log
    log[6] = forge.alter(log[6], change, forger.world.producer)
    # A parent that comes later cannot follow the change: it would have to contain its own hash.
    if code != "parent_later":
        log = forge.relink(log, forger.world.signers, old=whole.log)
    wrong = forger(log)
    later = {("stream_prev", 7)} if code == "parent_later" else set()
    assert wrong == {(code, 6)} | later


def test_a_record_is_its_own_future(whole: Package, forger: Forger) -> None:
    """A parent in another stream that is appended only afterwards is found as later."""
    first = forger.next("annotation", {"kind": "note", "value": "then"}, forger.world.second, "b")
    second = forger.next("annotation", {"kind": "note"}, forger.world.producer, "a", parents=[
        {"id": forge.read(first)["id"], "leaf_hash": merkle.hash_leaf(first)}])  # fmt: skip
    identity = {"id": forge.read(whole.log[1])["id"], "leaf_hash": merkle.hash_leaf(whole.log[1])}
    assert ("body_invalid", 11) in forger.appended(second, first)  # a note about nothing
    first = forger.next(
        "annotation", {"kind": "note"}, forger.world.second, "b", parents=[identity]
    )
    second = forger.next("annotation", {"kind": "note"}, forger.world.producer, "a", parents=[
        {"id": forge.read(first)["id"], "leaf_hash": merkle.hash_leaf(first)}])  # fmt: skip
    second = forge.alter(second, lambda v: v.update(id=v["id"][:-1] + "0"), forger.world.producer)
    assert forger.appended(second, first) == {("parent_later", 10)}
    assert forger.appended(first, second) == set()


# Streams and ids


def test_an_id_is_used_twice(whole: Package, forger: Forger) -> None:
    """Two records with one id cannot be told apart, and are not both evidence."""
    identity, created_at = (forge.read(whole.log[1])[k] for k in ("id", "created_at"))
    wrong = forger.changed(7, lambda v: v.update(id=identity, created_at=created_at))
    assert wrong == {("id_duplicate", 7)}


def test_a_record_follows_a_closed_stream(whole: Package, forger: Forger) -> None:
    """Nothing can be added to a stream that was closed, and its end no longer counts it all."""
    body = forge.read(whole.log[6])["body"]
    more = forger.next("witness", body, forger.world.producer, "run-1")
    assert forger.appended(more) == {("stream_closed", 10)}


def test_a_stream_changes_its_session(whole: Package, forger: Forger) -> None:
    """Records of one run cannot be slipped into another run's stream."""
    body = forge.read(whole.log[6])["body"]
    more = forger.next("witness", body, forger.world.producer, "run-2", session="run-9")
    assert forger.appended(more) == {("stream_session", 10)}


def test_a_stream_changes_its_issuer(whole: Package, forger: Forger) -> None:
    """Another producer cannot go on with somebody's stream."""
    body = forge.read(whole.log[6])["body"]
    more = forger.next("witness", body, forger.world.second, "run-2")
    assert forger.appended(more) == {("stream_issuer", 10)}


def test_a_stream_of_another_ledger(whole: Package, forger: Forger) -> None:
    """A stream that says that it belongs to another ledger, or origin, is not of this one."""
    for name in ({"origin": ORIGIN, "genesis": bytes(32)}, {"origin": "x", "genesis": b""}):
        name["genesis"] = name["genesis"] or forger.world.genesis
        body = forge.read(whole.log[6])["body"]
        more = forger.next("witness", body, forger.world.producer, "run-x")
        more = forge.alter(
            more, lambda v, n=name: v["stream"].update(ledger=n), forger.world.producer
        )
        assert forger.appended(more) == {("stream_ledger", 10)}


def test_a_stream_begins_in_the_middle(whole: Package, forger: Forger) -> None:
    """A stream whose beginning is not in a whole ledger has lost it."""
    body = forge.read(whole.log[6])["body"]
    more = forger.next("witness", body, forger.world.producer, "run-x")

    def change(v: dict[str, Any]) -> None:
        v["stream"] = {"id": "run-x", "seq": 3, "prev": bytes(32)}

    assert ("stream_gap", 10) in forger.appended(forge.alter(more, change, forger.world.producer))


def test_the_end_of_a_stream_counts_wrongly(forger: Forger) -> None:
    """The end of a stream that counts more or fewer records than it has is refused."""
    for count in (0, 4, 6):
        wrong = forger.changed(5, lambda v, n=count: v["body"].update(statements=n))
        assert wrong == {("body_invalid", 5)}


def test_a_stream_has_a_hole(whole: Package, forger: Forger) -> None:
    """The producer leaves out a record and closes the chain over it: the count at its end tells."""
    old = whole.log
    log = [*old[:2], *old[3:]]
    log[2] = forge.alter(
        log[2],
        lambda v: v["parents"].pop() and v["stream"].update(prev=merkle.hash_leaf(old[1])),
        forger.world.producer,
    )
    wrong = forger(forge.relink(log, forger.world.signers, old=[*old[:2], *old[3:]]))
    assert {("stream_gap", 2), ("stream_incomplete", 4)} <= wrong


# Keys


def test_the_log_key_signs_a_statement(whole: Package, forger: Forger) -> None:
    """A key of the log, or of the authority, cannot witness anything."""
    body = forge.read(whole.log[6])["body"]
    for by in (forger.world.log_key, forger.world.authority):
        more = forger.next("witness", body, by, "run-x")
        assert forger.appended(more) == {("key_role", 10)}


def test_a_producer_enrols_a_key(whole: Package, forger: Forger) -> None:
    """A producer cannot let anybody in: the event has no effect and its key signs nothing."""
    entry = key_entry(THIEF, ORIGIN, "producer")
    event = forger.next("enrol", enrol_body("producer", entry), forger.world.producer, "keys")
    body = forge.read(whole.log[6])["body"]
    more = forge.following([*whole.log[:10], event], "witness", body, THIEF, "run-x")
    assert forger.appended(event, more) == {("key_role", 10), ("key_unknown", 11)}


def test_a_producer_revokes_the_log_key(forger: Forger) -> None:
    """A producer cannot take a key away either."""
    body = revoke_body(forger.world.log_key.kid, 5, "because")
    event = forger.next("revoke", body, forger.world.producer, "keys")
    assert forger.appended(event) == {("key_role", 10)}


def test_a_thief_of_a_producer_key_rotates_another(forger: Forger) -> None:
    """A rotation has to be signed by the key that it replaces."""
    entry = key_entry(THIEF, ORIGIN, "producer")
    event = forger.next(
        "rotate", rotate_body(forger.world.second.kid, entry), forger.world.producer, "keys"
    )
    assert forger.appended(event) == {("key_event_invalid", 10)}


def test_a_statement_under_another_name(whole: Package, forger: Forger) -> None:
    """A producer signs as somebody else: the name is not that of his key."""
    body = forge.read(whole.log[6])["body"]
    value = forge.read(forger.next("witness", body, forger.world.producer, "run-x"))
    more = forge.write(value, forger.world.producer, iss="second-producer")
    assert forger.appended(more) == {("key_name", 10)}


def test_a_key_signs_before_it_was_enrolled(whole: Package, forger: Forger) -> None:
    """A key that is enrolled later cannot have signed earlier."""
    body = forge.read(whole.log[6])["body"]
    more = forge.following(whole.log[:8], "witness", body, forger.world.second, "run-0")
    log = [*whole.log[:8], more, *whole.log[8:]]
    assert forger(log) == {("key_unknown", 8)}


def test_a_key_with_a_false_proof_or_point(whole: Package, forger: Forger) -> None:
    """Keys that nobody showed to hold, or that are degenerate, are not enrolled by anyone."""
    honest = enrol_body("producer", key_entry(THIEF, ORIGIN, "producer"))
    for field, value, code in (
        ("proof", bytes(64), "proof_invalid"),
        ("name", "other-name", "proof_invalid"),
        ("public_key", bytes(32), "key_invalid"),
        ("public_key", b"\1" + bytes(31), "key_invalid"),
        ("public_key", b"\xff" * 32, "key_invalid"),
    ):
        body = honest | {"key": honest["key"] | {field: value}}
        event = forger.next("enrol", body, forger.world.authority, "keys")
        assert forger.appended(event) == {(code, 10)}
    as_log = enrol_body("log", key_entry(THIEF, ORIGIN, "log"))
    event = forger.next("enrol", as_log, forger.world.authority, "keys")
    assert forger.appended(event) == {("key_event_invalid", 10)}


def test_key_events_out_of_place(whole: Package, forger: Forger) -> None:
    """Key events outside their stream, other types in it, and a second genesis are refused."""
    world = forger.world
    entry = enrol_body("producer", key_entry(THIEF, ORIGIN, "producer"))
    outside = forger.next("enrol", entry, world.authority, "run-x")
    assert forger.appended(outside) == {("key_event_invalid", 10)}
    body = forge.read(whole.log[6])["body"]
    inside = forger.next("witness", body, world.producer, "keys")
    assert forger.appended(inside) == {("key_event_invalid", 10)}
    genesis = forge.read(whole.log[0])["body"]
    again = forger.next("genesis", genesis, world.authority, "keys")
    assert ("key_event_invalid", 10) in forger.appended(again)


def test_a_revoked_key(whole: Package, forger: Forger) -> None:
    """A stolen producer key is revoked from record 6 on: what it signed later is not trusted."""
    world = forger.world
    event = forger.next(
        "revoke", revoke_body(world.producer.kid, 6, "stolen"), world.authority, "keys"
    )
    log = [*whole.log[:10], event, forge.write(forge.read(whole.log[10]), world.second)]
    assert forger(log, by=world.second) == {("key_revoked", 7)}
    # The thief goes on all the same, and exports himself.
    wrong = forger.appended(event)
    assert wrong == {
        ("key_revoked", 7), ("key_revoked", 11), ("seal_mismatch", "seal-sha256.txt"),
    }  # fmt: skip


def test_a_thief_rotates_before_he_is_found_out(whole: Package, forger: Forger) -> None:
    """A rotation that the thief made after the last good index gives him nothing."""
    world = forger.world
    rotate = rotate_body(world.producer.kid, key_entry(THIEF, ORIGIN, "producer"))
    first = forger.next("rotate", rotate, world.producer, "keys")
    log = [*whole.log[:10], first]
    body = forge.read(whole.log[6])["body"]
    log.append(forge.following(log, "witness", body, THIEF, "run-x"))
    revoke = revoke_body(world.producer.kid, 8, "stolen")
    log.append(forge.following(log, "revoke", revoke, world.authority, "keys"))
    log.append(forge.write(forge.read(whole.log[10]), world.second))
    assert forger(log, by=world.second) == {("key_revoked", 10), ("key_revoked", 11)}


def test_the_log_key_was_revoked(whole: Package, forger: Forger) -> None:
    """Heads of a revoked log key beyond its last good index are not heads."""
    world = forger.world
    event = forger.next(
        "revoke", revoke_body(world.log_key.kid, 8, "stolen"), world.authority, "keys"
    )
    assert forger.appended(event) == {("checkpoint_signature", CHECKPOINT)}


def test_the_log_key_was_replaced(whole: Package, forger: Forger) -> None:
    """Once another log key is enrolled the former one signs no head; the new one does."""
    world, new = forger.world, signer("new log", ORIGIN, "log")
    event = forger.next(
        "enrol", enrol_body("log", key_entry(new, ORIGIN, "log")), world.authority, "keys"
    )
    assert forger.appended(event) == {("checkpoint_signature", CHECKPOINT)}
    log = [*whole.log[:10], event, whole.log[10]]
    files = forge.export_again(whole.files, log, world.producer, new)
    assert forger.judge(files, head=forge.known(files[CHECKPOINT])) == set()


def test_a_genesis_of_the_same_keys(whole: Package, forger: Forger) -> None:
    """The producer begins the same ledger anew with all its keys: its identity is another."""
    old, world = whole.log, forger.world
    more = key_entry(THIEF, ORIGIN, "producer").to_cbor()
    log = [forge.alter(old[0], lambda v: v["body"]["producers"].append(more), world.authority)]
    genesis = merkle.hash_leaf(log[0])
    for statement in old[1:]:
        by = next(s for s in world.signers if s.kid == cose.parse(statement).kid)

        def change(v: dict[str, Any]) -> None:
            if "ledger" in v["stream"]:
                v["stream"]["ledger"]["genesis"] = genesis

        log.append(forge.alter(statement, change, by))
    wrong = forger(forge.relink(log, world.signers, old=old))
    assert wrong == {("genesis_mismatch", 0)}


# Order


def test_the_tree_orders_what_the_chain_does_not(whole: Package, forger: Forger) -> None:
    """A thief of the log key exchanges two records of a stream and signs that order."""
    log = whole.log
    log[6], log[7] = log[7], log[6]
    files = forge.relist(forge.set_log(whole.files, log, forge.head(log, forger.world.log_key)))
    wrong = forger.judge(files, head=None)
    assert wrong == {("stream_gap", 6), ("stream_gap", 7), ("stream_prev", 7)}


def test_tiles_and_records_state_different_orders(whole: Package, forger: Forger) -> None:
    """Tiles and head in one order, records in another: refused at the first such record."""
    hashes = forge.leaves(whole.log)
    hashes[6], hashes[7] = hashes[7], hashes[6]
    root = merkle.root_of(hashes)
    note = forge.sign_head(11, root, forger.world.log_key)
    files = forge.set_log(whole.files, whole.log, note, hashes=hashes)
    wrong = forger.judge(files, head=None)
    assert wrong == {("leaf_mismatch", 6), ("leaf_mismatch", 7), ("root_mismatch", CHECKPOINT)}


def test_a_thief_of_the_log_key_repeats_a_record(whole: Package, forger: Forger) -> None:
    """A record appears once more, under a signed head: its id and place are taken."""
    log = [*whole.log[:10], whole.log[7], whole.log[10]]
    files = forge.set_log(whole.files, log, forge.head(log, forger.world.log_key))
    wrong = forger.judge(files, head=None)
    assert wrong == {("id_duplicate", 10), ("stream_gap", 10), ("stream_prev", 10)}


def test_a_thief_of_the_log_key_drops_a_record(whole: Package, forger: Forger) -> None:
    """The last record of a stream is dropped and the head signed anew: the export counts it."""
    log = whole.log
    del log[9]
    files = forge.set_log(whole.files, log, forge.head(log, forger.world.log_key))
    assert ("export_invalid", 9) in forger.judge(files, head=None)
    assert ("head_behind", 10) in forger.judge(files)


def test_a_thief_of_the_log_key_cuts_the_tail(scene: Scene, whole: Package, forger: Forger) -> None:
    """The log ends earlier under a signed head: refused by whoever knows a later head."""
    log = whole.log[:8]
    files = forge.set_log(whole.files, log, forge.head(log, forger.world.log_key))
    del files["seal-sha256.txt"]
    for path in [p for p, data in files.items() if b"9 times" in data or data == b"It is 63."]:
        del files[path]
    assert forger.judge(files) == {("head_behind", 8)}
    report = forger.judge.report(files, head=None)
    assert (report.exit_code, found(report)) == (3, set())
    assert found(report, "limit") == {("export_unsigned", None), ("unanchored", 0)}


# Histories


def test_two_histories(scene: Scene, whole: Package, forger: Forger) -> None:
    """With all keys the past is rewritten without a flaw: only a known head contradicts it."""
    old = whole.log
    log = whole.log
    log[7] = forge.alter(
        log[7], lambda v: v["body"]["model"].update(model_id="better"), forger.world.producer
    )
    files = forger.sealed(forge.relink(log, forger.world.signers, old=old))
    assert forger.judge(files) == {("head_conflict", None)}
    assert forger.judge(files, head=forge.known(scene.early)) == {("head_conflict", None)}
    before = f"6:{merkle.root_of(forge.leaves(old[:6])).hex()}"
    anchored = forger.judge.report(files, head=before)
    assert (anchored.exit_code, found(anchored)) == (3, set())
    assert found(anchored, "limit") == {("unanchored", 6)}
    trusting = forger.judge.report(files, head=None)
    assert (trusting.exit_code, found(trusting)) == (3, set())


def test_two_histories_in_a_part(scene: Scene, forger: Forger) -> None:
    """In a part, a rewritten past cannot be joined to the auditor's earlier head."""
    old = scene.whole.log
    log = scene.whole.log
    log[2] = forge.alter(
        log[2], lambda v: v["body"]["model"].update(model_id="better"), forger.world.producer
    )
    log = forge.relink(log, forger.world.signers, old=old)
    part, kept = scene.session, [*range(6), 8]
    export = forge.read(forge.proved(part.files)[-1][1])
    export["body"]["selection"]["end"] = 10
    export["stream"] = forge.read(log[10])["stream"]
    export["body"]["streams"] = [s for s in export["body"]["streams"] if s["id"] != "exports"]
    log = [*log[:10], forge.write(export, forger.world.producer)]
    note = forge.head(log, forger.world.log_key)
    files = forge.set_proved(part.files, [forge.prove(log, i) for i in [*kept, 10]])
    files[CHECKPOINT] = note
    path, early = "data/log/consistency/10.txt", forge.known(scene.early)
    for proof in (
        forge.continuation(log, 10, note),
        forge.continuation([*old[:10], log[10]], 10, note),
    ):
        assert forger.judge(files | {path: proof}, head=early) == {("consistency_invalid", path)}
    del files[path]
    report = forger.judge.report(files, head=early)
    assert (report.exit_code, found(report)) == (3, set())
    assert ("unanchored", 0) in found(report, "limit")


def test_a_known_head_of_another_ledger(scene: Scene, world: World) -> None:
    """A checkpoint file of another log under the same name is not a head of this one."""
    file = scene.world.folder / "foreign.checkpoint"
    file.write_bytes(scene.foreign.files[CHECKPOINT])
    report = audit(scene.whole.path, world, head=str(file))
    assert (report.exit_code, found(report)) == (1, {("checkpoint_signature", None)})
    file.write_bytes(scene.whole.files[CHECKPOINT])
    assert audit(scene.whole.path, world, head=str(file)).exit_code == 0


# What the export says


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda b: b.update(statements=9), {("export_invalid", 10)}),
        (lambda b: b.update(statements=11), {("export_invalid", 10)}),
        (lambda b: b["selection"].update(end=11), {("export_invalid", 10)}),
        (lambda b: b["selection"].update(end=9), {("export_invalid", 10)}),
        (lambda b: b["selection"].update(kind="range", start=1), {("export_invalid", 10)}),
        (lambda b: b["seal"].update(sha256=bytes(32)), {("seal_mismatch", 10)}),
        (lambda b: b["seal"].update(size_bytes=1), {("seal_mismatch", 10)}),
        (lambda b: b.update(contents="withheld"), set()),
    ],
    ids=["fewer", "more", "beyond", "short", "range", "seal", "seal-size", "withheld"],
)
def test_the_export_says_what_is_not_so(
    whole: Package, forger: Forger, change: Change, wanted: Places
) -> None:
    """An export that miscounts, or signs another seal, is refused at its own record."""
    log = whole.log
    log[10] = forge.alter(log[10], lambda v: change(v["body"]), forger.world.producer)
    files = forge.set_log(whole.files, log, forge.head(log, forger.world.log_key))
    assert {
        c for c in forger.judge(files, head=None) if c[0] != "seal_mismatch" or c in wanted
    } == wanted


def test_content_is_left_out_of_a_new_export(whole: Package, forger: Forger) -> None:
    """The producer seals a package anew without an answer, and says that all is included."""
    files = whole.files
    path = next(p for p, data in files.items() if data == b"It is 21.")
    del files[path]
    assert forger(whole.log, files) == {("content_missing", 3)}


def test_content_is_exchanged_in_a_new_export(whole: Package, forger: Forger) -> None:
    """The producer seals a package anew with another answer: the record names the first."""
    files = whole.files
    path = next(p for p, data in files.items() if data == b"It is 21.")
    files[path] = b"It is 7!!"
    assert forger(whole.log, files) == {("content_mismatch", 3)}


def test_an_erasure_by_a_stranger_accounts_for_nothing(whole: Package, forger: Forger) -> None:
    """Only a valid erasure explains that a content is gone."""
    files = whole.files
    path = next(p for p, data in files.items() if data == b"It is 21.")
    ref = refer(files.pop(path), "text/plain; charset=utf-8")[0].to_cbor()
    body = {"content": ref, "reason": "asked"}
    for by, wanted in ((THIEF, {("key_unknown", 10), ("content_missing", 3)}),
                       (forger.world.producer, set())):  # fmt: skip
        erasure = forger.next("erasure", body, by, "run-x")
        log = [*whole.log[:10], erasure, whole.log[10]]
        made = forger.sealed(log, files)
        report = forger.judge.report(made, head=forge.known(made[CHECKPOINT]))
        assert found(report) >= wanted
        if not wanted:
            assert (report.exit_code, found(report)) == (0, set())
            assert ("content_erased", 3) in found(report, "note")


def test_an_unknown_type_is_counted_and_named(forger: Forger) -> None:
    """A statement of a later version is kept and chained; the auditor learns it was not read."""
    more = forger.next("dream", {"of": "sheep"}, forger.world.producer, "run-x")
    files = forger.sealed([*forger.package.log[:10], more, forger.package.log[10]])
    report = forger.judge.report(files, head=forge.known(files[CHECKPOINT]))
    assert (report.exit_code, found(report)) == (0, set())
    assert found(report, "note") == {("type_unknown", 10)}


def test_a_head_of_the_former_log_key(
    scene: Scene, whole: Package, forger: Forger, tmp_path: Path
) -> None:
    """A checkpoint of before the log key was replaced still anchors; a later one does not."""
    world, new = forger.world, signer("new log", ORIGIN, "log")
    entry = key_entry(new, ORIGIN, "log")
    event = forger.next("rotate", rotate_body(world.log_key.kid, entry), world.log_key, "keys")
    log = [*whole.log[:10], event, whole.log[10]]
    files = forge.export_again(whole.files, log, world.producer, new)
    early, false = tmp_path / "early", tmp_path / "false"
    early.write_bytes(scene.early)
    false.write_bytes(forge.head(log[:10], new))
    report = forger.judge.report(files, head=str(early))
    assert (report.exit_code, found(report, "limit")) == (3, {("unanchored", 10)})
    assert forger.judge(files, head=str(false)) == {("checkpoint_signature", None)}
    false.write_bytes(forge.head(log, world.log_key))
    assert forger.judge(files, head=str(false)) == {("checkpoint_signature", None)}
