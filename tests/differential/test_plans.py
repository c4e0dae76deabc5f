"""Plans of witnesses of every kind: the verifier derives each line as the ledger wrote it.

Engines that are named and that follow, requests and answers of all protocols and of none, whole,
streamed, encoded and damaged, observations and environments, parameters that JSON cannot say.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import RecordError
from ledger.formats.content import from_cbor
from ledger.model.archive import Media
from ledger.replay.packages import PackageSource
from tests.differential.test_answers import GOOD, body_of, damaged
from tests.helpers.world import World, audit, found

ENGINES = [None, None, None, "openai", "anthropic", "step", "embedded", "transformers", "acme"]
REQUESTS: list[Any] = [
    None, {"messages": []}, {"messages": [], "input": "x"}, {"prompt": "x"}, {"input": [1]},
    {"other": 1}, [], b"x", b'{"messages":1,"messages":2}', b"[" * 200, b'{"input":"x"} ',
]  # fmt: skip
OBSERVATIONS: list[Any] = [
    None, None, None, {"token_ids": [1, 2], "logprobs": [-0.5, 0]},
    {"token_texts": ["ä"], "raw": {"sha256": "0" * 64, "size_bytes": 1}},
]  # fmt: skip
PARAMETERS: list[Any] = [
    None, None, {"a": 1.5, "b": [None, True]}, {"a": 2**60}, {"a": {"b": b"x"}}, {"a": 1e21}
]  # fmt: skip
WITNESSES = 150


def answered(rng: Random) -> dict[str, Any]:
    """A response, and the headers it came with."""
    if rng.random() < 0.3:
        return {}
    value = rng.choice(GOOD)[1]
    data = body_of(damaged(value, rng) if rng.random() < 0.4 else value)
    encoding, encode = rng.choice(
        [
            (None, bytes),
            (None, bytes),
            ("gzip", gzip.compress),
            ("deflate", zlib.compress),
            ("gzip, GZIP", lambda plain: gzip.compress(gzip.compress(plain))),
            ("gzip", bytes),  # which it is not
            ("br", bytes),
            ("gzip", lambda plain: gzip.compress(plain)[:-9]),
        ]
    )
    headers = {"content-encoding": encoding} if encoding else None
    return {"response": Media(encode(data), "application/json"), "response_headers": headers}


def some_witness(rng: Random) -> dict[str, Any]:
    engine = rng.choice(ENGINES)
    tools = rng.choice([None, ["f"], ["f", "g"]])
    fields: dict[str, Any] = {
        "model": "m",
        "prompt": "p",
        "output": rng.choice([None, "x", {"a": 1}]),
        "operation": rng.choice(["chat", "embeddings", "execute_tool"]),
        "vantage": rng.choice(["hook", "manual", "transport"]),
        "engine": engine,
        "model_provider": rng.choice([None, "anthropic", "openai"]),
        "system_fingerprint": rng.choice([None, "fp"]),
        "weights_hash": rng.choice([None, None, bytes(32), b"\x01" * 32]),
        "observation": rng.choice(OBSERVATIONS),
        "environment": rng.choice([None, None, {}, {"threads": 1}]),
        "parameters": rng.choice(PARAMETERS),
        "replay_seed": rng.choice([None, 7, 2**62]),
        "temperature": rng.choice([None, 0.0, 1e-7]),
        "tool_ids": tools,
        "tool_parameters": {"x": 1} if tools and rng.random() < 0.7 else None,
        "request": rng.choice(REQUESTS),
    }
    if isinstance(fields["request"], dict):  # so that erasing one erases no other
        fields["request"] = fields["request"] | {"user": rng.random()}
    return fields | answered(rng)


def record(log: Ledger, rng: Random) -> int:
    """Record one; returns 1 if it could be."""
    try:
        log.record(**some_witness(rng))
    except RecordError:
        return 0
    return 1


@pytest.mark.parametrize(("salted", "seed"), [(False, 5), (True, 6)])
def test_every_line_is_derived_alike(tmp_path: Path, salted: bool, seed: int) -> None:
    rng = Random(seed)
    world = World(tmp_path, salted=salted)
    with world.open() as log:
        made = sum(record(log, rng) for _ in range(WITNESSES))
        assert made > WITNESSES * 0.8
        for entry in list(log.find(type="witness"))[::17]:
            raw = entry.payload.body.get("raw", {})
            ref = raw.get("request") or raw.get("response")
            if ref is not None:
                log.erase(from_cbor(ref), "asked to")
        package = world.package(tmp_path / "package", replay=True)
    report = audit(package.path, world, head=package.known_head)
    notes = {"content_erased", "engine_unknown"}
    assert [row for row in found(report) if row[0] not in notes] == [], report.to_text()
    lines = (package.path / "data/replay/plan.jsonl").read_bytes().splitlines()
    plan = [json.loads(line) for line in lines]
    assert len(plan) == made
    assert {line.get("reason") for line in plan} == {None, "not_recorded", "content_missing"}
    assert {line.get("engine") for line in plan} >= {*ENGINES}
    with PackageSource(package.path) as source:
        assert sum(1 for _ in source.witnesses()) == made
