"""What the readable parts of a package say about one witness, taken out of its body (specs/03).

Bodies of a log were checked when they were appended, so that what is absent here is absent there.
A field of another type than the page allows is treated as absent: a readable page is no place to
fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ledger.errors import LedgerError
from ledger.formats.content import ContentRef, from_cbor
from ledger.reader import Entry

_INPUTS = (
    ("data", "prompt_hash", "prompt"),
    ("data", "prompt_template", "prompt template"),
    ("data", "prompt_variables", "prompt variables"),
    ("data", "context_snapshot", "context snapshot"),
    ("tools", "tool_parameters", "tool parameters"),
    ("raw", "request", "raw request"),
    ("replay", "environment", "environment"),
)
_RESULTS = (
    ("output", "output_hash", "output"),
    ("tools", "tool_results_hash", "tool results"),
    ("raw", "response", "raw response"),
    ("replay", "observation", "observation"),
)


@dataclass(frozen=True, slots=True)
class Named:
    """A content reference and the part it plays in an operation."""

    role: str
    ref: ContentRef


@dataclass(frozen=True, slots=True)
class Operation:
    """One witness, as far as the readable pages show it; units are in the names."""

    index: int
    id: str
    leaf_hash: bytes
    created_at: str
    stream: str
    session: str | None
    producer: str
    producer_kid: bytes
    operation: str
    model_id: str
    provider: str | None
    model_version: str | None
    vantage: str
    occurred_at: str | None
    response_time_ms: float | None
    prompt_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    score: float | None
    band: str | None
    method: str | None
    criticality: str
    gate_passed: bool | None
    finish_reason: str | None
    inputs: tuple[Named, ...]
    results: tuple[Named, ...]

    @property
    def prompt(self) -> ContentRef | None:
        """Return the reference of the prompt."""
        return next((n.ref for n in self.inputs if n.role == "prompt"), None)

    @property
    def output(self) -> ContentRef | None:
        """Return the reference of the output, None when nothing came out."""
        return next((n.ref for n in self.results if n.role == "output"), None)


def operation(entry: Entry) -> Operation:
    """Read the witness of a log entry."""
    payload = entry.payload
    body = payload.body
    model, output = group(body, "model"), group(body, "output")
    cost, temporal = group(body, "cost"), group(body, "temporal")
    certainty, meta = group(body, "uncertainty"), group(body, "meta")
    gate = meta.get("kappa_gate_passed")
    return Operation(
        index=entry.index,
        id=payload.id,
        leaf_hash=entry.leaf_hash,
        created_at=payload.created_at,
        stream=payload.stream_id,
        session=payload.session,
        producer=entry.cose.iss,
        producer_kid=entry.cose.kid,
        operation=text(body, "operation") or "operation",
        model_id=text(model, "model_id") or "unknown",
        provider=text(model, "model_provider"),
        model_version=text(model, "actual_model") or text(model, "model_id"),
        vantage=text(group(body, "capture"), "vantage") or "unknown",
        occurred_at=text(temporal, "occurred_at"),
        response_time_ms=_first(
            number(cost, "response_time_ms"), number(temporal, "execution_time_ms")
        ),
        prompt_tokens=count(group(body, "data"), "prompt_tokens"),
        output_tokens=count(output, "output_tokens"),
        total_tokens=count(output, "total_tokens"),
        cost_usd=number(cost, "cost_usd"),
        score=number(certainty, "confidence_score"),
        band=text(certainty, "confidence_band"),
        method=text(certainty, "confidence_method"),
        criticality=text(meta, "task_criticality") or "unknown",
        gate_passed=gate if isinstance(gate, bool) else None,
        finish_reason=text(output, "finish_reason"),
        inputs=tuple(_references(body, _INPUTS)),
        results=tuple(_references(body, _RESULTS)),
    )


def group(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a map inside a map, empty when absent."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def text(fields: Mapping[str, object], name: str) -> str | None:
    """Return a text, None when absent."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def number(fields: Mapping[str, object], name: str) -> float | None:
    """Return a float, None when absent."""
    value = fields.get(name)
    return value if isinstance(value, float) else None


def count(fields: Mapping[str, object], name: str) -> int | None:
    """Return an integer, None when absent."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def reference(fields: Mapping[str, object], name: str) -> ContentRef | None:
    """Return a content reference, None when absent."""
    value = fields.get(name)
    if not isinstance(value, dict) or "blake3" not in value:
        return None
    try:
        return from_cbor(value)
    except LedgerError:
        return None


def _references(
    body: Mapping[str, object], places: tuple[tuple[str, str, str], ...]
) -> Iterator[Named]:
    for where, name, role in places:
        ref = reference(group(body, where), name)
        if ref is not None:
            yield Named(role, ref)


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
