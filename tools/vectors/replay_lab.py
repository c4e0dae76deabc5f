"""Good bodies of specs/13: replays that came out in different ways, and an operation replayed."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from tools.vectors import lab
from tools.vectors.body import Body
from tools.vectors.cross_lab import CHECKS, JSON, OPERATION, SPAN

LEVELS = ("archive", "text", "tokens", "logprobs", "bits")
REQUEST = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What is 6 times 7?"}]}'
RESPONSE = (
    '{"id":"chatcmpl-7","created":1795171199,"model":"gpt-4o-mini-2024-07-18",'
    '"system_fingerprint":"fp_0705bf87c0","choices":[{"message":{"content":"42"}}]}'
)
AGAIN = RESPONSE.replace("chatcmpl-7", "chatcmpl-9").replace("1795171199", "1795881600")
RAW = (
    '{"choices":[{"message":{"content":"42"}}],"model":"gpt-4o-mini-2024-07-18",'
    '"system_fingerprint":"fp_0705bf87c0"}'
)
SEEN = f'{{"raw":{{"sha256":"{sha256(RAW.encode()).hexdigest()}","size_bytes":{len(RAW)}}}}}'
WHERE = '{"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_0705bf87c0"}'


def digest(text: str) -> bytes:
    """Return the SHA-256 that a reference to a text has."""
    return sha256(text.encode()).digest()


def states(*found: str) -> dict[str, str]:
    """Return the states of the levels, from `archive` on; the last one goes for the rest."""
    return dict(zip(LEVELS, found + found[-1:] * (5 - len(found)), strict=True))


def archived() -> Body:
    """The smallest replay: somebody looked at what is recorded, of a witness without an output."""
    return {
        "version": 1,
        "engine": "archive",
        "wanted": "archive",
        "success": True,
        "level": "archive",
        "levels": states("match", "not_run"),
        "run": {"number": 1, "of": 1},
        "expected": {},
        "message": "",
        **SPAN,
    }


def reproduced() -> Body:
    """A chat completion that came out the same to the last bit, as far as it can be seen."""
    return archived() | {
        "engine": "openai",
        "wanted": "text",
        "level": "bits",
        "levels": states("match", "match", "not_observable", "not_observable", "match"),
        "expected": {"output": digest("42"), "request": digest(REQUEST),
                     "response": digest(RESPONSE)},
        "replayed": {"output": lab.ref("42"), "observation": lab.ref(SEEN, JSON),
                     "environment": lab.ref(WHERE, JSON), "response": lab.ref(AGAIN, JSON)},
        "raw_identical": True,
        "environment_identical": True,
        "message": "the same answer",
    }  # fmt: skip


def differing() -> Body:
    """A replay with every field, in another environment, in which all came out otherwise."""
    return reproduced() | {
        "engine": "transformers",
        "wanted": "logprobs",
        "success": False,
        "level": "archive",
        "levels": states("match", "differs"),
        "run": {"number": 2, "of": 3},
        "expected": {"output": digest("42"), "observation": digest("seen"),
                     "environment": digest("where"), "request": digest(REQUEST),
                     "response": digest(RESPONSE), "confidence": 0.875},
        "replayed": {"output": lab.ref("43"), "observation": lab.ref("seen again", JSON),
                     "environment": lab.ref("elsewhere", JSON), "response": lab.ref("{}", JSON),
                     "confidence": 0.75},
        "epsilon": 0.001,
        "logprob_difference": 0.25,
        "confidence_difference": -0.125,
        "first_difference": {"token": 0, "character": 1},
        "raw_identical": False,
        "environment_identical": False,
        "reason": "environment_differs",
        "message": "the other computer has another library",
    }  # fmt: skip


def agreeing() -> Body:
    """The same where all came out alike, at every level."""
    body = differing() | {"wanted": "bits", "success": True, "level": "bits",
                          "levels": states("match"), "logprob_difference": 0.0,
                          "confidence_difference": 0.0, "raw_identical": True,
                          "environment_identical": True}  # fmt: skip
    body["replayed"] = body["replayed"] | {"confidence": 0.875}
    del body["reason"], body["first_difference"]
    return body


def not_run(reason: str = "engine_failed", archive: str = "match") -> Body:
    """A replay that came to nothing."""
    body = archived() | {"engine": "llama-cpp", "wanted": "text", "success": False,
                         "level": "archive" if archive == "match" else "none",
                         "levels": states(archive, "not_run"), "reason": reason,
                         "expected": {"output": digest("42")}}  # fmt: skip
    return body


def stages(*counts: tuple[int, int]) -> list[dict[str, Any]]:
    """Return stages of an operation with so many replays, and so many that succeeded."""
    kinds = ("insight", "transfer", "execution")
    return [
        {"stage": kind, "label": "1", "replays": replays, "succeeded": succeeded}
        | ({"level": "text" if replays == succeeded else "archive"} if replays else {})
        for kind, (replays, succeeded) in zip(kinds, counts, strict=False)
    ]


def operation() -> Body:
    """The smallest replay_operation: nothing of it could be run."""
    return {
        "version": 1,
        "operation": dict(OPERATION),
        "wanted": "text",
        "stages": stages((0, 0)),
        "checks": [{"name": "stages_fit", "passed": True}],
        "success": True,
        "message": "",
        **SPAN,
    }


def full_operation() -> Body:
    """A replay_operation with every field, one of whose replays failed, as one of its checks."""
    return operation() | {
        "stages": stages((2, 2), (0, 0), (2, 1)),
        "checks": [dict(check) for check in CHECKS],
        "success": False,
        "message": "the execution differs",
    }
