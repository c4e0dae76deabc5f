"""A long session is run again: how long until its first new call leaves.

Everything that was answered is asked again by the SDK and given from the record, without network;
what the SDK itself needs for that many calls, with answers out of memory, is the floor.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai

import ledger
from ledger.capture.exchange import Request, Response
from ledger.session import Session
from tools.bench.calling import MODEL, WORDS, captured_client, prompt
from tools.provider.answers import Asked
from tools.provider.client import Provider
from tools.provider.openai_chat import chat
from tools.provider.settings import Options

THREADS = 16
FLOOR_CALLS = 500
_HEADERS = (("content-type", "application/json"),)


@dataclass(frozen=True)
class Resumed:
    """One row: seconds."""

    calls: int
    opening: float
    """Until the session is open: all of it was read."""
    replaying: float
    """Until all recorded answers were given again, after that."""
    first_new: float
    """From opening the ledger until the answer of the first new call."""
    sdk: float
    """What the SDK takes for as many calls with answers out of memory."""
    paid: int
    """Calls that reached the provider: one."""


def measure(place: Path, calls: int) -> Resumed:
    """Record that many calls, then run the session again with one call more."""
    path, keys = place / "resume.vif", place / "resume-keys"
    ledger.init(path, origin="bench.invalid/resume", keys=keys)
    with Provider(place / "resume-provider.jsonl") as provider:
        with ledger.open(path, keys=keys) as log, log.session("bench") as session:
            _fill(session, f"{provider.base_url}/chat/completions", calls)
        sdk = _floor(min(calls, FLOOR_CALLS)) * calls
        began = time.perf_counter()
        with (
            ledger.open(path, keys=keys) as log,
            log.session("bench") as session,
            captured_client(provider, session) as client,
        ):
            opened = time.perf_counter()
            for number in range(calls):
                client.chat.completions.create(model=MODEL, messages=prompt(number))
            replayed = time.perf_counter()
            client.chat.completions.create(model=MODEL, messages=prompt(calls))
            ended = time.perf_counter()
        paid = provider.paid()
    if paid != 1:
        raise RuntimeError(f"{paid} calls reached the provider, not 1")
    return Resumed(calls, opened - began, replayed - opened, ended - began, sdk, paid)


def _fill(session: Session, url: str, calls: int) -> None:
    """Record calls as the SDK makes them, without a provider; threads share commits."""

    def one(number: int) -> None:
        body = _body(number)
        call = session.begin(Request("POST", url, _HEADERS, json.dumps(body).encode()))
        call.responded(Response(200, _HEADERS, _answer(body, number)))

    with session.threads(THREADS) as pool:
        for _ in pool.map(one, range(calls)):
            pass


def _body(number: int) -> dict[str, Any]:
    return {"messages": prompt(number), "model": MODEL}


def _answer(body: dict[str, Any], number: int) -> bytes:
    return json.dumps(chat(Asked(body, number + 1, Options(words=WORDS)))).encode()


def _floor(calls: int) -> float:
    """Seconds for one call of the SDK that is answered out of memory."""
    answer = _answer(_body(0), 0)
    headers = dict(_HEADERS)

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content=answer)

    transport = httpx2.MockTransport(respond)
    with openai.OpenAI(
        base_url="http://bench.invalid/v1",
        api_key="bench",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    ) as client:
        client.chat.completions.create(model=MODEL, messages=prompt(0))
        began = time.perf_counter()
        for number in range(calls):
            client.chat.completions.create(model=MODEL, messages=prompt(number))
        return (time.perf_counter() - began) / calls
