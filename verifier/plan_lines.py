"""Lines and files of a replay plan as they follow from the log (specs/13 section 9).

Nothing here reads a file. A line names content by digest and never by path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from .engines import ASKED, STEP, Way
from .jcs import SAFE_INTEGER_MAX, canonical
from .recorded import Shown

PLAN_FOLDER = "data/replay/"
PLAN = PLAN_FOLDER + "plan.jsonl"
WEIGHTS = PLAN_FOLDER + "weights.json"
ENVIRONMENT = PLAN_FOLDER + "environment.json"
REQUIREMENTS = PLAN_FOLDER + "requirements.txt"
PLAN_FILES = frozenset((PLAN, WEIGHTS, ENVIRONMENT, REQUIREMENTS))
NOT_RECORDED, CONTENT_MISSING = "not_recorded", "content_missing"
_OF_WEIGHTS = frozenset(("transformers", "llama-cpp"))
_NOT_PARAMETERS = frozenset(("engine", "environment", "observation"))
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

Ref = dict[str, Any]


class Expected(NamedTuple):
    """What is expected of a run, besides the output: in digests, as far as there is any."""

    shown: Shown
    environment: str | None


def request_of(witness: dict[str, Any], way: Way) -> Ref:
    """Return the reference to the content that is run."""
    if way.engine == STEP:
        found: Ref = witness["tools"]["tool_parameters"]
    elif way.engine in ASKED:
        found = witness["raw"]["request"]
    else:
        found = witness["data"]["prompt_hash"]
    return found


def needed(witness: dict[str, Any], way: Way) -> list[Ref]:
    """Return the references to what the request and the expectations of a run need."""
    replay, raw = witness.get("replay", {}), witness.get("raw", {})
    seen = replay.get("observation")
    if seen is None and way.answers_in() is not None:
        seen = raw.get("response")
    wanted = (witness["output"].get("output_hash"), seen, replay.get("environment"))
    return [request_of(witness, way), *(ref for ref in wanted if ref is not None)]


def plan_line(
    index: int,
    p: dict[str, Any],
    leaf: bytes,
    way: Way | None,
    expected: Expected | None,
    undecided: bool = False,
) -> dict[str, Any]:
    """Return the members of the line of a witness.

    No `way`: it says not how to run it again. No `expected`: a content that it takes is missing.
    """
    witness = p["body"]
    line: dict[str, Any] = {
        "index": index,
        "id": p["id"],
        "leaf_hash": leaf.hex(),
        "model": witness["model"]["model_id"],
        "operation": witness["operation"],
    }
    if way is None or expected is None:
        gone = way is not None or undecided
        line["reason"] = CONTENT_MISSING if gone else NOT_RECORDED
        return line
    ref, weights = request_of(witness, way), witness["model"].get("weights_hash")
    line["engine"] = way.engine
    line["needs"] = _needs(way.engine, weights)
    line["request"] = _digests(ref, "blake3", "sha256", "size_bytes", "media_type")
    if way.path is not None:
        line["path"] = way.path
    if way.engine == STEP:
        line["tool"] = witness["tools"]["tool_ids"][0]
    parameters = _parameters(witness.get("replay", {}))
    if parameters:
        line["parameters"] = parameters
    if weights is not None:
        line["weights"] = weights.hex()
    line["expected"] = _expected(witness, expected)
    order = ("text", "tokens", "logprobs", "bits")
    line["levels"] = ["archive", *(level for level in order if level in line["expected"])]
    return line


def weights_file(weights: Iterable[tuple[bytes, Iterable[str], int]]) -> list[dict[str, Any]]:
    """Return what the list of weights has, without whereabouts: digest, models, statements."""
    return [
        {"blake3": digest.hex(), "models": sorted(models), "statements": statements}
        for digest, models, statements in sorted(weights)
    ]


def _needs(engine: str, weights: bytes | None) -> str:
    if engine in ASKED:
        return "endpoint"
    if engine == STEP:
        return "function"
    return "weights" if weights is not None or engine in _OF_WEIGHTS else "engine"


def _expected(witness: dict[str, Any], expected: Expected) -> dict[str, Any]:
    found: dict[str, Any] = {}
    output, shown = witness["output"].get("output_hash"), expected.shown
    if output is not None:
        found["text"] = _digests(output, "sha256", "size_bytes", "media_type")
    if shown.tokens is not None:
        count, kind, digest = shown.tokens
        found["tokens"] = {"count": count, "kind": kind, "sha256": digest}
    if shown.logprobs is not None:
        count, digest = shown.logprobs
        found["logprobs"] = {"count": count, "sha256": digest}
    if shown.raw is not None and expected.environment is not None:
        found["bits"] = {"environment": expected.environment, "raw": shown.raw}
    return found


def _digests(ref: Ref, *names: str) -> dict[str, Any]:
    return {n: ref[n].hex() if type(ref[n]) is bytes else ref[n] for n in names}


def _parameters(replay: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in replay.items() if k not in _NOT_PARAMETERS and _is_plain(v)}


def _is_plain(value: Any) -> bool:
    """Return whether a value holds neither bytes nor a number that I-JSON has not."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(map(_is_plain, value.values()))
    if type(value) is int:
        return abs(value) <= SAFE_INTEGER_MAX
    return type(value) is not bytes


def encoded(line: dict[str, Any]) -> bytes:
    """Return the RFC 8785 form of a line and a line feed."""
    return ("{" + ",".join([f'"{k}":{_value(k, line[k])}' for k in sorted(line)]) + "}\n").encode()


def _value(member: str, value: Any) -> str:
    """Return the value of a member; only parameters hold floats, or names not of this page."""
    if member != "parameters":
        return _encode(value)
    text = canonical(_encode(value).encode())
    if text is None:
        raise RuntimeError("parameters that are not I-JSON")
    return text.decode()
