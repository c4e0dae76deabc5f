"""Packages made to mislead or exhaust whoever opens them: links, names, pipes, zips, sizes."""

from __future__ import annotations

import os
import random
import stat
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from tests.attack.conftest import Judge, Package, Scene
from tests.helpers import forge
from tests.helpers.damage import damage_bytes
from tests.helpers.keys import signer
from tests.helpers.world import audit, found
from verifier import Report
from verifier.html import to_html

CHECKPOINT = "data/log/checkpoint"
SUMMARY = "data/summary.html"


@pytest.fixture
def folder(whole: Package, tmp_path: Path) -> Path:
    """A copy of the package as a folder."""
    return forge.put(whole.files, tmp_path / "package")


def refused(scene: Scene, path: Path) -> set[tuple[str, int | str | None]]:
    """Audit a package that has to fail."""
    report = audit(path, scene.world, head=scene.whole.head)
    assert report.exit_code == 1, report.to_text()
    return found(report)


# Folders


@pytest.mark.parametrize("target", ["inside", "outside", "nowhere", "itself"])
def test_a_link_in_place_of_a_file(scene: Scene, folder: Path, tmp_path: Path, target: str) -> None:
    """A symbolic link is never followed, even to the very bytes that belong there."""
    outside = tmp_path / "outside"
    outside.write_bytes((folder / SUMMARY).read_bytes())
    inside = folder / "data" / "ro-crate-metadata.json"
    (folder / SUMMARY).unlink()
    points = {
        "inside": inside,
        "outside": outside,
        "nowhere": tmp_path / "x",
        "itself": folder / SUMMARY,
    }
    (folder / SUMMARY).symlink_to(points[target])
    assert ("link_refused", SUMMARY) in refused(scene, folder)


@pytest.mark.parametrize("where", ["data", "data/log", "data/content", "data/log/tile/entries"])
def test_a_link_in_place_of_a_folder(
    scene: Scene, folder: Path, tmp_path: Path, where: str
) -> None:
    """A folder that is a link is not entered, even when it leads to the genuine files."""
    (folder / where).rename(tmp_path / "moved")
    (folder / where).symlink_to(tmp_path / "moved")
    assert ("link_refused", where) in refused(scene, folder)


@pytest.mark.parametrize(
    "where", ["README.md", "manifest-sha256.txt", SUMMARY, CHECKPOINT, "bag-info.txt", "data/extra"]
)
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_no_file_where_a_file_must_be(scene: Scene, folder: Path, where: str, kind: str) -> None:
    """A pipe does not hang the auditor; it, a socket or a folder is no file."""
    path = folder / where
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        path.mkdir()
    before = time.monotonic()
    if kind == "folder" and where == "data/extra":
        assert audit(folder, scene.world, head=scene.whole.head).exit_code == 0
        return
    wrong = refused(scene, folder)
    assert time.monotonic() - before < 5
    codes = {code for code, place in wrong if place == where}
    assert codes & (
        {"link_refused", "file_missing"} if kind != "folder" else {code for code, _ in wrong}
    )


def test_extra_files(scene: Scene, folder: Path) -> None:
    """A file that no list names, or that lists name but the page does not, is not passed over."""
    for name in ("data/notes.txt", "extra.txt", ".hidden", "data/log/tile/0/001.p/3", "data/.git"):
        files = scene.whole.files | {name: b"look here"}
        target = forge.put(files, folder.with_name("unlisted" + str(len(name))))
        assert ("file_unexpected", name) in refused(scene, target)
        listed = forge.put(forge.relist(files), folder.with_name("listed" + str(len(name))))
        assert ("file_unexpected", name) in refused(scene, listed)


@pytest.mark.parametrize(
    "name", ["data/SUMMARY.html", "readme.md", "DATA/summary.html", "data/Log/checkpoint"]
)
def test_names_that_differ_in_case_only(scene: Scene, judge: Judge, name: str) -> None:
    """Two names that are one on other systems cannot both stand in a package."""
    wrong = judge(scene.whole.files | {name: b"other"})
    assert {place for code, place in wrong if code == "name_invalid"}
    wrong = judge(scene.whole.files | {name: b"other"}, zipped=True)
    assert {place for code, place in wrong if code == "name_invalid"}


@pytest.mark.parametrize(
    "name", ["da ta", "a\nb", "\x1b[31m", "é", "a" * 129, "x" * 20 + "\u202e", "*"]
)
def test_odd_names(scene: Scene, folder: Path, name: str) -> None:
    """Names with spaces, escapes or foreign letters are refused, and shown without acting."""
    (folder / "data" / name).write_bytes(b"")
    report = audit(folder, scene.world, head=scene.whole.head)
    assert ("name_invalid", "data/" + name) in found(report)
    text = report.to_text()
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", ["<script>x", "<img src=x onerror=y>", '"onload="z', "&lt;b&gt;"])
def test_names_do_not_act_in_the_report_page(scene: Scene, folder: Path, name: str) -> None:
    """A name that is markup stands in the page as text."""
    (folder / "data" / name).write_bytes(b"")
    report = audit(folder, scene.world, head=scene.whole.head)
    assert ("name_invalid", "data/" + name) in found(report)
    page = to_html(report)
    assert name not in page
    assert escape(name, quote=True) in page


def test_deep_folders(scene: Scene, folder: Path) -> None:
    """Folders inside folders beyond the limit are refused, not descended without end."""
    (folder / "data" / "/".join("d" * 300)).mkdir(parents=True)
    assert any(code == "name_invalid" for code, _ in refused(scene, folder))


# Lists


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text + text.split(b"\n")[0] + b"\n", "package_invalid"),
        (lambda text: b"\n".join(text.split(b"\n")[::-1]), "package_invalid"),
        (lambda text: text.replace(b"  ", b" *"), "package_invalid"),
        (lambda text: text.upper(), "package_invalid"),
        (lambda text: text[:-1], "package_invalid"),
        (lambda text: text.replace(b"data/", b"data/../data/", 1), "file_missing"),
        (lambda text: text.replace(b"data/", b"/data/", 1), "package_invalid"),
        (lambda text: b"0" * 64 + b"  bagit.txt\n" + text, "package_invalid"),
        (lambda text: text + b"0" * 64 + b"  data/zzz\n", "file_missing"),
        (lambda text: b"", "file_unexpected"),
        (lambda text: b"a" * 1_000_000, "package_invalid"),
        (lambda text: b"\n" * 500_000, "package_invalid"),
        (lambda text: b"0" * 64 + b"  " + b"data/" * 200_000 + b"\n", "package_invalid"),
    ],
    ids=["twice", "order", "star", "upper", "end", "dots", "absolute", "tag", "more", "empty",
         "letters", "newlines", "endless"],
)  # fmt: skip
def test_manifests(
    scene: Scene, tmp_path: Path, change: Callable[[bytes], bytes], code: str
) -> None:
    """A manifest that is malformed, unordered or endless is refused, in little memory."""
    files = scene.whole.files
    files["manifest-sha256.txt"] = change(files["manifest-sha256.txt"])
    tags = [p for p in files if not p.startswith("data/") and p != "tagmanifest-sha256.txt"]
    files["tagmanifest-sha256.txt"] = forge._list(files, tags)
    path = forge.put(files, tmp_path / "package")
    tracemalloc.start()
    try:
        wrong = refused(scene, path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert code in {found_code for found_code, _ in wrong}
    assert peak < 8 << 20


# Sizes that are only claimed


@pytest.mark.parametrize("size", [256, 257, 65536, 2**32, 2**56, 2**62, 2**63 - 1])
def test_a_head_of_a_huge_tree(scene: Scene, tmp_path: Path, size: int) -> None:
    """A head that claims more records than there are costs the auditor neither time nor memory."""
    for by in (scene.world.log_key, signer("nobody", scene.world.origin, "log")):
        for package in (scene.whole, scene.session):
            files = package.files | {CHECKPOINT: forge.sign_head(size, bytes(32), by)}
            path = forge.put(forge.relist(files), tmp_path / f"{package.path.name}-{by.kid.hex()}")
            before = time.process_time()
            refused(scene, path)
            assert time.process_time() - before < 0.5


def test_a_package_of_nothing(scene: Scene, tmp_path: Path) -> None:
    """A package that holds no record, or no log at all, is never verified."""
    only = {p: d for p, d in scene.whole.files.items() if not p.startswith("data/")}
    only["data/log/checkpoint"] = scene.whole.files[CHECKPOINT]
    del only["seal-sha256.txt"]
    for number, files in enumerate((only, {k: v for k, v in only.items() if k != CHECKPOINT})):
        path = forge.put(forge.relist(files), tmp_path / f"nothing-{number}")
        assert audit(path, scene.world, head=scene.whole.head).exit_code == 1
        (path / "data/log/proved").mkdir(parents=True)
        report = audit(path, scene.world, head=scene.whole.head)
        assert report.exit_code in (1, 3)
        assert audit(path, scene.world, head=scene.whole.head, require=["integrity"]).exit_code == 1


def test_other_things_than_packages(scene: Scene, tmp_path: Path) -> None:
    """An empty folder, an empty or torn zip, a pipe and a missing path cannot be read at all."""
    empty, torn, pipe = tmp_path / "empty", tmp_path / "torn.zip", tmp_path / "pipe"
    empty.mkdir()
    whole = forge.put(scene.whole.files, tmp_path / "whole.zip", zipped=True).read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    os.mkfifo(pipe)
    (tmp_path / "zero").write_bytes(b"")
    for path, code in (
        (empty, "not_a_package"), (torn, "zip_invalid"), (pipe, "not_a_package"),
        (tmp_path / "zero", "zip_invalid"), (tmp_path / "absent", "input_unreadable"),
        (tmp_path / "nul\0", "input_unreadable"),
    ):  # fmt: skip
        report = audit(path, scene.world)
        assert report.exit_code == 2
        assert {one["code"] for one in report.findings} == {code}


# Zips


def zipped(files: forge.Files, target: Path, *more: tuple[zipfile.ZipInfo, bytes]) -> Path:
    """A package as a zip, with some members that do not belong."""
    forge.put(files, target, zipped=True)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for info, data in more:
            archive.writestr(info, data)
    return target


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """A member of some name and kind."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../evil", "name_invalid"), ("/etc/passwd", "name_invalid"),
        ("package/../../evil", "name_invalid"), ("package//evil", "name_invalid"),
        ("package/data\\evil", "name_invalid"), ("other/file", "file_unexpected"),
        ("package/./x", "name_invalid"), ("C:/evil", "name_invalid"), ("package/é", "name_invalid"),
    ],
)  # fmt: skip
def test_zip_names(scene: Scene, tmp_path: Path, name: str, code: str) -> None:
    """Members that lead out of the package, or beside it, are refused."""
    path = zipped(scene.whole.files, tmp_path / "package.zip", (member(name), b"x"))
    codes = {one for one, _ in refused(scene, path)}
    assert codes & {code, "name_invalid"}


def test_zip_links_and_devices(scene: Scene, tmp_path: Path) -> None:
    """A member that is a link or a device is refused for that."""
    for number, mode in enumerate((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK)):
        path = tmp_path / f"{number}.zip"
        zipped(scene.whole.files, path, (member("package/data/link", mode | 0o777), b"/etc/passwd"))
        assert "link_refused" in {code for code, _ in refused(scene, path)}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_members_of_one_name(scene: Scene, tmp_path: Path) -> None:
    """Of two members with one name nobody can say which is meant."""
    path = zipped(scene.whole.files, tmp_path / "p.zip", (member(f"package/{SUMMARY}"), b"other"))
    report = audit(path, scene.world, head=scene.whole.head)
    assert report.exit_code in (1, 2)
    assert {one["code"] for one in report.findings} & {"zip_bounds", "name_invalid", "zip_invalid"}


def test_zip_bombs(scene: Scene, tmp_path: Path) -> None:
    """A member that would unpack to a thousand times its size is refused, in little memory."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in scene.whole.files.items():
            archive.writestr("package/" + name, data)
    raw = bytearray(path.read_bytes())
    at = raw.find(b"PK\x01\x02")
    for size in (2 << 20, 2**32 - 2):
        bomb = bytearray(raw)
        struct.pack_into("<L", bomb, at + 24, size)
        local = struct.unpack_from("<L", bomb, at + 42)[0]
        struct.pack_into("<L", bomb, local + 22, size)
        path.write_bytes(bomb)
        tracemalloc.start()
        try:
            report = audit(path, scene.world, head=scene.whole.head)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert report.exit_code in (1, 2)
        assert {one["code"] for one in report.findings} & {"zip_bounds", "zip_invalid"}
        assert peak < 8 << 20


# Anything at all


def damaged_report(scene: Scene, path: Path) -> Report:
    """Audit whatever there is; it must answer, and must be able to show its answer."""
    report = audit(path, scene.world, head=scene.whole.head)
    assert report.exit_code in (0, 1, 2, 3)
    assert report.to_text().isascii()
    report.to_json()
    return report


@pytest.mark.parametrize("seed", range(4))
def test_any_damage_to_any_file(scene: Scene, tmp_path: Path, seed: int) -> None:
    """Random damage to random files, with lists made to fit: an answer, and never "verified"."""
    rng = random.Random(seed)
    for number in range(30):
        package = rng.choice((scene.whole, scene.session))
        files = package.files
        # A consistency proof means something only to whoever knows the head that it begins at.
        path = rng.choice([p for p in files if files[p] and "/consistency/" not in p])
        damaged = damage_bytes(files[path], rng)
        if damaged == files[path]:
            continue
        files[path] = damaged
        fit = rng.random() < 0.6 and path not in ("bag-info.txt", *forge.LISTS)
        target = tmp_path / str(number)
        forge.put(forge.relist(files) if fit else files, target, zipped=rng.random() < 0.3)
        assert damaged_report(scene, target).exit_code in (1, 2), (path, fit)


@pytest.mark.parametrize("seed", range(2))
def test_any_damage_to_a_zip(scene: Scene, tmp_path: Path, seed: int) -> None:
    """Random damage to a zip file is answered, whatever part of the format it hits."""
    rng = random.Random(seed)
    honest = forge.put(scene.whole.files, tmp_path / "honest.zip", zipped=True).read_bytes()
    directory = honest.find(b"PK\x01\x02")
    for number in range(60):
        where = rng.choice((0, directory, len(honest) - 22))
        damaged = honest[:where] + damage_bytes(honest[where:], rng)
        path = tmp_path / f"{number}.zip"
        path.write_bytes(damaged)
        report = damaged_report(scene, path)
        # Times and attributes in the zip itself say nothing about the package.
        assert report.exit_code != 3
        if report.exit_code == 0:
            assert forge.take(path) == scene.whole.files


def test_processes_find_what_one_finds(scene: Scene, tmp_path: Path) -> None:
    """The answer does not depend on the number of processes, whatever is wrong."""
    rng = random.Random(7)
    for number in range(5):
        files = scene.whole.files
        log = scene.whole.log
        index = rng.randrange(len(log))
        log[index] = damage_bytes(log[index], rng)
        path = forge.put(forge.relist(forge.set_log(files, log)), tmp_path / str(number))
        one, two = (audit(path, scene.world, head=scene.whole.head, jobs=jobs) for jobs in (1, 2))
        assert one.exit_code == 1
        assert (one.to_dict()["findings"], one.counts) == (two.to_dict()["findings"], two.counts)
