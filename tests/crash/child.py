"""An experiment with paid calls, as a user would write it: simply run again after a crash.

It notes each answer that it was handed in `handed.jsonl`, and what came of all of them in
`done.json`, so that a test can compare what a caller has seen with what the log and the provider
know.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai

import ledger
from ledger.session import Session
from tests.crash import injection

NAME = "crash/experiment"
QUESTIONS = ("What holds?", "What follows?", "What holds?", "What is left?")
"""The first is asked twice: two calls, since they are two replicates."""
STAGED = (QUESTIONS[:2], ("What else holds?", "What is left?"))
REPEATED = (QUESTIONS[:2], QUESTIONS[2:])
"""The second stage asks once more what the first one asked."""

Ask = Callable[[str], str]


class Notes:
    """What the caller has seen, in files of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def handed(self, number: int, text: str) -> str:
        """Note an answer with one write; returns it."""
        line = json.dumps([number, text]).encode() + b"\n"
        descriptor = os.open(
            self._folder / "handed.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
        )
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        return text

    def done(self, session: Session, answers: list[str]) -> None:
        """Note the end of a whole run."""
        told = {"answers": answers, "run": session.run, "counts": session.counts}
        (self._folder / "done.json").write_text(json.dumps(told), encoding="utf-8")


def openai_client(session: Session, base_url: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=base_url, api_key="test-key", http_client=session.http_client(), max_retries=0
    )


def message(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def chat(session: Session, base_url: str, notes: Notes) -> list[str]:
    """One call after another, by the SDK of OpenAI."""
    with openai_client(session, base_url) as client:

        def ask(question: str) -> str:
            answer = client.chat.completions.create(model="demo", messages=message(question))
            return answer.choices[0].message.content or ""

        return [notes.handed(n, ask(question)) for n, question in enumerate(QUESTIONS)]


def stream(session: Session, base_url: str, notes: Notes) -> list[str]:
    """The same, each answer as a stream."""
    with openai_client(session, base_url) as client:

        def ask(question: str) -> str:
            with client.chat.completions.create(
                model="demo", messages=message(question), stream=True
            ) as chunks:
                return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

        return [notes.handed(n, ask(question)) for n, question in enumerate(QUESTIONS)]


def messages(session: Session, base_url: str, notes: Notes) -> list[str]:
    """Whole answers and streams in turn, by the SDK of Anthropic."""
    with anthropic.Anthropic(
        base_url=base_url.removesuffix("/v1"),
        api_key="test-key",
        http_client=session.http_client(),
        max_retries=0,
    ) as client:

        def ask(question: str, *, streamed: bool) -> str:
            given: Any = {"model": "demo", "max_tokens": 99, "messages": message(question)}
            if streamed:
                with client.messages.stream(**given) as events:
                    return events.get_final_text()
            [block] = client.messages.create(**given).content
            return str(getattr(block, "text", ""))

        return [
            notes.handed(n, ask(question, streamed=n % 2 == 1))
            for n, question in enumerate(QUESTIONS)
        ]


def stages(session: Session, base_url: str, notes: Notes) -> list[str]:
    """Two stages with a savepoint after each call; a finished stage is not run again."""
    return _staged(session, base_url, notes, STAGED)


def repeated(session: Session, base_url: str, notes: Notes) -> list[str]:
    """The same, with a question that both stages ask."""
    return _staged(session, base_url, notes, REPEATED)


def _staged(
    session: Session, base_url: str, notes: Notes, parts: tuple[tuple[str, ...], ...]
) -> list[str]:
    answers: list[str] = []
    with openai_client(session, base_url) as client:
        for number, questions in enumerate(parts):
            with session.stage(f"part-{number}", list[str]) as stage:
                if stage.needed:
                    stage.result = []
                    for question in questions:
                        got = client.responses.create(model="demo", input=question).output_text
                        place = len(answers) + len(stage.result)
                        stage.result.append(notes.handed(place, got))
                        stage.savepoint({"answers": len(stage.result)})
            answers += stage.result
        return answers


def tasks(session: Session, base_url: str, notes: Notes) -> list[str]:
    """All at once, as tasks of asyncio; equal questions are told apart by their replicate."""

    async def run() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=base_url,
            api_key="test-key",
            http_client=session.async_http_client(),
            max_retries=0,
        ) as client:

            async def ask(number: int, question: str) -> str:
                with session.replicate(1 + QUESTIONS[:number].count(question)):
                    made = await client.responses.create(model="demo", input=question)
                return notes.handed(number, made.output_text)

            return list(await asyncio.gather(*(ask(*one) for one in enumerate(QUESTIONS))))

    return asyncio.run(run())


def brief(session: Session, base_url: str, notes: Notes) -> list[str]:
    """As few system calls as possible: a stream, a savepoint, a call, and the end of a stage."""
    with openai_client(session, base_url) as client, session.stage("all", list[str]) as stage:
        if stage.needed:
            with client.chat.completions.create(
                model="demo", messages=message(QUESTIONS[0]), stream=True
            ) as chunks:
                first = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            stage.result = [notes.handed(0, first)]
            stage.savepoint({"answers": 1})
            second = client.responses.create(model="demo", input=QUESTIONS[1]).output_text
            stage.result.append(notes.handed(1, second))
        return list(stage.result)


def crossing(session: Session, base_url: str, notes: Notes) -> list[str]:
    """Two operations: a model behind Anthropic's SDK thinks, one behind OpenAI's works."""
    answers: list[str] = []
    with (
        anthropic.Anthropic(
            base_url=base_url.removesuffix("/v1"),
            api_key="test-key",
            http_client=session.http_client(),
            max_retries=0,
        ) as thinker,
        openai_client(session, base_url) as worker,
    ):
        for _ in range(2):
            with session.cross_model("review", insight="thinker", execution="worker") as operation:
                with operation.insight() as insight:
                    asked: Any = {"max_tokens": 99, "messages": message(QUESTIONS[0])}
                    [block] = thinker.messages.create(model="thinker", **asked).content
                    answers.append(notes.handed(len(answers), str(getattr(block, "text", ""))))
                with operation.transfer(insight) as handed:
                    handed.check("not_empty", passed=bool(handed.text))
                with operation.execute(handed):
                    said = message(f"Known: {handed.text} {QUESTIONS[1]}")
                    made = worker.chat.completions.create(model="worker", messages=said)
                    text = made.choices[0].message.content or ""
                    answers.append(notes.handed(len(answers), text))
    return answers


PROGRAMS = (chat, stream, messages, stages, repeated, tasks, brief, crossing)
VARIANTS = {one.__name__: one for one in PROGRAMS}


def run(
    folder: str,
    base_url: str,
    variant: str,
    inject: list[Any] | None = None,
    **options: Any,
) -> None:
    """Run the experiment in a folder; `inject` is the name of a step and which time it kills.

    Options are those of the session, and `map_size_bytes` of the ledger.
    """
    place = Path(folder)
    if inject is not None:
        injection.arm(*inject)
    notes = Notes(place)
    size = {"map_size_bytes": options.pop("map_size_bytes")} if "map_size_bytes" in options else {}
    given: Any = {"on_unknown": "retry", **options}
    with ledger.open(place / "log.vif", keys=place / "keys", **size) as log:
        with log.session(given.pop("name", NAME), **given) as session:
            answers = VARIANTS[variant](session, base_url, notes)
        notes.done(session, answers)
