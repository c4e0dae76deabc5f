"""What kill tests share: a provider for a module, a nursery, an empty ledger to copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.crash.scene import Scene, found_ledger
from tests.helpers.provider import Provider, module_provider, provider

__all__ = ["module_provider", "provider"]

MakeScene = Callable[[str], Scene]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as one:
        yield one


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    found_ledger(folder)
    return folder


@pytest.fixture
def make_scene(
    tmp_path: Path, empty_ledger: Path, module_provider: Provider, nursery: Nursery
) -> MakeScene:
    """A function that makes a new folder with an empty ledger for a variant of the experiment."""
    numbers = count()

    def make(variant: str) -> Scene:
        folder = tmp_path / f"scene-{next(numbers)}"
        shutil.copytree(empty_ledger, folder)
        module_provider.control(faults=[], gate=False, pause_ms=0.0, encoding=None)
        return Scene(folder, module_provider, nursery, variant)

    return make
