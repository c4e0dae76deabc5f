"""The committed vectors and the examples in the pages are what the committed script makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import make_vectors
from tools.make_vectors import main


def check(specs: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Run the script in the mode that writes nothing; return exit code and lines."""
    code = main(["--check", "--specs", str(specs)])
    return code, capsys.readouterr().out.splitlines()


def test_nothing_differs_from_what_the_script_makes(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Making the vectors and examples again gives the bytes that are committed."""
    code, lines = check(repository / "specs", capsys)
    assert (code, lines[0].endswith(" files as made")) == (0, True), lines


def test_the_script_says_by_its_exit_code_that_something_differs(tmp_path: Path) -> None:
    """Run as a program on a folder without vectors it exits with 1."""
    command = [sys.executable, make_vectors.__file__, "--check", "--specs", tmp_path]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_every_difference_is_found_and_mended(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed, missing or additional file and a changed example are named; a run mends them."""
    specs = Path(shutil.copytree(repository / "specs", tmp_path / "specs"))
    vectors = specs / "vectors"
    flipped = vectors / "statement_genesis" / "input.bin"
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"\x00")
    softened = vectors / "cbor_tag_set_fail" / "case.json"
    softened.write_text(softened.read_text().replace("cbor_invalid", "ok"))
    (vectors / "content_plain" / "archived.bin").unlink()
    (vectors / "cbor_by_hand").mkdir()
    (vectors / "cbor_by_hand" / "input.bin").write_bytes(b"\x00")
    page = specs / "01-cbor.md"
    page.write_text(page.read_text().replace("\na4 61 61", "\na4 61 62"))

    assert check(specs, capsys) == (
        1,
        [
            "vectors/cbor_by_hand/input.bin",
            "vectors/cbor_tag_set_fail/case.json",
            "vectors/content_plain/archived.bin",
            "vectors/statement_genesis/input.bin",
            "01-cbor.md",
        ],
    )
    assert main(["--specs", str(specs)]) == 0
    capsys.readouterr()
    code, lines = check(specs, capsys)
    assert (code, lines[0].endswith(" files as made")) == (0, True), lines
    assert (vectors / "README.md").is_file()
    assert not (vectors / "cbor_by_hand").exists()
