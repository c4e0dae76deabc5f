"""What the tests of the command line share: what a command answered, and a ledger to ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ledger
from ledger import Draft
from ledger.model.build import witness

ROOT = Path(__file__).resolve().parents[2]
HOSTILE_NAME = "[bold]m[/bold] \u202egpj.exe"
HOSTILE_TEXT = "hi \x1b]0;owned\x07\x1b[2J\x9b31m\x7f \u2066 :smile: [red]x[/red]\r\nline two\n"
FORBIDDEN = "\x1b\x07\x9b\x7f\u202e\u2066\r"
"""What must never reach a terminal from a record."""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON values on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The error that a command with --json gave."""
        assert self.out == "", "an error leaves standard output empty"
        return json.loads(self.err)["error"]


Vif = Callable[..., Ran]
"""Runs a command in this process."""


def vif_command(*arguments: object) -> list[str]:
    """Return the command line of `vif` as a process."""
    return [sys.executable, "-m", "ledger.cli", *map(str, arguments)]


def draft(parents: Sequence[Any] = (), **fields: Any) -> Draft:
    """Return a witness to append."""
    body, contents = witness(**fields)
    return Draft("witness", body, parents, contents)


def make_lab(folder: Path) -> None:
    """Make a ledger and its keys: two answers, a call that builds on them, and more.

    | index | what |
    |---|---|
    | 1, 2 | session `pilot`, outputs `four` and `five`, confidence 0.97 and 0.5 |
    | 3 | session `pilot`, parents 1 and 2, model `other-model`, with raw bodies |
    | 4 | annotation of 3 |
    | 5 | no session; text that attacks terminals |
    """
    runs, keys = folder / "runs.vif", folder / "keys"
    ledger.init(runs, origin="example.org/lab", keys=keys, name="lab-1")
    with ledger.open(runs, keys=keys, session="pilot") as log:
        first = [
            draft(model="demo-model", prompt="2 + 2?", output=text, confidence=score)
            for text, score in (("four", 0.97), ("five", 0.5))
        ]
        receipts = log.append_many(first)
        third = log.append_many(
            [
                draft(
                    receipts,
                    model="other-model",
                    prompt=[{"role": "user", "content": "which?"}],
                    output="four is right",
                    request=b'{"ask": "\\u0000"}',
                    response=bytes(range(256)),
                    tool_ids=["calculator"],
                    temperature=0.5,
                    parameters={"stop": ["\n"]},
                )
            ]
        )
        log.append("annotation", {"kind": "score", "name": "judge", "value": 0.25}, parents=third)
    with ledger.open(runs, keys=keys) as log:
        log.append_many([draft(model=HOSTILE_NAME, prompt=HOSTILE_TEXT, output=HOSTILE_TEXT)])
