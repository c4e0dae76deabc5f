"""Appending: receipts, batches, streams, errors (specs/02, specs/04)."""

from __future__ import annotations

import asyncio
import itertools
import threading
from hashlib import sha256

import pytest

import ledger
from ledger import Draft, FormatError, Ledger, LogError, RecordError
from ledger.formats import cbor, cose, merkle
from ledger.formats.note import verify_checkpoint
from ledger.formats.payload import LedgerName, Parent, Payload, encode_payload
from ledger.formats.values import format_time, uuid7
from ledger.keys import ed25519
from ledger.keys.keyfile import KeyFolder, generate, load
from ledger.model import from_body, to_body
from ledger.writer.bodies import encode_model
from ledger.writer.prepare import Prepared, encode_body
from ledger.writer.statements import Link, Moment, StatementMaker
from tests.helpers.places import Place, drafts, note, problems, witness


def test_a_receipt_says_where_the_statement_is_and_under_which_head(log: Ledger) -> None:
    receipt = log.append("witness", witness())
    entry = log.get(receipt.index)
    assert (receipt.index, receipt.size) == (1, 2)
    assert (entry.id, entry.leaf_hash) == (receipt.id, receipt.leaf_hash)
    assert entry.payload.created_at == receipt.created_at
    assert sha256(b"\0" + entry.statement).digest() == receipt.leaf_hash
    log_key = log.keys().log_key_at(receipt.size)
    head = verify_checkpoint(receipt.checkpoint, log.origin, log_key.public_key)
    assert (head.size, head.root) == (receipt.size, receipt.root)
    merkle.verify_inclusion(
        1, 2, receipt.leaf_hash, log.prove_inclusion(receipt.index), receipt.root
    )
    key = log.keys().valid_key(1, entry.cose.kid)
    ed25519.verify(
        key.public_key,
        entry.cose.signature,
        cose.signing_input(entry.cose.protected, entry.cose.payload),
    )


def test_a_batch_is_one_commit_with_one_head(log: Ledger) -> None:
    receipts = log.append_many(drafts(700))
    assert [receipt.index for receipt in receipts] == list(range(1, 701))
    assert {receipt.checkpoint for receipt in receipts} == {log.head_note()}
    leaves = [entry.leaf_hash for entry in log]
    assert log.head().root == merkle.root_of(leaves)
    old = log.root_at(300)
    proof = log.prove_consistency(300)
    merkle.verify_consistency(300, 701, old, log.head().root, proof)


def test_an_invalid_draft_fails_its_whole_batch_and_nothing_is_appended(log: Ledger) -> None:
    with pytest.raises(RecordError) as caught:
        log.append_many([*drafts(2), Draft("witness", {"version": 1})])
    assert caught.value.code == "body_invalid"
    assert len(log) == 1
    assert log.append("witness", witness()).index == 1


def test_a_model_and_its_map_make_the_same_body(log: Ledger) -> None:
    model = from_body("witness", witness())
    first, second = log.append("witness", model), log.append("witness", witness())
    assert log.get(first.index).payload.body == log.get(second.index).payload.body == witness()
    with pytest.raises(RecordError):
        log.append("annotation", model)


@pytest.mark.parametrize(
    "kind", ["genesis", "enrol", "rotate", "revoke", "stream_close", "erasure"]
)
def test_types_with_a_call_of_their_own_are_not_appended(log: Ledger, kind: str) -> None:
    with pytest.raises(LogError) as caught:
        log.append(kind, {})
    assert caught.value.code == "key_event_invalid"


def test_a_statement_that_is_too_large_fails_and_leaves_no_trace(log: Ledger) -> None:
    body = witness()
    body["replay"] = {"other_params": {"long": "x" * 65000, "more": "y" * 400}}
    with pytest.raises(FormatError) as caught:
        log.append("witness", body)
    assert caught.value.code in {"statement_too_large", "cbor_invalid"}
    assert log.append("witness", witness()).index == 1
    assert log.get(1).payload.seq == 0


def test_a_parent_has_to_be_in_the_log(log: Ledger) -> None:
    receipt = log.append("witness", witness())
    unknown = receipt.id[:-1] + ("0" if receipt.id[-1] != "0" else "1")
    other = Parent(receipt.id, bytes(32))
    later = Draft("witness", witness())
    for parents in ([unknown], ["nonsense"], [other], [later]):
        with pytest.raises(LogError) as caught:
            log.append("annotation", note(), parents=parents)
        assert caught.value.code == "parent_missing"
    with pytest.raises(FormatError) as twice:
        log.append("annotation", note(), parents=[receipt, receipt.id])
    assert twice.value.code == "payload_invalid"
    with pytest.raises(RecordError):
        log.append("annotation", note())
    for parent in (receipt, receipt.id, log.get(1), Parent(receipt.id, receipt.leaf_hash)):
        made = log.append("annotation", note(), parents=[parent])
        assert log.get(made.index).payload.parents == (Parent(receipt.id, receipt.leaf_hash),)


def test_a_draft_can_be_the_parent_of_a_later_one_in_its_batch(log: Ledger) -> None:
    first = Draft("witness", witness())
    receipts = log.append_many([first, Draft("annotation", note(), parents=[first])])
    (parent,) = log.get(2).payload.parents
    assert parent == Parent(receipts[0].id, receipts[0].leaf_hash)


def test_statements_of_a_stream_are_chained(log: Ledger) -> None:
    log.append("witness", witness())
    log.append_many(drafts(3))
    entries = list(log.stream("main"))
    assert [entry.payload.seq for entry in entries] == [0, 1, 2, 3]
    assert entries[0].payload.ledger == LedgerName(log.origin, log.genesis)
    for before, after in itertools.pairwise(entries):
        assert after.payload.prev == before.leaf_hash
        assert after.payload.ledger is None


def test_a_stream_continues_after_a_restart(place: Place) -> None:
    place.init()
    with place.open(session="run") as log:
        last = log.append_many(drafts(5))[-1]
    with place.open(session="run") as log:
        receipt = log.append("witness", witness())
        assert log.stream_id == "run"
        payload = log.get(receipt.index).payload
    assert (payload.seq, payload.prev, payload.session) == (5, last.leaf_hash, "run")


def test_handles_take_the_first_free_stream(place: Place) -> None:
    place.init()
    with place.open() as one, place.open() as two, place.open(session="run") as three:
        for log in (one, two, three):
            log.append("witness", witness())
        assert [log.stream_id for log in (one, two, three)] == ["main", "main.2", "run"]
    with place.open() as again:
        again.append("witness", witness())
        assert again.stream_id == "main"
        assert {tail.stream: tail.seq for tail in again.streams()} == {
            "keys": 0, "main": 1, "main.2": 0, "run": 0,
        }  # fmt: skip


def test_a_session_named_keys_does_not_write_key_events(place: Place) -> None:
    place.init()
    with place.open(session="keys") as log:
        log.append("witness", witness())
        assert log.stream_id == "keys.2"


def test_an_explicit_stream_has_one_writer(place: Place) -> None:
    place.init()
    with place.open(stream="s"):
        with pytest.raises(LogError) as caught:
            place.open(stream="s")
        assert caught.value.code == "stream_busy"
    with place.open(stream="s") as log:
        log.append("witness", witness())
    with pytest.raises(LogError) as caught:
        place.open(stream="s", session="other")
    assert caught.value.code == "stream_session"
    with pytest.raises(LogError) as caught:
        place.open(stream="keys")
    assert caught.value.code == "key_event_invalid"


def test_nothing_follows_a_stream_close(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append_many(drafts(2))
        receipt = log.close_stream()
        assert log.get(receipt.index).payload.body == {"statements": 3}
        with pytest.raises(LogError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "stream_closed"
    with pytest.raises(LogError) as caught:
        place.open(stream="main")
    assert caught.value.code == "stream_closed"
    with place.open() as log:
        log.append("witness", witness())
        assert log.stream_id == "main.2"
    assert problems(place.path) == []


def test_threads_share_commits_and_each_gets_its_own_answer(log: Ledger) -> None:
    """Group commit: an invalid draft fails alone."""
    answers: dict[int, list[object]] = {}
    commits: list[int] = []
    append = log.store.append

    def counted(*arguments: object) -> object:
        commits.append(1)
        return append(*arguments)  # type: ignore[arg-type]

    log.store.append = counted  # type: ignore[method-assign, assignment]
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for turn in range(20):
            try:
                # Passes the look-over and fails when it gets its place.
                parents = ["missing"] if turn % 5 == 4 else []
                made: object = log.append("witness", witness(), parents=parents)
            except LogError as error:
                made = error.code
            answers.setdefault(number, []).append(made)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receipts = [
        made for list_ in answers.values() for made in list_ if isinstance(made, ledger.Receipt)
    ]
    assert [made for list_ in answers.values() for made in list_ if isinstance(made, str)] == [
        "parent_missing"
    ] * 32
    assert sorted(receipt.index for receipt in receipts) == list(range(1, 129))
    for receipt in receipts:
        assert log.get(receipt.index).id == receipt.id
        assert log.get(receipt.index).leaf_hash == receipt.leaf_hash
    assert len(commits) < 128, "no commit was shared"
    assert problems(log.path) == []


def test_an_async_append_is_the_same(log: Ledger) -> None:
    async def run() -> list[int]:
        made = await asyncio.gather(*(log.aappend("witness", witness()) for _ in range(5)))
        more = await log.aappend_many(drafts(2))
        return sorted(receipt.index for receipt in [*made, *more])

    assert asyncio.run(run()) == list(range(1, 8))


def test_clock_and_randomness_come_from_outside(place: Place) -> None:
    """The same ledger made twice with the same inputs has the same bytes."""
    place.init()
    signers = {info.role: load(info.path) for info in KeyFolder(place.keys).list()}
    heads = []
    for name in ("a", "b"):
        ticks, stream = itertools.count(1_795_171_260_000_000, 1500), itertools.count(1)
        fixed = {
            "clock": lambda ticks=ticks: next(ticks),
            "random": lambda n, stream=stream: sha256(bytes([next(stream)])).digest()[:n],
        }
        path = place.path.with_name(name)
        ledger.init(
            path, origin="example.org/lab", authority=signers["authority"],
            log_key=signers["log"], producer=signers["producer"], keys=place.keys, **fixed,
        )  # fmt: skip
        with ledger.open(path, keys=place.keys, **fixed) as log:
            log.append("witness", witness())
            heads.append(log.head_note())
            assert log.get(1).payload.created_at == "2026-11-20T10:41:00.001500Z"
    assert heads[0] == heads[1]


def test_two_statements_cannot_have_one_id(place: Place) -> None:
    place.init()
    with place.open(clock=lambda: 1_795_171_260_000_000, random=bytes) as log:
        log.append("witness", witness())
        with pytest.raises(FormatError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "id_duplicate"
        assert len(log) == 2


@pytest.mark.parametrize("session", [None, "run-1"])
@pytest.mark.parametrize("seq", [0, 1, 300])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_joined_envelope_is_the_encoded_one(
    tmp_path: object, session: str | None, seq: int, count: int
) -> None:
    """The writer joins payloads from pieces; the bytes are those of `encode_payload`."""
    signer = load(generate("producer", "lab", tmp_path / "k"))  # type: ignore[operator]
    name = LedgerName("example.org/lab", b"\7" * 32)
    us, random = 1_795_171_260_123_456, b"12345678"
    parents = tuple(Parent(uuid7(us, bytes([n] * 8)), bytes([n] * 32)) for n in range(count))
    prev = b"\5" * 32 if seq else None
    maker = StatementMaker("stream/1", session, name, signer)
    made = maker.make(
        Prepared("witness", encode_body(witness())), parents, Link(seq, prev), Moment.of(us), random
    )
    expected = Payload(
        "witness", uuid7(us, random), format_time(us), "stream/1", seq, prev,
        name if seq == 0 else None, session, parents, witness(),
    )  # fmt: skip
    sign1 = cose.parse(made.statement)
    assert sign1.payload == encode_payload(expected)
    assert (sign1.iss, sign1.sub, sign1.kid) == ("lab", "stream/1", signer.kid)


def test_a_body_is_as_deep_as_its_payload_allows() -> None:
    def nested(depth: int) -> dict[str, cbor.CborValue]:
        value: dict[str, cbor.CborValue] = {}
        for _ in range(depth - 1):
            value = {"x": value}
        return value

    assert encode_body(nested(31))
    with pytest.raises(FormatError):
        encode_body(nested(32))


def test_a_closed_ledger_refuses(log: Ledger) -> None:
    log.close()
    with pytest.raises(LogError) as caught:
        log.append("witness", witness())
    assert caught.value.code == "log_closed"
    with pytest.raises(ledger.LedgerError):
        len(log)
    log.close()


def test_appending_needs_a_key_and_reading_does_not(place: Place) -> None:
    place.init()
    with ledger.open(place.path, keys=place.path.with_name("empty")) as log:
        assert len(log) == 1
        with pytest.raises(LogError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "no_signer"


def test_a_body_is_encoded_as_its_plain_values_are() -> None:
    """The fast way from a model to bytes writes what the encoder of all values writes."""
    full = witness()
    ref = full["data"]["prompt_hash"]
    full["model"] |= {"model_provider": "x" * 24, "provider_source": "stated", "vendor": "Ünï"}
    full["data"] |= {"prompt_tokens": 70_000, "context_atom_ids": [f"atom {n}" for n in range(300)]}
    full["tools"] = {"tool_ids": ["a"] * 24, "tool_parameters": ref | {"salted": True}}
    full["uncertainty"] = {
        "confidence_score": 0.0, "confidence_band": "C", "confidence_method": "verbal",
        "top_k_probs": [{"token": "x", "probability": 1.0}], "top_k_position": 255,
        "entropy": 1e300,
    }  # fmt: skip
    full["replay"] = {
        "replay_seed": -5, "top_k": 65_536, "temperature": 0.7,
        "other_params": {"a": [None, {"b": -0.5}], "stop": "é" * 300},
    }  # fmt: skip
    full["output"] |= {"output_tokens": 23, "total_tokens": 70_023, "token_source": "estimate"}
    full["meta"] |= {"kappa_gate_passed": False, "domain": "x" * 256}
    full["raw"] = {"request": ref, "response_headers": {"x-a": "", "retry-after": "1"}}
    bodies = [
        ("witness", full),
        ("witness", witness()),
        *(("annotation", note(value)) for value in ("", "x" * 4096, 2**62, -1, True, 0.5)),
    ]
    for kind, body in bodies:
        made = from_body(kind, body)
        assert encode_model(made) == cbor.encode(to_body(made)) == cbor.encode(body)
