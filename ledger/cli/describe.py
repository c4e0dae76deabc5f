"""A statement in words: one line of a listing, its facts, and its JSON form.

JSON keys of a statement, always all present: `index`, `id`, `leaf_hash`, `type`, `created_at`,
`stream`, `seq`, `session` (or null), `issuer`, `kid`, `parents` (array of `id`, `leaf_hash`),
`body` as recorded. Byte strings are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger import Entry
from ledger.cli import operation_words, replay_words, session_words
from ledger.cli.operation_words import BAND_STYLES
from ledger.cli.output import Part
from ledger.cli.text import counted, human_bytes

__all__ = ["BAND_STYLES", "TYPE_STYLES", "has_words", "plain", "statement_json", "summary"]

TYPE_STYLES = {
    "witness": "",
    "annotation": "cyan",
    "import": "blue",
    "export": "blue",
    "erasure": "yellow",
    "stream_close": "dim",
    "genesis": "magenta",
    "enrol": "magenta",
    "rotate": "magenta",
    "revoke": "bold magenta",
    **session_words.TYPES,
    **operation_words.TYPES,
    **replay_words.TYPES,
}


def plain(value: Any) -> Any:
    """Return a value of a body as JSON can hold it: byte strings in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def statement_json(entry: Entry) -> dict[str, Any]:
    """Return the JSON form of a statement; see the module docstring for its keys."""
    payload = entry.payload
    return {
        "index": entry.index,
        "id": payload.id,
        "leaf_hash": entry.leaf_hash.hex(),
        "type": payload.type,
        "created_at": payload.created_at,
        "stream": payload.stream_id,
        "seq": payload.seq,
        "session": payload.session,
        "issuer": entry.cose.iss,
        "kid": entry.cose.kid.hex(),
        "parents": [plain(parent.to_cbor()) for parent in payload.parents],
        "body": plain(payload.body),
    }


def has_words(kind: str) -> bool:
    """Tell whether `summary` knows what to say of a type, more than how large a body is."""
    return kind in _SUMMARIES


def summary(kind: str, body: Mapping[str, Any]) -> list[Part]:
    """Return what a statement says, in a few words; unknown types say how large they are."""
    make = _SUMMARIES.get(kind)
    try:
        return make(body) if make else [(f"{len(body)} fields", "dim")]
    except (KeyError, TypeError, ValueError):
        # Listing must go on over a body that breaks its page; `vif doctor` names the fault.
        return [("body does not follow its page", "red")]


def _witness(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = [str(body["model"]["model_id"])]
    if body["operation"] != "chat":
        parts.append((f" {body['operation']}", "dim"))
    uncertainty = body.get("uncertainty", {})
    if "confidence_score" in uncertainty:
        band = str(uncertainty["confidence_band"])
        score = f"{uncertainty['confidence_score']:.2f}"
        parts.append((f"  {band} {score}", BAND_STYLES.get(band, "")))
    if "output_hash" not in body["output"]:
        parts.append(("  no output", "yellow"))
    return parts


def _annotation(body: Mapping[str, Any]) -> list[Part]:
    name = body.get("name", body["kind"])
    value = body.get("value")
    if isinstance(value, float):
        value = f"{value:.3g}"
    return [f"{name}" if value is None else f"{name} = {value}"]


def _import(body: Mapping[str, Any]) -> list[Part]:
    name = body.get("source_name", "source")
    return [f"{counted(body['witnesses'], 'witness', 'witnesses')} from {name}"]


def _export(body: Mapping[str, Any]) -> list[Part]:
    chosen = body["selection"]
    what = chosen["kind"]
    if what == "session":
        what = f"session {chosen['session']}"
    elif what == "range":
        what = f"range {chosen['start']}:{chosen['end']}"
    return [f"{what}, {counted(body['statements'], 'statement')}, contents {body['contents']}"]


def _erasure(body: Mapping[str, Any]) -> list[Part]:
    return [f"{human_bytes(body['content']['size_bytes'])} {body['content']['media_type']}"]


_SUMMARIES: dict[str, Callable[[Mapping[str, Any]], list[Part]]] = {
    "witness": _witness,
    "annotation": _annotation,
    "import": _import,
    "export": _export,
    "erasure": _erasure,
    "stream_close": lambda body: [counted(body["statements"], "statement")],
    "genesis": lambda body: [str(body["origin"]), (" salted" if body["salted"] else "", "dim")],
    "enrol": lambda body: [f"{body['role']} {body['key']['name']}"],
    "rotate": lambda body: [str(body["key"]["name"])],
    "revoke": lambda body: [f"key {body['kid'].hex()[:16]} after #{body['last_good_index']}"],
    **session_words.SUMMARIES,
    **operation_words.SUMMARIES,
    **replay_words.SUMMARIES,
}
