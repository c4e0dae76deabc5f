"""A small ledger for the tests of exports: made quickly, filled with witnesses, easy to audit."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import ledger.log
from ledger.drafts import Archived, Draft, Receipt
from ledger.formats.merkle import hash_leaf
from ledger.formats.values import parse_time
from ledger.founding import InitResult
from ledger.log import Ledger

ROOT = Path(__file__).resolve().parent.parent.parent
START_US = parse_time("2026-11-20T09:00:00.000000Z")


class Lab:
    """A ledger folder with its keys, a clock of its own, and its trust file."""

    def __init__(self, folder: Path, *, salted: bool = False) -> None:
        self.folder = folder
        self._ticks = count()
        self.made: InitResult = ledger.log.init(
            folder / "lab.vif",
            origin="example.org/lab",
            keys=folder / "keys",
            salted=salted,
            clock=self.clock,
        )
        self.trust = folder / "lab.trust.json"
        self.trust.write_bytes(self.made.trust)

    def clock(self) -> int:
        """Microseconds; a second later at every call."""
        return START_US + next(self._ticks) * 1_000_000

    def open(self, **more: Any) -> Ledger:
        """Open the ledger with the lab's keys."""
        keys = {"keys": self.folder / "keys", "clock": self.clock}
        return ledger.log.open(self.folder / "lab.vif", **keys | more)


def draft(
    log: Ledger,
    number: int,
    *,
    output: bytes | None = b"",
    model: str = "gpt-4o",
    provider: str = "openai",
    score: float = 0.9,
    media_type: str = "text/plain; charset=utf-8",
    parents: tuple[Receipt, ...] = (),
) -> Draft:
    """Make a witness; `output` None means that nothing came out, empty means a text of its own."""
    prompt = log.archive(b"What is %d times 7?" % number, "text/plain; charset=utf-8")
    contents: list[Archived] = [prompt]
    body: dict[str, Any] = {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": model, "model_provider": provider, "provider_source": "stated"},
        "data": {"prompt_hash": prompt.ref.to_cbor(), "prompt_tokens": 9},
        "uncertainty": {
            "confidence_score": score,
            "confidence_band": "A" if score >= 0.95 else "B" if score >= 0.80 else "C",
            "confidence_method": "logprobs",
        },
        "output": {"output_tokens": 3, "total_tokens": 12, "token_source": "provider"},
        "meta": {
            "writer": "lab",
            "task_criticality": "routine",
            "kappa_threshold": 0.70,
            "kappa_gate_passed": score >= 0.70,
        },
        "cost": {"response_time_ms": 412.5, "cost_usd": 0.00025, "price_table": "openai-2026-11"},
        "capture": {"vantage": "manual"},
    }
    if output is not None:
        answer = log.archive(output or b"It is %d." % (number * 7), media_type)
        body["output"]["output_hash"] = answer.ref.to_cbor()
        contents.append(answer)
    return Draft("witness", body, parents, contents)


def fill(log: Ledger, number: int, **more: Any) -> list[Receipt]:
    """Append that many witnesses in one commit."""
    return log.append_many([draft(log, n, **more) for n in range(number)])


def read_package(path: Path) -> dict[str, bytes]:
    """All files of a package by their path in it."""
    if path.is_dir():
        return {
            str(file.relative_to(path)): file.read_bytes()
            for file in path.rglob("*")
            if file.is_file()
        }
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def proved_records(files: dict[str, bytes]) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Index, statement and proof of every proved record, written from specs/07 §4 alone."""
    for path in sorted(path for path in files if path.startswith("data/log/proved/")):
        data = files[path]
        while data:
            index = int.from_bytes(data[:8], "big")
            length = int.from_bytes(data[8:10], "big")
            statement, data = data[10 : 10 + length], data[10 + length :]
            hashes, data = data[0], data[1:]
            yield index, statement, [data[32 * n : 32 * n + 32] for n in range(hashes)]
            data = data[32 * hashes :]


def bundled_statements(files: dict[str, bytes]) -> list[bytes]:
    """The statements of all entry bundles in order of bundle number, for up to 1,000 bundles."""
    found = []
    for path in sorted(path for path in files if path.startswith("data/log/tile/entries/")):
        data = files[path]
        while data:
            length = int.from_bytes(data[:2], "big")
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
    return found


def leaves(statements: list[bytes]) -> list[bytes]:
    """Leaf hashes of statements."""
    return [hash_leaf(statement) for statement in statements]


def verify(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier as an auditor would, as another program."""
    return subprocess.run(
        [sys.executable, "-m", "verifier", str(package), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
