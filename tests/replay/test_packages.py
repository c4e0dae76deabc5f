"""Witnesses out of packages: what is honest is found, what is edited is refused by its name."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ledger import ContentError, Ledger
from ledger.errors import LogError, ReplayError
from ledger.export import export
from ledger.formats.content import from_cbor
from ledger.replay.package_files import open_files
from ledger.replay.packages import PackageSource
from ledger.replay.plan import PLAN_LINE_MAX_BYTES
from ledger.replay.recipe import expectation, recipe
from ledger.replay.source import LedgerSource
from tests.export.lab import Lab
from tests.replay.planned import erase, tell
from tests.session.lab import NAME

PLAN = "data/replay/plan.jsonl"
Edit = Callable[[list[dict[str, Any]]], Any]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "salted"])
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ledger, dict[str, int]]]:
    """A ledger with operations of every kind, some contents of which were erased."""
    lab = Lab(tmp_path_factory.mktemp("story"), salted=request.param)
    with lab.open() as log:
        at = tell(log)
        erase(log, at["mine"], "output", "output_hash")
        yield log, at


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package as a folder, not to be changed."""
    folder = tmp_path_factory.mktemp("honest")
    with Lab(folder).open() as log:
        tell(log)
        export(log, folder / "p", replay=True)
    return folder / "p"


@pytest.fixture
def package(honest: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(honest, tmp_path / "p"))


def lines(package: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (package / PLAN).read_bytes().splitlines()]


def write(package: Path, found: list[dict[str, Any]]) -> None:
    (package / PLAN).write_bytes(b"".join(rfc8785.dumps(line) + b"\n" for line in found))


def refused(package: Path, *, reading: bool = True) -> str:
    """The message with which a package is refused: when it is opened, or when it is read."""

    def read() -> None:
        with PackageSource(package) as source:
            assert reading, "it has to be refused before anything is read"
            list(source.witnesses())

    with pytest.raises(ReplayError) as caught:
        read()
    assert caught.value.code == "package_invalid"
    return caught.value.message


@pytest.mark.parametrize("name", ["p", "p.zip"])
@pytest.mark.parametrize(
    "chosen", [{}, {"session": NAME}, {"start": 4, "end": 20}], ids=["ledger", "session", "range"]
)
def test_a_package_gives_what_its_ledger_gives(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path, chosen: dict[str, Any], name: str
) -> None:
    """The same witnesses, recipes and expectations, of every kind of package."""
    log, at = story
    made = export(log, tmp_path / name, replay=True, **chosen)
    ledger = LedgerSource(log, chosen.get("start", 0), chosen.get("end"))
    with PackageSource(made.path) as source:
        assert source.genesis == log.genesis
        found = list(source.witnesses())
        wanted = [
            one.index
            for one in log.find(type="witness", session=chosen.get("session"))
            if chosen.get("start", 0) <= one.index < chosen.get("end", len(log))
        ]
        assert [one.index for one in found] == wanted
        assert len(source) == len(wanted)
        for entry in found:
            assert source.witness(entry.id) == source.witness(str(entry.index)) == entry
            if entry.index in {at["nothing"], at["not json"], at["other engine"], at["mine"]}:
                continue
            how = recipe(source, entry.payload)
            assert how == recipe(ledger, entry.payload)
            seen = expectation(ledger, entry.payload, how)
            assert expectation(source, entry.payload, how) == seen
        of_session = [one.index for one in source.witnesses(NAME)]
        assert of_session == [one for one in wanted if log.get(one).payload.session == NAME]
        for unknown in ("0", "999999999", "-1", "x", "99999999999999999999"):
            with pytest.raises(LogError):
                source.witness(unknown)
        assert source.by_id("x") is None


def test_contents_are_those_that_are_named(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """Erased ones are missing; altered, longer and shorter ones are told apart from them."""
    log, at = story
    made = export(log, tmp_path / "p", replay=True)
    erased = from_cbor(log.get(at["mine"]).payload.body["output"]["output_hash"])
    ref = from_cbor(log.get(at["local"]).payload.body["output"]["output_hash"])
    path = made.path / "data/content" / ref.blake3.hex()[:2] / ref.blake3.hex()
    with PackageSource(made.path) as source:
        assert source.content(ref) == b"output of local"
        assert source.archived(ref) == log.archived(ref)
        with pytest.raises(ContentError) as caught:
            source.content(erased)
        assert caught.value.code == "content_missing"
        for change in (lambda data: bytes([data[0] ^ 1]) + data[1:], lambda data: data + b"x"):
            data = path.read_bytes()
            path.write_bytes(change(data))
            with pytest.raises(ContentError) as caught:
                source.content(ref)
            assert caught.value.code == "content_mismatch"
            with pytest.raises(ReplayError, match=r"not what follows.*reason"):
                source.witness(str(at["local"]))
            path.write_bytes(data)


def test_without_a_plan_there_is_nothing_to_replay(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """The error says what to ask for; what is no package at all is another error."""
    log, _ = story
    with pytest.raises(ReplayError) as caught:
        PackageSource(export(log, tmp_path / "p").path)
    assert (caught.value.code, "--replay" in str(caught.value.hint)) == ("not_replayable", True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    for name in ("folder", "file", "nowhere"):
        with pytest.raises(ReplayError) as caught:
            PackageSource(tmp_path / name)
        assert caught.value.code == "package_invalid"


def other(name: str, value: Any) -> Edit:
    """Give another value to a member of the first line; a dotted name leads inside."""

    def edit(found: list[dict[str, Any]]) -> None:
        *inside, last = name.split(".")
        place = found[1]
        for step in inside:
            place = place[step]
        place[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (other("model", "another"), "line 2 of the plan, of #7.*: model"),
        (other("path", "/v2/chat/completions"), "path"),
        (other("engine", "anthropic"), "engine"),
        (other("needs", "weights"), "needs"),
        (other("leaf_hash", "ab" * 32), "leaf_hash"),
        (other("id", "01a1f82f-2e20-7000-b594-3d314bf8f1b8"), "id"),
        (other("request.blake3", "ab" * 32), "request"),
        (other("expected.text.sha256", "ab" * 32), "expected"),
        (other("expected.tokens.count", 3), "expected"),
        (other("parameters", {"temperature": 2}), "parameters"),
        (other("weights", "ab" * 32), "weights"),
        (lambda found: found[1].update(engine="unheard-of") or found[1].pop("path"), "engine"),
        (lambda found: found.pop(1), "no line for the witness #7"),
        (lambda found: found.append(found[-1] | {"index": 99}), "of no witness"),
    ],
)  # fmt: skip
def test_a_line_that_says_otherwise_is_refused_by_its_name(
    package: Path, edit: Edit, named: str
) -> None:
    """Each is well-formed, and not what follows from the record."""
    found = lines(package)
    edit(found)
    write(package, found)
    with PackageSource(package):
        pass  # it can be opened
    message = refused(package)
    assert re.search(named, message), message


@pytest.mark.parametrize(
    "edit",
    [
        other("request.blake3", "../../../../etc/passwd"),
        other("request.blake3", "AB" * 32),
        other("weights", "/etc/passwd"),
        other("expected.text.sha256", 7),
        other("request.path", "x"),
        other("run", "os.system"),
        other("engine", "no label"),
        other("engine", None),
        other("needs", "luck"),
        other("needs", ["endpoint"]),
        other("index", -1),
        other("index", "7"),
        other("index", 7.5),
        other("id", "7"),
        other("model", 3),
        other("tool", "add"),
        other("path", 3),
        other("parameters", {}),
        other("parameters", []),
        other("levels", ["archive", "tokens", "text", "logprobs", "bits"]),
        other("levels", ["text", "tokens", "logprobs", "bits"]),
        other("levels", ["archive", "text", "text", "tokens", "logprobs", "bits"]),
        other("levels", ["archive", {}]),
        other("expected", {}),
        other("expected", []),
        other("expected.text", "x"),
        other("expected.tokens.kind", "words"),
        other("expected.bits.raw", None),
        other("reason", "not_recorded"),
        lambda found: found[1].pop("path"),
        lambda found: found[1].pop("engine"),
        lambda found: found[-1].update(reason="boredom"),
        lambda found: found[-1].update(reason=["not_recorded"]),
        lambda found: found.reverse(),
        lambda found: found.insert(1, found[1]),
    ],
)
def test_a_malformed_plan_is_refused_when_it_is_opened(package: Path, edit: Edit) -> None:
    """Unknown members, other types, digests that are paths, lines out of order."""
    found = lines(package)
    edit(found)
    write(package, found)
    assert "of the plan" in refused(package, reading=False)


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b"null\n",
        b"\xff\n",
        b'{"a":NaN}\n',
        b'{"a":1,"a":1}\n',
        b"[" * 100_000 + b"\n",
        b'{"index":' + b"9" * 10_000 + b"}\n",
        b"x" * (PLAN_LINE_MAX_BYTES + 1),
        b'{"index":1}',
    ],
)
def test_bytes_that_are_no_plan_are_refused(package: Path, data: bytes) -> None:
    """Whatever they are; a huge line is not read to its end."""
    (package / PLAN).write_bytes(data)
    refused(package, reading=False)


def test_another_form_of_the_same_json_is_refused(package: Path) -> None:
    """There is one form, so that equal plans are equal bytes."""
    line = lines(package)[0]
    (package / PLAN).write_bytes(json.dumps(line).encode() + b"\n")
    assert "RFC 8785" in refused(package, reading=False)


def test_numbers_that_are_written_without_a_point(lab: Lab, tmp_path: Path) -> None:
    """Large floats and small ones go through the plan and back."""
    with lab.open() as log:
        log.record(
            model="m",
            prompt="p",
            engine="mine",
            parameters={"a": 1e17, "b": 1e300, "c": 0.1, "d": 2**53 - 1, "e": 3.0},
        )
        made = export(log, tmp_path / "p", replay=True)
    with PackageSource(made.path) as source:
        (entry,) = source.witnesses()
    assert entry.payload.body["replay"]["other_params"]["a"] == 1e17


def test_an_altered_statement_is_not_the_one_of_the_plan(package: Path) -> None:
    """A byte of the signature is another leaf hash; a byte less is no bundle."""
    (bundle,) = (package / "data/log/tile/entries/000.p").iterdir()
    data = bytearray(bundle.read_bytes())
    at = 0
    for _ in range(4):
        at += 2 + int.from_bytes(data[at : at + 2])
    end = at + 2 + int.from_bytes(data[at : at + 2])
    data[end - 1] ^= 1
    bundle.write_bytes(data)
    assert "line 1 of the plan, of #4, " in refused(package)
    bundle.write_bytes(data[:-1])
    assert "cannot be split" in refused(package, reading=False)


def zipped(package: Path, target: Path, *more: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    """Make a zip of a folder, with members of any name."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file():
                archive.write(path, f"p/{path.relative_to(package)}")
        for name, data in more:
            archive.writestr(name, data)
    return target


def marked(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, mode << 16
    return member


@pytest.mark.parametrize(
    "member",
    [
        "p/../../evil",
        "../evil",
        "/etc/passwd",
        "p//x",
        "p/./x",
        "q/x",
        "x",
        "p/a\\b",
        "p/ü",
        "p/" + "x" * 129,
        "p/" + "x/" * 16 + "x",
        "p/BAGIT.txt",
        marked("p/link", stat.S_IFLNK | 0o777),
        marked("p/pipe", stat.S_IFIFO | 0o777),
    ],
    ids=str,
)
def test_names_that_lead_elsewhere_are_refused(
    honest: Path, tmp_path: Path, member: zipfile.ZipInfo | str
) -> None:
    """Of a zip every member is looked at before anything is read."""
    refused(zipped(honest, tmp_path / "bad.zip", (member, b"x")), reading=False)
    assert [one.name for one in tmp_path.iterdir()] == ["bad.zip"]


def test_a_zip_that_says_too_much_is_refused(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ratios of bombs, other methods, one name twice, more members than allowed."""
    bomb = zipfile.ZipInfo("p/data/bomb")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    packed = zipfile.ZipInfo("p/data/packed")
    packed.compress_type = zipfile.ZIP_BZIP2
    for number, (member, data) in enumerate([(bomb, bytes(1 << 24)), (packed, b"x" * 99)]):
        with monkeypatch.context() as patched:
            patched.setattr("ledger.replay.package_files.RATIO_MAX", 100)
            refused(zipped(honest, tmp_path / f"{number}.zip", (member, data)), reading=False)
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped(honest, tmp_path / "twice.zip", ("p/bagit.txt", b"x"))
    assert "twice" in refused(twice, reading=False)
    good = zipped(honest, tmp_path / "good.zip", (marked("p/data/", stat.S_IFDIR | 0o755), b""))
    with PackageSource(good) as source:
        assert len(list(source.witnesses())) == 18
    monkeypatch.setattr("ledger.replay.package_files.MEMBERS_MAX", 3)
    assert "members" in refused(good, reading=False)
    data = bytearray(good.read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[:-30])
    refused(tmp_path / "cut.zip", reading=False)


def test_damaged_members_are_refused_and_nothing_escapes(honest: Path, tmp_path: Path) -> None:
    """Deflated data that was changed is a finding of the package, not of this program."""
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(honest.rglob("*")):
            if path.is_file():
                archive.write(path, f"p/{path.relative_to(honest)}")
        places = [
            archive.getinfo(f"p/{name}").header_offset for name in (PLAN, "data/log/checkpoint")
        ]
    data = (tmp_path / "p.zip").read_bytes()
    for place in places:
        for offset in range(60, 160, 7):
            changed = bytearray(data)
            changed[place + offset] ^= 0x55
            (tmp_path / "bad.zip").write_bytes(changed)
            refused(tmp_path / "bad.zip")


@pytest.mark.parametrize("path", [PLAN, "data/replay", "data", "data/log/checkpoint", "data/log"])
def test_links_in_a_folder_are_not_followed(package: Path, tmp_path: Path, path: str) -> None:
    """Neither of files nor of folders on the way, wherever they lead."""
    aside = tmp_path / "aside"
    (package / path).rename(aside)
    (package / path).symlink_to(aside)
    assert "link" in refused(package)


def test_links_at_contents_are_not_followed(package: Path, tmp_path: Path) -> None:
    """A content that is a link is refused even if it leads to the right bytes."""
    digest = lines(package)[0]["request"]["blake3"]
    content = package / "data/content" / digest[:2] / digest
    content.rename(tmp_path / "aside")
    content.symlink_to(tmp_path / "aside")
    assert "link" in refused(package)
    content.unlink()
    os.mkfifo(content)
    assert "no file" in refused(package)


def test_all_paths_of_a_folder_are_checked(package: Path, tmp_path: Path) -> None:
    """For copying: names and kinds of everything but attachments."""
    (package / "attachments").mkdir()
    (package / "attachments" / "odd name").write_text("x")
    with open_files(package) as files:
        found = set(files.paths())
    assert found == {
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.is_file() and "attachments" not in path.parts
    }
    for make in (
        lambda path: path.symlink_to(tmp_path),
        lambda path: os.mkfifo(path),
        lambda path: path.with_name("odd name").write_text("x"),
    ):
        make(package / "data" / "odd")
        with open_files(package) as files, pytest.raises(ReplayError):
            list(files.paths())
        for path in (package / "data").glob("odd*"):
            path.unlink()
