"""The form of a replay plan and of its list of weights (specs/13 section 9).

What passes is names, numbers and digests in hex, so nothing in it can be a path into a package.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import BadValue
from .fields import iff
from .jcs import canonical
from .levels import LEVELS
from .plan_lines import CONTENT_MISSING, NOT_RECORDED
from .values import (
    COUNT_MAX,
    OP_NAME,
    Check,
    array,
    closed,
    count,
    label,
    matching,
    name,
    one_of,
    uuid7,
)

PLAN_LINE_MAX_BYTES = 1048576
AT_MAX = 16
AT_MAX_BYTES = 4096
_hex = matching(re.compile(r"[0-9a-f]{64}"))
_AFTER_REASON = ("engine", "needs", "request", "expected", "levels")


@Check
def _path(v: Any) -> None:
    if type(v) is not str or not v.startswith("/"):
        raise BadValue("not a path of a request")


@Check
def _object(v: Any) -> None:
    if type(v) is not dict or not v:
        raise BadValue("not an object with a member")


@Check
def _levels(v: Any) -> None:
    if type(v) is not list or v != [one for one in LEVELS if one in v] or v[:1] != ["archive"]:
        raise BadValue("not levels in order, from archive")


@Check
def _where(v: Any) -> None:
    if type(v) is not str or len(v.encode()) > AT_MAX_BYTES:
        raise BadValue(f"not text of at most {AT_MAX_BYTES} bytes")


def _runs(m: dict[str, Any]) -> None:
    for member in _AFTER_REASON:
        iff(member in m, "reason" not in m, member)
    if "reason" in m and m.keys() & {"path", "tool", "parameters", "weights"}:
        raise BadValue("how it is run, and a reason why it cannot be")


_content = closed({"blake3": _hex, "sha256": _hex, "size_bytes": count, "media_type": name})
_plan_line = closed(
    {"index": count, "id": uuid7, "leaf_hash": _hex, "model": name, "operation": matching(OP_NAME)},
    {
        "reason": one_of(NOT_RECORDED, CONTENT_MISSING),
        "engine": label,
        "needs": one_of("endpoint", "function", "weights", "engine"),
        "request": _content,
        "path": _path,
        "tool": name,
        "parameters": _object,
        "weights": _hex,
        "levels": _levels,
        "expected": closed(
            {},
            {
                "text": closed({"sha256": _hex, "size_bytes": count, "media_type": name}),
                "tokens": closed({"count": count, "kind": one_of("ids", "texts"), "sha256": _hex}),
                "logprobs": closed({"count": count, "sha256": _hex}),
                "bits": closed({"environment": _hex, "raw": _hex}),
            },
        ),
    },
    present=_runs,
)
_weights = closed(
    {
        "weights": array(
            closed(
                {"blake3": _hex, "models": array(name, 1, COUNT_MAX), "statements": count},
                {"at": array(_where, 1, AT_MAX)},
            ),
            1,
            COUNT_MAX,
        )
    }
)


def parse_line(raw: bytes) -> dict[str, Any]:
    """Return a line with its line feed as an object; raises BadValue."""
    if len(raw) > PLAN_LINE_MAX_BYTES:
        raise BadValue(f"a line of more than {PLAN_LINE_MAX_BYTES} bytes")
    if not raw.endswith(b"\n"):
        raise BadValue("the last line feed is missing")
    return _parsed(raw[:-1], _plan_line)


def parse_weights(raw: bytes) -> list[dict[str, Any]]:
    """Return the list of weights without their whereabouts; raises BadValue."""
    found: list[dict[str, Any]] = _parsed(raw, _weights)["weights"]
    return [{k: v for k, v in one.items() if k != "at"} for one in found]


def _parsed(raw: bytes, form: Check) -> dict[str, Any]:
    if canonical(raw) != raw:
        raise BadValue("not I-JSON in RFC 8785 form")
    found: Any = json.loads(raw)
    form(found)
    checked: dict[str, Any] = found
    return checked
