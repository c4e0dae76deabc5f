"""One line of a replay plan, made from a witness and its contents (specs/13 section 9).

A plan says nothing of its own: whoever has the witness derives its line again and compares. The
export writes what this module derives, and a replay from a package refuses a line that is not it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from ledger.errors import ReplayError
from ledger.formats.call import canonical
from ledger.formats.content import ContentRef, from_cbor
from ledger.reader import Entry
from ledger.replay.levels import LEVELS, Seen
from ledger.replay.recipe import Recipe, expectation, recipe
from ledger.replay.source import Source, needed

__all__ = ["PLAN_LINE_MAX_BYTES", "plan_bytes", "plan_line"]

PLAN_LINE_MAX_BYTES: Final = 1_048_576
_INTEGER_MAX: Final = 2**53 - 1


def plan_line(source: Source, entry: Entry) -> dict[str, Any]:
    """Return the line of a witness as a JSON value; `source` has what the package has.

    What the witness does not say, or the package does not have, becomes the member `reason`.
    """
    payload, body = entry.payload, entry.payload.body
    line: dict[str, Any] = {
        "index": entry.index,
        "id": payload.id,
        "leaf_hash": entry.leaf_hash.hex(),
        "model": body["model"]["model_id"],
        "operation": body["operation"],
    }
    try:
        how = recipe(source, payload)
        needed(source, how.request)
        seen = expectation(source, payload, how)
    except ReplayError as error:
        if error.code not in ("not_recorded", "content_missing"):
            raise
        return line | {"reason": error.code}
    return line | _how(how) | _expected(seen, body)


def plan_bytes(line: dict[str, Any]) -> bytes:
    """Return a line as it stands in `plan.jsonl`, line feed included."""
    return canonical(line) + b"\n"


def _how(how: Recipe) -> dict[str, Any]:
    parameters = {name: value for name, value in how.parameters.items() if _is_json(value)}
    found = {
        "engine": how.engine,
        "needs": how.needs,
        "request": {"blake3": how.request.blake3.hex(), **_named(how.request)},
        "path": how.path,
        "tool": how.tool,
        "parameters": parameters or None,
        "weights": None if how.weights is None else how.weights.hex(),
    }
    return {name: value for name, value in found.items() if value is not None}


def _expected(seen: Seen, body: dict[str, Any]) -> dict[str, Any]:
    """What can be observed of the witness, and the digests to compare with."""
    expected: dict[str, Any] = {}
    if seen.output is not None:
        expected["text"] = _named(from_cbor(body["output"]["output_hash"]))
    observation = seen.observation
    if observation is not None:
        ids, texts = observation.token_ids, observation.token_texts
        tokens = texts if ids is None else ids
        if tokens is not None:
            kind = "texts" if ids is None else "ids"
            expected["tokens"] = {"count": len(tokens), "kind": kind, "sha256": _digest(tokens)}
        if observation.logprobs is not None:
            numbers = observation.logprobs
            expected["logprobs"] = {"count": len(numbers), "sha256": _digest(numbers)}
        if observation.raw is not None and seen.environment is not None:
            expected["bits"] = {
                "environment": sha256(seen.environment).hexdigest(),
                "raw": observation.raw.sha256.hex(),
            }
    levels = [level for level in LEVELS if level == "archive" or level in expected]
    return {"levels": levels, "expected": expected}


def _named(ref: ContentRef) -> dict[str, Any]:
    return {
        "sha256": ref.sha256.hex(),
        "size_bytes": ref.size_bytes,
        "media_type": ref.media_type,
    }


def _digest(values: Any) -> str:
    return sha256(canonical(list(values))).hexdigest()


def _is_json(value: object) -> bool:
    """Tell whether JSON can say a value of CBOR exactly."""
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= _INTEGER_MAX
    return not isinstance(value, bytes)
