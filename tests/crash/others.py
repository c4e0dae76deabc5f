"""Other programs of this room that run in processes of their own; as `child.run`."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from openai import OpenAI

import ledger
from tests.crash import child
from tests.crash.child import NAME, Notes, message, openai_client

ANALYSES = 46
TEXTS, TURNS = 23, 2
"""The corpus, and how often each text of it is analysed."""


def limited(folder: str, base_url: str, variant: str, inject: Any, more_bytes: int) -> None:
    """Run the experiment where the database may grow by so many bytes: the disk is full."""
    size = (Path(folder) / "log.vif" / "db" / "data.mdb").stat().st_size
    limit = size + more_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    child.run(folder, base_url, variant, inject)


def analyses(folder: str, base_url: str, variant: str, inject: Any, end: str) -> None:
    """Analyse a corpus twice over, then write the synthesis, which fails as `end` says."""
    place = Path(folder)
    notes = Notes(place)
    with ledger.open(place / "log.vif", keys=place / "keys") as log:
        with log.session(NAME) as session, openai_client(session, base_url) as client:
            answers = [
                notes.handed(turn * TEXTS + text, _analyse(client, text))
                for turn in range(TURNS)
                for text in range(TEXTS)
            ]
            with session.stage("synthesis", str) as stage:
                if stage.needed:
                    if end == "raise":
                        raise RuntimeError("the synthesis has a mistake")
                    if end == "kill":
                        child.injection.kill()
                    made = client.responses.create(model="demo", input="\n".join(answers))
                    stage.result = notes.handed(ANALYSES, made.output_text)
            answers.append(stage.result)
        notes.done(session, answers)


def _analyse(client: OpenAI, text: int) -> str:
    made = client.chat.completions.create(model="demo", messages=message(f"Analyse text {text}."))
    return made.choices[0].message.content or ""


def threads(folder: str, base_url: str, variant: str, inject: Any, calls: int) -> None:
    """Ask from eight threads at once; every third question is the same as others."""
    place = Path(folder)
    if inject is not None:
        child.injection.arm(*inject)
    notes = Notes(place)
    with ledger.open(place / "log.vif", keys=place / "keys") as log:
        with (
            log.session(NAME, on_unknown="retry") as session,
            openai_client(session, base_url) as client,
            session.threads(8) as pool,
        ):

            def ask(number: int) -> str:
                question = "the same" if number % 3 == 0 else f"question {number}"
                with session.replicate(1 + (number // 3 if number % 3 == 0 else 0)):
                    made = client.responses.create(model="demo", input=question)
                return notes.handed(number, made.output_text)

            answers = list(pool.map(ask, range(calls)))
        notes.done(session, answers)
