"""Operations that were run again, as honest people record it, in steps that a test can bend."""

from __future__ import annotations

import json
from typing import Any

import rfc8785

from tests.verifier import build
from tests.verifier.combined import moment
from tests.verifier.scene import Payload, Scene

LEVELS = ("archive", "text", "tokens", "logprobs", "bits")
REQUEST = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
HERE, ELSEWHERE = {"threads": 4, "engine": {"torch": "2.9"}}, {"threads": 8}
OBSERVED: Payload = {
    "token_ids": [5, 7, 9], "token_texts": ["a", "\u00e9", "c"], "logprobs": [-0.5, -1.0, -2.25],
    "raw": {"sha256": "ab" * 32, "size_bytes": 36},
}  # fmt: skip


def answer(text: str = "h\u00e9llo", ident: str = "a-1", **more: Any) -> bytes:
    """An answer in the protocol of chat completions."""
    choice = {
        "index": 0, "message": {"role": "assistant", "content": text},
        "logprobs": {"content": [{"token": text[:2], "logprob": -0.5},
                                 {"token": text[2:], "logprob": -1.5}]},
    }  # fmt: skip
    body = {"id": ident, "created": 7, "model": "m", "system_fingerprint": "fp", **more}
    return json.dumps({**body, "choices": [choice]}, indent=1).encode()


def document(value: Any) -> bytes:
    return rfc8785.dumps(value)


def levels(*states: str) -> Payload:
    """States of the five levels; m, d, o and n stand for the four."""
    names = {"m": "match", "d": "differs", "o": "not_observable", "n": "not_run"}
    return dict(zip(LEVELS, [names[s] for s in states], strict=True))


class Replays(Scene):
    """A scene in which witnesses are replayed, in this ledger or in another one."""

    def __init__(self, of: Replays | None = None, **given: Any) -> None:
        """Take the scene whose witnesses are replayed, if it is another one."""
        super().__init__(**given)
        self.of = of or self
        self.body: dict[str, Payload] = {}
        self.tick = 0

    def witness(self, step: str, **groups: Any) -> None:
        body = build.witness(b"")
        body["data"]["prompt_hash"] = self.ref(b"hi", "text/plain")
        for group, members in groups.items():
            body[group] = {**body.get(group, {}), **members}
        self.body[step] = body
        self.add(step, "witness", body)

    def called(self, step: str = "w_api", response: bytes | None = None, **more: Any) -> None:
        """A witness of a call of an endpoint."""
        raw = {
            "request": self.ref(REQUEST),
            "response": self.ref(answer() if response is None else response),
        }
        groups: Payload = {
            "model": {"model_id": "m", "system_fingerprint": "fp"}, "raw": raw,
            "output": {"output_hash": self.ref("h\u00e9llo".encode(), "text/plain")},
        }  # fmt: skip
        self.witness(step, **{**groups, **more})

    def local(self, step: str = "w_local", observed: Any = OBSERVED, **more: Any) -> None:
        """A witness of a model that ran here."""
        replay = {
            "engine": "transformers", "replay_seed": 7,
            "observation": self.ref(document(observed)), "environment": self.ref(document(HERE)),
        }  # fmt: skip
        output = {"output_hash": self.ref("a\u00e9c".encode(), "text/plain")}
        self.witness(step, **{"replay": replay, "output": output, **more})

    def expected(self, step: str) -> Payload:
        """What a witness has, by the words of the page."""
        b = self.of.body[step]
        places = {
            "output": ("output", "output_hash"), "observation": ("replay", "observation"),
            "environment": ("replay", "environment"), "request": ("raw", "request"),
            "response": ("raw", "response"),
        }  # fmt: skip
        found: Payload = {
            name: b[group][key]["sha256"]
            for name, (group, key) in places.items()
            if key in b.get(group, {})
        }
        if "uncertainty" in b:
            found["confidence"] = b["uncertainty"]["confidence_score"]
        return found

    def replay(self, step: str, of: str, states: Payload, **more: Any) -> None:
        self.tick += 2
        reached = [level for level in LEVELS if states[level] == "match"]
        wanted = more.get("wanted", "text")
        body: Payload = {
            "version": 1, "engine": "transformers", "wanted": wanted,
            "success": states[wanted] == "match", "level": reached[-1] if reached else "none",
            "levels": states, "run": {"number": 1, "of": 1}, "expected": self.expected(of),
            "message": "as it came", "started_at": moment(self.tick - 2),
            "ended_at": moment(self.tick - 1), **more,
        }  # fmt: skip
        self.body[step] = body
        there = None if self.of is self else self.of.ledger
        self.add_named(step, body, self.ledger.named(self.of.at[of], there))

    def add_named(self, step: str, body: Payload, parent: Payload) -> None:
        if step not in self.skip:
            self.at[step] = self.ledger.add(
                "replay", body, stream=self.stream, session=self.session,
                parents=[parent], change=self.bend.get(step),
            )  # fmt: skip

    def from_answer(self, response: bytes, output: str | None, observed: Any, env: Any) -> Payload:
        found = {"response": self.ref(response)}
        if output is not None:
            found["output"] = self.ref(output.encode(), "text/plain; charset=utf-8")
        if observed is not None:
            found["observation"] = self.ref(document(observed))
        if env is not None:
            found["environment"] = self.ref(document(env))
        return found

    def api(self, step: str = "api", of: str = "w_api", **more: Any) -> None:
        """An endpoint that says the same again under another id."""
        response = answer(ident="b-2")
        said = json.loads(response)
        raw = document({k: v for k, v in said.items() if k not in ("id", "created")})
        observed = {
            "token_texts": ["h\u00e9", "llo"], "logprobs": [-0.5, -1.5],
            "raw": {"sha256": build.sha(raw).hex(), "size_bytes": len(raw)},
        }  # fmt: skip
        replayed = self.from_answer(
            response, "h\u00e9llo", observed, {"model": "m", "system_fingerprint": "fp"}
        )
        body = {
            "engine": "openai", "replayed": replayed, "epsilon": 0.0, "logprob_difference": 0.0,
            "raw_identical": True, "environment_identical": True,
        }  # fmt: skip
        self.replay(step, of, levels(*"mmmmm"), **{**body, **more})

    def again(
        self, step: str, states: str, output: str = "a\u00e9c", of: str = "w_local",
        env: Any = HERE, observed: Payload | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """A model that ran again; `observed` is what it saw otherwise."""
        replayed = {
            "output": self.ref(output.encode(), "text/plain"),
            "observation": self.ref(document({**OBSERVED, **(observed or {})})),
            "environment": self.ref(document(env)),
        }
        self.replay(step, of, levels(*states), replayed=replayed, **more)


def story(**given: Any) -> Replays:
    """Six ways in which a replay may end, all of them told as they were."""
    s = Replays(**given)
    s.called()
    s.local()
    s.api()
    s.again(
        "near", "mmmmd", env=ELSEWHERE, wanted="logprobs", epsilon=0.01,
        observed={"logprobs": [-0.5, -1.0078125, -2.25],
                  "raw": {"sha256": "cd" * 32, "size_bytes": 36}},
        logprob_difference=0.0078125, raw_identical=False, environment_identical=False,
    )  # fmt: skip
    s.again(
        "other", "mdddd", output="a\u00e8c", observed={"token_ids": [5, 8, 9]}, epsilon=0.5,
        logprob_difference=0.0, raw_identical=True, environment_identical=True,
        first_difference={"token": 1, "character": 1}, reason="output_differs",
    )  # fmt: skip
    s.again(
        "moved", "mmmmd", env=ELSEWHERE, wanted="bits", epsilon=0.0, logprob_difference=0.0,
        raw_identical=True, environment_identical=False, reason="environment_differs",
    )  # fmt: skip
    s.replay("looked", "w_local", levels(*"mnnnn"), engine="archive", wanted="archive")
    s.replay("away", "w_api", levels(*"mnnnn"), engine="openai", reason="model_unavailable")
    return s
