"""A small honest ledger for attacks: its own keys, clock and randomness, and packages of it."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import Any

import ledger
from ledger.drafts import Archived, Draft, Receipt
from ledger.export.package import ExportResult, export
from ledger.formats.values import parse_time
from ledger.keys.signer import Ed25519Signer
from ledger.log import Ledger
from tests.helpers.keys import seed, signer
from verifier import Report, verify_package

ORIGIN = "example.org/lab"
START_US = parse_time("2026-11-20T09:00:00.000000Z")
STEP_US = 1_001_001


class World:
    """A ledger folder, its keys in memory, its trust pin, and a clock that moves at every look."""

    def __init__(
        self, folder: Path, name: str = "lab", *, origin: str = ORIGIN, salted: bool = False
    ) -> None:
        self.folder, self.name, self.origin = folder, name, origin
        self.path = folder / f"{name}.vif"
        self.authority = signer(f"{name} authority", "lab-authority", "authority")
        self.log_key = signer(f"{name} log", origin, "log")
        self.producer = signer(f"{name} producer", "lab-producer", "producer")
        self.second = signer(f"{name} second", "second-producer", "producer")
        self._ticks, self._draws = count(), count()
        made = ledger.init(
            self.path,
            origin=origin,
            salted=salted,
            keys=folder / f"{name}-keys",
            authority=self.authority,
            log_key=self.log_key,
            producer=self.producer,
            clock=self.clock,
            random=self.random,
        )
        self.genesis, self.trust = made.genesis, folder / f"{name}.trust.json"
        self.trust.write_bytes(made.trust)

    @property
    def signers(self) -> tuple[Ed25519Signer, ...]:
        """Every key that can sign in this ledger."""
        return (self.authority, self.log_key, self.producer, self.second)

    @property
    def seeds(self) -> list[bytes]:
        """The raw private keys: what must never be found anywhere."""
        roles = ("authority", "log", "producer", "second")
        return [seed(f"{self.name} {role}") for role in roles]

    def clock(self) -> int:
        """Microseconds; a little more than a second later at every call."""
        return START_US + next(self._ticks) * STEP_US

    def random(self, size: int) -> bytes:
        """Bytes that are different at every call and the same at every run."""
        text = f"{self.name} {next(self._draws)}".encode()
        return hashlib.shake_256(text).digest(size)

    def open(self, **more: Any) -> Ledger:
        """Open the ledger with its producer and log key."""
        given: dict[str, Any] = {
            "keys": self.folder / f"{self.name}-keys",
            "producer": self.producer,
            "log_key": self.log_key,
            "clock": self.clock,
            "random": self.random,
        }
        return ledger.open(self.path, **given | more)

    def package(self, target: Path, **more: Any) -> ExportResult:
        """Export the ledger, or a part of it."""
        with self.open() as log:
            return export(log, target, **more)

    def state(self) -> str:
        """A hash over everything in the ledger's folder that says what it holds."""
        whole = hashlib.sha256()
        for file in sorted(self.path.rglob("*")):
            if file.is_file() and file.name != "lock.mdb":
                whole.update(str(file.relative_to(self.path)).encode() + file.read_bytes())
        return whole.hexdigest()


def body(
    log: Ledger, number: int, *, score: float = 0.9, text: str = ""
) -> tuple[dict[str, Any], tuple[Archived, ...]]:
    """A witness body that passes its gate, and its contents."""
    prompt = log.archive(f"What is {number} times 7?".encode(), "text/plain; charset=utf-8")
    answer = log.archive((text or f"It is {number * 7}.").encode(), "text/plain; charset=utf-8")
    value: dict[str, Any] = {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": "gpt-4o", "model_provider": "openai", "provider_source": "stated"},
        "data": {"prompt_hash": prompt.ref.to_cbor(), "prompt_tokens": 9},
        "uncertainty": {
            "confidence_score": score,
            "confidence_band": "A" if score >= 0.95 else "B" if score >= 0.80 else "C",
            "confidence_method": "logprobs",
        },
        "output": {
            "output_hash": answer.ref.to_cbor(),
            "output_tokens": 3,
            "total_tokens": 12,
            "token_source": "provider",
        },
        "meta": {
            "writer": "lab",
            "task_criticality": "routine",
            "kappa_threshold": 0.70,
            "kappa_gate_passed": score >= 0.70,
        },
        "capture": {"vantage": "manual"},
    }
    return value, (prompt, answer)


def draft(log: Ledger, number: int, *, parents: Any = (), **more: Any) -> Draft:
    """A witness to append."""
    value, contents = body(log, number, **more)
    return Draft("witness", value, parents, contents)


def tell(world: World) -> list[Receipt]:
    """Fill a new ledger with the ten statements that the attacks are told about.

    0 genesis; 1 2 3 witnesses of session run-1 (2 and 3 have parents), 4 a score about 3, 5 end of
    that stream; 6 7 witnesses of run-2 (7 with a parent in run-1); 8 a second producer is enrolled;
    9 its witness in run-3.
    """
    told: list[Receipt] = []
    with world.open(session="run-1") as log:
        told += log.append_many([draft(log, 1)])
        told += log.append_many([draft(log, 2, parents=[told[0]])])
        told += log.append_many([draft(log, 3, parents=[told[0], told[1]], score=0.97)])
        told.append(log.append("annotation", {"kind": "score", "value": True}, parents=[told[2]]))
        told.append(log.close_stream())
    with world.open(session="run-2") as log:
        told += log.append_many([draft(log, 6)])
        told += log.append_many([draft(log, 7, parents=[told[2]])])
        told.append(log.enrol(world.second, authority=world.authority))
    with world.open(session="run-3", producer=world.second) as log:
        told += log.append_many([draft(log, 9)])
    return told


def audit(package: Path, world: World, *, head: str | None = None, **more: Any) -> Report:
    """Verify a package as an auditor who pinned the ledger's genesis."""
    pinned: dict[str, Any] = {"trust": world.genesis.hex(), "known_head": head, "jobs": 1}
    return verify_package(str(package), **pinned | more)


Places = set[tuple[str, int | str | None]]


def found(report: Report, severity: str = "fail") -> Places:
    """What a report finds wrong: codes with the index of the record, else with the file's path."""
    return {
        (one["code"], one["path"] if one["index"] is None else one["index"])
        for one in report.findings
        if one["severity"] == severity
    }
