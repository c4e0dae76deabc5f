"""Replays beside the bare engine, and hashing of weights beside bare BLAKE3.

A replay of an operation is: read the witness and its contents, run the engine, compare, and append
a signed statement durably. What that costs is told in milliseconds and in bare LMDB commits.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blake3 import blake3

import ledger
from ledger import Ledger
from ledger.demo.generate import Parameters
from ledger.demo.model import DemoModel
from ledger.model.archive import JSON, Media, media
from ledger.replay import Engine, Resources, Task, replay
from ledger.replay.engines import embedded
from ledger.replay.hashcache import HashCache
from ledger.replay.recording import perform
from ledger.replay.weights import weights_digest
from tools.bench import floors
from tools.tiny_models import PROMPT, transformers_folder

TOKENS = 64
ROUNDS = 9
RACY_SECONDS = 2.1


@dataclass(frozen=True)
class Replayed:
    """One row: medians over operations, milliseconds."""

    what: str
    operations: int
    bare_ms: float
    replayed_ms: float
    commit_ms: float
    statement_bytes: int

    @property
    def overhead_ms(self) -> float:
        """What replaying adds to running."""
        return self.replayed_ms - self.bare_ms

    @property
    def ratio(self) -> float:
        """A replay as a multiple of the bare run."""
        return self.replayed_ms / self.bare_ms

    @property
    def overhead_commits(self) -> float:
        """What replaying adds, in bare commits of a statement of this size."""
        return self.overhead_ms / self.commit_ms


@dataclass(frozen=True)
class Hashed:
    """One row: bytes a second, and how long it takes when nothing changed."""

    size_bytes: int
    bare_bytes_s: float
    hashed_bytes_s: float
    again_ms: float

    @property
    def of_bare(self) -> float:
        """Our rate as a share of bare BLAKE3 with all cores in one pass."""
        return self.hashed_bytes_s / self.bare_bytes_s


def measure(place: Path, operations: int, weights_mb: int) -> Iterator[Replayed | Hashed]:
    """Measure the demo's model, a tiny model on PyTorch if it is installed, and hashing."""
    ledger.init(place / "replays", origin="bench.invalid/replays", keys=place / "replay-keys")
    with ledger.open(place / "replays", keys=place / "replay-keys") as log:
        yield _embedded(log, place, operations)
        if all(importlib.util.find_spec(name) for name in ("torch", "transformers")):
            yield _transformers(log, place, operations)
    yield _hashed(place, weights_mb * 2**20)


def _embedded(log: Ledger, place: Path, operations: int) -> Replayed:
    engine = embedded.make(Resources())
    model: DemoModel = engine._model
    prompts = [f"{number}. What does a ledger say about the past?" for number in range(operations)]
    parameters = Parameters(max_tokens=TOKENS, seed=1)
    ids = []
    for prompt in prompts:
        request = {
            "model": model.name,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": TOKENS,
            "seed": 1,
        }
        raw = Media(json.dumps(request).encode(), JSON)
        task = Task("embedded", "chat", model.name, raw, protocol="chat")
        answer = engine.run(task)
        witness = log.record(
            model=model.name,
            system_fingerprint=model.fingerprint,
            prompt=request["messages"],  # type: ignore[arg-type]
            request=raw,
            response=answer.response,
            output=answer.output,
        )
        ids.append(witness.id)
    runs = [partial(model.generate, prompt, parameters) for prompt in prompts]
    return _row("embedded", log, place, ids, runs, Resources(), engine)


def _transformers(log: Ledger, place: Path, operations: int) -> Replayed:
    from ledger.replay.engines.transformers import Transformers

    folder = transformers_folder(place / "tiny")
    at_hand = Resources(weights=[folder], options={"threads": "1"})
    engine = Transformers(at_hand)
    ids = []
    for seed in range(operations):
        receipt = perform(
            log,
            "transformers",
            resources=at_hand,
            engine=engine,
            prompt=PROMPT,
            model="tiny",
            max_tokens=TOKENS,
            temperature=1.0,
            replay_seed=seed,
        )
        ids.append(receipt.id)
    tasks = [
        Task(
            "transformers",
            "chat",
            "tiny",
            media(PROMPT),
            {"max_tokens": TOKENS, "temperature": 1.0, "replay_seed": seed},
            weights_digest(folder),
        )
        for seed in range(operations)
    ]
    engine.check(tasks[0])
    runs = [partial(engine.run, task) for task in tasks]
    return _row("transformers", log, place, ids, runs, at_hand, engine)


def _row(
    what: str,
    log: Ledger,
    place: Path,
    ids: list[str],
    runs: Sequence[Callable[[], object]],
    at_hand: Resources,
    engine: Engine,
) -> Replayed:
    """Run and replay each operation in turn, so that other work on the machine falls on both."""
    bare, times, sizes = [], [], []
    for identifier, run in zip(ids, runs, strict=True):
        bare.append(_seconds(run) * 1000)
        began = time.perf_counter()
        (ran,) = replay(log, [identifier], resources=at_hand, engine=engine, wanted="bits")
        times.append((time.perf_counter() - began) * 1000)
        assert ran.body.success, ran.body.message
        assert ran.receipt is not None
        sizes.append(len(log.get(ran.receipt.index).statement))
    size = round(statistics.mean(sizes))
    commit = floors.committing(place, size, 1, 100) * 1000
    median = statistics.median
    return Replayed(what, len(ids), median(bare), median(times), commit, size)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _hashed(place: Path, size_bytes: int) -> Hashed:
    file, cache = place / "weights.bin", HashCache(place / "hashes.json")
    piece = os.urandom(2**20)
    with file.open("wb") as opened:
        for _ in range(size_bytes // len(piece)):
            opened.write(piece)
    bare, hashed = [], []
    for _ in range(ROUNDS):
        bare.append(_seconds(partial(_bare, file)))
        hashed.append(_seconds(partial(weights_digest, file, cache=None)))
    time.sleep(RACY_SECONDS)  # a file just written is not remembered
    weights_digest(file, cache=cache)
    again = floors.seconds_each(lambda: weights_digest(file, cache=cache), 10)
    rates = [size_bytes / statistics.median(times) for times in (bare, hashed)]
    return Hashed(size_bytes, rates[0], rates[1], again * 1000)


def _bare(file: Path) -> bytes:
    return blake3(max_threads=blake3.AUTO).update_mmap(file).digest()
