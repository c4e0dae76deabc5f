"""Digests of weights: files, folders, and what is remembered of them (specs/13 section 1)."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc8785
from blake3 import blake3

from ledger.errors import ReplayError
from ledger.replay import hashcache, weights
from ledger.replay.hashcache import HashCache
from ledger.replay.weights import measure, weights_digest

LONG_AGO = 1_700_000_000


@pytest.fixture(autouse=True)
def users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep away from the cache of whoever runs the tests."""
    file = tmp_path / "cache" / "weights.json"
    monkeypatch.setattr(HashCache, "of_user", classmethod(lambda cls: cls(file)))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "b").mkdir(parents=True)
    (made / "b" / "x.json").write_bytes(b"{}")
    (made / "b-").write_bytes(b"before the folder b by bytes")
    (made / "model.safetensors").write_bytes(b"weights" * 1000)
    (made / "empty").write_bytes(b"")
    return made


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a function that tells how many files were hashed since it was asked last."""
    hashed: list[Path] = []
    original = weights._hash

    def spy(file: Path, *others: object) -> bytes:
        hashed.append(file)
        return original(file, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(weights, "_hash", spy)

    def ask() -> int:
        number = len(hashed)
        hashed.clear()
        return number

    return ask


def later(monkeypatch: pytest.MonkeyPatch, seconds: float = 10) -> None:
    """Let it be later, so that files written just now are not new."""
    ahead = int(seconds * 1e9)
    monkeypatch.setattr(hashcache.time, "time_ns", lambda now=time.time_ns: now() + ahead)


def refused(place: Path) -> str:
    with pytest.raises(ReplayError) as error:
        weights_digest(place)
    assert error.value.code == "model_unavailable"
    return error.value.message


# Digests


@pytest.mark.parametrize("size", [0, 1, 4095, 3_000_000])
def test_a_file_is_blake3_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "model.gguf").write_bytes(data)
    assert weights_digest(tmp_path / "model.gguf") == blake3(data).digest()


def test_a_folder_is_its_manifest(folder: Path) -> None:
    """Made here by hand from the page: order by bytes, where `b-` comes before `b/x.json`."""
    paths = ["b-", "b/x.json", "empty", "model.safetensors"]
    files = [
        {
            "blake3": blake3((folder / path).read_bytes()).hexdigest(),
            "path": path,
            "size_bytes": (folder / path).stat().st_size,
        }
        for path in paths
    ]
    expected = blake3(rfc8785.dumps({"files": files})).digest()
    assert weights_digest(folder) == expected
    assert weights_digest(f"{folder}/") == expected
    assert measure(folder).files == 4


def test_names_are_in_order_of_their_bytes(tmp_path: Path) -> None:
    """Not of code units, as RFC 8785 sorts members."""
    names = ["\ufb01", "\U0001f600", "z", "ä", "Z"]
    for name in names:
        (tmp_path / "m").mkdir(exist_ok=True)
        (tmp_path / "m" / name).write_bytes(b"")
    states = measure(tmp_path / "m").states
    assert [name for name, _ in states] == sorted(names, key=str.encode)


def test_any_change_is_another_digest(folder: Path) -> None:
    found = {weights_digest(folder)}
    (folder / "empty").rename(folder / "empty2")
    found.add(weights_digest(folder))
    (folder / "new").write_bytes(b"")
    found.add(weights_digest(folder))
    (folder / "b" / "x.json").write_bytes(b"[]")
    found.add(weights_digest(folder))
    assert len(found) == 4


def test_a_link_to_a_file_inside_counts_as_that_file(folder: Path) -> None:
    before = weights_digest(folder)
    (folder / "b" / "x.json").rename(folder / "moved")
    (folder / "b" / "x.json").symlink_to("../moved")
    with_link = weights_digest(folder)
    assert with_link != before
    data = (folder / "moved").read_bytes()
    (folder / "b" / "x.json").unlink()
    (folder / "b" / "x.json").write_bytes(data)
    assert weights_digest(folder) == with_link


def test_a_link_to_the_weights_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert weights_digest(tmp_path / "link") == weights_digest(folder)


# What is refused


def test_a_link_that_leads_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"")
    (folder / "link").symlink_to(tmp_path / "outside")
    assert "out of the folder" in refused(folder)


def test_links_to_folders_and_to_nothing_are_refused(folder: Path) -> None:
    (folder / "link").symlink_to("b")
    assert "link" in refused(folder)
    (folder / "link").unlink()
    (folder / "link").symlink_to("nothing")
    assert "No such file" in refused(folder)
    (folder / "link").unlink()
    (folder / "link").symlink_to("link")
    assert str(folder) in refused(folder)


def test_what_is_neither_file_nor_folder_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe")
    assert "pipe: neither a file nor a folder" in refused(folder)
    assert "neither" in refused(folder / "pipe")
    (folder / "pipe").unlink()
    monkeypatch.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s")
        assert "neither" in refused(folder)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "nothing")


def test_a_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"")
    assert "not UTF-8" in refused(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "b").chmod(0)
    assert "Permission denied" in refused(folder)
    (folder / "b").chmod(0o755)


def test_a_file_that_changes_meanwhile_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PIECE_BYTES", 1000)
    file = folder / "model.safetensors"

    def touch(done: int, total: int) -> None:
        os.utime(file, (LONG_AGO, LONG_AGO))

    with pytest.raises(ReplayError, match="changed while it was read"):
        weights_digest(file, progress=touch)


def test_whether_weights_changed_since(folder: Path) -> None:
    found = measure(folder)
    assert not found.changed()
    (folder / "added").write_bytes(b"")
    assert found.changed()
    (folder / "added").unlink()
    assert not found.changed()
    (folder / "empty").unlink()
    assert found.changed()


# Progress


def test_progress_moves_within_a_file_and_ends_at_the_total(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PIECE_BYTES", 1000)
    told: list[tuple[int, int]] = []
    digest = weights_digest(folder, progress=lambda *one: told.append(one))
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert {whole for _, whole in told} == {total}
    done = [number for number, _ in told]
    assert done == sorted(done)
    assert done[-1] == total
    assert len(set(done)) > 7
    assert digest == weights_digest(folder, cache=None)


# What is remembered


def test_what_did_not_change_is_not_hashed_again(
    folder: Path, count: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch)
    first = weights_digest(folder)
    assert count() == 4
    assert weights_digest(folder) == first
    assert count() == 0
    weights_digest(folder / "model.safetensors")
    assert count() == 0
    weights_digest(folder, cache=None)
    assert count() == 4


def test_a_file_written_to_just_now_is_not_remembered(
    folder: Path, count: Callable[[], int]
) -> None:
    weights_digest(folder)
    assert count() == 4
    weights_digest(folder)
    assert count() == 4


@pytest.mark.parametrize("way", ["longer", "same length", "time set back", "replaced"])
def test_a_file_that_changed_is_hashed_again(
    folder: Path, count: Callable[[], int], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    later(monkeypatch)
    file = folder / "model.safetensors"
    first, before = weights_digest(folder), file.stat()
    count()
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    if way == "replaced":
        file.unlink()
    time.sleep(0.02)  # a tick of the file system's clock
    file.write_bytes(data + b"!" if way == "longer" else data)
    if way != "longer":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    if way == "same length":
        os.utime(file)
    assert weights_digest(folder) != first
    assert count() == 1


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"version":2,"files":{}}',
        b'{"version":1,"files":[]}',
        b'{"version":1,"files":{"a":7,"b":[1]}}',
    ],
    ids=lambda damage: repr(damage[:12]),
)
def test_a_damaged_cache_is_as_good_as_none(
    folder: Path,
    count: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    users_cache: Path,
    damage: bytes,
) -> None:
    later(monkeypatch)
    users_cache.parent.mkdir()
    users_cache.write_bytes(damage)
    expected = weights_digest(folder, cache=None)
    count()
    assert weights_digest(folder) == expected
    assert count() == 4
    assert weights_digest(folder) == expected
    assert count() == 0


def test_digests_in_the_cache_that_are_none_are_not_used(
    folder: Path, count: Callable[[], int], monkeypatch: pytest.MonkeyPatch, users_cache: Path
) -> None:
    later(monkeypatch)
    expected = weights_digest(folder)
    kept = json.loads(users_cache.read_bytes())
    for entry, wrong in zip(kept["files"].values(), (None, "zz", "00", 7), strict=True):
        entry[-1] = wrong
    users_cache.write_text(json.dumps(kept))
    count()
    assert weights_digest(folder) == expected
    assert count() == 4


def test_a_cache_that_others_may_write_is_not_believed(
    folder: Path, count: Callable[[], int], monkeypatch: pytest.MonkeyPatch, users_cache: Path
) -> None:
    later(monkeypatch)
    weights_digest(folder)
    assert users_cache.stat().st_mode & 0o777 == 0o600
    count()
    users_cache.chmod(0o666)
    weights_digest(folder)
    assert count() == 4
    assert users_cache.stat().st_mode & 0o777 == 0o600


def test_a_cache_that_cannot_be_written_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, users_cache: Path
) -> None:
    later(monkeypatch)
    users_cache.parent.write_bytes(b"a file where the folder should be")
    assert weights_digest(folder) == weights_digest(folder, cache=None)


def test_two_writers_keep_each_others_entries(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users_cache: Path
) -> None:
    later(monkeypatch)
    one, two = HashCache(users_cache), HashCache(users_cache)
    files = [folder / "empty", folder / "b-"]
    for cache in (one, two):
        assert cache.get(tmp_path, hashcache.State(0, 0, 0, 0, 0)) is None  # both have read it
    for cache, file in zip((one, two), files, strict=True):
        cache.put(file, hashcache.State.of(file.stat()), blake3(file.read_bytes()).digest())
        cache.save()
    fresh = HashCache(users_cache)
    for file in files:
        assert fresh.get(file, hashcache.State.of(file.stat())) is not None


def test_only_the_newest_entries_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, users_cache: Path
) -> None:
    later(monkeypatch)
    monkeypatch.setattr(hashcache, "ENTRIES_MAX", 2)
    weights_digest(folder)
    assert [Path(one).name for one in json.loads(users_cache.read_bytes())["files"]] == [
        "empty",
        "model.safetensors",
    ]
