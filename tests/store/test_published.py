"""The published head guards against a database that went back in time (specs/09 section 3)."""

from __future__ import annotations

import shutil

import pytest

from ledger import LedgerError, StoreError
from ledger.store.published import Published
from tests.helpers.places import Place, drafts, problems, witness


def codes(place: Place) -> list[str]:
    return [found.code for found in problems(place.path)]


def test_an_older_copy_of_the_database_is_refused(place: Place) -> None:
    place.init()
    with place.open() as log:
        log.append("witness", witness())
    shutil.copytree(place.path / "db", place.path.with_name("backup"))
    with place.open() as log:
        log.append("witness", witness())
    shutil.rmtree(place.path / "db")
    shutil.copytree(place.path.with_name("backup"), place.path / "db")
    for read_only in (True, False):
        with pytest.raises(StoreError) as caught:
            place.open(read_only=read_only)
        assert caught.value.code == "rolled_back"
    assert codes(place) == ["rolled_back"]


def test_a_database_with_another_history_is_refused(place: Place) -> None:
    """As large as the published head, or larger, and not its continuation."""
    place.init()
    shutil.copytree(place.path, place.path.with_name("fork.vif"))
    fork = Place(place.path.with_name("fork.vif"), place.keys)
    for count in (1, 3):
        with place.open() as log:
            log.append_many(drafts(1))
        with fork.open() as log:
            log.append_many(drafts(count))
        (fork.path / "checkpoint").write_bytes((place.path / "checkpoint").read_bytes())
        with pytest.raises(StoreError) as caught:
            fork.open()
        assert caught.value.code == "rolled_back"
        assert "rolled_back" in codes(fork)
        (fork.path / "checkpoint").unlink()


@pytest.mark.parametrize("torn", [b"", b"example.org/lab\n3\n", b"\xff" * 200, None])
def test_a_torn_head_is_published_again(place: Place, torn: bytes | None) -> None:
    place.init()
    with place.open() as log:
        note = log.append("witness", witness()).checkpoint
    file = place.path / "checkpoint"
    if torn is None:
        file.unlink()
    else:
        file.write_bytes(torn)
    assert codes(place) == ["head_unpublished"]
    with place.open(read_only=True):
        assert not file.exists() or file.read_bytes() == torn
    with place.open():
        assert file.read_bytes() == note
    assert codes(place) == []


def test_a_head_that_is_behind_is_published_again(place: Place) -> None:
    place.init()
    old = (place.path / "checkpoint").read_bytes()
    with place.open() as log:
        note = log.append("witness", witness()).checkpoint
    (place.path / "checkpoint").write_bytes(old)
    with place.open():
        assert (place.path / "checkpoint").read_bytes() == note


def test_a_published_head_never_becomes_smaller(place: Place) -> None:
    place.init()
    old = (place.path / "checkpoint").read_bytes()
    with place.open() as log:
        note = log.append("witness", witness()).checkpoint
    Published(place.path).publish(old, 1)
    assert (place.path / "checkpoint").read_bytes() == note


def test_a_head_of_another_log_key_is_refused(place: Place) -> None:
    """The stored head has to be signed by the ledger's own log key."""
    place.init()
    other = Place(place.path.with_name("other.vif"), place.keys.with_name("other"))
    other.init()
    with place.open() as log:
        environment = log.store.environment
        foreign = (other.path / "checkpoint").read_bytes()
        with environment.write() as txn:
            txn.put(b"head", foreign, db=environment.tables["meta"])
    with pytest.raises(LedgerError) as caught:
        place.open()
    assert caught.value.code == "tree_damaged"


@pytest.mark.parametrize("possible", [True, False])
def test_publishing_does_not_depend_on_exchanging_files(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, possible: bool
) -> None:
    place.init()
    if not possible:
        monkeypatch.setattr("ledger.store.published._renameat2", None)
    with place.open() as log:
        for _ in range(3):
            note = log.append("witness", witness()).checkpoint
            assert (place.path / "checkpoint").read_bytes() == note
        assert (place.path / ".checkpoint.new").exists() == possible
    assert codes(place) == []
