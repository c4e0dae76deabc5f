"""Witnesses to replay, and engines that answer as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import Ledger
from ledger.formats.observation import Observation
from ledger.model.archive import TEXT, Media
from ledger.replay import Replay, Resources, Result, Task, replay
from tests.session.lab import NAME, Prices, answer, ask, do

PRICES = Prices()
TEMPLATE = "Question: {{question}}\n\n{{atoms}}"
VARIABLES = {"question": "What is it?"}
ATOMS = {"a-1": "A raven.", "a-2": "A ship.", "a-3": "A heap."}
PROMPT = "Question: What is it?\n\nA raven.\n\nA heap."


@dataclass
class Scripted:
    """An engine that gives what the function says, and remembers what it was asked."""

    answer: Callable[[Task], Result]
    name: str = "scripted"
    tasks: list[Task] = field(default_factory=list)
    refusal: Exception | None = None

    def check(self, task: Task) -> None:
        if self.refusal is not None:
            raise self.refusal

    def run(self, task: Task) -> Result:
        self.tasks.append(task)
        return self.answer(task)

    def close(self) -> None:
        pass


def says(
    text: str,
    ids: Sequence[int] | None = None,
    logprobs: Sequence[float] | None = None,
    raw: Any = None,
    environment: Mapping[str, Any] | None = None,
) -> Result:
    """What an engine gives."""
    there = any(one is not None for one in (ids, logprobs, raw))
    seen = Observation(token_ids=ids, logprobs=logprobs, raw=raw) if there else None
    return Result(Media(text.encode(), TEXT), seen, environment)


def local(log: Ledger, output: str = "It is a raven.", **fields: Any) -> str:
    """Record an operation of a local engine; returns the witness's id."""
    told: dict[str, Any] = {
        "model": "tiny",
        "prompt": PROMPT,
        "output": output,
        "engine": "scripted",
        "vantage": "hook",
    }
    return log.record(**(told | fields)).id


def from_template(**fields: Any) -> dict[str, Any]:
    """How the prompt was made."""
    return {
        "prompt_template": TEMPLATE,
        "prompt_variables": VARIABLES,
        "context_snapshot": {"atoms": ATOMS},
        "context_atom_ids": ["a-1", "a-3"],
    } | fields


def called(log: Ledger, prompt: str = "Why?", said: str = "Because.", **body: Any) -> str:
    """Make a call in a session as an SDK would; returns the witness's id."""
    with log.session(NAME, prices=PRICES, on_unknown="retry") as run:
        do(run, ask(prompt, **body), answer(said, fingerprint="fp_1"))
    return next(reversed(list(log.find(type="witness")))).id


def one(log: Ledger, identifier: str, engine: Any = None, **options: Any) -> Replay:
    """Replay an operation once."""
    options.setdefault("resources", Resources())
    (ran,) = replay(log, [identifier], engine=engine, **options)
    return ran


def completion(said: str, **members: Any) -> bytes:
    """The body of a chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said},
        "finish_reason": "stop",
    }
    return json.dumps({"object": "chat.completion", "choices": [choice], **members}).encode()
