"""Sessions as an honest producer writes them, in named steps that a test can bend or leave out."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import rfc8785

from tests.verifier import build

Payload = dict[str, Any]
Bend = Callable[[Payload], None]
SESSION = "mva/experiment_2"
URL = "https://api.example.org/v1/chat/completions"
KEY = bytes(range(32))


def digest(body: Any, method: str = "POST", key: bytes | None = None) -> bytes:
    """The digest of a call with a JSON body, or with none, by another library."""
    named = {"method": method, "url": URL, "headers": {"openai-beta": "b"}}
    text = rfc8785.dumps(named if body is None else {**named, "body": body})
    return hmac.digest(key, text, "sha256") if key is not None else hashlib.sha256(text).digest()


class Scene:
    """A ledger in which one session is written; `at` has the index of each step."""

    def __init__(
        self,
        bend: dict[str, Bend] | None = None,
        skip: tuple[str, ...] = (),
        salted: bool = False,
        ledger: build.Ledger | None = None,
        session: str = SESSION,
    ) -> None:
        self.ledger = ledger if ledger is not None else build.Ledger(salted=salted)
        self.salted = salted
        self.session = session
        self.stream = session
        self.bend = bend or {}
        self.skip = skip
        self.at: dict[str, int] = {}
        self.key_ref = self.ref(KEY, "application/octet-stream") if salted else None

    def ref(self, content: bytes, media_type: str = "application/json") -> Payload:
        """Archive a content and return the reference to it."""
        salt = build.sha(content)[:16] if self.salted else b""
        archived = self.ledger.content(salt + content)
        found = {**build.ref(archived, media_type), "size_bytes": len(content)}
        return found | {"salted": True} if self.salted else found

    def add(self, step: str, kind: str, body: Payload, parents: list[str] | None = None) -> None:
        """Append a step, bent as the test wants it."""
        if step in self.skip:
            return
        named = [self.at[name] for name in parents or [] if name in self.at] or None
        self.at[step] = self.ledger.add(
            kind,
            body,
            stream=self.stream,
            session=self.session,
            parents=named,
            change=self.bend.get(step),
        )

    def open(self, step: str, run: int, files: dict[str, str], **more: Any) -> None:
        before = [f"open{run - 1}"] if run > 1 else None
        body = {
            "run": run,
            "writer": "tests 1.0",
            "on_unknown": "ask",
            "environment": self.ref(b'{"python":"3.11"}'),
            "frozen": [
                {"role": "experiment_snapshot", "name": "plan.md",
                 "content": self.ref(b"# plan", "text/markdown")},
                *({"role": "file", "name": name, "content": self.ref(text.encode(), "text/x-y")}
                  for name, text in sorted(files.items())),
            ],
            **more,
        }  # fmt: skip
        if self.key_ref is not None:
            body["call_key"] = dict(self.key_ref)
        self.add(step, "session_open", body, before)

    def intent(
        self, step: str, prompt: Any, attempt: int = 1, replicate: int = 1, parent: str = "",
        **more: Any,
    ) -> None:  # fmt: skip
        body: Payload = {
            "call": {
                "digest": digest(prompt, key=KEY if self.salted else None),
                "replicate": replicate,
            },
            "attempt": attempt,
            "method": "POST",
            "url": URL,
            "request_headers": {"openai-beta": "b"},
            "model": "small-model",
            **more,
        }
        if prompt is not None:
            body["request"] = self.ref(json.dumps(prompt, indent=1).encode())
            body["request_headers"]["content-type"] = "application/json; charset=utf-8"
        self.add(step, "intent", body, [parent] if parent else None)

    def answered(self, step: str, intent: str, text: str, encoding: str = "gzip") -> None:
        """An answer; its bytes are compressed, and what they decode to is named."""
        plain = json.dumps({"text": text}).encode()
        wire = gzip.compress(plain, mtime=0) if encoding == "gzip" else plain
        body: Payload = {
            "status": "answered", "http_status": 200, "response": self.ref(wire),
            "response_headers": {"content-encoding": encoding}, "duration_ms": 12.5,
        }  # fmt: skip
        if not self.salted:
            body["decoded"] = {"sha256": build.sha(plain), "size_bytes": len(plain)}
        self.add(step, "outcome", body, [intent])

    def outcome(self, step: str, intent: str, **body: Any) -> None:
        self.add(step, "outcome", body, [intent])

    def witness(self, step: str, outcome: str, cost: float | None, **more: Any) -> None:
        body = build.witness(b"")
        body["data"]["prompt_hash"] = self.ref(b"the prompt", "text/plain")
        body["output"]["output_hash"] = self.ref(b"the answer", "text/plain")
        if cost is not None:
            body["cost"] = {"cost_usd": cost, "price_table": "p-1"}
        self.add(step, "witness", body | more, [outcome])

    def close(self, step: str, run: int, counts: str, **more: Any) -> None:
        """End a run; counts are answered, failed, unknown, reused and unpriced."""
        names = ("answered", "failed", "unknown", "reused", "unpriced")
        numbers = dict(zip(names, map(int, counts.split()), strict=True))
        body = {"run": run, "status": "complete", **numbers, **more}
        self.add(step, "session_close", body, [f"open{run}"])


def story(insert: dict[str, Callable[[Scene], None]] | None = None, **given: Any) -> Scene:
    """Three runs: a refusal, a kill, an answer given again; `insert` adds after a step."""
    s = Scene(**given)

    def after(step: str) -> None:
        if insert is not None and step in insert:
            insert[step](s)

    s.open("open1", 1, {"a.py": "one", "b.py": "two"})
    after("open1")
    s.intent("intent_a", {"prompt": "\u20ac", "n": 1.0})
    s.answered("outcome_a", "intent_a", "first")
    s.witness("witness_a", "outcome_a", 0.1)
    after("witness_a")
    s.intent("intent_b", {"prompt": "b"}, stage="one")
    s.outcome("outcome_b", "intent_b", status="failed", reason="http_status", http_status=429)
    s.intent("intent_b2", {"prompt": "b"}, 2, parent="outcome_b", after="failed", stage="one")
    s.answered("outcome_b2", "intent_b2", "second", "identity")
    s.witness("witness_b2", "outcome_b2", 0.2)
    s.add("reuse1", "reuse", {"calls": 2}, ["outcome_a", "outcome_b2"])
    state = s.ref(b'{"done":1}')
    s.add("save1", "savepoint", {"stage": "one", "complete": True, "state": state})
    s.intent("intent_c", None, stage="two")
    after("intent_c")
    s.stream = s.session + "/again"
    changed = [
        {"role": "file", "name": "a.py", "change": "removed"},
        {"role": "file", "name": "b.py", "change": "altered"},
        {"role": "file", "name": "c.py", "change": "added"},
    ]
    files = {"b.py": "TWO", "c.py": "three"}
    s.open("open2", 2, files, previous="killed", changed=changed)
    after("open2")
    s.outcome("outcome_c", "intent_c", status="unknown", reason="killed")
    s.intent("intent_c2", None, 2, parent="outcome_c", after="unknown", stage="two")
    s.answered("outcome_c2", "intent_c2", "third")
    s.intent("intent_a2", {"prompt": "\u20ac", "n": 1.0}, replicate=2)
    s.answered("outcome_a2", "intent_a2", "fourth")
    s.witness("witness_a2", "outcome_a2", 0.3)
    s.intent("intent_d", {"prompt": "d"})
    s.answered("outcome_d", "intent_d", "fifth")
    s.witness("witness_d", "outcome_d", 0.6)
    after("witness_d")
    s.close("close2", 2, "3 0 0 0 1", cost_usd=0.0 + 0.3 + 0.6)
    after("close2")
    s.open("open3", 3, files, previous="complete")
    s.add("reuse3", "reuse", {"calls": 1}, ["outcome_c2"])
    s.add("save3", "savepoint", {"stage": "two", "complete": False, "state": state}, ["save1"])
    s.close("close3", 3, "0 0 0 1 0")
    after("close3")
    return s
