"""Making a ledger, and who may change its keys (specs/05)."""

from __future__ import annotations

import stat

import pytest

import ledger
from ledger import FormatError, KeyFileError, Ledger, LogError, StoreError
from ledger.keys.keyfile import generate, load
from ledger.keys.trust import parse_trust
from tests.helpers.places import Place, problems, witness


def kid_of(log: Ledger, role: str) -> bytes:
    return [key for key in log.keys().keys if key.role == role][-1].kid


def test_init_makes_keys_outside_and_a_genesis_inside(place: Place) -> None:
    made = place.init()
    assert set(made.key_files) == {"authority", "log", "producer"}
    for file in made.key_files.values():
        assert file.parent == place.keys
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(place.path.rglob("*.pem"))
    assert "offline" in made.advice
    trust = parse_trust(made.trust)
    with place.open() as log:
        assert (log.origin, log.genesis, len(log)) == ("example.org/lab", made.genesis, 1)
        assert trust.genesis == log.get(0).leaf_hash
        assert log.head_note() == made.checkpoint == (place.path / "checkpoint").read_bytes()


def test_keys_are_refused_inside_the_ledger(place: Place) -> None:
    with pytest.raises(KeyFileError) as caught:
        ledger.init(place.path, keys=place.path / "keys")
    assert caught.value.code == "key_permissions"
    assert not place.path.exists()
    link = place.path.with_name("link")
    place.init()
    link.symlink_to(place.path)
    with pytest.raises(KeyFileError):
        ledger.open(place.path, keys=link / "locks")


def test_what_exists_is_not_made_again(place: Place) -> None:
    place.init()
    before = sorted(place.keys.iterdir())
    with pytest.raises(StoreError) as caught:
        place.init()
    assert caught.value.code == "ledger_exists"
    assert sorted(place.keys.iterdir()) == before
    with pytest.raises(FormatError):
        ledger.init(place.path.with_name("x"), origin="not an origin", keys=place.keys)
    with pytest.raises(StoreError) as caught:
        ledger.open(place.path.with_name("nothing"))
    assert caught.value.code == "ledger_missing"


def test_a_failed_init_leaves_nothing(place: Place) -> None:
    with pytest.raises(StoreError) as caught:
        place.init(map_size_bytes=4096 * 6)
    assert caught.value.code == "store_full"
    assert not place.path.exists()
    assert not list(place.keys.glob("*"))
    assert not list(place.path.parent.glob(".*.new"))


def test_a_producer_key_is_enrolled_and_signs_after_its_index(place: Place) -> None:
    made = place.init()
    other = load(generate("producer", "other", place.keys))
    with place.open() as log:
        event = log.enrol(other)
        assert log.get(event.index).payload.type == "enrol"
        with place.open(producer=other, stream="theirs") as theirs:
            receipt = theirs.append("witness", witness())
        assert log.get(receipt.index).cose.iss == "other"
    with pytest.raises(LogError) as caught:
        place.open(stream="theirs", producer=f"file:{made.key_files['producer']}")
    assert caught.value.code == "stream_issuer"
    assert problems(place.path) == []


def test_an_unenrolled_key_signs_nothing(place: Place) -> None:
    place.init()
    stranger = load(generate("producer", "stranger", place.keys))
    with place.open(producer=stranger) as log, pytest.raises(LogError) as caught:
        log.append("witness", witness())
    assert caught.value.code == "no_signer"


def test_a_rotated_key_hands_over_within_an_open_handle(place: Place) -> None:
    """The handle that was signing goes on with the new key, in the same stream."""
    place.init()
    with place.open() as log, place.open(session="other") as other:
        log.append("witness", witness())
        old = kid_of(log, "producer")
        new = load(generate("producer", "producer", place.keys))
        other.rotate(new, old=old)
        receipt = log.append("witness", witness())
        assert log.get(receipt.index).cose.kid == new.kid
        assert log.get(receipt.index).payload.seq == 1
        log.keys().judge(receipt.index, log.get(receipt.index).cose, log.get(receipt.index).payload)
    assert problems(place.path) == []


def test_a_revoked_key_stops_signing(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append("witness", witness())
        log.revoke(kid_of(log, "producer"), last_good_index=1, reason="stolen")
        with pytest.raises(LogError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "no_signer"
        with pytest.raises(LogError) as caught:
            log.revoke(kid_of(log, "producer"), last_good_index=1, reason="again")
        assert caught.value.code == "key_event_invalid"
        assert len(log) == 3


def test_the_log_key_in_use_is_replaced_before_it_is_revoked(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append("witness", witness())
        old = kid_of(log, "log")
        with pytest.raises(LogError) as caught:
            log.revoke(old, last_good_index=1, reason="stolen")
        assert caught.value.code == "key_event_invalid"
        new = load(generate("log", "example.org/lab", place.keys))
        enrolled = log.enrol(new)
        # The head that covers the event is the new key's already.
        assert log.keys().log_key_at(enrolled.size - 1).kid == old
        assert log.keys().log_key_at(enrolled.size).kid == new.kid
        receipt = log.append("witness", witness())
        assert log.keys().log_key_at(receipt.size).kid == new.kid
        log.revoke(old, last_good_index=1, reason="stolen")
        log.append("witness", witness())
    assert problems(place.path) == []
    with place.open() as log:
        assert len(log) == 6


def test_key_events_need_the_authority(place: Place) -> None:
    made = place.init()
    offline = place.keys.with_name("offline.pem")
    made.key_files["authority"].rename(offline)
    other = load(generate("producer", "other", place.keys))
    with place.open() as log:
        with pytest.raises(LogError) as caught:
            log.enrol(other)
        assert caught.value.code == "no_signer"
        log.append("witness", witness())
        assert log.enrol(other, authority=f"file:{offline}").index == 2
        with pytest.raises(LogError):
            log.enrol(other)
