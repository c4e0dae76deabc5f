"""A ledger in a temporary folder, with its keys beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ledger
from ledger import Archived, Draft, Ledger
from ledger.doctor import Problem, examine

NOWHERE = {"sha256": b"\1" * 32, "blake3": b"\2" * 32, "size_bytes": 1, "media_type": "a/b"}
"""A reference to content that no test stores."""


@dataclass
class Place:
    """Where a test's ledger and keys are."""

    path: Path
    keys: Path

    def init(self, **options: Any) -> ledger.InitResult:
        return ledger.init(self.path, origin="example.org/lab", keys=self.keys, **options)

    def open(self, **options: Any) -> Ledger:
        return ledger.open(self.path, keys=self.keys, **options)


def witness(
    prompt: Archived | None = None, *, model: str = "demo", output: Archived | None = None
) -> dict[str, Any]:
    """The body of a witness; without a prompt it refers to content that is nowhere."""
    body: dict[str, Any] = {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": model},
        "data": {"prompt_hash": prompt.ref.to_cbor() if prompt else NOWHERE},
        "output": {"finish_reason": "stop"},
        "meta": {"writer": "test", "task_criticality": "routine", "kappa_threshold": 0.7},
        "capture": {"vantage": "manual"},
    }
    if output is not None:
        body["output"]["output_hash"] = output.ref.to_cbor()
    return body


def note(value: object = "x") -> dict[str, Any]:
    return {"kind": "note", "value": value}


def drafts(count: int, model: str = "demo") -> list[Draft]:
    return [Draft("witness", witness(model=model)) for _ in range(count)]


def problems(path: Path) -> list[Problem]:
    """What the doctor finds, but for the content that `NOWHERE` refers to."""
    return [found for found in examine(path) if found.key != (b"\2" * 32).hex()]
