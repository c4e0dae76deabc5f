"""What a reader of an exchange gives: `Reading`, and the parts that the readers share.

A reader is a module with `OPERATION` and four functions of parsed JSON (`Reader`); none of them
raises for a value, since whatever does not fit its field leaves it absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger.capture import fitting
from ledger.errors import RecordError
from ledger.formats.values import COUNT_MAX
from ledger.model.archive import JSON, Media, canonical_json
from ledger.model.confidence import read_logprobs

Fields = dict[str, Any]
"""Keywords of `ledger.model.build.witness`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an exchange says, as keywords for `witness` and as units that are billed.

    `fields` always has `model` and `prompt`, so that `witness(operation=r.operation, **r.fields)`
    is a record. `usage` counts each billed unit once (specs/03 §1.9), whereas the token counts in
    `fields` are the provider's own; it is empty where the answer does not say enough.
    `price_context` is what else the price depends on, such as the service tier of the answer.
    """

    operation: str
    is_operation: bool
    fields: Fields
    usage: dict[str, int] = field(default_factory=dict)
    provider: str | None = None
    model: str | None = None
    response_id: str | None = None
    price_context: dict[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """What a module of this package offers for one protocol."""

    OPERATION: str

    def read_request(self, asked: dict[str, Any]) -> Fields:
        """Return what the request body says."""

    def read_answer(self, answered: dict[str, Any]) -> Fields:
        """Return what the answer says."""

    def assemble(self, parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Return the answer that a stream of events makes, in the shape of one without stream."""

    def billed(self, answered: dict[str, Any]) -> dict[str, int]:
        """Return the billed units, each counted once."""

    def price_context(self, answered: dict[str, Any]) -> dict[str, str]:
        """Return what else the price depends on."""


def put(fields: Fields, key: str, value: object) -> None:
    """Set a field unless there is nothing to set."""
    if value is not None:
        fields[key] = value


def put_tokens(fields: Fields, prompt: object, output: object, total: object) -> None:
    """Set the token counts as the provider reports them, and that they are the provider's."""
    counts = {"prompt_tokens": fitting.count(prompt), "output_tokens": fitting.count(output)}
    if sum(count or 0 for count in counts.values()) <= COUNT_MAX:
        for key, count in counts.items():
            put(fields, key, count)
    if "prompt_tokens" in fields or "output_tokens" in fields:
        put(fields, "token_source", "provider")
    put(fields, "tokens_used", fitting.count(total))


def put_sampling(fields: Fields, asked: dict[str, Any], limit: object) -> None:
    """Set the parameters that have a field of their own; `limit` is the most output tokens."""
    put(fields, "replay_seed", fitting.integer(asked.get("seed")))
    put(fields, "temperature", fitting.amount(asked.get("temperature")))
    put(fields, "top_p", fitting.ratio(asked.get("top_p")))
    put(fields, "top_k", fitting.count(asked.get("top_k")))
    put(fields, "max_tokens", fitting.count(limit))


def put_others(fields: Fields, asked: dict[str, Any], names: Iterable[str]) -> None:
    """Set the parameters that stay as the provider names them."""
    put(
        fields, "parameters", fitting.parameters({key: asked[key] for key in names if key in asked})
    )


def put_calls(fields: Fields, called: list[dict[str, Any]]) -> None:
    """Set the tools that the model asked for: `id`, `name`, `arguments` of each call."""
    names = fitting.names(call["name"] for call in called)
    if names:
        fields["tool_ids"], fields["tool_parameters"] = names, called


def put_results(
    fields: Fields, returned: list[dict[str, Any]], names_by_id: Mapping[str, object]
) -> None:
    """Set the tool results that a request hands back: `id`, `content` of each.

    Nothing is set when the request does not say which tools they are from.
    """
    found = [names_by_id.get(one["id"]) for one in returned if isinstance(one.get("id"), str)]
    names = fitting.names([*found, *(one.get("name") for one in returned)])
    if names:
        fields["tool_ids"], fields["tool_results"] = names, returned


def put_logprobs(fields: Fields, tokens: object) -> None:
    """Set log-probabilities, if they are ones."""
    try:
        if tokens and read_logprobs(tokens):
            fields["logprobs"] = tokens
    except RecordError:
        pass  # numbers that are no log-probabilities say nothing about certainty


def merged(request: Fields, answer: Fields) -> Fields:
    """Return the fields of both; tools are those called and then those whose results came."""
    fields = {**request, **answer}
    names = fitting.names([*answer.get("tool_ids", ()), *request.get("tool_ids", ())])
    if names:
        fields["tool_ids"] = names
    elif "tool_ids" in fields:
        fields = {key: value for key, value in fields.items() if not key.startswith("tool_")}
    return fields


def document(value: object) -> Media | None:
    """Return a JSON value in canonical form, None for one that has none (too deeply nested)."""
    try:
        return Media(canonical_json(value), JSON)
    except RecordError:
        return None


def plain(value: object) -> object:
    """Return text as it is, and text that has no UTF-8 as JSON with the escape that it was."""
    return (
        value if not isinstance(value, str) or fitting.text(value) is not None else document(value)
    )


def tier(answered: dict[str, Any]) -> dict[str, str]:
    """Return the service tier that an answer was billed at, where it says so."""
    found = fitting.name(answered.get("service_tier"))
    return {"service_tier": found} if found else {}
