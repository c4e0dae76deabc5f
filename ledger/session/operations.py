"""The witness of an answered call, with as much as can be said of it (specs/10 section 4).

An answer that was paid for is recorded whatever a provider put into it. Witnesses are tried one
after the other, each with less than the one before: everything that was read; what names the model,
the texts, the tokens and the cost; model and texts; the bare exchange, of which only the request is
called the prompt.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.drafts import Archived
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.values import is_name
from ledger.model.archive import Media
from ledger.model.build import witness
from ledger.model.derive import Criticality
from ledger.model.values import OPERATION
from ledger.model.witness import Witness
from ledger.session.lineage import AboutFields

__all__ = ["Exchanged", "Operation", "witnesses"]

_TEXTS = ("model", "prompt", "output")
_CORE = (
    *_TEXTS,
    "requested_model",
    "actual_model",
    "model_provider",
    "provider_source",
    "system_fingerprint",
    "prompt_tokens",
    "output_tokens",
    "token_source",
    "tokens_used",
    "finish_reason",
    "request_id",
)

_log = logging.getLogger("ledger.session")


@dataclass(frozen=True, slots=True)
class Operation:
    """What was read of an exchange."""

    name: str
    fields: dict[str, Any]
    """Keywords of `ledger.model.build.witness`."""
    billed: dict[str, Any]
    """Those of the cost."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What is known without reading the bodies."""

    salted: bool
    writer: str
    criticality: Criticality
    domain: str | None
    attempts: int
    body: Media
    """The request."""
    request: ContentRef | None
    response: ContentRef | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    duration_ms: float | None
    details: AboutFields
    """What the caller says about it."""


def witnesses(
    exchanged: Exchanged, operation: Operation | None
) -> Iterator[tuple[Witness, tuple[Archived, ...]]]:
    """Yield witnesses of an exchange with their contents, the fullest first.

    The next one is wanted when the log does not take one, as when it is too large for a statement.
    """
    common: dict[str, Any] = {
        "writer": exchanged.writer,
        "task_criticality": exchanged.criticality,
        "domain": exchanged.domain,
        "vantage": "transport",
        "attempts": exchanged.attempts,
        "request": exchanged.request,
        "response": exchanged.response,
        "request_headers": exchanged.request_headers,
        "response_headers": exchanged.response_headers,
        "response_time_ms": exchanged.duration_ms,
        "salt": (lambda: os.urandom(SALT_BYTES)) if exchanged.salted else None,
    }
    bare = {"model": "unknown", "prompt": exchanged.body}
    said = {name: value for name, value in exchanged.details.items() if value is not None}
    ways: list[tuple[dict[str, Any], dict[str, Any]]] = []
    name = "http_request"
    if operation is not None:
        fields = operation.fields
        core = {key: fields[key] for key in _CORE if key in fields}
        texts = {key: fields[key] for key in _TEXTS if key in fields}
        billed = operation.billed
        ways = [
            ({**fields, **billed}, said),
            (fields, said),
            ({**core, **billed}, said),
            ({**core, **billed}, {}),
            (core, {}),
            (texts, {}),
        ]
        if is_name(fields.get("model")):
            bare["model"] = fields["model"]
        name = operation.name if OPERATION.fullmatch(operation.name) else name
    for number, (way, more) in enumerate([*ways, (bare, {})]):
        if number == (0 if operation is None else 1):
            _log.warning("an answer does not fit a witness; it is kept whole, with fewer fields")
        try:
            made = witness(**{"operation": name, **way, **common, **more})
        except Exception:
            if way is bare:
                raise
            continue  # whatever a field is that a provider made up
        yield made
