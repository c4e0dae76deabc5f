"""A ledger with operations of every kind that can be run again, and of every kind that cannot."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger import Ledger
from ledger.capture.exchange import Response
from ledger.formats.content import from_cbor
from ledger.formats.observation import Observation, Raw
from ledger.formats.payload import Parent
from tests.export.lab import Lab
from tests.session.lab import NAME, Prices, answer, ask, do
from tools.vectors import replay_lab

WEIGHTS = bytes(range(32))
SEEN = Observation(token_ids=(7, 9), logprobs=(-0.5, -1.25), raw=Raw(sha256(b"raw").digest(), 3))
WHERE = {"threads": 1, "libraries": {"torch": "2.9"}}
EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"49"}}]}\n\ndata: [DONE]\n\n'
TOKENS = {"content": [{"token": "4", "logprob": -0.25}, {"token": "2", "logprob": -0.5}]}


def chat_answer(**more: Any) -> Response:
    """An answer with log-probabilities and a fingerprint."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "42"}, "logprobs": TOKENS}
    body = {"id": "x", "model": "demo-1", "system_fingerprint": "fp", "choices": [choice], **more}
    return Response(200, (("content-type", "application/json"),), json.dumps(body).encode())


def tell(log: Ledger) -> dict[str, int]:
    """Record all of it; returns the index of each witness by a name."""
    found: dict[str, int] = {}
    with log.session(NAME, prices=Prices()) as session:
        do(session, ask("a"), answer("42", fingerprint="fp"))
        do(session, ask("b"), chat_answer())
        streamed = Response(200, (("content-type", "text/event-stream"),), EVENTS)
        do(session, ask("c", stream=True), streamed)
    with log.session("other", prices=Prices()) as session:
        do(session, ask("d"), answer("43"))
    names = ["chat", "tokens", "stream", "elsewhere"]
    witnesses = (one.index for one in log.find(type="witness"))
    found |= dict(zip(names, witnesses, strict=True))

    def say(name: str, **fields: Any) -> None:
        given = {"model": "m", "prompt": f"prompt of {name}", "output": f"output of {name}"}
        found[name] = log.record(**given | fields).index

    messages = [{"role": "user", "content": "q"}]
    say("local", engine="transformers", observation=SEEN, environment=WHERE, weights_hash=WEIGHTS,
        replay_seed=3, temperature=0.5,
        parameters={"big": 2**60, "stop": ["x"]})  # fmt: skip
    say("gguf", engine="llama-cpp", observation={"token_texts": ["a", "b"]}, model="n")
    say("embedded", engine="embedded", response=chat_answer().body)
    say("mine", engine="my-engine", weights_hash=WEIGHTS, model="another")
    say("step", operation="execute_tool", vantage="hook", tool_ids=["add"],
        tool_parameters={"a": 1, "b": 2}, output="3")  # fmt: skip
    say("by body", request={"messages": messages}, response=chat_answer().body)
    say("completions", request={"prompt": "q"})
    say("embeddings", request={"input": "q"}, operation="embeddings")
    say("responses", request={"input": "q"}, system_fingerprint="fp")
    say("messages", request={"messages": messages}, model_provider="anthropic")
    say("failed", engine="my-engine", output=None)
    say("nothing")
    say("not json", request=b"x")
    say("other engine", request={"messages": messages}, engine="anthropic")
    return found


def erase(log: Ledger, index: int, *names: str) -> None:
    """Erase a content that a witness names."""
    value: Any = log.get(index).payload.body
    for name in names:
        value = value[name]
    log.erase(from_cbor(value), "asked for")


def review(folder: Path, log: Ledger, *indices: int) -> Lab:
    """A ledger of somebody else with a replay of each of these witnesses."""
    folder.mkdir()
    made = Lab(folder)
    with made.open() as other:
        for index in indices:
            entry = log.get(index)
            parent = Parent(entry.id, entry.leaf_hash, log.genesis)
            other.append("replay", replay_lab.archived(), parents=[parent])
        other.record(model="m", prompt="p")
    return made
