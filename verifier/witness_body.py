"""The body of a witness, as a table (specs/03 section 1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .content import REF_MARK, looks_like_ref
from .errors import BadValue
from .fields import headers, iff, keyed, source, together
from .values import (
    COUNT_MAX,
    OP_NAME,
    Check,
    One,
    amount,
    array,
    boolean,
    closed,
    count,
    day,
    digest,
    integer,
    label,
    matching,
    name,
    one_of,
    ratio,
    time,
)

WITNESS_VERSION = 1
TOKEN_MAX_BYTES = 256
TOP_K_SUM_MAX = 1 + 1e-6
USAGE_MAX = 16


@Check
def _token(v: Any) -> None:
    if type(v) is not str or len(v.encode("utf-8", "surrogatepass")) > TOKEN_MAX_BYTES:
        raise BadValue(f"not text of at most {TOKEN_MAX_BYTES} bytes")


_probabilities = array(closed({"token": _token, "probability": ratio}), 1, 20)


@Check
def _top_k(v: Any) -> None:
    _probabilities(v)
    row = [item["probability"] for item in v]
    if any(a < b for a, b in pairwise(row)):
        raise BadValue("not in descending order of probability")
    if sum(row) > TOP_K_SUM_MAX:
        raise BadValue("probabilities with a sum above 1")


_names = array(name, 1, 1024)
_unit = matching(OP_NAME)
_always: dict[str, dict[str, Check]] = {
    "model": {"model_id": name},
    "data": {"prompt_hash": looks_like_ref},
    "tools": {"tool_ids": array(name, 1, 256)},
    "meta": {
        "writer": name,
        "task_criticality": one_of("critical", "important", "routine", "low_stakes"),
        "kappa_threshold": ratio,
    },
    "capture": {"vantage": one_of("transport", "hook", "manual", "imported")},
}
_optional: dict[str, dict[str, Check]] = {
    "model": {
        "model_provider": name,
        "provider_source": one_of("stated", "endpoint", "guessed"),
        "weights_hash": digest,
        "requested_model": name,
        "actual_model": name,
        "vendor": name,
        "api_version": name,
        "model_build_date": day,
        "deployment_region": name,
        "system_fingerprint": name,
    },
    "data": {
        "prompt_tokens": count,
        "prompt_template": looks_like_ref,
        "context_snapshot_id": name,
        "context_atom_ids": _names,
        "retrieved_atom_ids": _names,
        "prompt_variables": looks_like_ref,
        "context_snapshot": looks_like_ref,
    },
    "tools": {"tool_parameters": looks_like_ref, "tool_results_hash": looks_like_ref},
    "uncertainty": {
        "confidence_score": ratio,
        "confidence_band": one_of("A", "B", "C"),
        "confidence_method": one_of("logprobs", "entropy", "verbal", "markers", "heuristic"),
        "ece_score": ratio,
        "entropy": amount,
        "top_k_probs": _top_k,
        "top_k_position": count,
    },
    "replay": {
        "replay_seed": integer(-COUNT_MAX - 1, COUNT_MAX),
        "temperature": amount,
        "top_p": ratio,
        "top_k": count,
        "max_tokens": count,
        "other_params": keyed(name, None),
        "engine": label,
        "environment": looks_like_ref,
        "observation": looks_like_ref,
    },
    "output": {
        "output_hash": looks_like_ref,
        "output_tokens": count,
        "total_tokens": count,
        "token_source": one_of("provider", "tokenizer", "estimate"),
        "finish_reason": name,
    },
    "meta": {"domain": name, "kappa_gate_passed": boolean},
    "temporal": {"occurred_at": time, "execution_time_ms": amount},
    "cost": {
        "response_time_ms": amount,
        "tokens_used": count,
        "cost_usd": amount,
        "price_table": name,
        "usage": keyed(_unit, count, USAGE_MAX),
        "prices": keyed(_unit, amount, USAGE_MAX),
    },
    "capture": {"attempts": integer(1, 10_000), "request_id": name, "source": source},
    "raw": {
        "request": looks_like_ref,
        "response": looks_like_ref,
        "request_headers": headers,
        "response_headers": headers,
    },
}


def _uncertainty_rule(m: Any) -> None:
    together("confidence_score", "confidence_band", "confidence_method")(m)
    together("top_k_probs", "top_k_position")(m)


def _cost_rule(m: Any) -> None:
    together("cost_usd", "price_table")(m)
    iff("prices" in m, "usage" in m and "cost_usd" in m, "prices")


def _cost_fields_rule(m: Any) -> None:
    if "prices" in m and m["prices"].keys() != m["usage"].keys():
        raise BadValue("prices: not exactly the keys of usage")


_present: dict[str, One] = {
    "model": together("model_provider", "provider_source"),
    "uncertainty": _uncertainty_rule,
    "cost": _cost_rule,
}
_rule: dict[str, One] = {"cost": _cost_fields_rule}


def _group(key: str, minimum: int = 0) -> Check:
    return closed(_always.get(key, {}), _optional[key], _present.get(key), _rule.get(key), minimum)


def _witness_rule(w: Any) -> None:
    data, output, meta = w["data"], w["output"], w["meta"]
    prompt, answer = "prompt_tokens" in data, "output_tokens" in output
    if ("total_tokens" in output) is not (prompt and answer):
        iff("total_tokens" in output, prompt and answer, "output.total_tokens")
    if ("token_source" in output) is not (prompt or answer):
        iff("token_source" in output, prompt or answer, "output.token_source")
    scored = "confidence_score" in w.get("uncertainty", ())
    if ("kappa_gate_passed" in meta) is not scored:
        iff("kappa_gate_passed" in meta, scored, "meta.kappa_gate_passed")
    if w["capture"]["vantage"] == "imported" and "occurred_at" not in w.get("temporal", ()):
        raise BadValue("temporal.occurred_at is missing in an imported witness")


WITNESS = closed(
    {
        "version": integer(WITNESS_VERSION, WITNESS_VERSION),
        "operation": matching(OP_NAME),
        **{key: _group(key) for key in ("model", "data", "output", "meta", "capture")},
    },
    {key: _group(key, 1) for key in ("tools", "uncertainty", "replay", "temporal", "cost", "raw")},
    rule=_witness_rule,
)
"""The check of a body of type `witness`; it raises BadValue (`body_invalid`)."""


def witness_refs(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the references of a witness that passes its table, in encoding order.

    The table bounds depth and keys nearly everywhere. None says that a walk must look: there are
    parameters of any kind, or a header or unit with the name that marks a reference.
    """
    refs = []
    if "raw" in body:
        raw = body["raw"]
        refs += [raw[key] for key in ("request", "response") if key in raw]
        if any(REF_MARK in raw.get(key, ()) for key in ("request_headers", "response_headers")):
            return None
    data, output = body["data"], body["output"]
    refs.append(data["prompt_hash"])
    named = ("prompt_template", "context_snapshot", "prompt_variables")
    refs += [data[key] for key in named if key in data]
    if "tools" in body:
        tools = body["tools"]
        refs += [tools[key] for key in ("tool_parameters", "tool_results_hash") if key in tools]
    if "output_hash" in output:
        refs.append(output["output_hash"])
    if "replay" in body:
        replay = body["replay"]
        if "other_params" in replay:
            return None
        refs += [replay[key] for key in ("environment", "observation") if key in replay]
    if REF_MARK in body.get("cost", {}).get("usage", ()):
        return None
    return refs
