"""Packages made for replay as the verifier sees them, which derives their plan by itself."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from ledger.capture.exchange import Request, Response
from ledger.export import ExportResult, export
from ledger.export.attachments import attach
from ledger.model.base import to_body
from ledger.model.build import witness
from ledger.replay.packages import PackageSource
from tests.export.lab import ROOT, Lab, verify
from tests.replay.planned import EVENTS, WEIGHTS, WHERE, chat_answer, erase, review, tell
from tests.session.lab import NAME, Prices, do

_HELP = subprocess.run(
    [sys.executable, "-m", "verifier", "--help"], cwd=ROOT, capture_output=True, text=True
).stdout
pytestmark = pytest.mark.skipif(
    "--replay-endpoint" not in _HELP, reason="this verifier knows nothing of replay"
)
JSON = (("content-type", "application/json"),)
CHAT: dict[str, Any] = {"model": "demo-1", "messages": [{"role": "user", "content": "q"}]}
STREAM = (
    b': ping\n\ndata: {"choices":[{"index":0,"delta":{"content":"4"},"logprobs":{"content":'
    b'[{"token":"4","logprob":-0.5}]}}],"model":"m","system_fingerprint":"f"}\n\ndata: [DONE]\n\n'
)
OBSERVED = {"raw": {"sha256": "1" * 64, "size_bytes": 1}}


def checked(made: ExportResult, *trust: str) -> dict[str, Any]:
    """Verify a package; there is nothing to be failed for. Returns the report."""
    pins = ["--trust", made.genesis, "--known-head", made.known_head]
    for genesis in trust:
        pins += ["--trust", genesis]
    ran = verify(made.path, *pins, "--json")
    report: dict[str, Any] = json.loads(ran.stdout)
    wrong = [one for one in report["findings"] if one["severity"] in ("fail", "fatal")]
    assert (ran.returncode in (0, 3), wrong) == (True, []), wrong
    assert report["axes"]["replay"]["status"] == "verified"
    assert (report["counts"]["planned"], report["counts"]["not_planned"]) == (
        made.replay and made.replay.planned,
        made.replay and made.replay.not_planned,
    )
    with PackageSource(made.path) as source:
        assert len(list(source.witnesses())) == len(source)
    return report


@pytest.mark.parametrize("salted", [False, True], ids=["plain", "salted"])
@pytest.mark.parametrize("unsigned", [False, True], ids=["signed", "unsigned"])
def test_packages_of_every_kind(tmp_path: Path, salted: bool, unsigned: bool) -> None:
    """Ledger, session and ranges, as folder and zip."""
    with Lab(tmp_path, salted=salted).open() as log:
        tell(log)
        number = 0
        for chosen in ({}, {"session": NAME}, {"start": 4, "end": 20}, {"start": 0, "end": 1}):
            for suffix in ("", ".zip"):
                number += 1
                target = tmp_path / f"p{number}{suffix}"
                made = export(log, target, replay=True, unsigned=unsigned, **chosen)  # type: ignore[arg-type]
                checked(made)


@pytest.mark.parametrize("salted", [False, True], ids=["plain", "salted"])
def test_erased_contents(tmp_path: Path, salted: bool) -> None:
    """What is needed and gone is a reason, and what is not needed none."""
    with Lab(tmp_path, salted=salted).open() as log:
        at = tell(log)
        erase(log, at["chat"], "raw", "request")
        erase(log, at["local"], "replay", "observation")
        erase(log, at["gguf"], "output", "output_hash")
        erase(log, at["mine"], "data", "prompt_hash")
        erase(log, at["step"], "data", "prompt_hash")
        erase(log, at["by body"], "raw", "response")
        checked(export(log, tmp_path / "p", replay=True))
        checked(export(log, tmp_path / "s.zip", replay=True, session=NAME))
        for opened in list(log.find(type="session_open")):
            erase(log, opened.index, "environment")
        made = export(log, tmp_path / "q", replay=True)
        assert not (made.path / "data/replay/environment.json").exists()
        checked(made)


def test_calls_of_all_protocols(lab: Lab, tmp_path: Path) -> None:
    """Paths with queries, other encodings, streams, bodies that are cut off or no JSON."""
    completion = {"tokens": ["h", "i"], "token_logprobs": [-3, -1.5]}
    block = {"type": "text", "text": "yo"}
    part = {"type": "output_text", "text": "yo"}
    packed = (*JSON, ("content-encoding", "gzip"))
    data = chat_answer().body
    calls: list[tuple[str, Any, Any]] = [
        ("openai/deployments/d/chat/completions?api-version=1&key=k", CHAT, chat_answer()),
        ("v1/chat/completions/", CHAT, chat_answer()),
        ("v1/completions?b=1", {"prompt": "p"},
         {"model": "m", "choices": [{"text": "hi", "logprobs": completion}]}),
        ("v1/embeddings", {"input": "p"}, {"data": [{"embedding": [1.0, 1e17], "index": 0}]}),
        ("v1/responses", {"input": "p"}, {"output": [{"type": "message", "content": [part]}]}),
        ("v1/messages", {"messages": []}, {"role": "assistant", "content": [block]}),
        ("v1/chat/completions?gz", CHAT, Response(200, packed, gzip.compress(data))),
        ("v1/chat/completions?cut", CHAT, Response(200, packed, gzip.compress(data)[:-20])),
        ("v1/chat/completions?dup", b'{"messages":[],"a":1,"a":2}', chat_answer()),
        ("v1/chat/completions?junk", b"junk", chat_answer()),
        ("v1/chat/completions?html", CHAT, Response(200, JSON, b"<html>")),
        ("v1/chat/completions?none", CHAT, chat_answer(choices=[])),
        ("v1/chat/completions?stream", CHAT, Response(200, (), STREAM)),
        ("v1/chat/completions?half", CHAT, Response(200, (), EVENTS[:-20])),
    ]  # fmt: skip
    with lab.open() as log:
        with log.session(NAME, prices=Prices()) as session:
            for path, asked, said in calls:
                if not isinstance(said, Response):
                    said = Response(200, JSON, json.dumps({"id": "x", **said}).encode())
                body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
                do(session, Request("POST", f"https://example.org/{path}", JSON, body), said)
        checked(export(log, tmp_path / "p", replay=True))
        checked(export(log, tmp_path / "s.zip", replay=True, session=NAME))


def odd(log: Ledger) -> None:
    """Witnesses that say something, though not what a recorder would have them say."""
    messages: dict[str, Any] = {"messages": []}
    tool = {"tool_ids": ["a"], "tool_parameters": {"a": 1}}
    text = {"e": "\0\ud7ff\U0001f600", "n": None, "a": 1e17, "b": 1e300, "z": 5e-324}
    for number, fields in enumerate(
        (
            {"engine": "mine", "parameters": {"l": [1, [2, {"x": b"b"}]]}},
            {"engine": "mine", "parameters": {**text, "neg": 1 - 2**53}},
            {"engine": "mine", "parameters": {"a": -(2**53)}},
            {"engine": "mine", "replay_seed": 2**60, "top_k": 2**60, "top_p": 1.0},
            {"engine": "step", "tool_ids": ["a", "b"], "tool_parameters": {"a": 1}},
            {"engine": "step"},
            {"engine": "step", "weights_hash": WEIGHTS, **tool},
            {"operation": "execute_tool", **tool},
            {"engine": "archive"},
            {"engine": "mine", "environment": WHERE},
            {"engine": "mine", "observation": OBSERVED, "system_fingerprint": "x"},
            {"engine": "mine", "observation": {"token_ids": [], "logprobs": []}},
            {"engine": "mine", "observation": {"token_ids": [1]}, "output": None},
            {"engine": "openai"},
            {"engine": "openai", "request": b'{"x":1}'},
            {"engine": "openai", "request": messages, "observation": {"token_texts": ["z"]}},
            {"engine": "embedded", "response": EVENTS},
            {"engine": "embedded", "response": b"junk"},
            {"engine": "transformers", "response": chat_answer().body},
            {"request": messages | {"prompt": "x", "input": "y"}, "model_provider": "openai"},
            {"request": {"prompt": "x", "input": "y"}, "operation": "embeddings"},
            {
                "request": messages,
                "response": gzip.compress(chat_answer().body),
                "response_headers": {"content-encoding": "gzip"},
            },
            {"request": {"messages": None}},
            {"engine": "mine", "model": "|`x`", "weights_hash": WEIGHTS},
        )
    ):
        log.record(**{"model": "m", "prompt": f"p {number}", "output": f"o {number}", **fields})  # type: ignore[arg-type]
    body, contents = witness(model="m", prompt="p", output="o", engine="mine")
    for name, data in (("observation", b'{"token_ids":"x"}'), ("environment", b"no JSON")):
        one = to_body(body)
        archived = log.archive(data, "application/json")
        raw = log.archive(json.dumps(OBSERVED, separators=(",", ":")).encode(), "application/json")
        one["replay"] |= {"observation": raw.ref.to_cbor(), name: archived.ref.to_cbor()}
        log.append("witness", one, contents=(*contents, archived, raw))


def test_odd_witnesses(lab: Lab, tmp_path: Path) -> None:
    """Both programs read the page in the same way."""
    with lab.open() as log:
        odd(log)
        at = {WEIGHTS.hex(): ["a", "\0\n"]}
        made = export(log, tmp_path / "p", replay=True, weights_at=at)
    checked(made)


def test_attached_replays_are_evidence(lab: Lab, tmp_path: Path) -> None:
    """As zip and as folder, each in a copy of the package."""
    with lab.open() as log:
        at = tell(log)
        made = export(log, tmp_path / "p", replay=True)
        other = review(tmp_path / "other", log, at["chat"], at["local"])
    shutil.copytree(made.path, tmp_path / "q")
    with other.open() as log:
        export(log, tmp_path / "review.zip")
        export(log, tmp_path / "review")
    attach(made.path, tmp_path / "review.zip")
    checked(made, other.made.genesis.hex())
    attach(tmp_path / "q", tmp_path / "review")
    ran = verify(
        tmp_path / "q", "--trust", made.genesis, "--trust", other.made.genesis.hex(), "--json"
    )
    assert ran.returncode == 3, ran.stdout  # there is no known head of the other one


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("plan.jsonl", lambda data: data.replace(b'"text"', b'"test"', 1), "plan_invalid"),
        ("plan.jsonl", lambda data: data.replace(b"/v1/chat", b"/v2/chat", 1), "plan_mismatch"),
        ("plan.jsonl", lambda data: data[data.index(b"\n") + 1 :], "plan_incomplete"),
        ("weights.json", lambda data: data.replace(b'"statements":2', b'"statements":3'),
         "plan_mismatch"),
        ("environment.json", lambda data: data + b" ", "plan_mismatch"),
    ],
)  # fmt: skip
def test_edited_plans_fail(
    lab: Lab, tmp_path: Path, path: str, change: Callable[[bytes], bytes], code: str
) -> None:
    """Also in an unsigned package, whose lists could be made anew."""
    with lab.open() as log:
        tell(log)
        made = export(log, tmp_path / "p", replay=True, unsigned=True)
    file = made.path / "data/replay" / path
    file.write_bytes(change(file.read_bytes()))
    ran = verify(made.path, "--trust", made.genesis, "--known-head", made.known_head, "--json")
    codes = {one["code"] for one in json.loads(ran.stdout)["findings"]}
    assert (ran.returncode, code in codes) == (1, True), codes
