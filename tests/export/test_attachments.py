"""Packages of others in `attachments/` of a package (specs/13 section 10)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.errors import ExportError, ReplayError
from ledger.export import attachments, export
from ledger.export.attachments import attach
from tests.export.lab import Lab, read_package
from tests.replay.planned import review, tell


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package `p`, and packages `review` and `review.zip` of somebody who replayed from it."""
    folder = tmp_path_factory.mktemp("made")
    with Lab(folder).open() as log:
        at = tell(log)
        export(log, folder / "p", replay=True)
        other = review(folder / "other", log, at["chat"], at["local"])
    with other.open() as log:
        export(log, folder / "review")
        export(log, folder / "review.zip")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """Copies of these packages, to be changed."""
    shutil.copytree(made / "p", tmp_path / "p")
    shutil.copytree(made / "review", tmp_path / "review")
    shutil.copy(made / "review.zip", tmp_path / "review.zip")
    return tmp_path


def refused(package: Path, replays: Path, name: str | None = None) -> ExportError:
    """The error, after which nothing has changed."""
    before = read_package(package) if package.is_dir() else {}
    with pytest.raises(ExportError) as caught:
        attach(package, replays, name)
    assert not package.is_dir() or read_package(package) == before
    return caught.value


def test_a_zip_and_a_folder_are_copied_as_they_are(place: Path) -> None:
    """Byte for byte, and nothing else of the package changes; numbers are of its ledger."""
    before = read_package(place / "p")
    one = attach(place / "p", place / "review.zip")
    one.path.rename(place / "aside.zip")
    two = attach(place / "p", place / "review", "again")
    assert (one.path.name, one.replays, one.succeeded) == ("review.zip", 2, 2)
    assert one.genesis == two.genesis
    assert (place / "aside.zip").read_bytes() == (place / "review.zip").read_bytes()
    assert read_package(two.path) == read_package(place / "review")
    after = {
        path: data
        for path, data in read_package(place / "p").items()
        if not path.startswith("attachments/")
    }
    assert after == before
    assert [path.name for path in (place / "p" / "attachments").iterdir()] == ["again"]


def test_attachments_of_an_attachment_are_left_behind(place: Path) -> None:
    """They are no part of it (specs/07 section 7)."""
    (place / "review" / "attachments").mkdir()
    (place / "review" / "attachments" / "x.zip").write_bytes(b"x")
    assert not (attach(place / "p", place / "review").path / "attachments").exists()


def test_names_follow_the_rules_and_are_not_taken(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of specs/07 section 1, none twice in whatever case, one of a ledger, so many in all."""
    for name in ("", ".", "..", "a/b", "../x", "ä", "a b", "x" * 129, "/x"):
        assert refused(place / "p", place / "review.zip", name).code == "attach_refused"
    attach(place / "p", place / "review.zip")
    assert refused(place / "p", place / "review.zip").code == "export_exists"
    assert refused(place / "p", place / "review", "REVIEW.zip").code == "export_exists"
    assert "same ledger" in refused(place / "p", place / "review", "more").message
    monkeypatch.setattr(attachments, "ATTACHMENTS_MAX", 1)
    error = refused(place / "p", place / "review.zip", "more.zip")
    assert (error.code, "at most 1" in error.message) == ("attach_refused", True)


def test_what_does_not_belong_there_is_refused(place: Path, tmp_path: Path) -> None:
    """A zip takes none; the same ledger, one without replays of this ledger, a link."""
    error = refused(place / "review.zip", place / "review")
    assert (error.code, "--beside" in str(error.hint)) == ("attach_refused", True)
    assert "same ledger" in refused(place / "p", place / "p", "q").message
    (tmp_path / "stranger").mkdir()
    with Lab(tmp_path / "stranger").open() as log:
        log.record(model="m", prompt="p")
        export(log, tmp_path / "stranger.zip")
    assert "no replay" in refused(place / "p", tmp_path / "stranger.zip").message
    assert "no replay" in refused(place / "review", place / "p").message
    for name in ("nowhere", "p/bagit.txt", "stranger"):
        with pytest.raises(ReplayError):
            attach(place / "p", place / name)
    (place / "p" / "attachments").symlink_to(tmp_path)
    assert "link" in refused(place / "p", place / "review.zip").message


def test_a_link_inside_is_not_copied(place: Path) -> None:
    """What is neither file nor folder ends the copy, and nothing of it is left."""
    (place / "review" / "data" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ReplayError, match="neither a file nor a folder"):
        attach(place / "p", place / "review")
    assert list((place / "p" / "attachments").iterdir()) == []


def test_what_a_killed_copy_left_is_removed(place: Path) -> None:
    """It carries a name of its own, counts for nothing, and goes with the next attempt."""
    left = place / "p" / "attachments" / ".review.zip.partial-1"
    left.parent.mkdir()
    left.write_bytes(b"half")
    attach(place / "p", place / "review.zip")
    assert [one.name for one in left.parent.iterdir()] == ["review.zip"]
