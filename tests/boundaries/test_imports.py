"""The two programs share no code: checked in the source and in a running interpreter."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERIFIER_THIRD_PARTY = {"nacl", "blake3", "libipld"}
FORBIDDEN = {
    "verifier": {"ledger", "cbor2", "_cbor2", "lmdb", "cryptography"},
    "ledger": {"verifier"},
}
LMDB_ROOM = ROOT / "ledger" / "store"
PURE_ROOM = ROOT / "ledger" / "formats"
IMPURE = {"os", "io", "pathlib", "socket", "time", "random", "secrets", "tempfile", "lmdb"}


def imported_names(source: Path) -> Iterator[str]:
    """Top-level names of everything that a file imports, by statement or by `import_module`."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in {"import_module", "__import__", "find_spec", "run_module"}:
                for argument in node.args[:1]:
                    assert isinstance(argument, ast.Constant), f"{source}: computed import"
                    yield str(argument.value).partition(".")[0]


def sources(package: str) -> list[Path]:
    """All Python files of a program; failing when there are none, so that no rule holds emptily."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) > 5, f"{package}/ has hardly any source"
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_no_file_imports_the_other_program(package: str) -> None:
    """No source file of one program names the other, nor a library that belongs to the other."""
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported_names(path)
        if name in FORBIDDEN[package]
    }
    assert not found


def test_the_verifier_needs_only_its_three_libraries() -> None:
    """The verifier imports the standard library, itself, and PyNaCl, blake3 and libipld."""
    allowed = set(sys.stdlib_module_names) | VERIFIER_THIRD_PARTY | {"verifier"}
    names = {name for path in sources("verifier") for name in imported_names(path)}
    assert names <= allowed
    assert names >= VERIFIER_THIRD_PARTY, "the rule would hold for an empty program"


def test_only_the_store_knows_lmdb() -> None:
    """LMDB is behind the store's interface: nothing else of the ledger imports it."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources("ledger")
        if "lmdb" in set(imported_names(path)) and LMDB_ROOM not in path.parents
    }
    assert not users


def test_the_formats_are_pure() -> None:
    """The formats take bytes and give values: no files, clock or randomness are imported."""
    found = {
        f"{path.name} imports {name}"
        for path in sorted(PURE_ROOM.glob("*.py"))
        for name in imported_names(path)
        if name in IMPURE
    }
    assert not found


LOAD_ALL = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_no_running_module_loads_the_other_program(package: str) -> None:
    """Importing every module of one program loads nothing of the other, even indirectly."""
    ran = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, package],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    loaded = set(json.loads(ran.stdout))
    assert package in loaded
    assert not loaded & FORBIDDEN[package]
