"""Calls through a session beside calls of the bare SDK, against the loopback provider.

Both clients ask in turn, so that a busy moment of the machine meets both. A captured call has two
durable commits more than a bare one, its intent and its outcome: the floor of its overhead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

import ledger
from ledger.session import Session
from tools.bench import floors
from tools.provider.client import Provider

MODEL = "demo"
WORDS = 200
WARM_UP = 20
RECORD_BYTES = 4096
"""About what a commit of a call writes."""


@dataclass(frozen=True)
class Called:
    """One row: medians over calls, milliseconds."""

    what: str
    calls: int
    bare_ms: float
    captured_ms: float
    bare_p95_ms: float
    captured_p95_ms: float
    commit_ms: float

    @property
    def overhead_ms(self) -> float:
        """What the session adds."""
        return self.captured_ms - self.bare_ms

    @property
    def ratio(self) -> float:
        """Captured as a multiple of bare."""
        return self.captured_ms / self.bare_ms

    @property
    def overhead_commits(self) -> float:
        """What the session adds, in durable commits of LMDB on the same disk."""
        return self.overhead_ms / self.commit_ms


def measure(place: Path, calls: int) -> Iterator[Called]:
    """Make that many whole and as many streamed calls of each kind in a new ledger."""
    ledger.init(place / "calls.vif", origin="bench.invalid/calls", keys=place / "call-keys")
    commit_ms = floors.committing(place, RECORD_BYTES, 1, 100) * 1000
    with (
        Provider(place / "provider.jsonl") as provider,
        ledger.open(place / "calls.vif", keys=place / "call-keys") as log,
        log.session("bench") as session,
        bare_client(provider) as bare,
        captured_client(provider, session) as captured,
    ):
        provider.control(words=WORDS)
        whole = _in_turn(bare, captured, calls, _whole)
        yield _row("whole answer", calls, commit_ms, whole, 0)
        streamed = _in_turn(bare, captured, calls, _streamed)
        yield _row("stream, first text", calls, commit_ms, streamed, 0)
        yield _row("stream, end", calls, commit_ms, streamed, 1)


def bare_client(provider: Provider) -> openai.OpenAI:
    """Return the SDK as it is."""
    return openai.OpenAI(base_url=provider.base_url, api_key="bench", max_retries=0)


def captured_client(provider: Provider, session: Session) -> openai.OpenAI:
    """Return the SDK with the session's HTTP client."""
    return openai.OpenAI(
        base_url=provider.base_url,
        api_key="bench",
        max_retries=0,
        http_client=session.http_client(),
    )


def prompt(number: int) -> list[Any]:
    """Return messages of about one kilobyte that differ by their number."""
    text = f"Question {number}: which of these two statements follows from the other? " * 13
    return [{"role": "user", "content": text}]


Times = tuple[float, ...]
Ask = Callable[[openai.OpenAI, int], Times]


def _whole(client: openai.OpenAI, number: int) -> Times:
    began = time.perf_counter()
    client.chat.completions.create(model=MODEL, messages=prompt(number))
    return (time.perf_counter() - began,)


def _streamed(client: openai.OpenAI, number: int) -> Times:
    began = time.perf_counter()
    first = 0.0
    with client.chat.completions.create(
        model=MODEL, messages=prompt(number), stream=True
    ) as chunks:
        for chunk in chunks:
            if not first and chunk.choices[0].delta.content:
                first = time.perf_counter() - began
    return first, time.perf_counter() - began


def _in_turn(
    bare: openai.OpenAI, captured: openai.OpenAI, calls: int, ask: Ask
) -> tuple[list[Times], list[Times]]:
    offset = 0 if ask is _whole else 1_000_000
    for number in range(WARM_UP):
        ask(bare, -1 - number - offset)
        ask(captured, -1 - number - offset)
    pairs = [
        (ask(bare, number + offset), ask(captured, number + offset)) for number in range(calls)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _row(
    what: str, calls: int, commit_ms: float, times: tuple[list[Times], list[Times]], which: int
) -> Called:
    bare, captured = ([one[which] * 1000 for one in side] for side in times)
    return Called(
        what,
        calls,
        statistics.median(bare),
        statistics.median(captured),
        statistics.quantiles(bare, n=20)[-1],
        statistics.quantiles(captured, n=20)[-1],
        commit_ms,
    )
