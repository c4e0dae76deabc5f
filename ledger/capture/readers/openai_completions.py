"""Reads an OpenAI text completion (the older protocol, also of local servers); pure, no I/O.

| in the bodies | field |
|---|---|
| request `model`; response `model` | `requested_model`; `actual_model` |
| request `prompt` | `prompt`: as text, or as canonical JSON of several ones or of tokens |
| `temperature`, `top_p`, `top_k`, `seed`, `max_tokens` | `replay` |
| the parameters of `OTHER_PARAMETERS` | `parameters` |
| response `choices[0].text` | `output`, as text; canonical JSON of several choices |
| `choices[0].logprobs`: `tokens`, `token_logprobs`, `top_logprobs` | `logprobs` |
| `choices[0].finish_reason`, `usage`, `id`, `system_fingerprint` | as of a chat completion |

With `echo` the output has the prompt in it, and the first token no probability: then no
log-probabilities are taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from ledger.capture import fitting
from ledger.capture.readers import openai_chat
from ledger.capture.readers.openai_chunks import index_of, take_heads
from ledger.capture.readers.pieces import Parts
from ledger.capture.readers.reading import (
    Fields,
    plain,
    put,
    put_logprobs,
    put_others,
    put_sampling,
)
from ledger.capture.readers.reading import tier as price_context

__all__ = ["OPERATION", "assemble", "billed", "price_context", "read_answer", "read_request"]

OPERATION = "text_completion"
OTHER_PARAMETERS = (
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "min_p",
    "n",
    "presence_penalty",
    "repetition_penalty",
    "response_format",
    "stop",
    "stream",
    "suffix",
)

billed = openai_chat.billed


def read_request(asked: dict[str, Any]) -> Fields:
    """Return what the request body says."""
    fields: Fields = {}
    put(fields, "requested_model", fitting.name(asked.get("model")))
    if isinstance(asked.get("prompt"), str | list):
        put(fields, "prompt", plain(asked["prompt"]))
    put_sampling(fields, asked, asked.get("max_tokens"))
    put_others(fields, asked, OTHER_PARAMETERS)
    return fields


def read_answer(answered: dict[str, Any]) -> Fields:
    """Return what the answer says."""
    fields = openai_chat.read_answer({**answered, "choices": None})
    choices = [choice for choice in fitting.as_list(answered.get("choices")) if choice]
    first = fitting.as_map(choices[0]) if choices else {}
    if len(choices) > 1:
        fields["output"] = choices
    elif first:
        put(fields, "finish_reason", fitting.name(first.get("finish_reason")))
        text = first.get("text")
        put(fields, "output", plain(text) if isinstance(text, str) else first)
        put_logprobs(fields, _logprobs(fitting.as_map(first.get("logprobs"))))
    return fields


def _logprobs(given: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return log-probabilities in the shape of chat completions."""
    tokens, numbers = (
        fitting.as_list(given.get("tokens")),
        fitting.as_list(given.get("token_logprobs")),
    )
    tops = fitting.as_list(given.get("top_logprobs"))
    if len(tokens) != len(numbers) or len(tops) > len(tokens):
        return None
    return [
        {
            "token": token,
            "logprob": number,
            "top_logprobs": [
                {"token": name, "logprob": value} for name, value in fitting.as_map(top).items()
            ],
        }
        for token, number, top in zip_longest(tokens, numbers, tops)
    ]


def assemble(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the completion that chunks make: text and token lists joined, by index."""
    answer = Parts(object="text_completion")
    choices = answer.row("choices")
    for part in parts:
        take_heads(answer, part)
        for choice in map(fitting.as_map, fitting.as_list(part.get("choices"))):
            held = choices.at(index_of(choice))
            held["index"] = index_of(choice)
            held.grow("text", choice.get("text"))
            for kind, values in fitting.as_map(choice.get("logprobs")).items():
                held.part("logprobs").extend(kind, values)
            if choice.get("finish_reason"):
                held["finish_reason"] = choice["finish_reason"]
    return answer.whole()
