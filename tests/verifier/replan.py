"""Witnesses that can be run again, and their plan by the words of specs/13 section 9."""

from __future__ import annotations

import gzip
import json
from typing import Any

import rfc8785

from tests.verifier import build

Files = dict[str, bytes]
PLAN = "data/replay/plan.jsonl"
WEIGHTS = "data/replay/weights.json"
ENVIRONMENT = "data/replay/environment.json"
JSON = "application/json"
URL = "https://api.example.org/openai/v1/chat/completions?api-version=7"
HERE = b'{"threads":4}'
TOKENS = ["Hel", "lo"]


def answer(text: str = "Hello", **more: Any) -> bytes:
    """A chat completion with tokens, as a service writes it."""
    content = [{"token": t, "logprob": -0.5 * k} for k, t in enumerate(TOKENS, 1)]
    choice = {
        "index": 0, "message": {"role": "assistant", "content": text},
        "logprobs": {"content": content},
    }  # fmt: skip
    return json.dumps({"id": "x", "created": 5, "choices": [choice], **more}).encode()


def raw_sha(body: bytes) -> str:
    """The digest of the raw output of a body that is no stream."""
    whole = json.loads(body)
    for name in ("id", "created", "created_at", "completed_at"):
        whole.pop(name, None)
    return build.sha(rfc8785.dumps(whole)).hex()


class Shop:
    """A ledger with one witness of each kind; `at` has the index of each."""

    def __init__(self, salted: bool = False) -> None:
        self.salted = salted
        self.ledger = build.Ledger(salted=salted)
        self.at: dict[str, int] = {}
        self.lines: dict[int, dict[str, Any]] = {}

    def ref(self, content: bytes, media_type: str = "text/plain") -> dict[str, Any]:
        salt = build.sha(content)[:16] if self.salted else b""
        archived = self.ledger.content(salt + content)
        found = {**build.ref(archived, media_type), "size_bytes": len(content)}
        return found | {"salted": True} if self.salted else found

    def witness(self, name: str, parents: list[int] | None = None, **groups: Any) -> int:
        """Add a witness; groups are put into those that the builder makes."""
        body = build.witness()
        if "data" not in groups:
            body["data"]["prompt_hash"] = self.ref(b"prompt of " + name.encode())
        for key, value in groups.items():
            body[key] = body.get(key, {}) | value if isinstance(value, dict) else value
        self.at[name] = self.ledger.add("witness", body, session="run-1", parents=parents)
        return self.at[name]

    def planned(self, name: str, engine: str, **members: Any) -> None:
        """Say what the line of a witness has besides what each has."""
        index = self.at[name]
        p = build.payload(self.ledger.entries[index])
        output = p["body"]["output"].get("output_hash")
        expected = members.pop("expected", {})
        if output is not None:
            expected["text"] = digests(output, "sha256", "size_bytes", "media_type")
        order = [one for one in ("text", "tokens", "logprobs", "bits") if one in expected]
        ref = members.pop("request")
        self.lines[index] = {
            "engine": engine, "expected": expected, "levels": ["archive", *order],
            "request": digests(ref, "blake3", "sha256", "size_bytes", "media_type"), **members,
        }  # fmt: skip

    def reason(self, name: str, reason: str) -> None:
        self.lines[self.at[name]] = {"reason": reason}

    def call(self, url: str = URL, method: str = "POST", body: bytes = b'{"x":1}') -> int:
        """An intent and its answer; return the index of the outcome."""
        digest = build.sha(body + url.encode())
        intent: dict[str, Any] = {
            "call": {"digest": digest, "replicate": 1}, "attempt": 1, "method": method,
            "url": url, "request": self.ref(body, JSON),
            "request_headers": {"content-type": "application/json; v=1", "openai-beta": "b=1"},
        }  # fmt: skip
        at = self.ledger.add("intent", intent, session="run-1")
        wire = gzip.compress(answer(), mtime=0)
        outcome = {
            "status": "answered", "http_status": 200, "response": self.ref(wire, JSON),
            "response_headers": {"content-encoding": "gzip"},
        }  # fmt: skip
        return self.ledger.add("outcome", outcome, session="run-1", parents=[at])

    def raw(self, request: bytes, response: bytes | None = None, **headers: str) -> dict[str, Any]:
        found: dict[str, Any] = {"request": self.ref(request, JSON)}
        if response is not None:
            found["response"] = self.ref(response, JSON)
        if headers:
            found["request_headers"] = {k.replace("_", "-"): v for k, v in headers.items()}
        return found

    def line(self, index: int) -> dict[str, Any]:
        p = build.payload(self.ledger.entries[index])
        return {
            "index": index, "id": p["id"], "leaf_hash": self.ledger.leaves[index].hex(),
            "model": p["body"]["model"]["model_id"], "operation": p["body"]["operation"],
            **self.lines[index],
        }  # fmt: skip

    def files(self) -> Files:
        """The files of the plan."""
        lines = [self.line(index) for index in sorted(self.lines)]
        found = {PLAN: b"".join(rfc8785.dumps(one) + b"\n" for one in lines)}
        weights: dict[str, list[dict[str, Any]]] = {}
        for one in lines:
            if "weights" in one:
                weights.setdefault(one["weights"], []).append(one)
        if weights:
            rows = [
                {"at": ["https://example.org/w"], "blake3": k, "statements": len(v),
                 "models": sorted({one["model"] for one in v})}
                for k, v in sorted(weights.items())
            ]  # fmt: skip
            found[WEIGHTS] = rfc8785.dumps({"weights": rows})
        if "open" in self.at:
            found[ENVIRONMENT] = HERE
        return found | {"REPLAY.md": b"# replay\n", "data/replay/requirements.txt": b"x==1\n"}


def digests(ref: dict[str, Any], *names: str) -> dict[str, Any]:
    return {n: ref[n].hex() if isinstance(ref[n], bytes) else ref[n] for n in names}


def listed(name: str, values: list[Any], **more: Any) -> dict[str, Any]:
    return {name: {"count": len(values), "sha256": build.sha(rfc8785.dumps(values)).hex(), **more}}


def said(body: bytes, environment: bytes | None = None) -> dict[str, Any]:
    """What is expected of a replay by an answer of `answer`."""
    found = listed("tokens", TOKENS, kind="texts") | listed("logprobs", [-0.5, -1])
    if environment is not None:
        sha = build.sha(environment).hex()
        found["bits"] = {"environment": sha, "raw": raw_sha(body)}
    return found


def shop(salted: bool = False) -> Shop:
    """One witness of each kind."""
    s = Shop(salted)
    opening = {
        "run": 1, "writer": "t", "on_unknown": "ask", "environment": s.ref(HERE, JSON),
        "frozen": [],
    }  # fmt: skip
    if salted:
        opening["call_key"] = s.ref(bytes(32), "application/octet-stream")
    s.at["open"] = s.ledger.add("session_open", opening, session="run-1")
    model = {"model_id": "m-2", "system_fingerprint": "fp"}
    inside = b'{"model":"m-2","system_fingerprint":"fp"}'
    body = answer()
    raw = s.raw(b'{"messages":[],"seed":1}', body, openai_beta="z")
    out = {"output_hash": s.ref(b"Hello")}
    s.witness("chat", raw=raw, output=out, model=model, replay={"replay_seed": 2**60, "top_p": 0.5})
    s.planned("chat", "openai", needs="endpoint", path="/v1/chat/completions",
              request=raw["request"], parameters={"top_p": 0.5},
              expected=said(body, inside))  # fmt: skip
    raw = s.raw(b'{"messages":[]}')
    s.witness("claude", raw=raw, model={"model_provider": "anthropic", "provider_source": "stated"})
    s.planned("claude", "anthropic", needs="endpoint", path="/v1/messages", request=raw["request"])
    raw = s.raw(b'{"input":"a"}')
    s.witness("embed", raw=raw, operation="embeddings")
    s.planned("embed", "openai", needs="endpoint", path="/v1/embeddings", request=raw["request"])
    s.witness("respond", raw=raw)
    s.planned("respond", "openai", needs="endpoint", path="/v1/responses", request=raw["request"])
    raw = s.raw(b'{"prompt":"a"}')
    s.witness("complete", raw=raw)
    s.planned("complete", "openai", needs="endpoint", path="/v1/completions",
              request=raw["request"])  # fmt: skip
    tools = {"tool_ids": ["add"], "tool_parameters": s.ref(b'{"a":1}', JSON)}
    s.witness("tool", operation="execute_tool", tools=tools, capture={"vantage": "hook"},
              output=out)  # fmt: skip
    s.planned("tool", "step", needs="function", tool="add", request=tools["tool_parameters"])
    ids = {"logprobs": [-0.25, -1e-7], "raw": {"sha256": "ab" * 32, "size_bytes": 24},
           "token_ids": [4, 2]}  # fmt: skip
    replay = {
        "engine": "transformers", "observation": s.ref(rfc8785.dumps(ids), JSON),
        "environment": s.ref(b'{"dtype":"float32"}', JSON), "max_tokens": 2,
        "other_params": {"stop": ["\u20ac"], "deep": {"x": [b"bytes"]}},
    }  # fmt: skip
    weights = b"w" * 32
    s.witness("local", replay=replay, output=out, model={"weights_hash": weights})
    seen = listed("tokens", [4, 2], kind="ids") | listed("logprobs", ids["logprobs"])
    seen["bits"] = {"environment": build.sha(b'{"dtype":"float32"}').hex(), "raw": "ab" * 32}
    prompt = build.payload(s.ledger.entries[s.at["local"]])["body"]["data"]["prompt_hash"]
    s.planned("local", "transformers", needs="weights", request=prompt, weights=weights.hex(),
              parameters={"max_tokens": 2}, expected=seen)  # fmt: skip
    s.witness("plain")
    s.reason("plain", "not_recorded")
    s.witness("gone", replay={"engine": "embedded"}, output={"output_hash": s.ref(b"gone")})
    s.reason("gone", "content_missing")
    raw = {"response": s.ref(body, JSON)}
    s.witness("demo", replay={"engine": "embedded"}, raw=raw, output=out)
    prompt = build.payload(s.ledger.entries[s.at["demo"]])["body"]["data"]["prompt_hash"]
    s.planned("demo", "embedded", needs="engine", request=prompt, expected=said(body))
    erased = build.payload(s.ledger.entries[s.at["gone"]])["body"]["output"]["output_hash"]
    s.ledger.add("erasure", {"content": erased, "reason": "r"}, stream="admin")
    del s.ledger.contents[erased["blake3"]]
    return s
