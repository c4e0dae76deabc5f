"""Writing token by token, for every engine that gives logits, and what comes of it as a result."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from ledger.errors import ReplayError
from ledger.formats.observation import Observation, Raw
from ledger.model.archive import JSON, TEXT, Media, canonical_json
from ledger.model.confidence import from_logprobs, read_logprobs
from ledger.replay.engine import Result
from ledger.replay.engines.sampling import Parameters, Sampler

__all__ = ["Written", "embedding_result", "text_result", "write"]


class Words(Protocol):
    """How token ids are text."""

    def text(self, ids: Sequence[int]) -> str:
        """The text of an output; tokens that only end it have none."""

    def token(self, number: int) -> str:
        """The text of one token, for people."""


@dataclass(slots=True)
class Written:
    """Tokens of an output, the one that ended it among them."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str = "length"
    text: str = ""


def write(
    prompt: Sequence[int],
    logits: Callable[[Sequence[int]], Any],
    words: Words,
    parameters: Parameters,
    ends: Collection[int],
    room: int,
) -> Written:
    """Write until the model ends, a text to stop at comes up, or there is no room.

    `logits` takes the tokens that are new and gives the logits after them; `room` is how many
    tokens the model takes in all.
    """
    if not prompt:
        raise ReplayError("engine_failed", "the prompt has no tokens")
    if len(prompt) >= room:
        raise ReplayError("engine_failed", f"a prompt of {len(prompt)} tokens for {room} in all")
    sampler, written, new = Sampler(parameters), Written(), list(prompt)
    for _ in range(min(parameters.max_tokens, room - len(prompt))):
        chosen, logprob = sampler.choose(logits(new))
        written.ids.append(chosen)
        written.logprobs.append(logprob)
        if chosen in ends:
            written.finish_reason = "stop"
            break
        if parameters.stop and _stopped(words.text(written.ids), parameters.stop) is not None:
            written.finish_reason = "stop"
            break
        new = [chosen]
    text = words.text(written.ids)
    place = _stopped(text, parameters.stop)
    written.text = text if place is None else text[:place]
    return written


def _stopped(text: str, stop: Sequence[str]) -> int | None:
    """Where the first of the texts begins."""
    return min((place for one in stop if (place := text.find(one)) >= 0), default=None)


def text_result(
    written: Written, words: Words, prompt_tokens: int, environment: Mapping[str, Any]
) -> Result:
    """Return what was written as a result; its raw output is that of specs/13 section 4."""
    raw = b"".join(
        struct.pack("<Id", *one) for one in zip(written.ids, written.logprobs, strict=True)
    )
    return Result(
        output=Media(written.text.encode(), TEXT),
        observation=Observation(
            written.ids, [words.token(one) for one in written.ids], written.logprobs, _raw(raw)
        ),
        environment=environment,
        confidence=from_logprobs(read_logprobs(written.logprobs)).get("confidence_score"),
        finish_reason=written.finish_reason,
        prompt_tokens=prompt_tokens,
        output_tokens=len(written.ids),
    )


def embedding_result(
    numbers: Sequence[float], prompt_tokens: int, environment: Mapping[str, Any]
) -> Result:
    """Return an embedding of binary32 numbers as a result."""
    if not all(map(math.isfinite, numbers)):
        raise ReplayError("engine_failed", "the embedding has numbers that are not finite")
    return Result(
        output=Media(canonical_json([float(one) for one in numbers]), JSON),
        observation=Observation(raw=_raw(struct.pack(f"<{len(numbers)}f", *numbers))),
        environment=environment,
        prompt_tokens=prompt_tokens,
    )


def _raw(data: bytes) -> Raw:
    return Raw(sha256(data).digest(), len(data))
