"""A model event of an Inspect log as the fields of a witness (specs/03).

What the raw exchange says goes first, where it is an OpenAI chat completion; for every other
provider the fields come from Inspect's own account of the call (`input`, `config`, `output`), and
the raw request and response are archived all the same. Times are converted to UTC.

| in the event | field |
|---|---|
| `model`, as `provider/name` | `requested_model`, `model_provider` (as the log states it) |
| `timestamp` | `occurred_at` |
| `working_time` | `execution_time_ms` |
| `completed` - `timestamp` | `response_time_ms` |
| `output.usage` | token counts, `token_source` `provider` |
| `attempt`, or `retries` + 1 | `attempts` |
| `cache` | `parameters.cache`; nothing is billed for a `read` |
| `uuid`, sample id, epoch | `source` |
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.capture import fitting
from ledger.capture.importing import moment
from ledger.capture.readers.openai_chat import read_exchange
from ledger.errors import ImportSourceError, RecordError
from ledger.model.confidence import read_logprobs
from ledger.model.fields import WitnessFields

FORMAT = "inspect-eval"

OTHER_PARAMETERS = (
    "best_of",
    "frequency_penalty",
    "logit_bias",
    "num_choices",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "reasoning_tokens",
    "response_schema",
    "stop_seqs",
    "top_logprobs",
)


def source_of(event: dict[str, Any], sample_id: object, epoch: object) -> dict[str, Any]:
    """Return the place in the log, as the map of specs/03 §1.10."""
    found = {
        "format": FORMAT,
        "event_id": fitting.name(event.get("uuid")),
        "sample_id": fitting.name(str(sample_id)) if sample_id is not None else None,
        "epoch": fitting.count(epoch),
    }
    return {key: value for key, value in found.items() if value is not None}


def call_fields(event: dict[str, Any], sample_id: object, epoch: object) -> WitnessFields:
    """Return the keywords for `witness` of a resolved model event.

    Raises `ImportSourceError` `source_unreadable` where the event does not say which model was
    called, or when.
    """
    call, output = fitting.as_map(event.get("call")), fitting.as_map(event.get("output"))
    request, response = call.get("request"), call.get("response")
    found: dict[str, Any] = {
        **_configuration(fitting.as_map(event.get("config"))),
        **_answer(output),
    }
    if fitting.as_list(fitting.as_map(response).get("choices")):
        exchange: dict[str, Any] = {**read_exchange(request, response)}
        parameters = {**found.get("parameters", {}), **exchange.get("parameters", {})}
        found.update(exchange, **_usage(output), parameters=parameters)
    elif request or response:
        found.update(request=request or None, response=response or None)
    if "prompt" not in found:
        found["prompt"] = event.get("input") or []
    found.update(_model(event, found))
    found.update(_times(event, call, output))
    retries, attempt = fitting.count(event.get("retries")), fitting.count(event.get("attempt"))
    attempts = attempt if attempt else None if retries is None else retries + 1
    if attempts is not None and attempts <= 10_000:
        found["attempts"] = attempts
    if event.get("cache") in ("read", "write"):
        found["parameters"] = {**found.get("parameters", {}), "cache": event["cache"]}
    if event.get("cache") == "read":
        found["tokens_used"] = 0
    found["vantage"] = "imported"
    found["source"] = source_of(event, sample_id, epoch)
    fields: WitnessFields = found  # type: ignore[assignment]
    return fields


def times_of(event: dict[str, Any]) -> tuple[str, str]:
    """Return when a call began and when it ended, as *time*; raises as `call_fields`.

    Without a later `completed` it ended after its working time, or when it began.
    """
    started = moment(event.get("timestamp"), "timestamp")
    ended = started
    working = fitting.amount(event.get("working_time"))
    if event.get("completed"):
        ended = moment(event["completed"], "completed")
    elif working is not None:
        with suppress(OverflowError):
            ended += timedelta(seconds=working)
    return _time(started), _time(max(started, ended))


def _time(at: datetime) -> str:
    try:
        utc = at.astimezone(UTC)
    except OverflowError:
        raise ImportSourceError("source_unreadable", "a time outside the years 1 to 9999") from None
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _model(event: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    called = fitting.name(event.get("model"))
    if called is None:
        raise ImportSourceError("source_unreadable", "the event names no model")
    api, slash, rest = called.partition("/")
    if slash and api == "openai-api":  # openai-api/<service>/<model>: who served it comes second
        api, slash, rest = rest.partition("/")
    model: dict[str, Any] = {"requested_model": found.get("requested_model") or rest or called}
    if slash and api:
        model.update(model_provider=api, provider_source="stated")
    model["model"] = found.get("actual_model") or model["requested_model"]
    return model


def _configuration(config: dict[str, Any]) -> dict[str, Any]:
    found = {
        "replay_seed": fitting.integer(config.get("seed")),
        "temperature": fitting.amount(config.get("temperature")),
        "top_p": fitting.ratio(config.get("top_p")),
        "top_k": fitting.count(config.get("top_k")),
        "max_tokens": fitting.count(config.get("max_tokens")),
        "parameters": fitting.parameters(
            {key: config[key] for key in OTHER_PARAMETERS if key in config}
        ),
    }
    return {key: value for key, value in found.items() if value is not None}


def _usage(output: dict[str, Any]) -> dict[str, Any]:
    usage = fitting.as_map(output.get("usage"))
    found = {
        "prompt_tokens": fitting.count(usage.get("input_tokens")),
        "output_tokens": fitting.count(usage.get("output_tokens")),
        "tokens_used": fitting.count(usage.get("total_tokens")),
    }
    kept: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    if "prompt_tokens" in kept or "output_tokens" in kept:
        kept |= {"token_source": "provider"}
    return kept


def _answer(output: dict[str, Any]) -> dict[str, Any]:
    """Return what Inspect's account of the answer says."""
    found = _usage(output)
    found["actual_model"] = fitting.name(output.get("model")) if output.get("choices") else None
    choices = fitting.as_list(output.get("choices"))
    if len(choices) > 1:
        found["output"] = choices
    elif choices:
        choice = fitting.as_map(choices[0])
        message = fitting.as_map(choice.get("message"))
        called = fitting.as_list(message.get("tool_calls"))
        text = fitting.text(message.get("content"))
        found["output"] = message or None if text is None or called else text
        found["finish_reason"] = fitting.name(choice.get("stop_reason"))
        names = fitting.names(fitting.as_map(call).get("function") for call in called)
        if names:
            found.update(tool_ids=names, tool_parameters=called)
        found["logprobs"] = _logprobs(choice)
    return {key: value for key, value in found.items() if value is not None}


def _logprobs(choice: dict[str, Any]) -> list[Any] | None:
    content = fitting.as_list(fitting.as_map(choice.get("logprobs")).get("content"))
    try:
        return content if read_logprobs(content) else None
    except RecordError:
        return None


def _times(event: dict[str, Any], call: dict[str, Any], output: dict[str, Any]) -> dict[str, Any]:
    started = moment(event.get("timestamp"), "timestamp")
    found: dict[str, Any] = {"occurred_at": started}
    for seconds in (event.get("working_time"), call.get("time"), output.get("time")):
        known = fitting.amount(seconds)
        if known is not None:
            found["execution_time_ms"] = known * 1000.0
            break
    if event.get("completed"):
        took = moment(event["completed"], "completed") - started
        found["response_time_ms"] = fitting.amount(took.total_seconds() * 1000.0)
    return found
