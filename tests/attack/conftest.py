"""The scene of the attacks: an honest ledger, its packages, another ledger, and what must stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import forge
from tests.helpers.forge import Files
from tests.helpers.world import Places, World, audit, found, tell
from verifier import Report


class Package:
    """An honest package as its files, with the head that the auditor knows from elsewhere."""

    def __init__(self, world: World, path: Path, head: str) -> None:
        self.world, self.path, self.head = world, path, head
        self._files = forge.take(path)

    @property
    def files(self) -> Files:
        """A copy of all files, to be damaged."""
        return dict(self._files)

    @property
    def log(self) -> list[bytes]:
        """A copy of all statements of a whole ledger."""
        return forge.statements(self._files)

    @property
    def bundle(self) -> str:
        """The path of the only entry bundle."""
        (path,) = (path for path in self._files if "/tile/entries/" in path)
        return path

    def path_of(self, part: str) -> str:
        """The one path that contains some text."""
        (path,) = (path for path in self._files if part in path)
        return path


class Scene:
    """Where an attack takes place; `judge` is the auditor's answer to what the attacker made."""

    def __init__(self, folder: Path) -> None:
        self.world, self.other = World(folder), World(folder, "other")
        tell(self.world)
        tell(self.other)
        with self.world.open() as log:
            self.early = log.head_note()
        self.whole = self._package("whole", folder)
        self.session = self._package("session", folder, session="run-1", consistency_from=[10])
        self.range = self._package("range", folder, start=1, end=10, consistency_from=[10])
        self.foreign = self._package("foreign", folder, self.other)

    def _package(
        self, name: str, folder: Path, world: World | None = None, **more: object
    ) -> Package:
        owner = world or self.world
        made = owner.package(folder / name, **more)
        return Package(owner, made.path, made.known_head)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One ledger and its packages for all attacks; every attack works on copies."""
    made = Scene(tmp_path_factory.mktemp("attack"))
    for package in (made.whole, made.session, made.foreign):
        honest = audit(package.path, package.world, head=package.head)
        assert (honest.exit_code, found(honest)) == (0, set()), honest.to_text()
    partly = audit(made.range.path, made.world, head=made.range.head)
    assert (partly.exit_code, found(partly)) == (3, set()), partly.to_text()
    return made


@pytest.fixture
def world(scene: Scene) -> World:
    """The attacked ledger."""
    return scene.world


@pytest.fixture
def whole(scene: Scene) -> Package:
    """The package of the whole ledger."""
    return scene.whole


@pytest.fixture(autouse=True)
def _the_ledger_is_as_before(scene: Scene) -> Iterator[None]:
    """No attack on a package changes the ledger that it was made from."""
    before = scene.world.state(), scene.other.state()
    yield
    assert (scene.world.state(), scene.other.state()) == before


class Judge:
    """Writes what the attacker hands over and lets the auditor judge it."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._scene, self._folder, self._number = scene, folder, 0

    def report(
        self, files: Files, *, head: str | None = "", zipped: bool = False, relist: bool = True
    ) -> Report:
        """Audit files as a package; by default with lists that fit and the honest head known."""
        self._number += 1
        known = self._scene.whole.head if head == "" else head
        given = forge.relist(files) if relist else files
        path = forge.put(given, self._folder / f"handed-over-{self._number}", zipped=zipped)
        return audit(path, self._scene.world, head=known)

    def __call__(self, files: Files, **more: object) -> Places:
        """What the auditor finds wrong; the verdict has to fit: failed, or not failed."""
        report = self.report(files, **more)  # type: ignore[arg-type]
        wrong = found(report)
        assert report.exit_code in ((1,) if wrong else (0, 3)), report.to_text()
        return wrong


@pytest.fixture
def judge(scene: Scene, tmp_path: Path) -> Judge:
    """The auditor."""
    return Judge(scene, tmp_path)
