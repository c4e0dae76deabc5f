"""Operations of tiny models: done and recorded, and done again, here or in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger import Ledger, Receipt
from ledger.formats.content import from_cbor
from ledger.formats.observation import parse
from ledger.replay import Replay, Resources, replay
from ledger.replay.recording import perform
from tools.tiny_models import PROMPT


def at_hand(*weights: Path, **options: object) -> Resources:
    """Weights and options of an engine; one thread unless said otherwise."""
    return Resources(
        weights=weights, options={"threads": "1"} | {name: str(v) for name, v in options.items()}
    )


def done(log: Ledger, engine: str, weights: Path, **fields: Any) -> Receipt:
    """Run an operation and record it."""
    told: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 16}
    options = fields.pop("options", {})
    return perform(log, engine, resources=at_hand(weights, **options), **(told | fields))


def again(log: Ledger, witness: Receipt, *weights: Path, **options: object) -> Replay:
    """Replay it, with `bits` wanted."""
    (ran,) = replay(log, [witness.id], resources=at_hand(*weights, **options), wanted="bits")
    return ran


def elsewhere(
    place: Any,
    witness: Receipt,
    weights: Path,
    variables: Mapping[str, str] | None = None,
    **options: object,
) -> Mapping[str, Any]:
    """Replay it in a process of its own; returns what `vif replay --json` says of the run."""
    told = {"threads": 1} | options
    ran = subprocess.run(
        [sys.executable, "-m", "ledger.cli", "replay", str(place.path), str(witness.index)]
        + ["--keys", str(place.keys), "--weights", str(weights), "--level", "bits", "--json"]
        + [word for name, value in told.items() for word in ("--engine-option", f"{name}={value}")],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | (variables or {}),
    )
    assert ran.returncode in (0, 1), ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[0])
    return found


def body(log: Ledger, witness: Receipt) -> dict[str, Any]:
    """The body of a witness."""
    return dict(log.get(witness.index).payload.body)


def seen(log: Ledger, witness: Receipt) -> Any:
    """The observation of a witness."""
    return parse(log.content(from_cbor(body(log, witness)["replay"]["observation"])))


def environment(log: Ledger, witness: Receipt) -> dict[str, Any]:
    """The environment of a witness."""
    found: dict[str, Any] = json.loads(
        log.content(from_cbor(body(log, witness)["replay"]["environment"]))
    )
    return found
