"""Bodies that break their page, altered bytes, keys that were revoked, stages run elsewhere."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import ledger
from ledger import Draft, Ledger, LogError
from ledger.formats.content import from_cbor
from ledger.formats.payload import Parent
from ledger.operations import contexts, gather
from ledger.store.rows import u64
from tests.helpers.damage import ODD_KEYS, ODD_VALUES, randomness
from tests.helpers.places import Place, problems
from tests.operations.lab import CHEAP, Story, failed, only, unchecked

KINDS = ("insight", "transfer", "execution", "provenance", "cross_model")


def spoil(body: dict[str, Any], rng: Random) -> dict[str, Any]:
    """A copy with an odd value somewhere, or a key too many or too few."""
    spoiled = copy.deepcopy(body)
    place: Any = spoiled
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return spoiled
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.6:
            place = inner
            continue
        kind = rng.randrange(3)
        if kind == 0 or isinstance(place, list):
            place[key] = rng.choice(ODD_VALUES)
        elif kind == 1:
            del place[key]
        else:
            place[rng.choice(ODD_KEYS)] = rng.choice(ODD_VALUES)
        return spoiled


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rng=randomness)
def test_no_body_stops_the_checking(rng: Random) -> None:
    """Whatever a producer signed: findings, and nothing else."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Place(Path(folder) / "runs.vif", Path(folder) / "keys")
        place.init()
        with place.open(session="lab") as log:
            Story(log).tell()
            wanted = rng.choice((*KINDS, "witness"))
            entries = [entry for entry in log if entry.payload.type in (*KINDS, "witness")]
            with unchecked(patch):
                named: dict[str, str] = {}
                for entry in entries:
                    body = copy.deepcopy(entry.payload.body)
                    if entry.payload.type in KINDS:
                        body["operation"]["number"] = 2
                    if entry.payload.type == wanted:
                        body = spoil(body, rng)
                    parents = [named.get(one.id, one.id) for one in entry.payload.parents]
                    try:
                        draft = Draft(entry.payload.type, body, tuple(parents))
                        named[entry.id] = log.append_many([draft])[0].id
                    except ledger.LedgerError:
                        return  # not even CBOR of the profile
            reports = list(log.operations())
            assert reports[0].sound
            for report in reports:
                assert log.operation(log.get(report.first_index).id) == report
            problems(log.path)


def test_a_body_that_breaks_its_page(log: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is `body_invalid`, and what needs it is not judged."""
    story = Story(log)
    insight = story.insight()
    with unchecked(monkeypatch):
        body = dict(insight.payload.body) | {"label": 5, "operation": {"name": "x", "number": 1}}
        wrong = log.append_many([Draft("insight", body, (story.thought,))])[0]
        lost = log.append_many([Draft("insight", {"operation": 7}, ())])[0]
        handed = dict(story.transfer(insight).payload.body)
        handed["operation"] = {"name": "x", "number": 1}
        log.append_many([Draft("transfer", handed, (wrong.id,))])
    report = log.operation(wrong.id)
    assert [(one.code, one.index) for one in failed(report)] == [("body_invalid", wrong.index)]
    assert {one.code for one in report.not_judged} == {"stage_mismatch"}
    with pytest.raises(LogError, match="belongs to no operation"):
        log.operation(lost.id)
    doctored = [(one.code, one.key) for one in problems(log.path) if one.severity == "fail"]
    assert ("body_invalid", str(lost.index)) in doctored
    assert ("body_invalid", str(wrong.index)) in doctored


def flip(log: Ledger, index: int) -> None:
    """Change one byte of a stored statement, in its signature."""
    with log.store.environment.write() as txn:
        table = log.store.environment.tables["entries"]
        statement = bytearray(txn.get(u64(index), db=table))
        statement[-1] ^= 1
        txn.put(u64(index), bytes(statement), db=table)


@pytest.mark.parametrize("kind", ["insight", "provenance"])
def test_an_altered_part_is_not_verified(log: Ledger, kind: str) -> None:
    """Signature and leaf hash are computed from the bytes that are stored."""
    Story(log).tell()
    (entry,) = log.find(type=kind)
    flip(log, entry.index)
    (report,) = log.operations()
    found = {(one.code, one.index) for one in failed(report)}
    assert {("signature_invalid", entry.index), ("leaf_mismatch", entry.index)} <= found
    assert report.computed is not None
    assert not report.computed.chain_verified
    assert report.computed.status == "failed"
    assert {"signature_invalid"} <= {one.code for one in problems(log.path)}


def test_a_key_revoked_from_before_it(place: Place) -> None:
    """The key that is valid at an index is that by all that the log says."""
    made = place.init()
    with place.open(session="lab") as log:
        Story(log).tell()
        (report,) = log.operations()
        assert report.computed is not None
        ((kid, name),) = report.computed.trust_chain
        assert name == log.get(2).cose.iss
        last = next(log.find(type="transfer")).index
        log.revoke(kid, last_good_index=last, reason="lost")
        (report,) = log.operations()
    assert made
    codes = {(one.code, one.index) for one in failed(report)}
    assert {code for code, _ in codes} == {"key_revoked"}
    assert min(index for _, index in codes) > last
    assert report.computed is not None
    assert not report.computed.chain_verified


def test_a_stage_of_another_ledger_is_outside(log: Ledger) -> None:
    """It counts as a part, and is not judged."""
    story = Story(log)
    insight = story.insight()
    moved = story.transfer(insight)
    done = story.execution(moved)
    chain_body = {
        "operation": story.name,
        "steps": [
            {"stage": "insight", "label": "1"},
            {"stage": "transfer", "label": "1"},
            {"stage": "execution", "label": "1"},
            {"stage": "execution", "label": "there"},
        ],
        "claims": {"status": "verified"},
    }
    there = Parent(done.id, bytes(31) + b"\1", bytes(32))
    parents = (insight, moved, done, there)
    chain = log.append_many([Draft("provenance", chain_body, parents)])[0]
    report = only(log)
    assert [(one.code, one.index) for one in failed(report)] == [("claim_mismatch", chain.index)]
    assert report.computed is not None
    assert report.computed.status == "outside"
    assert [part.state for part in report.parts] == ["here", "here", "here", "outside"]
    assert report.parts[-1].joined
    assert {one.code for one in report.not_judged} == {"part_mismatch", "stage_order"}


def test_a_joined_stage_brings_its_own_faults(place: Place) -> None:
    """It is dropped by its own operation in another session: the chain that names it says so."""
    place.init()
    with place.open(session="service") as there:
        served = Story(there, "served").tell()
        late = served.insight(label="late")
    with place.open(session="lab") as log:
        story = Story(log)
        story.stages.append(late)
        moved = story.transfer(late)
        story.execution(moved)
        story.whole(story.chain())
        for report in (*log.operations("lab"), log.operation(moved.id), list(log.operations())[1]):
            assert [one.code for one in failed(report)] == []
            assert report.parts[0].joined
            assert report.computed is not None
            assert not report.computed.lineage_verified
            assert not report.sound
        (served_report,) = log.operations("service")
        assert [one.code for one in failed(served_report)] == ["part_dropped"]


def test_contents_that_are_gone_or_too_large_are_not_judged(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is claimed about what cannot be looked at."""
    story = Story(log)
    moved = story.transfer(story.insight())
    other = story.call(CHEAP, "Something else", "Done.")
    story.execution(moved, parents=[moved, other])
    assert [one.code for one in failed(only(log))] == ["context_mismatch"]
    with monkeypatch.context() as patch:
        patch.setattr(contexts, "CALL_BODY_MAX_BYTES", 8)
        assert [one.code for one in only(log).not_judged] == ["context_mismatch"]
    log.erase(from_cbor(other.payload.body["data"]["prompt_hash"]), reason="asked for")
    report = only(log)
    assert failed(report) == []
    assert [one.code for one in report.not_judged] == ["context_mismatch"]


def test_a_large_context_is_gone_through_in_pieces(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a piece ends in the middle of what is looked for."""
    monkeypatch.setattr(contexts, "CALL_BODY_MAX_BYTES", 64)
    monkeypatch.setattr(contexts, "PIECE_BYTES", 10)
    text = "The premise is not used."
    for number, before in enumerate((0, 1, 7, 20, 95), 1):
        story = Story(log, number=number)
        moved = story.transfer(story.insight())
        prompt = "x" * before + text + "y" * 100
        story.execution(moved, parents=[moved, story.call(CHEAP, prompt, "Done.")])
    assert [failed(report) for report in log.operations()] == [[]] * 5
    story = Story(log, number=6)
    moved = story.transfer(story.insight())
    prompt = (text[:-1] + "x") * 20
    story.execution(moved, parents=[moved, story.call(CHEAP, prompt, "Done.")])
    assert [one.code for one in failed(log.operation(moved.id))] == ["context_mismatch"]


def test_operations_come_in_the_order_of_the_log_whatever_their_number(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they do not fit into memory."""
    expected = []
    for number in (3, 1, 2):
        Story(log, f"n{number}", number).tell()
        expected.append((f"n{number}", number))
    whole = list(log.operations())
    assert [(one.name.name, one.name.number) for one in whole] == expected
    monkeypatch.setattr(gather, "_BUFFER_BYTES", 100)
    assert list(log.operations()) == whole
    assert list(log.operations("lab")) == whole
    assert list(log.operations("another")) == []


def test_an_operation_without_a_session(place: Place) -> None:
    """It is found by what it says, and is none of a session that has the same name."""
    place.init()
    with place.open() as log:
        Story(log).tell()
    with place.open(session="lab") as log:
        Story(log).tell()
        first, second = log.operations()
        assert (first.name.session, second.name.session) == (None, "lab")
        assert first.sound
        assert log.operation(log.get(first.first_index).id) == first


def test_a_nested_operation_counts_with_its_cost(log: Ledger) -> None:
    """Once, as its combination says, and nothing of it again."""
    inner = Story(log, "inner").tell()
    (whole,) = log.find(type="cross_model")
    outer = Story(log, "outer")

    def nested(body: dict[str, Any]) -> None:
        body["usage"] = {"operations": 3, "priced": 3, "cost_usd": 0.75, "tokens": 300}

    insight = outer.insight(nested, parents=[outer.thought, whole])
    report = log.operation(insight.id)
    assert failed(report) == []
    assert inner.stages[0].index not in [part.index for part in report.parts]
