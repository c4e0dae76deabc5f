"""The bodies of the known types, as tables (specs/03, 04 section 6, 05 section 3, 06, 07).

A table says which keys a map has, which of them are always there, and what each holds; a rule
says which keys come together. What a table does not name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from . import cbor
from .content import REF_MARK, all_refs, check_ref, looks_like_ref
from .errors import BadValue
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
    origin,
    prose,
    ratio,
    time,
)

WITNESS_VERSION = 1
PACKAGE_VERSION = 1
SIGNATURE_BYTES = 64
TOKEN_MAX_BYTES = 256
TOP_K_SUM_MAX = 1 + 1e-6
SECRET_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
    )
)
_HEADER_NAME = re.compile(r"[a-z0-9-]{1,64}")


def _iff(given: bool, wanted: bool, what: str) -> None:
    if given != wanted:
        raise BadValue(f"{what} is {'missing' if wanted else 'present without its reason'}")


def _together(first: str, *others: str) -> One:
    """Return the rule that the others are present iff the first is."""

    def rule(m: Any) -> None:
        wanted = first in m
        for other in others:
            if (other in m) != wanted:
                _iff(other in m, wanted, other)

    return rule


@Check
def _signature(v: Any) -> None:
    if type(v) is not bytes or len(v) != SIGNATURE_BYTES:
        raise BadValue("not a signature of 64 bytes")


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


def _keyed(key: Check, value: Check | None) -> Check:
    """Return the check of a map of 1 to 64 entries of one kind."""

    def one(v: Any) -> None:
        if type(v) is not dict or not 1 <= len(v) <= 64:
            raise BadValue("not a map of 1 to 64 keys")
        for k, item in v.items():
            try:
                key(k)
                if value is not None:
                    value(item)
            except BadValue as e:
                raise BadValue(f"{k[:80]!a}: {e.message}") from None

    return Check(one)


@Check
def _header_name(v: Any) -> None:
    if _HEADER_NAME.fullmatch(v) is None:
        raise BadValue("not a lower-case header name")
    if v in SECRET_HEADERS:
        raise BadValue("a header that carries a secret")


@Check
def _scalar(v: Any) -> None:
    if type(v) is str:
        prose(v)
    elif type(v) not in (int, float, bool):
        raise BadValue("not text, a number or a boolean")


_names = array(name, 1, 1024)
_headers = _keyed(_header_name, prose)
_source = closed({"format": name}, {"event_id": name, "sample_id": name, "epoch": count})
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
        "other_params": _keyed(name, None),
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
    },
    "capture": {"attempts": integer(1, 10_000), "request_id": name, "source": _source},
    "raw": {
        "request": looks_like_ref,
        "response": looks_like_ref,
        "request_headers": _headers,
        "response_headers": _headers,
    },
}


def _uncertainty_rule(m: Any) -> None:
    _together("confidence_score", "confidence_band", "confidence_method")(m)
    _together("top_k_probs", "top_k_position")(m)


_present: dict[str, One] = {
    "model": _together("model_provider", "provider_source"),
    "uncertainty": _uncertainty_rule,
    "cost": _together("cost_usd", "price_table"),
}


def _group(key: str, minimum: int = 0) -> Check:
    return closed(_always.get(key, {}), _optional[key], _present.get(key), None, minimum)


def _witness_rule(w: Any) -> None:
    data, output, meta = w["data"], w["output"], w["meta"]
    prompt, answer = "prompt_tokens" in data, "output_tokens" in output
    if ("total_tokens" in output) is not (prompt and answer):
        _iff("total_tokens" in output, prompt and answer, "output.total_tokens")
    if ("token_source" in output) is not (prompt or answer):
        _iff("token_source" in output, prompt or answer, "output.token_source")
    scored = "confidence_score" in w.get("uncertainty", ())
    if ("kappa_gate_passed" in meta) is not scored:
        _iff("kappa_gate_passed" in meta, scored, "meta.kappa_gate_passed")
    if w["capture"]["vantage"] == "imported" and "occurred_at" not in w.get("temporal", ()):
        raise BadValue("temporal.occurred_at is missing in an imported witness")


_witness = closed(
    {
        "version": integer(WITNESS_VERSION, WITNESS_VERSION),
        "operation": matching(OP_NAME),
        **{key: _group(key) for key in ("model", "data", "output", "meta", "capture")},
    },
    {key: _group(key, 1) for key in ("tools", "uncertainty", "replay", "temporal", "cost", "raw")},
    rule=_witness_rule,
)


def _export_rule(b: Any) -> None:
    selection = b["selection"]
    kind = selection["kind"]
    _iff("session" in selection, kind == "session", "selection.session")
    ids = [stream["id"] for stream in b["streams"]]
    if any(a >= z for a, z in pairwise(ids)):
        raise BadValue("streams: not in bytewise order of id, or one twice")
    if kind == "ledger" and ids:
        raise BadValue("streams: not empty for kind ledger")


_entry = closed({"name": label, "public_key": digest, "proof": _signature})
_selection = closed(
    {"kind": one_of("ledger", "session", "range"), "start": count, "end": count},
    {"session": label},
)
BODIES: dict[str, Check] = {
    "genesis": closed(
        {
            "origin": origin,
            "salted": boolean,
            "authority": _entry,
            "log": _entry,
            "producers": array(_entry, 1, 16),
        }
    ),
    "enrol": closed({"role": one_of("producer", "log"), "key": _entry}),
    "rotate": closed({"old_kid": digest, "key": _entry}),
    "revoke": closed({"kid": digest, "last_good_index": count, "reason": prose}),
    "witness": _witness,
    "annotation": closed(
        {"kind": label},
        {"name": name, "value": _scalar, "explanation": looks_like_ref, "source": _source},
    ),
    "import": closed(
        {"format": label, "source": looks_like_ref, "witnesses": count, "annotations": count},
        {"source_name": name},
    ),
    "erasure": closed({"content": looks_like_ref, "reason": prose}),
    "stream_close": closed({"statements": count}),
    "export": closed(
        {
            "package_version": integer(PACKAGE_VERSION, PACKAGE_VERSION),
            "seal": closed({"sha256": digest, "size_bytes": count}),
            "selection": _selection,
            "contents": one_of("included", "withheld"),
            "statements": count,
            "streams": array(closed({"id": label, "statements": count}), 0, 512),
        },
        rule=_export_rule,
    ),
}
"""Type -> check of its body; each raises BadValue (`body_invalid`).

Where a reference belongs, the table wants a map with its mark; `check_body` checks marked maps.
"""


def _witness_refs(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the references of a witness that passes its table, in encoding order.

    The table bounds depth and keys nearly everywhere. None says that a walk must look: there are
    parameters of any kind, or a header with the name that marks a reference.
    """
    refs = []
    if "raw" in body:
        raw = body["raw"]
        refs += [raw[key] for key in ("request", "response") if key in raw]
        if any(REF_MARK in raw.get(key, ()) for key in ("request_headers", "response_headers")):
            return None
    data, output = body["data"], body["output"]
    refs.append(data["prompt_hash"])
    if "prompt_template" in data:
        refs.append(data["prompt_template"])
    if "tools" in body:
        tools = body["tools"]
        refs += [tools[key] for key in ("tool_parameters", "tool_results_hash") if key in tools]
    if "output_hash" in output:
        refs.append(output["output_hash"])
    return None if "other_params" in body.get("replay", ()) else refs


def check_body(p: dict[str, Any], refs: list[dict[str, Any]], salted: bool | None) -> None:
    """Check the body of a checked payload whose marked maps are `refs`; `body_invalid`.

    `salted` is the ledger's choice, or None when it is not known. An unknown type has no table.
    """
    table = BODIES.get(p["type"])
    if table is not None:
        table(p["body"])
    for ref in refs:
        check_ref(ref)
        if table is not None and salted is not None and ("salted" in ref) is not salted:
            raise BadValue(f"a reference that is {'not ' if salted else ''}salted")
    _check_envelope(p)


def refs_of_all(
    payloads: Sequence[dict[str, Any]], salted: bool | None
) -> list[list[dict[str, Any]]] | None:
    """Return the marked maps of each payload if `check_body` passes for all of them, or None.

    Raises `cbor_invalid` for nesting that is too deep.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for p in payloads:
        kinds.setdefault(p["type"], []).append(p)
    for kind, some in kinds.items():
        if kind in BODIES and not BODIES[kind].all([p["body"] for p in some]):
            return None
        if kind in _ENVELOPE and not Check(_check_envelope).all(some):
            return None
    found: list[list[dict[str, Any]]] = []
    for p in payloads:
        refs = _witness_refs(p["body"]) if p["type"] == "witness" else None
        found.append(cbor.find_marked(p, REF_MARK) if refs is None else refs)
    named = [ref for refs in found for ref in refs]
    if named and not all_refs(named):
        return None
    if salted is not None:
        for p, refs in zip(payloads, found, strict=True):
            for ref in refs:
                if ("salted" in ref) is not salted and p["type"] in BODIES:
                    return None
    return found


_ENVELOPE = frozenset(("annotation", "stream_close"))


def _check_envelope(p: dict[str, Any]) -> None:
    """Check what ties the body of these two types to the rest of the payload."""
    if p["type"] == "annotation" and "parents" not in p:
        raise BadValue("an annotation without parents")
    if p["type"] == "stream_close" and p["body"]["statements"] != p["stream"]["seq"] + 1:
        raise BadValue("statements: not seq + 1")
