"""Tells replays of recorded operations, honest ones and others (specs/13 sections 6 to 8)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from ledger.formats.call import canonical
from tools.vectors import lab
from tools.vectors.bagged import Files, package_case
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import TEXT, Operating, Told, change_of
from tools.vectors.replay_lab import LEVELS
from tools.vectors.telling import JSON

EPSILON = 0.001
NAMES = ("output", "observation", "environment", "response")


@dataclass(frozen=True)
class Seen:
    """What came out of a run, and what was seen of it."""

    output: bytes | None = None
    media: str = TEXT
    ids: Sequence[int] | None = None
    texts: Sequence[str] | None = None
    logprobs: Sequence[float] | None = None
    raw: bytes | None = None
    environment: Body | None = None
    response: bytes | None = None
    confidence: float | None = None

    def observation(self) -> bytes | None:
        """Return the document of it."""
        found: Body = {"token_ids": self.ids, "token_texts": self.texts, "logprobs": self.logprobs}
        found = {name: list(value) for name, value in found.items() if value is not None}
        if self.raw is not None:
            found["raw"] = {"sha256": sha256(self.raw).hexdigest(), "size_bytes": len(self.raw)}
        return canonical(found) if found else None

    def contents(self) -> dict[str, tuple[bytes, str]]:
        """Return the contents by the names of `replayed`, with their media types."""
        environment = None if self.environment is None else canonical(self.environment)
        found = {
            "output": (self.output, self.media),
            "observation": (self.observation(), JSON),
            "environment": (environment, JSON),
            "response": (self.response, JSON),
        }
        return {name: (data, media) for name, (data, media) in found.items() if data is not None}


def packed(ids: Sequence[int], logprobs: Sequence[float]) -> bytes:
    """Return the raw output of an engine that has weights (specs/13 section 4)."""
    return b"".join(struct.pack("<Id", *pair) for pair in zip(ids, logprobs, strict=True))


def compared(before: Seen, after: Seen) -> Body:
    """Return the fields of a replay that follow from what was expected and what came back."""
    found: list[bool | None] = [True]
    both = before.output is not None and after.output is not None
    found.append(_same_output(before, after) if both else None)
    for name in ("ids", "texts"):
        one, other = getattr(before, name), getattr(after, name)
        if one is not None and other is not None:
            tokens = list(one), list(other)
            break
    else:
        tokens = None
    found.append(None if tokens is None else tokens[0] == tokens[1])
    fields: Body = {}
    if before.logprobs is None or after.logprobs is None:
        found.append(None)
    else:
        fields["epsilon"] = EPSILON
        as_many = len(before.logprobs) == len(after.logprobs)
        pairs = zip(before.logprobs, after.logprobs, strict=False)
        largest = max((abs(one - other) for one, other in pairs), default=0.0)
        found.append(as_many and largest <= EPSILON)
        if as_many and before.logprobs:
            fields["logprob_difference"] = largest
    for name, one, other in (("raw", before.raw, after.raw),
                             ("environment", before.environment, after.environment)):  # fmt: skip
        if one is not None and other is not None:
            fields[f"{name}_identical"] = one == other
    identical = [fields.get(f"{name}_identical") for name in ("raw", "environment")]
    found.append(None if None in identical else all(identical))
    first = {}
    if tokens is not None and tokens[0] != tokens[1]:
        first["token"] = _first(*tokens)
    if found[1] is False:
        with suppress(UnicodeDecodeError):
            texts = [(seen.output or b"").decode() for seen in (before, after)]
            first["character"] = _first(*texts)
    if first:
        fields["first_difference"] = first
    if before.confidence is not None and after.confidence is not None:
        fields["confidence_difference"] = after.confidence - before.confidence
    states, differs = {}, False
    for level, one in zip(LEVELS, found, strict=True):
        differs = differs or one is False
        states[level] = "not_observable" if one is None else "differs" if differs else "match"
    return fields | {"levels": states}


def concluded(fields: Body, wanted: str) -> Body:
    """Return these fields with those that follow from the states."""
    states = fields["levels"]
    reached = [level for level in LEVELS if states[level] == "match"]
    fields = fields | {
        "wanted": wanted,
        "success": states[wanted] == "match",
        "level": reached[-1] if reached else "none",
    }
    if not fields["success"]:
        up_to = [states[level] for level in LEVELS[: LEVELS.index(wanted) + 1]]
        other = fields.get("environment_identical") is False
        differs = "environment_differs" if other else "output_differs"
        fields["reason"] = differs if "differs" in up_to else "not_observable"
    return fields


def _same_output(before: Seen, after: Seen) -> bool:
    if before.media == after.media == JSON:
        return bool(json.loads(before.output or b"") == json.loads(after.output or b""))
    return before.output == after.output


def _first(one: Sequence[Any], other: Sequence[Any]) -> int:
    return next(at for at, (a, b) in enumerate(zip_longest(one, other)) if a != b)


class Replaying(Operating):
    """A log with operations that were recorded to be run again, and with replays."""

    def recorded(self, seen: Seen, request: bytes | None = None, engine: str | None = None,
                 change: Body | None = None) -> int:  # fmt: skip
        """Append the witness of an operation.

        What was seen of it is what `seen` says, in contents of their own, or in the response.
        """
        contents = {name: self.ref(*one) for name, one in seen.contents().items()}
        body = lab.witness_body()
        body["data"] = {"prompt_hash": self.ref(b"What is 6 times 7?", TEXT)}
        body["output"] = {}
        if "output" in contents:
            body["output"]["output_hash"] = contents["output"]
        again: Body = {}
        if seen.response is None:
            there = [name for name in ("environment", "observation") if name in contents]
            again = {name: contents[name] for name in there}
        elif seen.environment is not None:
            known = seen.environment
            body["model"] = {"model_id": known["model"],
                             "system_fingerprint": known["system_fingerprint"]}  # fmt: skip
        if engine is not None:
            again["engine"] = engine
        if again:
            body["replay"] = again
        raw = {} if request is None else {"request": self.ref(request, JSON)}
        if "response" in contents:
            raw["response"] = contents["response"]
        if raw:
            body["raw"] = raw
        if seen.confidence is not None:
            band = "A" if seen.confidence >= 0.95 else "B" if seen.confidence >= 0.80 else "C"
            body["uncertainty"] = {"confidence_score": seen.confidence, "confidence_band": band,
                                   "confidence_method": "verbal"}  # fmt: skip
            body["meta"]["kappa_gate_passed"] = seen.confidence >= 0.70
        return self.tell("witness", change_of(body, change or {}))

    def replay(self, witness: Told, before: Seen, after: Seen, *, engine: str = "transformers",
               wanted: str = "text", claim: tuple[Seen, Seen] | None = None,
               change: Body | None = None, **where: Any) -> int:  # fmt: skip
        """Append a replay that says what came back; `claim` is what it says of how they compare.

        `before` is what the witness was taken to have seen, `after` what came back.
        """
        index = len(self.log.statements)
        body: Body = {
            "version": 1,
            "engine": engine,
            "run": {"number": 1, "of": 1},
            "expected": self.expected(witness),
            "replayed": {name: self.ref(*one) for name, one in after.contents().items()},
            "message": "",
            "started_at": lab.moment(self.log.offset + index - 1)[1],
            "ended_at": lab.moment(self.log.offset + index)[1],
        } | concluded(compared(*(claim or (before, after))), wanted)
        if after.confidence is not None:
            body["replayed"]["confidence"] = after.confidence
        return self.tell("replay", change_of(body, change or {}), witness, **where)

    def not_run(self, witness: Told, engine: str, wanted: str, reason: str | None = None,
                archive: str = "match", change: Body | None = None,
                **where: Any) -> int:  # fmt: skip
        """Append a replay without an answer."""
        index = len(self.log.statements)
        body: Body = {
            "version": 1,
            "engine": engine,
            "wanted": wanted,
            "success": reason is None,
            "level": "archive" if archive == "match" else "none",
            "levels": dict.fromkeys(LEVELS, "not_run") | {"archive": archive},
            "run": {"number": 1, "of": 1},
            "expected": self.expected(witness),
            "message": "",
            "started_at": lab.moment(self.log.offset + index - 1)[1],
            "ended_at": lab.moment(self.log.offset + index)[1],
        } | ({} if reason is None else {"reason": reason})
        return self.tell("replay", change_of(body, change or {}), witness, **where)

    def expected(self, witness: Told) -> Body:
        """Return what a replay expects of a witness: the digests of what it has."""
        known = self._known(witness)
        body = {} if known is None else known[1]
        refs = {"output": body.get("output", {}).get("output_hash")}
        refs |= {name: body.get("replay", {}).get(name) for name in ("observation", "environment")}
        refs |= {name: body.get("raw", {}).get(name) for name in ("request", "response")}
        found: Body = {name: ref["sha256"] for name, ref in refs.items() if ref is not None}
        score = body.get("uncertainty", {}).get("confidence_score")
        return found if score is None else found | {"confidence": score}


def replay_case(
    name: str,
    told: str,
    t: Operating,
    expect: str = "ok",
    *,
    notes: tuple[str, ...] = (),
    codes: tuple[str, ...] = (),
    beside: Sequence[Files] = (),
    also: Sequence[str] = (),
) -> Case:
    """Make the case of a whole ledger; one that is good says its notes."""
    code = 1 if expect != "ok" else 3 if codes else 0
    return package_case(f"replay_{name}", told, t.package(), t.log.known_head(), expect,
                        exit_code=code, genesis=t.genesis, codes=codes,
                        notes=notes if expect == "ok" else None, beside=beside,
                        also=also)  # fmt: skip
