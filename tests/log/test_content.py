"""Content: small and large, salted, erased, wrong (specs/06)."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ledger import Archived, ContentError, ContentRef, Ledger, RecordError
from ledger.doctor import rebuild_views
from ledger.formats.content import refer
from tests.helpers.places import Place, problems, witness

INLINE = 65536


@pytest.mark.parametrize("size", [0, 1, INLINE - 1, INLINE, INLINE + 1, 3_000_000])
@pytest.mark.parametrize("salted", [False, True])
def test_what_is_stored_is_read_back(place: Place, size: int, *, salted: bool) -> None:
    place.init(salted=salted)
    data = os.urandom(size)
    source = place.path.with_name("source")
    source.write_bytes(data)
    with place.open() as log:
        for given in (data, source, io.BytesIO(data)):
            item = log.archive(given, "application/octet-stream")
            log.append("witness", witness(item), contents=[item])
            assert item.ref.salted == salted
            assert log.content(item.ref) == data
            with log.open_content(item.ref) as file:
                assert file.read() == data
            assert log.archived(item.ref)[16 * salted :] == data
    in_files = size + 16 * salted > INLINE
    assert bool(list((place.path / "content").glob("??/*"))) == in_files
    assert problems(place.path) == []


def test_the_same_content_is_stored_once(log: Ledger) -> None:
    for turn in range(3):
        item = log.archive(b"same", "text/plain")
        log.append("witness", witness(item), contents=[item])
        if turn == 1:
            assert len(list(log.find(content=item.ref))) == 2
    with log.store.reading() as snapshot:
        assert snapshot.blob_count() == 1


def test_large_content_can_come_as_a_file_of_archived_bytes(log: Ledger, tmp_path: Path) -> None:
    data = os.urandom(100_000)
    ref, archived = refer(data, "text/plain")
    source = tmp_path / "archived"
    source.write_bytes(archived)
    log.append("witness", witness(), contents=[Archived(ref, source), Archived(ref, data)])
    assert log.content(ref) == data
    wrong = replace(ref, sha256=bytes(32))
    with pytest.raises(ContentError):
        log.append("witness", witness(), contents=[Archived(wrong, source)])


def test_content_that_is_not_what_its_reference_says_is_refused(log: Ledger) -> None:
    item = log.archive(b"right", "text/plain")
    with pytest.raises(ContentError) as caught:
        log.append("witness", witness(item), contents=[Archived(item.ref, b"wrong")])
    assert caught.value.code == "content_mismatch"
    assert len(log) == 1
    assert not list((log.path / "content" / "tmp").iterdir())


@pytest.mark.parametrize("salted", [False, True])
def test_references_are_salted_as_the_ledger_is(place: Place, *, salted: bool) -> None:
    place.init(salted=salted)
    ref, data = refer(b"guess me", "text/plain", None if salted else bytes(16))
    with place.open() as log:
        wrong = Archived(ref, data)
        right = log.archive(b"guess me", "text/plain")
        mixed = witness(right, output=wrong)
        for body in (witness(wrong), mixed):
            with pytest.raises(RecordError) as caught:
                log.append("witness", body)
            assert caught.value.code == "body_invalid"
        with pytest.raises(RecordError):
            log.append("witness", witness(right), contents=[wrong])
        log.append("witness", witness(right, output=right), contents=[right])


def test_a_salt_hides_which_content_it_is(place: Place) -> None:
    place.init(salted=True)
    with place.open() as log:
        one, two = log.archive(b"yes", "text/plain"), log.archive(b"yes", "text/plain")
    assert one.ref != two.ref


@pytest.mark.parametrize("size", [10, 100_000])
def test_erased_content_is_gone_and_accounted_for(place: Place, size: int) -> None:
    place.init()
    data = os.urandom(size)
    with place.open() as log:
        item = log.archive(data, "text/plain")
        log.append("witness", witness(item), contents=[item])
        # A duplicate that the writer did not know of is erased too.
        if size == 10:
            log.store.content._recent.clear()
            log.append("witness", witness(item), contents=[item])
        assert log.erased_by(item.ref) is None
        receipt = log.erase(item.ref, "asked for")
        assert log.get(receipt.index).payload.body["reason"] == "asked for"
        for read in (log.content, log.open_content):
            with pytest.raises(ContentError) as caught:
                read(item.ref)
            assert caught.value.code == "content_erased"
        assert log.erased_by(item.ref) == receipt.index
        with log.store.reading() as snapshot:
            assert all(data not in value for _, value in snapshot.blobs(0, 99))
    assert not list((place.path / "content").glob("??/*"))
    assert problems(place.path) == []
    rebuild_views(place.path)
    with place.open() as log:
        again = log.archive(data, "text/plain")
        log.append("witness", witness(again), contents=[again])
        assert log.content(item.ref) == data
    assert problems(place.path) == []


def test_content_that_was_never_stored_is_missing(log: Ledger) -> None:
    ref = ContentRef(bytes(32), bytes(32), 1, "text/plain")
    with pytest.raises(ContentError) as caught:
        log.content(ref)
    assert caught.value.code == "content_missing"


def test_damaged_content_is_not_handed_out(log: Ledger) -> None:
    item = log.archive(os.urandom(100_000), "text/plain")
    log.append("witness", witness(item), contents=[item])
    (path,) = (log.path / "content").glob("??/*")
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    for read in (log.content, log.archived, log.open_content):
        with pytest.raises(ContentError) as caught:
            read(item.ref)
        assert caught.value.code == "content_mismatch"
