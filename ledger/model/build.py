"""A witness from plain values: contents are archived, derived values computed, the rest defaulted.

| when not given | recorded |
|---|---|
| `operation` | `chat` |
| `task_criticality` | `routine` |
| `vantage` | `manual` |
| `writer` | `vif-ledger/<version>` |
| `provider_source`, with a provider | `stated` |
| `token_source`, with a token count | `estimate`: what nobody vouches for is a guess |
| `confidence`, with `logprobs` | their geometric mean, method `logprobs` (specs/03 §3) |
| `confidence_method`, with a confidence | `heuristic` |
| `cost_usd`, with `usage` and `prices` | what they make; `price_table` has to be given with it |
| band, threshold, gate, total | computed by `derive`; when given, checked against it |

The provider is never inferred from the model's name, unless `guess_provider` asks for it; it is
then recorded as `guessed`.

>>> record, contents = witness(model="gpt-4o-mini", prompt="2 + 2?", output="4", confidence=0.9)
>>> record.uncertainty.confidence_band, record.meta.kappa_gate_passed, len(contents)
('B', True, 2)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any, TypeVar, Unpack, cast

from ledger.drafts import Archived
from ledger.errors import RecordError
from ledger.formats.content import ContentRef
from ledger.model import derive
from ledger.model.archive import Salt, archive
from ledger.model.base import Group
from ledger.model.confidence import from_logprobs, read_logprobs
from ledger.model.documents import DOCUMENTS, document
from ledger.model.fields import BuildFields
from ledger.model.groups import Capture, Cost, Data, Meta, Model, Output, Replay, Temporal, Tools
from ledger.model.raw import Raw
from ledger.model.uncertainty import Uncertainty
from ledger.model.witness import Witness

AnyGroup = TypeVar("AnyGroup", bound=Group)

KEYWORDS = frozenset(BuildFields.__annotations__)

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_FAMILIES = (
    (re.compile(r"(gpt-|chatgpt-|o[0-9](-|$)|text-embedding-)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gcp.gemini"),
    (re.compile(r"command-"), "cohere"),
    (re.compile(r"deepseek-"), "deepseek"),
    (re.compile(r"grok-"), "x_ai"),
)


@cache
def default_writer() -> str:
    """Return the name and version of this program, as `meta.writer` says it."""
    try:
        return f"vif-ledger/{metadata.version('vif-ledger')}"
    except metadata.PackageNotFoundError:
        return "vif-ledger"


def guess_provider(model: str) -> str | None:
    """Return the provider that usually serves a model of this name, or None."""
    return next((name for pattern, name in _FAMILIES if pattern.match(model)), None)


def witness(**fields: Unpack[BuildFields]) -> tuple[Witness, tuple[Archived, ...]]:
    """Return a witness and the contents to archive with it.

    Keywords are those of `ledger.model.fields`; None means absent. `salt` gives 16 random bytes for
    each content of a ledger whose references are salted. Raises `RecordError` for values that break
    specs/03, `TypeError` for an unknown keyword or a missing `model` or `prompt`.
    """
    unknown = fields.keys() - KEYWORDS
    if unknown:
        raise TypeError(f"witness() has no keyword {sorted(unknown)[0]!r}")
    if "model" not in fields or "prompt" not in fields:
        raise TypeError("witness() needs the keywords 'model' and 'prompt'")
    given = _Given(cast("dict[str, Any]", fields))
    record = Witness(
        operation=given.get("operation", "chat"),
        model=_model(given),
        data=Data(
            prompt_hash=given.ref("prompt"),
            prompt_template=given.ref("prompt_template"),
            prompt_variables=given.ref("prompt_variables"),
            context_snapshot=given.ref("context_snapshot"),
            **given.take(
                "prompt_tokens", "context_snapshot_id", "context_atom_ids", "retrieved_atom_ids"
            ),
        ),
        tools=_tools(given),
        uncertainty=_present(Uncertainty(**_uncertainty(given))),
        replay=_present(
            Replay(
                other_params=_mapping(given.get("parameters")),
                environment=given.ref("environment"),
                observation=given.ref("observation"),
                **given.take(
                    "replay_seed", "temperature", "top_p", "top_k", "max_tokens", "engine"
                ),
            )
        ),
        output=_output(given),
        meta=_meta(given),
        temporal=_present(
            Temporal(occurred_at=_time(given.get("occurred_at")), **given.take("execution_time_ms"))
        ),
        cost=_present(_cost(given)),
        capture=Capture(
            vantage=given.get("vantage", "manual"),
            **given.take("attempts", "request_id", "source"),
        ),
        raw=_present(
            Raw(
                request=given.ref("request"),
                response=given.ref("response"),
                request_headers=_mapping(given.get("request_headers")),
                response_headers=_mapping(given.get("response_headers")),
            )
        ),
    )
    return record, tuple(given.archived)


class _Given:
    """The keywords, and the contents that were archived from them so far."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields
        self._salt: Salt | None = fields.get("salt")
        self.archived: list[Archived] = []
        self.score: float | None = None

    def get(self, name: str, default: object = None) -> Any:
        value = self._fields.get(name)
        return default if value is None else value

    def take(self, *names: str) -> dict[str, Any]:
        return {name: self._fields.get(name) for name in names}

    def ref(self, name: str) -> Any:
        """Archive a content; one that is given twice with the same bytes is archived once."""
        content = self._fields.get(name)
        if content is None or isinstance(content, ContentRef):
            return content
        try:
            if name in DOCUMENTS:
                content = document(name, content)
            made = archive(content, salt=self._salt)
        except RecordError as error:
            raise RecordError(error.code, f"{name}: {error.message}") from None
        if all(made.ref != other.ref for other in self.archived):
            self.archived.append(made)
        return made.ref


def _present(group: AnyGroup) -> AnyGroup | None:
    return None if group.is_empty() else group


def _mapping(value: Any) -> Any:
    """Return a map without its keys when it is empty: an empty map is not recorded."""
    return value or None


def _model(given: _Given) -> Model:
    provider, source = given.get("model_provider"), given.get("provider_source")
    if provider is None and given.get("guess_provider"):
        provider = guess_provider(str(given.get("model")))
        source = "guessed" if provider else None
    if provider is not None and source is None:
        source = "stated"
    weights = given.get("weights_hash")
    if isinstance(weights, str) and _HEX_DIGEST.fullmatch(weights):
        weights = bytes.fromhex(weights)
    return Model(
        model_id=given.get("model"),
        model_provider=provider,
        provider_source=source,
        weights_hash=weights,
        **given.take(
            "requested_model",
            "actual_model",
            "vendor",
            "api_version",
            "model_build_date",
            "deployment_region",
            "system_fingerprint",
        ),
    )


def _tools(given: _Given) -> Tools | None:
    tools: dict[str, Any] = {
        "tool_ids": given.get("tool_ids") or None,
        "tool_parameters": given.ref("tool_parameters"),
        "tool_results_hash": given.ref("tool_results"),
    }
    return Tools(**tools) if any(value is not None for value in tools.values()) else None


def _uncertainty(given: _Given) -> dict[str, Any]:
    """Return the fields of the group; explicit ones go before those of log-probabilities."""
    found: dict[str, Any] = {}
    if given.get("logprobs") is not None:
        found.update(from_logprobs(read_logprobs(given.get("logprobs"))))
    explicit = {
        "confidence_score": given.get("confidence"),
        **given.take("confidence_method", "ece_score", "entropy", "top_k_probs", "top_k_position"),
    }
    if explicit["confidence_score"] is not None:
        found.pop("confidence_method", None)
    if explicit["top_k_probs"] is not None:
        found.pop("top_k_position", None)
    found.update({name: value for name, value in explicit.items() if value is not None})
    score: Any = found.get("confidence_score")
    band = given.get("confidence_band")
    if _is_number(score):
        given.score = score
        found.setdefault("confidence_method", "heuristic")
        band = derive.band(score) if band is None else band
    return {**found, "confidence_band": band}


def _output(given: _Given) -> Output:
    prompt, output = given.get("prompt_tokens"), given.get("output_tokens")
    total, source = given.get("total_tokens"), given.get("token_source")
    if total is None and type(prompt) is int and type(output) is int:
        total = derive.total(prompt, output)
    if source is None and any(count is not None for count in (prompt, output, total)):
        source = "estimate"
    return Output(
        output_hash=given.ref("output"),
        output_tokens=output,
        total_tokens=total,
        token_source=source,
        finish_reason=given.get("finish_reason"),
    )


def _meta(given: _Given) -> Meta:
    criticality = given.get("task_criticality", "routine")
    threshold, passed = given.get("kappa_threshold"), given.get("kappa_gate_passed")
    if (
        threshold is None
        and isinstance(criticality, str)
        and criticality in derive.KAPPA_THRESHOLDS
    ):
        threshold = derive.threshold(criticality)
    if passed is None and given.score is not None and _is_number(threshold):
        passed = derive.gate(given.score, threshold)
    return Meta(
        writer=given.get("writer", default_writer()),
        task_criticality=criticality,
        domain=given.get("domain"),
        kappa_threshold=threshold,
        kappa_gate_passed=passed,
    )


def _cost(given: _Given) -> Cost:
    usage, prices = _mapping(given.get("usage")), _mapping(given.get("prices"))
    cost_usd = given.get("cost_usd")
    if cost_usd is None and _is_map_of_numbers(usage) and _is_map_of_numbers(prices):
        # what is out of range is refused below, with the field's name
        with suppress(KeyError, OverflowError):
            cost_usd = derive.cost(usage, prices)
    return Cost(
        cost_usd=cost_usd,
        usage=dict(usage) if isinstance(usage, Mapping) else usage,
        prices=dict(prices) if isinstance(prices, Mapping) else prices,
        **given.take("response_time_ms", "tokens_used", "price_table"),
    )


def _is_map_of_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and _is_number(number) for key, number in value.items()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(value: str | datetime | None) -> str | None:
    """Return a point in time as *time* text in UTC (specs/00)."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise RecordError("record_invalid", "occurred_at: a time without a time zone")
    try:
        moment = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise RecordError("record_invalid", "occurred_at: outside the years 1 to 9999") from None
    return moment.isoformat(timespec="microseconds") + "Z"
