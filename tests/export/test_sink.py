"""Folder and zip writers: whole under the final name or not there (specs/07 §1, §8)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import ExportError, FormatError
from ledger.export.sink import FolderSink, Sink, ZipSink, open_sink, remove_abandoned

TARGETS = pytest.mark.parametrize("name", ["runs", "runs.zip"])


def read_back(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return {
            str(file.relative_to(path)): file.read_bytes()
            for file in path.rglob("*")
            if file.is_file()
        }
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def partials(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".partial-" in path.name]


@TARGETS
def test_files_are_streamed_hashed_and_counted(tmp_path: Path, name: str) -> None:
    """What `add` says about a file is what then lies in the package."""
    with open_sink(tmp_path / name) as sink:
        written = sink.add("data/a/b.txt", (b"x" * 1000 for _ in range(3)), compress=True)
        sink.add("data/empty", ())
        assert not (tmp_path / name).exists()
        assert sink.finish() == tmp_path / name
    assert written == ("data/a/b.txt", hashlib.sha256(b"x" * 3000).digest(), 3000)
    assert (sink.files, sink.size_bytes) == (2, 3000)
    assert read_back(tmp_path / name) == {"data/a/b.txt": b"x" * 3000, "data/empty": b""}
    assert partials(tmp_path) == []


@TARGETS
def test_an_error_leaves_nothing(tmp_path: Path, name: str) -> None:
    """When a source of bytes fails, the package and its partial are gone."""

    def failing() -> Iterator[bytes]:
        yield b"begun"
        raise ValueError("source")

    with pytest.raises(ValueError, match="source"), open_sink(tmp_path / name) as sink:
        sink.add("data/a", failing())
    assert list(tmp_path.iterdir()) == []


@TARGETS
@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_target_that_exists_is_refused_and_left_alone(tmp_path: Path, name: str, make) -> None:  # type: ignore[no-untyped-def]
    """An empty folder, a file, whatever it is: export_exists."""
    make(tmp_path / name)
    with pytest.raises(ExportError) as caught:
        open_sink(tmp_path / name)
    assert caught.value.code == "export_exists"


@TARGETS
def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path: Path, name: str) -> None:
    """Renaming would replace a file silently, so the writer looks again."""
    with open_sink(tmp_path / name) as sink:
        sink.add("data/a", [b"mine"])
        (tmp_path / name).write_bytes(b"theirs")
        with pytest.raises(ExportError) as caught:
            sink.finish()
    assert caught.value.code == "export_exists"
    assert (tmp_path / name).read_bytes() == b"theirs"
    assert partials(tmp_path) == []


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    """A link to nowhere would be followed or replaced; it is refused."""
    (tmp_path / "runs").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError) as caught:
        open_sink(tmp_path / "runs")
    assert caught.value.code == "export_exists"


def test_a_missing_parent_folder_is_an_export_error(tmp_path: Path) -> None:
    """The folder around the target is not made up."""
    with pytest.raises(ExportError) as caught:
        open_sink(tmp_path / "no" / "runs")
    assert caught.value.code == "export_failed"


@pytest.mark.parametrize(
    "path",
    [
        *("", "/a", "a//b", "a/", "..", "a/../b", "./a", "a b", "ä", "a\nb", "a\\b"),
        *("x" * 129, "/".join("a" * 17), "/".join(["x" * 128] * 8)),
    ],
)
def test_paths_outside_the_page_are_refused(tmp_path: Path, path: str) -> None:
    """specs/07 §1: components, their characters and lengths, their number, the whole length."""
    with open_sink(tmp_path / "runs") as sink, pytest.raises(FormatError) as caught:
        sink.add(path, [b""])
    assert caught.value.code == "name_invalid"


def test_the_longest_allowed_path_is_written(tmp_path: Path) -> None:
    """Sixteen components and components of 128 characters are allowed."""
    with open_sink(tmp_path / "runs") as sink:
        sink.add("/".join("a" * 16), [b""])
        sink.add("b/" + "x" * 128, [b""])
        sink.finish()


def test_the_same_files_give_the_same_zip(tmp_path: Path) -> None:
    """Times and modes of members are fixed, and text is deflated while content is stored."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        with ZipSink(tmp_path / folder / "my runs.zip") as sink:
            sink.add("README.md", [b"text " * 100], compress=True)
            sink.add("data/content/aa", [b"bytes " * 100])
            sink.finish()
    first, second = (tmp_path / folder / "my runs.zip" for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        text, content = archive.infolist()
    assert text.filename == "my-runs/README.md"
    assert (text.compress_type, content.compress_type) == (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)
    assert text.date_time == (1980, 1, 1, 0, 0, 0)
    assert text.external_attr >> 16 == 0o100644


def test_zip_is_chosen_by_suffix_or_by_word(tmp_path: Path) -> None:
    """`.zip` in any case means zip, unless the caller says otherwise."""
    for name, zipped, kind in [
        ("a.ZIP", None, ZipSink),
        ("b", None, FolderSink),
        ("c", True, ZipSink),
        ("d.zip", False, FolderSink),
    ]:
        with open_sink(tmp_path / name, zipped=zipped) as sink:
            assert type(sink) is kind


WRITE_FOREVER = """
import sys, time
from pathlib import Path
from ledger.export.sink import open_sink
sink = open_sink(Path(sys.argv[1]))
sink.add("data/a", [b"x" * 100000])
def slow():
    yield b"y" * 100000
    print("half", flush=True)
    time.sleep(60)
sink.add("data/b", slow())
"""


@TARGETS
def test_a_killed_export_leaves_nothing_under_the_name_and_the_next_cleans_up(
    tmp_path: Path, name: str
) -> None:
    """SIGKILL in the middle of a file: the partial is there, and the next export removes it."""
    target = tmp_path / name
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(target)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert partials(tmp_path) == [f".{name}.partial-{process.pid}"]
    assert not target.exists()
    with open_sink(target) as sink:
        assert partials(tmp_path) == [f".{name}.partial-{os.getpid()}"]
        sink.add("data/a", [b"x"])
        sink.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@TARGETS
def test_a_partial_that_is_being_written_is_left_alone(tmp_path: Path, name: str) -> None:
    """Another living export to the same target keeps its files; ours is refused."""
    target = tmp_path / name
    with open_sink(target) as first:
        assert remove_abandoned(target) == []
        with pytest.raises(ExportError) as caught:
            open_sink(target)
        assert caught.value.code in {"export_exists", "export_failed"}
        first.add("data/a", [b"x"])
        first.finish()
    assert target.exists()


def test_a_partial_with_our_own_pid_is_stale_when_nobody_holds_it(tmp_path: Path) -> None:
    """In a container every run may have the same pid; the lock tells, not the number."""
    stale = tmp_path / f".runs.partial-{os.getpid()}"
    (stale / "data").mkdir(parents=True)
    (stale / "data" / "old").write_bytes(b"old")
    with open_sink(tmp_path / "runs") as sink:
        sink.add("data/new", [b"new"])
        sink.finish()
    assert read_back(tmp_path / "runs") == {"data/new": b"new"}


def test_only_partials_of_this_target_are_removed(tmp_path: Path) -> None:
    """Neighbours with similar names, and links, are not ours."""
    (tmp_path / ".other.partial-1").mkdir()
    (tmp_path / ".runs.partial-x").mkdir()
    (tmp_path / ".runs.partial-2").symlink_to(tmp_path / ".other.partial-1")
    (tmp_path / ".runs.partial-3").mkdir()
    assert [path.name for path in remove_abandoned(tmp_path / "runs")] == [".runs.partial-3"]
    assert len(partials(tmp_path)) == 3


def test_the_lock_ends_with_the_export(tmp_path: Path) -> None:
    """After `finish` nothing holds the package any more."""
    sink: Sink
    with open_sink(tmp_path / "runs") as sink:
        sink.finish()
    descriptor = os.open(tmp_path / "runs", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
